/** Reads CBOR token by token and refuses every encoding but the deterministic one. Must not know what is read. */

import { Token, Tokenizer, Type } from 'cborg';
import { bytesToUtf8, compareBytes } from '../base/bytes.ts';
import { fractionSize } from './cbor-fraction.ts';

/** The options for cborg: what the profile does not have at all. */
export const DECODE_OPTIONS = { allowIndefinite: false, allowUndefined: false, allowBigInt: true };
/** Thrown, and told apart by identity. Anything else thrown while reading means malformed bytes. */
export const TOO_DEEP = new Error('too deep');
/** Thrown on CBOR that has a shorter or another form. */
export const NOT_CANONICAL = new Error('not canonical');
const MALFORMED = new Error('malformed');

const MAJOR = { bytes: 2, text: 3, list: 4, map: 5, tag: 6 } as const;
/** Up to here engines keep byte arrays in their own heap, where a copy costs no more than a view. */
const COPIED_BYTES = 64;
/** Bytes of a head by the low five bits of its first byte. */
const HEAD_BYTES = [...Array<number>(24).fill(1), 2, 3, 5, 9];

/** An open list or map; in a map keys and values count alike, and `keyStart` is where the last key's encoding begins. */
type Frame = { left: number; readonly isMap: boolean; keyStart: number; keyEnd: number };

/**
 * Checks each head as it is read, so that canonical form is proved in the same pass instead of by encoding again: shortest heads,
 * shortest fractions, keys in ascending order of their encoded bytes.
 */
export class CanonicalTokenizer extends Tokenizer {
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
  if (Number.isInteger(value) || fractionSize(value) !== token.encodedLength) throw NOT_CANONICAL;
}
