/** The back end that runs everywhere: plain JavaScript from the @noble packages. */

import { gcm } from '@noble/ciphers/aes.js';
import { xchacha20poly1305 } from '@noble/ciphers/chacha.js';
import { ed25519, x25519 } from '@noble/curves/ed25519.js';
import { hmac } from '@noble/hashes/hmac.js';
import { sha256, sha512 } from '@noble/hashes/sha2.js';
import { concatBytes, equalBytes } from '../../base/bytes.ts';
import { isStrictlyEncoded } from './ed25519-encoding.ts';
import type { Primitives } from './primitives.ts';

const NONCE_BYTES = 24;
const { Point } = ed25519;

/** Every primitive on @noble. */
export const noblePrimitives: Primitives = {
  sha256: (parts) => digest(sha256.create(), parts),
  hmacSha256: (key, parts) => digest(hmac.create(sha256, key), parts),
  sealXChaCha: (key, nonce, aad, plaintext) =>
    concatBytes(nonce, xchacha20poly1305(key, nonce, aad).encrypt(plaintext)),
  openXChaCha: (key, aad, sealed) =>
    orUndefined(() =>
      xchacha20poly1305(key, sealed.subarray(0, NONCE_BYTES), aad).decrypt(sealed.subarray(NONCE_BYTES)),
    ),
  sealAesGcm: (key, nonce, aad, plaintext) => gcm(key, nonce, aad).encrypt(plaintext),
  openAesGcm: (key, nonce, aad, sealed) => orUndefined(() => gcm(key, nonce, aad).decrypt(sealed)),
  ed25519: (seed) => ({
    publicKey: ed25519.getPublicKey(seed),
    sign: (message) => ed25519.sign(message, seed),
  }),
  ed25519Verify: (publicKey, signature, message) =>
    isStrictlyEncoded(publicKey, signature) && orUndefined(() => isEquationMet(publicKey, signature, message)) === true,
  ed25519VerifyLater: async (publicKey, signature, message) =>
    noblePrimitives.ed25519Verify(publicKey, signature, message),
  x25519: (secret) => ({
    publicKey: x25519.getPublicKey(secret),
    agree: (publicKey) => orUndefined(() => x25519.getSharedSecret(secret, publicKey)),
  }),
};

type Hasher = { update(part: Uint8Array): unknown; digest(): Uint8Array };

function digest(hasher: Hasher, parts: readonly Uint8Array[]): Uint8Array {
  for (const part of parts) hasher.update(part);
  return hasher.digest();
}

/**
 * RFC 8032 section 5.1.7 without the cofactor: SB - kA is exactly R. The package's own verify multiplies by the cofactor, OpenSSL
 * does not, and an attacker can make a signature on which the two differ. Throws on a key that is no point.
 */
function isEquationMet(publicKey: Uint8Array, signature: Uint8Array, message: Uint8Array): boolean {
  const r = signature.subarray(0, 32);
  const a = Point.fromBytes(publicKey, false);
  const s = Point.Fn.fromBytes(signature.slice(32));
  const k = Point.Fn.create(littleEndian(sha512(concatBytes(r, publicKey, message))));
  return equalBytes(Point.BASE.multiplyUnsafe(s).subtract(a.multiplyUnsafe(k)).toBytes(), r);
}

function littleEndian(bytes: Uint8Array): bigint {
  let number = 0n;
  for (let i = bytes.length - 1; i >= 0; i--) number = (number << 8n) | BigInt(bytes[i] as number);
  return number;
}

/** The packages throw on a wrong tag, a low-order point or a key that is no point; all of these mean the same to the caller. */
function orUndefined<T>(attempt: () => T): T | undefined {
  try {
    return attempt();
  } catch {
    return undefined;
  }
}
