/** What a grantee sees of a record: the chosen fields, changed where the terms say so, under an id of its own (spec/feed.md). */

import { bytesToBase64url, utf8ToBytes } from '../base/bytes.ts';
import { canonicalJson } from '../base/canonical-json.ts';
import { isJsonObject, type JsonObject, type JsonValue } from '../base/json.ts';
import { hmacSha256 } from '../crypto/hash.ts';
import type { GrantSecret } from '../crypto/keys.ts';
import { parseInstant } from '../filter/index.ts';
import { type FieldTerm, type FieldTransform, isDrop, pathOf, transformOf } from './field-term.ts';

/** The record's id in one grant: unlinkable to its id in any other. */
export const granteeRecordId = (secret: GrantSecret, id: string): string => pseudonym(secret, `id/${id}`);

const pseudonym = (secret: GrantSecret, text: string): string =>
  bytesToBase64url(hmacSha256(secret, utf8ToBytes(text)).subarray(0, 16));

/** What stands for a value; undefined when nothing may. */
type Change = (value: JsonValue) => JsonValue | undefined;
type Draft = { [name: string]: JsonValue };

/**
 * Projects a record. Without a field that is revealed the whole record goes, but never `_rev`, whose count would tell of edits to other fields.
 * `secret` makes the pseudonyms, and must be the grant's.
 *
 * Source: spec/feed.md FEED-3, FEED-4, FEED-22, FEED-23.
 */
export function project(
  record: JsonObject,
  fields: readonly FieldTerm[] | undefined,
  id: string,
  secret: GrantSecret,
): JsonObject {
  const shown = (fields ?? []).filter((term) => !isDrop(term));
  let out: Draft = shown.length === 0 ? { ...record } : {};
  for (const term of shown) if (!transformOf(term)) mergeInto(out, pick(record, pathOf(term).split('.'), asItIs));
  for (const term of shown) {
    const transform = transformOf(term);
    if (!transform) continue;
    const path = pathOf(term).split('.');
    // A plain path may have brought the value along.
    out = without(out, path);
    mergeInto(out, pick(record, path, changeOf(transform, pathOf(term), secret)));
  }
  for (const term of fields ?? []) if (isDrop(term)) out = without(out, pathOf(term).split('.'));
  const { _id, _rev, schema, ...rest } = out;
  return { _id: id, ...(record.schema === undefined ? {} : { schema: record.schema }), ...rest };
}

const asItIs: Change = (value) => value;

function changeOf(transform: FieldTransform, path: string, secret: GrantSecret): Change {
  // A list is changed item by item, and null is nothing that could be changed.
  const each =
    (change: Change): Change =>
    (value) => {
      if (!Array.isArray(value)) return value === null ? undefined : change(value);
      return ofItems(value, each(change));
    };
  if (transform === 'pseudonym') return each((value) => pseudonym(secret, `pseudonym/${path}/${canonicalJson(value)}`));
  if (transform === 'year')
    return each((value) => (typeof value === 'string' && isInstant(value) ? value.slice(0, 4) : undefined));
  if (transform === 'drop') return () => undefined;
  const { round } = transform;
  return each((value) => (typeof value === 'number' ? nearest(value, round) : undefined));
}

const isInstant = (text: string): boolean => parseInstant(text, 'partial-date') !== undefined;

/** The nearest multiple, halves upwards. Multiples of a fraction are inexact in binary: 15 digits say what is meant. */
function nearest(value: number, step: number): number | undefined {
  const below = Math.floor(value / step);
  const steps = value / step - below < 0.5 ? below : below + 1;
  const multiple = Number((steps * step).toPrecision(15));
  return Number.isFinite(multiple) ? multiple : undefined;
}

/** The part of a value that lies on one path, through lists; undefined when nothing does. */
function pick(value: JsonValue, path: readonly string[], change: Change): JsonValue | undefined {
  const [name, ...rest] = path;
  if (name === undefined) return change(value);
  if (Array.isArray(value)) return ofItems(value, (item) => pick(item, path, change));
  if (!isJsonObject(value) || !Object.hasOwn(value, name)) return undefined;
  const inner = pick(value[name] as JsonValue, rest, change);
  return inner === undefined ? undefined : { [name]: inner };
}

/** Items keep their places, so that what is picked of one item by two paths meets again. */
function ofItems(list: readonly JsonValue[], change: Change): JsonValue | undefined {
  const items = list.map((item) => change(item) ?? null);
  return items.some((item) => item !== null) ? items : undefined;
}

/** A copy without what lies on a path. */
function without(value: JsonObject, path: readonly string[]): Draft {
  const [name, ...rest] = path as readonly [string, ...string[]];
  const out: Draft = { ...value };
  if (!Object.hasOwn(out, name)) return out;
  if (rest.length === 0) delete out[name];
  else out[name] = withoutIn(out[name] as JsonValue, rest);
  return out;
}

function withoutIn(value: JsonValue, path: readonly string[]): JsonValue {
  if (Array.isArray(value)) return value.map((item: JsonValue) => withoutIn(item, path));
  return isJsonObject(value) ? without(value, path) : value;
}

function mergeInto(target: Draft, part: JsonValue | undefined): void {
  if (part === undefined || !isJsonObject(part)) return;
  for (const [name, value] of Object.entries(part))
    target[name] = Object.hasOwn(target, name) ? mergeValues(target[name] as JsonValue, value) : value;
}

/** Two picks of one record agree where they meet, so merging is a union; list items meet by position. */
function mergeValues(a: JsonValue, b: JsonValue): JsonValue {
  if (a === null) return b;
  if (b === null) return a;
  if (Array.isArray(a) && Array.isArray(b))
    return a.map((item: JsonValue, i) => mergeValues(item, (b[i] as JsonValue | undefined) ?? null));
  if (isJsonObject(a) && isJsonObject(b)) {
    const out: Draft = { ...a };
    mergeInto(out, b);
    return out;
  }
  return a;
}
