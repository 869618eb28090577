/** Which fields of a schema are instants, which compare as times, and which are lists, of which one item is enough (spec/filter.md). */

import type { FieldFormat } from '../base/instant.ts';
import { isJsonObject, type JsonObject, type JsonValue } from '../base/json.ts';

export type { FieldFormat } from '../base/instant.ts';
/** Formats by dot path; arrays are transparent. */
export type FieldFormats = ReadonlyMap<string, FieldFormat>;

const KNOWN: ReadonlySet<string> = new Set<FieldFormat>(['date', 'date-time', 'partial-date']);
const MAX_DEPTH = 12;

/** Dot paths of the fields that are lists; arrays are transparent. */
export type FieldLists = ReadonlySet<string>;

/** Collects the formats of a JSON Schema, through properties, items, allOf and local `$defs`. */
export function fieldFormats(schema: JsonObject): FieldFormats {
  const formats = new Map<string, FieldFormat>();
  walk(schema, schema, '', 0, ({ format }, path) => {
    if (typeof format === 'string' && KNOWN.has(format)) formats.set(path, format as FieldFormat);
  });
  return formats;
}

/** Collects the fields of a JSON Schema that are lists, or may be one, on the same ways. */
export function fieldLists(schema: JsonObject): FieldLists {
  const lists = new Set<string>();
  walk(schema, schema, '', 0, ({ type, items }, path) => {
    if ([type].flat().includes('array') || items !== undefined) lists.add(path);
  });
  return lists;
}

type Visit = (node: JsonObject, path: string) => void;

function walk(root: JsonObject, node: JsonValue | undefined, path: string, depth: number, visit: Visit): void {
  if (!isJsonObject(node) || depth > MAX_DEPTH) return;
  const { $ref, properties, items, allOf } = node;
  if (path !== '') visit(node, path);
  if (typeof $ref === 'string' && $ref.startsWith('#/$defs/') && isJsonObject(root.$defs))
    walk(root, root.$defs[$ref.slice('#/$defs/'.length)], path, depth + 1, visit);
  if (isJsonObject(properties))
    for (const [name, value] of Object.entries(properties))
      walk(root, value, path === '' ? name : `${path}.${name}`, depth + 1, visit);
  walk(root, items, path, depth + 1, visit);
  if (Array.isArray(allOf)) for (const part of allOf as readonly JsonValue[]) walk(root, part, path, depth + 1, visit);
}
