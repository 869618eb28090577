/** Which fields of a schema are instants: they compare as times, all others as they are (spec/filter.md). */

import type { FieldFormat } from '../base/instant.ts';
import { isJsonObject, type JsonObject, type JsonValue } from '../base/json.ts';

export type { FieldFormat } from '../base/instant.ts';
/** Formats by dot path; arrays are transparent. */
export type FieldFormats = ReadonlyMap<string, FieldFormat>;

const KNOWN: ReadonlySet<string> = new Set<FieldFormat>(['date', 'date-time', 'partial-date']);
const MAX_DEPTH = 12;

/** Collects the formats of a JSON Schema, through properties, items, allOf and local `$defs`. */
export function fieldFormats(schema: JsonObject): FieldFormats {
  const formats = new Map<string, FieldFormat>();
  walk(schema, schema, '', 0, formats);
  return formats;
}

function walk(
  root: JsonObject,
  node: JsonValue | undefined,
  path: string,
  depth: number,
  formats: Map<string, FieldFormat>,
): void {
  if (!isJsonObject(node) || depth > MAX_DEPTH) return;
  const { format, $ref, properties, items, allOf } = node;
  if (typeof format === 'string' && KNOWN.has(format) && path !== '') formats.set(path, format as FieldFormat);
  if (typeof $ref === 'string' && $ref.startsWith('#/$defs/') && isJsonObject(root.$defs))
    walk(root, root.$defs[$ref.slice('#/$defs/'.length)], path, depth + 1, formats);
  if (isJsonObject(properties))
    for (const [name, value] of Object.entries(properties))
      walk(root, value, path === '' ? name : `${path}.${name}`, depth + 1, formats);
  walk(root, items, path, depth + 1, formats);
  if (Array.isArray(allOf))
    for (const part of allOf as readonly JsonValue[]) walk(root, part, path, depth + 1, formats);
}
