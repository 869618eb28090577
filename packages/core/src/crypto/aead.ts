/** Sealing with a shared key: XChaCha20-Poly1305 under random nonces, and the commitment that makes a key unambiguous. */

import type { Brand } from '../base/brand.ts';
import { equalBytes, utf8ToBytes } from '../base/bytes.ts';
import type { Random } from '../base/random.ts';
import { err, ok, type Result } from '../base/result.ts';
import { primitives } from './backend/primitives-in-use.ts';
import { hmacSha256 } from './hash.ts';

/** A key that seals, 32 bytes. */
export type AeadKey = Brand<Uint8Array, 'AeadKey'>;
/** Wrong key, other context or any changed byte: one failure on purpose. */
export type CannotOpen = { readonly type: 'cannot-open' };

const KEY_BYTES = 32;
const NONCE_BYTES = 24;
const TAG_BYTES = 16;
/** How much larger a sealed text is than its plaintext. */
export const AEAD_OVERHEAD_BYTES = NONCE_BYTES + TAG_BYTES;
const COMMITMENT_LABEL = utf8ToBytes('sluice/kc/1');

/** Brands a sealing key. Throws TypeError unless it has 32 bytes. */
export function toAeadKey(bytes: Uint8Array): AeadKey {
  if (!(bytes instanceof Uint8Array) || bytes.length !== KEY_BYTES) throw new TypeError('AeadKey must be 32 bytes');
  return bytes as AeadKey;
}

/**
 * Seals bytes under a key.
 *
 * Shape: nonce[24] || ciphertext[n] || tag[16]; the nonce is random. `aad` is authenticated and not carried.
 * Source: spec/crypto.md CRY-3; draft-irtf-cfrg-xchacha-03; vectors/crypto.json.
 */
export function sealAead(key: AeadKey, aad: Uint8Array, plaintext: Uint8Array, random: Random): Uint8Array {
  const nonce = random(NONCE_BYTES);
  if (nonce.length !== NONCE_BYTES) throw new TypeError('the source of randomness gave another length');
  return primitives.sealXChaCha(key, nonce, aad, plaintext);
}

/**
 * Opens what `sealAead` made for the same key and `aad`.
 *
 * Errors: cannot-open. Source: spec/crypto.md CRY-3, CRY-4.
 */
export function openAead(key: AeadKey, aad: Uint8Array, sealed: Uint8Array): Result<Uint8Array, CannotOpen> {
  if (sealed.length < AEAD_OVERHEAD_BYTES) return err({ type: 'cannot-open' });
  const plaintext = primitives.openXChaCha(key, aad, sealed);
  return plaintext === undefined ? err({ type: 'cannot-open' }) : ok(plaintext);
}

/**
 * The commitment to a key, 32 bytes. A ciphertext of this cipher can be made to open under two keys, so the commitment travels
 * with every key hand-over. Source: spec/crypto.md CRY-5.
 */
export const keyCommitment = (key: Uint8Array): Uint8Array => hmacSha256(key, COMMITMENT_LABEL);

/** Tells whether a key is the one committed to, in constant time. */
export const checkCommitment = (key: Uint8Array, commitment: Uint8Array): boolean =>
  equalBytes(keyCommitment(key), commitment);
