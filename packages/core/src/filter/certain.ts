/** What a filter says of a record of which only some fields are known. */

import type { JsonObject } from '../base/json.ts';
import type { Filter, Node } from './ast.ts';
import { matches } from './matcher.ts';

/**
 * The part of a filter that a record fails for certain, whatever stands in the fields that are not known; undefined when it may match.
 *
 * `isKnown` tells of top-level fields: one that is known and missing is missing. Of a filter that is a conjunction each part is looked at alone.
 * `atMs`: the instants at which it must fail to fail for certain.
 */
export function failsForCertain(
  filter: Filter,
  record: JsonObject,
  isKnown: (name: string) => boolean,
  atMs: readonly number[],
): Filter | undefined {
  for (const node of conditions(filter.node)) {
    const part = { ...filter, node };
    if (namesOf(node).every(isKnown) && atMs.every((ms) => !matches(part, record, ms))) return part;
  }
  return undefined;
}

const conditions = (node: Node): readonly Node[] => (node.type === 'and' ? node.parts.flatMap(conditions) : [node]);

/** The top-level fields that a filter looks at. */
function namesOf(node: Node): readonly string[] {
  switch (node.type) {
    case 'and':
    case 'or':
      return node.parts.flatMap(namesOf);
    case 'not':
      return namesOf(node.part);
    default:
      return node.path.slice(0, 1);
  }
}
