/**
 * Deterministic CBOR (RFC 8949 section 4.2.1): one value has one encoding, and only that encoding is read.
 * Must not know any message.
 */

import { tokensToObject } from 'cborg';
import { compareBytes, utf8ToBytes } from '../base/bytes.ts';
import { err, ok, type Result } from '../base/result.ts';
import { CanonicalTokenizer, DECODE_OPTIONS, NOT_CANONICAL, TOO_DEEP } from './canonical-tokenizer.ts';
import { fractionSize, writeFraction } from './cbor-fraction.ts';

/** What travels: integers of 64 bits (as bigint beyond 2^53 - 1), finite fractions, text, bytes, lists, maps with text keys. */
export type CborValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | readonly CborValue[]
  | { readonly [key: string]: CborValue };

/** Units: `maxBytes` of input; `maxDepth` counts open lists and maps, a bare scalar being 0. */
export type CborLimits = { readonly maxBytes: number; readonly maxDepth: number };
/** Why bytes were not read. */
export type CborFailure = { readonly type: 'malformed' | 'too-large' | 'too-deep' | 'not-canonical' };

/** The upper three bits of a head. */
const MAJOR = { uint: 0x00, negative: 0x20, bytes: 0x40, text: 0x60, list: 0x80, map: 0xa0 } as const;
const SIMPLE = { false: 0xf4, true: 0xf5, null: 0xf6 } as const;
/** The low five bits of a head with one byte to follow. */
const LONG_HEAD = 24;
const MAX_UINT64 = 2n ** 64n - 1n;
/** Up to here a loop over ASCII is sooner done than a call of the encoder. */
const SHORT_TEXT = 64;
const encoder = new TextEncoder();

/**
 * Encodes a value deterministically into bytes of its own.
 *
 * NOTE: written out here, since cborg gives a fraction between 2^-24 and 2^-14 four bytes where two hold it exactly.
 * Throws TypeError on what has no single encoding: undefined, NaN, infinities, integers a number cannot hold exactly, integers
 * beyond 64 bits, text with a lone surrogate, objects that are not plain. Source: spec/crypto.md CRY-1; vectors/crypto.json.
 */
export function encodeCbor(value: CborValue): Uint8Array {
  const out = new Uint8Array(sizeOf(value));
  writeValue({ out, at: 0 }, value);
  return out;
}

/**
 * Decodes untrusted bytes, accepting exactly what `encodeCbor` writes. Never throws.
 *
 * Byte strings of the result never follow the input: those of up to 64 bytes are copies, longer ones are views into one private
 * copy of the whole input and keep that in memory (a copy each would cost six times as much). Do not touch their `buffer`.
 * Errors: too-large (over `maxBytes`), too-deep (nesting over `maxDepth`), not-canonical (readable, but another encoding of the
 * value exists), malformed (anything else: cut off, trailing bytes, tags, undefined, indefinite lengths, bad UTF-8).
 * NOTE: a key `__proto__` becomes an own property and changes no prototype.
 * Source: spec/crypto.md CRY-1; vectors/crypto.json.
 */
export function decodeCbor(bytes: Uint8Array, limits: CborLimits): Result<CborValue, CborFailure> {
  if (bytes.length > limits.maxBytes) return err({ type: 'too-large' });
  try {
    const tokenizer = new CanonicalTokenizer(new Uint8Array(bytes), limits.maxDepth);
    const value: unknown = tokensToObject(tokenizer, DECODE_OPTIONS);
    if (typeof value === 'symbol' || !tokenizer.done()) return err({ type: 'malformed' });
    return ok(value as CborValue);
  } catch (cause) {
    return err({ type: cause === TOO_DEEP ? 'too-deep' : cause === NOT_CANONICAL ? 'not-canonical' : 'malformed' });
  }
}

/** The size of a value's encoding; also the gate that refuses what has none. */
function sizeOf(value: CborValue): number {
  switch (typeof value) {
    case 'boolean':
      return 1;
    case 'number':
      if (Number.isSafeInteger(value)) return headSize(value < 0 ? -1 - value : value);
      if (Number.isFinite(value) && !Number.isInteger(value)) return fractionSize(value);
      throw new TypeError('CBOR: a number that is no exact integer and no finite fraction');
    case 'bigint':
      if (value <= MAX_UINT64 && value >= -1n - MAX_UINT64) return headSize(value < 0n ? -1n - value : value);
      throw new TypeError('CBOR: an integer beyond 64 bits');
    case 'string':
      return withHead(utf8Size(value));
    case 'object':
      return value === null ? 1 : sizeOfObject(value);
    default:
      throw new TypeError(`CBOR: ${typeof value} cannot be encoded`);
  }
}

function sizeOfObject(value: Exclude<CborValue & object, null>): number {
  if (value instanceof Uint8Array) return withHead(value.length);
  if (Array.isArray(value)) {
    let size = headSize(value.length);
    for (const item of value) size += sizeOf(item);
    return size;
  }
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== null && prototype !== Object.prototype) throw new TypeError('CBOR: not a plain object');
  const entries = Object.entries(value);
  let size = headSize(entries.length);
  for (const [key, item] of entries) size += sizeOf(key) + sizeOf(item);
  return size;
}

const headSize = (n: number | bigint): number =>
  n < 24 ? 1 : n < 256 ? 2 : n < 65_536 ? 3 : n < 4_294_967_296 ? 5 : 9;
const withHead = (length: number): number => headSize(length) + length;

function utf8Size(text: string): number {
  let size = text.length;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit < 0x80) continue;
    size += unit < 0x800 ? 1 : 2;
    if (unit < 0xd800 || unit > 0xdfff) continue;
    const low = text.charCodeAt(++i);
    if (unit > 0xdbff || !(low >= 0xdc00 && low <= 0xdfff)) throw new TypeError('CBOR: text with a lone surrogate');
  }
  return size;
}

type Writer = { readonly out: Uint8Array; at: number };

function writeValue(w: Writer, value: CborValue): void {
  if (typeof value === 'number') writeNumber(w, value);
  else if (typeof value === 'bigint')
    writeHead(w, value < 0n ? MAJOR.negative : MAJOR.uint, value < 0n ? -1n - value : value);
  else if (typeof value === 'string') writeText(w, value);
  else if (typeof value === 'boolean') w.out[w.at++] = value ? SIMPLE.true : SIMPLE.false;
  else if (value === null) w.out[w.at++] = SIMPLE.null;
  else if (value instanceof Uint8Array) {
    writeHead(w, MAJOR.bytes, value.length);
    w.out.set(value, w.at);
    w.at += value.length;
  } else if (Array.isArray(value)) {
    writeHead(w, MAJOR.list, value.length);
    for (const item of value) writeValue(w, item);
  } else writeMap(w, value as { readonly [key: string]: CborValue });
}

function writeNumber(w: Writer, value: number): void {
  if (!Number.isInteger(value)) w.at += writeFraction(w.out, w.at, value);
  else if (value < 0) writeHead(w, MAJOR.negative, -1 - value);
  else writeHead(w, MAJOR.uint, value);
}

function writeText(w: Writer, text: string): void {
  const size = utf8Size(text);
  writeHead(w, MAJOR.text, size);
  if (size > text.length || size > SHORT_TEXT) encoder.encodeInto(text, w.out.subarray(w.at, w.at + size));
  else for (let i = 0; i < size; i++) w.out[w.at + i] = text.charCodeAt(i);
  w.at += size;
}

/** Among texts the order of encodings is that of their lengths in bytes, then of the bytes. */
function writeMap(w: Writer, map: { readonly [key: string]: CborValue }): void {
  const entries = Object.entries(map).map(([key, item]) => ({ key, bytes: utf8ToBytes(key), item }));
  entries.sort((a, b) => a.bytes.length - b.bytes.length || compareBytes(a.bytes, b.bytes));
  writeHead(w, MAJOR.map, entries.length);
  for (const { key, item } of entries) {
    writeText(w, key);
    writeValue(w, item);
  }
}

function writeHead(w: Writer, major: number, n: number | bigint): void {
  const size = headSize(n);
  w.out[w.at++] = major | (size === 1 ? Number(n) : LONG_HEAD + Math.log2(size - 1));
  if (size === 9) {
    writeUint(w, Number(BigInt(n) >> 32n), 4);
    writeUint(w, Number(BigInt(n) & 0xffffffffn), 4);
  } else if (size > 1) writeUint(w, Number(n), size - 1);
}

/** Writes at most 4 bytes, big-endian. By hand: a DataView would move every small result out of the engine's own heap. */
function writeUint(w: Writer, n: number, size: number): void {
  for (let i = size - 1; i >= 0; i--) w.out[w.at++] = n >>> (8 * i);
}
