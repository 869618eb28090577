/** How a schema says that its top-level fields merge: the `merge` of a property, through `allOf`, local `$defs` and what is inherited. */

import { isJsonObject, type JsonObject, type JsonValue } from '@sluice/core/base';
import type { FieldFormats } from '@sluice/core/filter';
import type { MergeRule, MergeRules } from '@sluice/core/record';

type Declared = { merge?: JsonValue; readonly types: Set<string> };
/** How deep a schema is read for formats and merges. */
export const READ_DEPTH = 12;
const DEFS = '#/$defs/';
/** The types a merge is for; with `undefined`, any or none. */
const TYPES = new Map<JsonValue, readonly string[] | undefined>([
  ['lww', undefined],
  ['immutable', undefined],
  ['set', ['array']],
  // Sums of fractions depend on their order.
  ['counter', ['integer']],
  ['max', ['integer', 'number', 'string']],
  ['min', ['integer', 'number', 'string']],
]);

/** The fields of a flattened schema that do not merge as `lww`. An extreme of a field with a format compares instants. */
export function declaredMerges(flat: JsonObject, formats: FieldFormats): MergeRules {
  const merges = new Map<string, MergeRule>();
  for (const [field, { merge }] of declarations(flat)) {
    const format = formats.get(field);
    if (merge === 'max' || merge === 'min') merges.set(field, format === undefined ? merge : `${merge} ${format}`);
    else if (merge === 'set' || merge === 'counter' || merge === 'immutable') merges.set(field, merge);
  }
  return merges;
}

/** Says what is wrong with the merges that a flattened schema declares, or nothing. */
export function mergeFault(flat: JsonObject): string | undefined {
  for (const [field, { merge, types }] of declarations(flat)) {
    if (merge === undefined) continue;
    if (typeof merge !== 'string' || !TYPES.has(merge))
      return `it declares a merge other than ${[...TYPES.keys()].join(', ')}`;
    const allowed = TYPES.get(merge);
    const isWrong = allowed !== undefined && (types.size === 0 || [...types].some((type) => !allowed.includes(type)));
    if (isWrong) return `its field ${JSON.stringify(field)} merges as ${merge}, which is for ${allowed.join(' or ')}`;
  }
  return undefined;
}

/** The `merge` of each top-level field, and the types it may have. */
function declarations(root: JsonObject): Map<string, Declared> {
  const found = new Map<string, Declared>();
  const visit = (node: JsonValue | undefined, depth: number, field?: string): void => {
    if (!isJsonObject(node) || depth > READ_DEPTH) return;
    if (field !== undefined) {
      const declared: Declared = found.get(field) ?? { types: new Set() };
      if (node.merge !== undefined) declared.merge = node.merge;
      for (const type of [node.type].flat()) if (typeof type === 'string') declared.types.add(type);
      found.set(field, declared);
    }
    visit(definition(root, node.$ref), depth + 1, field);
    for (const part of Array.isArray(node.allOf) ? (node.allOf as readonly JsonValue[]) : [])
      visit(part, depth + 1, field);
    if (field === undefined && isJsonObject(node.properties))
      for (const [name, part] of Object.entries(node.properties)) visit(part, depth + 1, name);
  };
  visit(root, 0);
  return found;
}

/** What a local reference leads to. */
export function definition(root: JsonObject, ref: JsonValue | undefined): JsonValue | undefined {
  return typeof ref === 'string' && ref.startsWith(DEFS) && isJsonObject(root.$defs)
    ? root.$defs[ref.slice(DEFS.length)]
    : undefined;
}
