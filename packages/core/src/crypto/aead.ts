/** XChaCha20-Poly1305 with a random nonce, and key commitments. */

import { hchacha, xchacha20poly1305 } from '@noble/ciphers/chacha.js';
import type { Brand } from '../base/brand.ts';
import { equalBytes, utf8ToBytes } from '../base/bytes.ts';
import type { Random } from '../base/random.ts';
import { err, ok, type Result } from '../base/result.ts';
import { hmacSha256 } from './hash.ts';
import { node } from './platform.ts';

export type AeadKey = Brand<Uint8Array, 'AeadKey'>;
export type CannotOpenBox = { readonly type: 'cannot-open' };
const NONCE = 24;
const TAG = 16;
const SIGMA = Uint32Array.of(0x61707865, 0x3320646e, 0x79622d32, 0x6b206574);

export function toAeadKey(bytes: Uint8Array): AeadKey {
  if (bytes.length !== 32) throw new TypeError('AeadKey must be 32 bytes');
  return bytes as AeadKey;
}

const words = (b: Uint8Array): Uint32Array => new Uint32Array(b.slice().buffer);
function subkey(key: Uint8Array, nonce: Uint8Array): Uint8Array {
  const out = new Uint32Array(8);
  hchacha(SIGMA, words(key), words(nonce.subarray(0, 16)), out);
  return new Uint8Array(out.buffer);
}
function iv(nonce: Uint8Array): Uint8Array {
  const out = new Uint8Array(12);
  out.set(nonce.subarray(16), 4);
  return out;
}

/** Seals: nonce[24] || ciphertext || tag[16]. */
export function sealAead(key: AeadKey, aad: Uint8Array, plaintext: Uint8Array, random: Random): Uint8Array {
  const nonce = random(NONCE);
  const out = new Uint8Array(NONCE + plaintext.length + TAG);
  out.set(nonce);
  if (!node) {
    out.set(xchacha20poly1305(key, nonce, aad).encrypt(plaintext), NONCE);
    return out;
  }
  const cipher = node.createCipheriv('chacha20-poly1305', subkey(key, nonce), iv(nonce), { authTagLength: TAG });
  cipher.setAAD(aad, { plaintextLength: plaintext.length });
  out.set(cipher.update(plaintext), NONCE);
  cipher.final();
  out.set(cipher.getAuthTag(), NONCE + plaintext.length);
  return out;
}

/** Opens what `sealAead` made. */
export function openAead(key: AeadKey, aad: Uint8Array, sealed: Uint8Array): Result<Uint8Array, CannotOpenBox> {
  if (sealed.length < NONCE + TAG) return err({ type: 'cannot-open' });
  const nonce = sealed.subarray(0, NONCE);
  try {
    if (!node) return ok(xchacha20poly1305(key, nonce, aad).decrypt(sealed.subarray(NONCE)));
    const size = sealed.length - NONCE - TAG;
    const decipher = node.createDecipheriv('chacha20-poly1305', subkey(key, nonce), iv(nonce), { authTagLength: TAG });
    decipher.setAAD(aad, { plaintextLength: size });
    decipher.setAuthTag(sealed.subarray(NONCE + size));
    const plain = decipher.update(sealed.subarray(NONCE, NONCE + size));
    decipher.final();
    return ok(new Uint8Array(plain.buffer, plain.byteOffset, plain.length));
  } catch {
    return err({ type: 'cannot-open' });
  }
}

const COMMITMENT = utf8ToBytes('sluice/kc/1');
export const keyCommitment = (key: Uint8Array): Uint8Array => hmacSha256(key, COMMITMENT);
export const checkCommitment = (key: Uint8Array, commitment: Uint8Array): boolean => equalBytes(keyCommitment(key), commitment);
