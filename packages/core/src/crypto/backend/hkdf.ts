/** HKDF-SHA256 (RFC 5869) on a back end's HMAC. */

import type { Primitives } from './primitives.ts';

const HASH_BYTES = 32;
const MAX_BYTES = 255 * HASH_BYTES;

/** RFC 5869 section 2.2. An empty salt stands for 32 zero bytes. */
export const hkdfExtract = (p: Primitives, salt: Uint8Array, ikm: Uint8Array): Uint8Array => p.hmacSha256(salt, [ikm]);

/** RFC 5869 section 2.3. Throws RangeError over 255 blocks of 32 bytes. */
export function hkdfExpand(p: Primitives, prk: Uint8Array, info: Uint8Array, length: number): Uint8Array {
  if (!Number.isInteger(length) || length < 1 || length > MAX_BYTES) throw new RangeError('HKDF: length out of range');
  const out = new Uint8Array(length);
  let block = new Uint8Array(0) as Uint8Array;
  for (let at = 0, counter = 1; at < length; at += HASH_BYTES, counter++) {
    block = p.hmacSha256(prk, [block, info, Uint8Array.of(counter)]);
    out.set(at + HASH_BYTES <= length ? block : block.subarray(0, length - at), at);
  }
  return out;
}
