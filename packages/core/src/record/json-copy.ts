/** Values that enter a record: copied, so that nobody changes them afterwards, and limited. */

import type { JsonObject, JsonValue } from '../base/json.ts';

/** Nesting of a document, the document itself being the first level. */
const MAX_DOCUMENT_DEPTH = 64;
/** The level at which a field's value stands. */
const FIELD_LEVEL = 2;

/**
 * Copies a field's value as JSON would carry it: -0 becomes 0, members that are undefined or named `__proto__` are left out.
 * Throws TypeError on what JSON cannot carry, RangeError on nesting beyond `MAX_DOCUMENT_DEPTH`.
 */
export function copyJson(value: JsonValue, level: number = FIELD_LEVEL): JsonValue {
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return value;
    case 'number':
      if (!Number.isFinite(value)) throw new TypeError('a record holds a number that JSON cannot carry');
      return value === 0 ? 0 : value;
    case 'object':
      break;
    default:
      throw new TypeError(`a record holds a ${typeof value}`);
  }
  if (value === null) return null;
  if (level > MAX_DOCUMENT_DEPTH) throw new RangeError(`a record is nested deeper than ${MAX_DOCUMENT_DEPTH} levels`);
  if (Array.isArray(value)) return Array.from(value, (item: JsonValue) => copyJson(item, level + 1));
  assertPlain(value);
  const out: Record<string, JsonValue> = {};
  for (const name of Object.keys(value)) {
    const member = (value as JsonObject)[name];
    if (member !== undefined && name !== '__proto__') out[name] = copyJson(member, level + 1);
  }
  return out;
}

/** Tells whether a parsed value is what `copyJson` would make of it, so that it may be kept. */
export function isCleanJson(value: JsonValue, level: number = FIELD_LEVEL): boolean {
  if (typeof value === 'number') return Number.isFinite(value) && !Object.is(value, -0);
  if (typeof value !== 'object' || value === null) return true;
  if (level > MAX_DOCUMENT_DEPTH) return false;
  if (Array.isArray(value)) {
    for (const item of value) if (!isCleanJson(item as JsonValue, level + 1)) return false;
    return true;
  }
  for (const name of Object.keys(value)) {
    if (name === '__proto__' || !isCleanJson((value as JsonObject)[name] as JsonValue, level + 1)) return false;
  }
  return true;
}

/** Dates, maps and other instances would be stored as something else than they are. */
function assertPlain(value: object): void {
  const prototype: unknown = Object.getPrototypeOf(value);
  // The root prototype of any realm counts as plain.
  if (prototype !== null && Object.getPrototypeOf(prototype) !== null) {
    throw new TypeError('a record holds an object that is not plain JSON');
  }
}
