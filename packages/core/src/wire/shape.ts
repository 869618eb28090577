/**
 * Shapes: validating readers of decoded CBOR that also describe themselves, so that the wire schema is derived from the code
 * that enforces it. Must not know any message.
 */

import { err, ok, type Result } from '../base/result.ts';
import type { JsonValue } from '../base/json.ts';
import { type CborValue, decodeCbor } from './cbor.ts';
import { MAX_CBOR_DEPTH } from './limits.ts';

/** Reads a decoded value, and describes itself. `read` throws on a mismatch: call `readShape` or `fromCbor`. */
export type Shape<T> = { readonly description: JsonValue; readonly read: (value: CborValue | undefined) => T };
/** The type that a shape reads. */
export type ShapeOf<S> = S extends Shape<infer T> ? T : never;
/** Why bytes were not read as a shape. */
export type WireFailure = { readonly type: 'malformed' } | { readonly type: 'too-large' };

class Mismatch extends Error {}

const mismatch = (): never => {
  throw new Mismatch();
};

/** An unsigned integer up to `max` (default 2^53 - 1). */
export const uint = (max: number = Number.MAX_SAFE_INTEGER): Shape<number> => ({
  description: max === Number.MAX_SAFE_INTEGER ? 'uint' : { uint: max },
  read: (v) => (typeof v === 'number' && Number.isSafeInteger(v) && v >= 0 && v <= max ? v : mismatch()),
});

/** A byte string of exactly `length` bytes. */
export const fixed = <T extends Uint8Array = Uint8Array>(length: number): Shape<T> => ({
  description: { bytes: length },
  read: (v) => (v instanceof Uint8Array && v.length === length ? (v as T) : mismatch()),
});

/** A byte string of at most `max` bytes. */
export const bytes = (max: number): Shape<Uint8Array> => ({
  description: { bytesUpTo: max },
  read: (v) => (v instanceof Uint8Array && v.length <= max ? v : mismatch()),
});

/** Text of at most `max` UTF-16 units. */
export const text = (max: number): Shape<string> => ({
  description: { textUpTo: max },
  read: (v) => (typeof v === 'string' && v.length <= max ? v : mismatch()),
});

/** One of a closed set of words or numbers. */
export const oneOf = <const T extends string | number>(...values: readonly T[]): Shape<T> => ({
  description: { oneOf: [...values] },
  read: (v) => (values.includes(v as T) ? (v as T) : mismatch()),
});

/** A boolean. */
export const flag: Shape<boolean> = { description: 'bool', read: (v) => (typeof v === 'boolean' ? v : mismatch()) };

/** The shape or null. */
export const nullable = <T>(shape: Shape<T>): Shape<T | null> => ({
  description: { nullable: shape.description },
  read: (v) => (v === null ? null : shape.read(v)),
});

/** A list of at most `max` items. */
export const list = <T>(shape: Shape<T>, max: number): Shape<readonly T[]> => ({
  description: { list: shape.description, max },
  read: (v) => (Array.isArray(v) && v.length <= max ? v.map((item) => shape.read(item as CborValue)) : mismatch()),
});

/** A fixed sequence of fields, read into an object; on the wire it is an array in this order. */
export function tuple<const F extends readonly (readonly [string, Shape<unknown>])[]>(
  ...fields: F
): Shape<{ readonly [P in F[number] as P[0]]: ShapeOf<P[1]> }> {
  type Out = { readonly [P in F[number] as P[0]]: ShapeOf<P[1]> };
  return {
    description: { tuple: fields.map(([name, shape]) => [name, shape.description]) },
    read: (v) => {
      if (!Array.isArray(v) || v.length !== fields.length) return mismatch();
      const out: Record<string, unknown> = {};
      for (let i = 0; i < fields.length; i++) {
        const [name, shape] = fields[i] as readonly [string, Shape<unknown>];
        out[name] = shape.read(v[i] as CborValue);
      }
      return out as Out;
    },
  };
}

/** A tagged union: an array whose first item is the word `type`. */
export function union<const U extends { readonly [type: string]: Shape<object> }>(
  members: U,
): Shape<{ [K in keyof U & string]: { readonly type: K } & ShapeOf<U[K]> }[keyof U & string]> {
  type Out = { [K in keyof U & string]: { readonly type: K } & ShapeOf<U[K]> }[keyof U & string];
  return {
    description: { union: Object.fromEntries(Object.entries(members).map(([k, s]) => [k, s.description])) },
    read: (v) => {
      if (!Array.isArray(v) || typeof v[0] !== 'string' || !Object.hasOwn(members, v[0])) return mismatch();
      const member = members[v[0]] as Shape<object>;
      return { type: v[0], ...member.read(v.slice(1) as CborValue) } as Out;
    },
  };
}

/**
 * Reads untrusted bytes as one value of a shape.
 *
 * Errors: malformed (not canonical CBOR, or another shape), too-large (over `maxBytes`).
 */
export function readShape<T>(shape: Shape<T>, input: Uint8Array, maxBytes: number): Result<T, WireFailure> {
  const decoded = decodeCbor(input, { maxBytes, maxDepth: MAX_CBOR_DEPTH });
  if (!decoded.ok) return err({ type: decoded.error.type === 'too-large' ? 'too-large' : 'malformed' });
  return fromCbor(shape, decoded.value);
}

/** Reads an already decoded value as a shape. */
function fromCbor<T>(shape: Shape<T>, value: CborValue): Result<T, WireFailure> {
  try {
    return ok(shape.read(value));
  } catch (cause) {
    if (cause instanceof Mismatch) return err({ type: 'malformed' });
    throw cause;
  }
}
