/** JSON lines as records of one schema: a record a line; bad lines are listed by number. Pure: text in, records out. */

import { canonicalJson, isJsonObject, type JsonObject, parseJson } from '@sluice/core/base';
import { bundledAliases, bundledValidators, type SchemaIssue } from '@sluice/schemas';
import { importedId, MAX_IMPORT_BYTES } from './import-failure.ts';

const LINE = { maxBytes: 1024 * 1024, maxDepth: 64 };

/** What the records of a file are checked against. */
export type JsonLinesOptions = {
  /** Short name or `$id` of a bundled schema that every record must match. */
  readonly schema?: string;
  /** Checks each record instead, e.g. `validate` of a schema that was loaded. */
  readonly validate?: (record: JsonObject) => readonly SchemaIssue[];
  readonly maxBytes?: number;
};
/** What a file of JSON lines holds. */
export type JsonLines = {
  readonly records: readonly JsonObject[];
  /** The line of each record, counted from 1. */
  readonly lines: readonly number[];
  /** Lines that were left out, counted from 1. */
  readonly problems: readonly { readonly line: number; readonly reason: string }[];
};

/**
 * Reads records, one a line; empty lines are passed over.
 *
 * Result: the records that match, each with its `_id`: its own, or a UUIDv5 of its canonical JSON. Importing the same file again updates.
 *         A text over 64 MiB gives no record and the one problem `too-large`, a line over 1 MiB is a problem of its own.
 */
export function readJsonLines(text: string, options: JsonLinesOptions = {}): JsonLines {
  const maxBytes = options.maxBytes ?? MAX_IMPORT_BYTES;
  if (text.length * 3 > maxBytes && new TextEncoder().encode(text).length > maxBytes)
    return { records: [], lines: [], problems: [{ line: 1, reason: 'too-large' }] };
  const check = options.validate ?? bundledCheck(options.schema);
  const records: JsonObject[] = [];
  const problems: { line: number; reason: string }[] = [];
  const lineById = new Map<string, number>();
  for (const [i, line] of text.split('\n').entries()) {
    if (line.trim() === '') continue;
    const read = readLine(line.trim(), check);
    const id = typeof read === 'string' ? undefined : String(read._id);
    const earlier = id === undefined ? undefined : lineById.get(id);
    if (typeof read === 'string') problems.push({ line: i + 1, reason: read });
    else if (earlier !== undefined) problems.push({ line: i + 1, reason: `has the _id of line ${earlier}` });
    else {
      lineById.set(String(id), i + 1);
      records.push(read);
    }
  }
  return { records, lines: [...lineById.values()], problems };
}

function readLine(line: string, check: NonNullable<JsonLinesOptions['validate']>): JsonObject | string {
  const parsed = parseJson(line, LINE);
  if (!parsed.ok) return parsed.error.type === 'malformed' ? 'not JSON' : parsed.error.type;
  if (!isJsonObject(parsed.value)) return 'not a JSON object';
  const { _rev, ...content } = parsed.value;
  if (content._id !== undefined && typeof content._id !== 'string') return 'its _id is not text';
  const record = content._id ? content : { ...content, _id: importedId('jsonLines', canonicalJson(content)) };
  const [issue] = check(record);
  return issue ? `does not match: ${issue.path} ${issue.message}` : record;
}

function bundledCheck(schema: string | undefined): NonNullable<JsonLinesOptions['validate']> {
  if (schema === undefined) return () => [];
  const validate = bundledValidators.get(bundledAliases.get(schema) ?? schema);
  if (!validate) throw new TypeError('readJsonLines: pass `validate` for a schema that is not bundled');
  return validate;
}
