/** Keys of records in an index, and their total order: missing, null, false, true, numbers, text by code point (spec/filter.md). */

import { isJsonObject, type JsonObject, type JsonValue } from '../base/json.ts';
import type { FieldFormats } from './formats.ts';
import { parseInstant } from './instant.ts';
import { compareText } from '../base/text-order.ts';

/** One part of a key. The empty list stands for a missing value, so that keys are plain JSON. */
export type KeyPart = readonly [] | null | boolean | number | string;
/** A record’s place in an index, field by field. */
export type IndexKey = readonly KeyPart[];
/** An order of records: one field an item, the first counts most. */
export type Sort = readonly { readonly [field: string]: 'asc' | 'desc' }[];

const MISSING: KeyPart = [];
/** A record with more keys than this in one index is looked at in every query instead. */
const MAX_KEYS = 64;

/** The keys of a record for one index: one for each combination of array elements. */
export function indexKeys(
  record: JsonObject,
  fields: readonly string[],
  formats: FieldFormats,
): readonly IndexKey[] | 'unindexable' {
  let keys: IndexKey[] = [[]];
  for (const field of fields) {
    const parts = partsAt(record, field, formats);
    if (keys.length * parts.length > MAX_KEYS) return 'unindexable';
    keys = keys.flatMap((key) => parts.map((part) => [...key, part]));
  }
  return keys;
}

function partsAt(record: JsonObject, field: string, formats: FieldFormats): readonly KeyPart[] {
  const format = formats.get(field);
  const parts = new Set<KeyPart>();
  const visit = (value: JsonValue, path: readonly string[]): void => {
    if (Array.isArray(value)) for (const item of value as readonly JsonValue[]) visit(item, path);
    else if (path.length > 0) {
      const [name, ...rest] = path as [string, ...string[]];
      if (isJsonObject(value) && Object.hasOwn(value, name)) visit(value[name] as JsonValue, rest);
    } else if (value === null) parts.add(null);
    else if (format !== undefined) {
      const at = typeof value === 'string' ? parseInstant(value, format) : undefined;
      if (at !== undefined) parts.add(at);
    } else if (typeof value !== 'object') parts.add(value as KeyPart);
  };
  visit(record, field.split('.'));
  return parts.size > 0 ? [...parts] : [MISSING];
}

const rank = (part: KeyPart): number => {
  if (part === null) return 1;
  switch (typeof part) {
    case 'boolean':
      return 2;
    case 'number':
      return 3;
    case 'string':
      return 4;
    default:
      return 0;
  }
};

function compareParts(a: KeyPart, b: KeyPart): number {
  const order = rank(a) - rank(b);
  if (order !== 0) return order;
  if (typeof a === 'string') return compareText(a, b as string);
  if (typeof a === 'number') return a - (b as number);
  return typeof a === 'boolean' ? Number(a) - Number(b) : 0;
}

/** Orders keys part by part; a shorter key comes first. */
export function compareKeys(a: IndexKey, b: IndexKey): number {
  const shared = Math.min(a.length, b.length);
  for (let i = 0; i < shared; i++) {
    const order = compareParts(a[i] as KeyPart, b[i] as KeyPart);
    if (order !== 0) return order;
  }
  return a.length - b.length;
}

/** Orders records for `getMany`: by each field in turn, by the least of its values, then by id. */
export function compareBySort(sort: Sort, formats: FieldFormats): (a: JsonObject, b: JsonObject) => number {
  const fields = sort.flatMap((item) => Object.entries(item));
  const least = (record: JsonObject, field: string): KeyPart =>
    partsAt(record, field, formats).reduce((x, y) => (compareParts(x, y) <= 0 ? x : y));
  return (a, b) => {
    for (const [field, direction] of fields) {
      const order = compareParts(least(a, field), least(b, field));
      if (order !== 0) return direction === 'desc' ? -order : order;
    }
    return compareText(String(a._id ?? ''), String(b._id ?? ''));
  };
}
