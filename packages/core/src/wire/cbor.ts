/**
 * Deterministic CBOR (RFC 8949 section 4.2.1): one value has one encoding, and only that encoding is read.
 * Must not know any message.
 */

import { encode, Token, Tokenizer, tokensToObject, Type } from 'cborg';
import { bytesToUtf8, compareBytes } from '../base/bytes.ts';
import { err, ok, type Result } from '../base/result.ts';

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
export type CborFailure = { readonly type: 'malformed' | 'too-large' | 'too-deep' | 'not-canonical' };

const DECODE_OPTIONS = { allowIndefinite: false, allowUndefined: false, allowBigInt: true };
const MAX_UINT64 = 2n ** 64n - 1n;
const LONE_SURROGATE = /\p{Surrogate}/u;
const MAJOR = { bytes: 2, text: 3, list: 4, map: 5, tag: 6 } as const;
/** Up to here engines keep byte arrays in their own heap, where a copy costs no more than a view. */
const COPIED_BYTES = 64;
/** Bytes of a head by the low five bits of its first byte. */
const HEAD_BYTES = [...Array<number>(24).fill(1), 2, 3, 5, 9];

const TOO_DEEP = new Error('too deep');
const NOT_CANONICAL = new Error('not canonical');
const MALFORMED = new Error('malformed');

/**
 * Encodes a value deterministically into bytes of its own.
 *
 * Throws TypeError on what has no single encoding: undefined, NaN, infinities, integers a number cannot hold exactly, integers
 * beyond 64 bits, text with a lone surrogate, objects that are not plain. Source: spec/crypto.md CRY-1.
 */
export function encodeCbor(value: CborValue): Uint8Array {
  assertEncodable(value);
  const bytes = encode(value);
  // cborg may answer with a view into a larger buffer that also holds other values.
  return bytes.length === bytes.buffer.byteLength ? bytes : bytes.slice();
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

/** An open list or map; in a map keys and values count alike, and `keyStart` is where the last key's encoding begins. */
type Frame = { left: number; readonly isMap: boolean; keyStart: number; keyEnd: number };

/**
 * Checks each head as it is read, so that canonical form is proved in the same pass instead of by encoding again: shortest heads,
 * shortest fractions, keys in ascending order of their encoded bytes.
 */
class CanonicalTokenizer extends Tokenizer {
  private readonly maxDepth: number;
  private readonly frames: Frame[] = [];

  constructor(data: Uint8Array, maxDepth: number) {
    super(data, DECODE_OPTIONS);
    this.maxDepth = maxDepth;
  }

  override next(): Token {
    const { data, frames, _pos: start } = this;
    const first = data[start] as number;
    const major = first >>> 5;
    const minor = first & 31;
    const token = major === MAJOR.bytes && minor > 23 && minor < 27 ? this.readLongBytes(start, minor) : super.next();
    if (minor > 23 && major <= MAJOR.tag && !isShortestHead(data, start, minor)) throw NOT_CANONICAL;
    if (frames.length > 0) this.countItem(frames[frames.length - 1] as Frame, start);
    if (major === MAJOR.list || major === MAJOR.map) this.openFrame(token.value as number, major === MAJOR.map);
    while (frames.length > 0 && frames[frames.length - 1]?.left === 0) frames.pop();
    if (first > 0xf8) assertShortestFraction(token);
    return major === MAJOR.text ? this.readText(token, start + (HEAD_BYTES[minor] as number)) : token;
  }

  /** Reads a byte string whose length takes 1, 2 or 4 bytes without the copy cborg makes. */
  private readLongBytes(start: number, minor: number): Token {
    const { data } = this;
    const body = start + (HEAD_BYTES[minor] as number);
    if (body > data.length) throw MALFORMED;
    let size = 0;
    for (let i = start + 1; i < body; i++) size = size * 256 + (data[i] as number);
    const end = body + size;
    if (end > data.length) throw MALFORMED;
    this._pos = end;
    const bytes = size > COPIED_BYTES ? data.subarray(body, end) : data.slice(body, end);
    return new Token(Type.bytes, bytes, end - start);
  }

  private countItem(frame: Frame, start: number): void {
    if (frame.isMap && frame.left % 2 === 0) {
      const previous = this.data.subarray(frame.keyStart, frame.keyEnd);
      frame.keyStart = start;
      frame.keyEnd = this._pos;
      if (compareBytes(previous, this.data.subarray(start, this._pos)) >= 0) throw NOT_CANONICAL;
    }
    frame.left -= 1;
  }

  private openFrame(count: number, isMap: boolean): void {
    if (this.frames.length >= this.maxDepth) throw TOO_DEEP;
    this.frames.push({ left: isMap ? count * 2 : count, isMap, keyStart: 0, keyEnd: 0 });
  }

  /** cborg replaces bad UTF-8 and drops a leading byte order mark; text that is not plain ASCII is read again, strictly. */
  private readText(token: Token, start: number): Token {
    const text = token.value as string;
    if (text.length === this._pos - start && !text.includes('\ufffd')) return token;
    return new Token(Type.string, bytesToUtf8(this.data.subarray(start, this._pos)), token.encodedLength);
  }
}

/** Tells whether no shorter head carries the same number. The bytes are there: the token has been read. */
function isShortestHead(data: Uint8Array, start: number, minor: number): boolean {
  const at = (offset: number): number => data[start + offset] as number;
  if (minor === 24) return at(1) > 23;
  if (minor === 25) return at(1) !== 0;
  if (minor === 26) return (at(1) | at(2)) !== 0;
  return (at(1) | at(2) | at(3) | at(4)) !== 0;
}

function assertShortestFraction(token: Token): void {
  const value = token.value as number;
  if (!Number.isFinite(value)) throw MALFORMED;
  if (Number.isInteger(value) || encode(value).length !== token.encodedLength) throw NOT_CANONICAL;
}

function assertEncodable(value: CborValue): void {
  switch (typeof value) {
    case 'boolean':
      return;
    case 'number':
      if (Number.isInteger(value) ? Number.isSafeInteger(value) : Number.isFinite(value)) return;
      throw new TypeError('CBOR: a number that is no exact integer and no finite fraction');
    case 'bigint':
      if (value <= MAX_UINT64 && value >= -1n - MAX_UINT64) return;
      throw new TypeError('CBOR: an integer beyond 64 bits');
    case 'string':
      if (!LONE_SURROGATE.test(value)) return;
      throw new TypeError('CBOR: text with a lone surrogate');
    case 'object':
      assertEncodableObject(value);
      return;
    default:
      throw new TypeError(`CBOR: ${typeof value} cannot be encoded`);
  }
}

function assertEncodableObject(
  value: null | Uint8Array | readonly CborValue[] | { readonly [k: string]: CborValue },
): void {
  if (value === null || value instanceof Uint8Array) return;
  if (Array.isArray(value)) {
    for (const item of value) assertEncodable(item);
    return;
  }
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== null && prototype !== Object.prototype) throw new TypeError('CBOR: not a plain object');
  for (const [key, item] of Object.entries(value)) {
    assertEncodable(key);
    assertEncodable(item);
  }
}
