/** What a grantee sees of a record: the chosen fields, under an id of its own (spec/feed.md). */

import { bytesToBase64url, utf8ToBytes } from '../base/bytes.ts';
import { isJsonObject, type JsonObject, type JsonValue } from '../base/json.ts';
import type { GrantSecret } from '../crypto/keys.ts';
import { hmacSha256 } from '../crypto/hash.ts';

/** The record's id in one grant: unlinkable to its id in any other. */
export const granteeRecordId = (secret: GrantSecret, id: string): string =>
  bytesToBase64url(hmacSha256(secret, utf8ToBytes(`id/${id}`)).subarray(0, 16));

/**
 * Projects a record. Without `fields` the whole record goes, but never `_rev`, whose count would tell of edits to other fields.
 * Source: spec/feed.md FEED-3, FEED-4.
 */
export function project(record: JsonObject, fields: readonly string[] | undefined, id: string): JsonObject {
  const out: Record<string, JsonValue> = { _id: id };
  if (record.schema !== undefined) out.schema = record.schema;
  if (!fields) {
    for (const [name, value] of Object.entries(record)) if (name !== '_id' && name !== '_rev') out[name] = value;
    return out;
  }
  for (const path of fields) mergeInto(out, pick(record, path.split('.')));
  return out;
}

/** The part of a value that lies on one path, through arrays; undefined when nothing does. */
function pick(value: JsonValue, path: readonly string[]): JsonValue | undefined {
  if (path.length === 0) return value;
  if (Array.isArray(value)) {
    const items = value.map((item: JsonValue) => pick(item, path) ?? null);
    return items.some((item) => item !== null) ? items : undefined;
  }
  const [name, ...rest] = path as readonly [string, ...string[]];
  if (!isJsonObject(value) || !Object.hasOwn(value, name)) return undefined;
  const inner = pick(value[name] as JsonValue, rest);
  return inner === undefined ? undefined : { [name]: inner };
}

function mergeInto(target: Record<string, JsonValue>, part: JsonValue | undefined): void {
  if (part === undefined || !isJsonObject(part)) return;
  for (const [name, value] of Object.entries(part)) target[name] = mergeValues(target[name], value);
}

/** Two picks of one record agree where they meet, so merging is a union; array items meet by position. */
function mergeValues(a: JsonValue | undefined, b: JsonValue): JsonValue {
  if (a === undefined || a === null) return b;
  if (b === null) return a;
  if (Array.isArray(a) && Array.isArray(b))
    return a.map((item: JsonValue, i) => mergeValues(item, (b[i] as JsonValue | undefined) ?? null));
  if (isJsonObject(a) && isJsonObject(b)) {
    const out: Record<string, JsonValue> = { ...a };
    mergeInto(out, b);
    return out;
  }
  return a;
}
