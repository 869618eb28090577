/** JSON as a type, and the one gate through which untrusted JSON text enters. */

import { err, ok, type Result } from './result.ts';

/** Any JSON value. */
export type JsonValue = null | boolean | number | string | readonly JsonValue[] | { readonly [key: string]: JsonValue };
/** A JSON object. */
export type JsonObject = { readonly [key: string]: JsonValue };

/** Units: `maxBytes` of UTF-8, `maxDepth` in open lists and objects. */
export type JsonLimits = { readonly maxBytes: number; readonly maxDepth: number };
/** Why a text was not read. */
export type JsonFailure =
  | { readonly type: 'malformed' }
  | { readonly type: 'too-large' }
  | { readonly type: 'too-deep' };

/**
 * Parses untrusted JSON text into fresh objects without a prototype trap.
 *
 * Errors: malformed (not JSON), too-large (over `maxBytes` UTF-8 bytes), too-deep (nesting over `maxDepth`).
 * NOTE: keys named `__proto__` are dropped.
 */
export function parseJson(text: string, limits: JsonLimits): Result<JsonValue, JsonFailure> {
  // A UTF-16 unit is at most 3 bytes of UTF-8, so short text needs no exact count.
  if (text.length * 3 > limits.maxBytes && new TextEncoder().encode(text).length > limits.maxBytes)
    return err({ type: 'too-large' });
  if (textDepth(text) > limits.maxDepth) return err({ type: 'too-deep' });
  try {
    return ok(JSON.parse(text, (key, value) => (key === '__proto__' ? undefined : value)) as JsonValue);
  } catch {
    return err({ type: 'malformed' });
  }
}

/** Tells whether a value is a JSON object (not an array, not null). */
export const isJsonObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** The deepest nesting in the text, counted before parsing so that a hostile text cannot exhaust the stack. */
function textDepth(text: string): number {
  let depth = 0;
  let deepest = 0;
  let inString = false;
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (inString) {
      if (c === 0x5c) i++;
      else if (c === 0x22) inString = false;
    } else if (c === 0x22) inString = true;
    else if (c === 0x7b || c === 0x5b) deepest = Math.max(deepest, ++depth);
    else if (c === 0x7d || c === 0x5d) depth--;
  }
  return deepest;
}
