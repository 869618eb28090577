/** Hashes and key derivation. */

import { utf8ToBytes } from '../base/bytes.ts';
import { hkdfExpand, hkdfExtract } from './backend/hkdf.ts';
import { primitives } from './backend/primitives-in-use.ts';

const NO_SALT = new Uint8Array(0);

/** SHA-256 over the parts one after the other: 32 bytes. NOTE: the borders between parts are not hashed. */
export const sha256 = (...parts: readonly Uint8Array[]): Uint8Array => primitives.sha256(parts);

/** HMAC-SHA256 over the parts one after the other: 32 bytes. NOTE: the borders between parts are not hashed. */
export const hmacSha256 = (key: Uint8Array, ...parts: readonly Uint8Array[]): Uint8Array =>
  primitives.hmacSha256(key, parts);

/**
 * Derives `length` bytes with HKDF-SHA256 under the info `sluice/LABEL`.
 *
 * Source: spec/crypto.md CRY-2; RFC 5869; vectors/crypto.json.
 */
export function hkdf(ikm: Uint8Array, label: string, length = 32, salt: Uint8Array = NO_SALT): Uint8Array {
  return hkdfExpand(primitives, hkdfExtract(primitives, salt, ikm), utf8ToBytes(`sluice/${label}`), length);
}
