/** Which Ed25519 signatures are worth a look, by their bytes alone: the part of strict verification that needs no arithmetic. */

import { hexToBytes } from '../../base/bytes.ts';

/** The y coordinates of the eight points of small order, little-endian. The sign of x makes no difference here. */
const SMALL_ORDER_Y = [
  '0000000000000000000000000000000000000000000000000000000000000000',
  '0100000000000000000000000000000000000000000000000000000000000000',
  'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
].map(hexToBytes);
/** The order of the base point, little-endian. */
const GROUP_ORDER = hexToBytes('edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010');
/** The prime of the field, little-endian. */
const FIELD_PRIME = hexToBytes('edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f');

/**
 * Tells whether key and signature have the lengths and the only encodings allowed: y below the prime, no point of small order as
 * key or R, S below the group order. OpenSSL checks none of the first two, so both back ends ask here.
 */
export function isStrictlyEncoded(publicKey: Uint8Array, signature: Uint8Array): boolean {
  if (publicKey.length !== 32 || signature.length !== 64) return false;
  return isStrictPoint(publicKey) && isStrictPoint(signature.subarray(0, 32)) && isBelow(signature, 32, GROUP_ORDER);
}

function isStrictPoint(point: Uint8Array): boolean {
  const y = point.slice();
  y[31] = (y[31] as number) & 0x7f;
  return isBelow(y, 0, FIELD_PRIME) && !SMALL_ORDER_Y.some((small) => small.every((byte, i) => byte === y[i]));
}

/** Compares the 32-byte little-endian number at `offset` with `limit`. The inputs are public. */
function isBelow(bytes: Uint8Array, offset: number, limit: Uint8Array): boolean {
  for (let i = 31; i >= 0; i--) {
    const difference = (bytes[offset + i] as number) - (limit[i] as number);
    if (difference !== 0) return difference < 0;
  }
  return false;
}
