/** Hashes, MACs and key derivation; the back end is chosen by what the platform has. */

import { hkdf as nobleHkdf } from '@noble/hashes/hkdf.js';
import { hmac } from '@noble/hashes/hmac.js';
import { sha256 as nobleSha256 } from '@noble/hashes/sha2.js';
import { concatBytes, utf8ToBytes } from '../base/bytes.ts';
import { node } from './platform.ts';

const view = (b: Uint8Array): Uint8Array => new Uint8Array(b.buffer, b.byteOffset, b.length);

/** SHA-256 over the joined parts, 32 bytes. */
export function sha256(...parts: readonly Uint8Array[]): Uint8Array {
  if (!node) return nobleSha256(concatBytes(...parts));
  const hash = node.createHash('sha256');
  for (const part of parts) hash.update(part);
  return view(hash.digest());
}

/** HMAC-SHA256 over the joined parts, 32 bytes. */
export function hmacSha256(key: Uint8Array, ...parts: readonly Uint8Array[]): Uint8Array {
  if (!node) return hmac(nobleSha256, key, concatBytes(...parts));
  const mac = node.createHmac('sha256', key);
  for (const part of parts) mac.update(part);
  return view(mac.digest());
}

/** HKDF-SHA256 with info `sluice/<label>`. */
export function hkdf(ikm: Uint8Array, label: string, length = 32, salt: Uint8Array = new Uint8Array(0)): Uint8Array {
  return nobleHkdf(nobleSha256, ikm, salt, utf8ToBytes(`sluice/${label}`), length);
}
