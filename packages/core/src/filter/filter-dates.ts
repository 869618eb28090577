/** The dates that a filter is about: what a preview says of the time that it covers. */

import type { JsonObject } from '../base/json.ts';
import type { Filter, Node } from './ast.ts';
import type { FieldFormat, FieldFormats } from './formats.ts';
import { parseInstant } from './instant.ts';
import { valuesAt } from './values-at.ts';

/** The date fields that a filter has conditions on, by dot path, with the format of each. */
export function filterDates(filter: Filter): FieldFormats {
  const found = new Map<string, FieldFormat>();
  const find = (node: Node, above: readonly string[]): void => {
    switch (node.type) {
      case 'and':
      case 'or':
        for (const part of node.parts) find(part, above);
        return;
      case 'not':
        return find(node.part, above);
      case 'element':
        return find(node.part, [...above, ...node.path]);
      case 'atom':
        if (node.format) found.set([...above, ...node.path].join('.'), node.format);
    }
  };
  find(filter.node, []);
  return found;
}

/** The instants that a record holds at a dot path, in ms since the Unix epoch. */
export function instantsAt(record: JsonObject, path: string, format: FieldFormat): readonly number[] {
  const instants: number[] = [];
  valuesAt(record, path.split('.'), 0, (value) => {
    const at = typeof value === 'string' ? parseInstant(value, format) : undefined;
    if (at !== undefined) instants.push(at);
  });
  return instants;
}
