/** HPKE base mode, X25519, HKDF-SHA256, AES-256-GCM. */

import { x25519 } from '@noble/curves/ed25519.js';
import * as HPKE from 'hpke';
import type { Random } from '../base/random.ts';
import { type Redacted, redact } from '../base/redacted.ts';
import { concatBytes } from '../base/bytes.ts';
import { err, ok, type Result } from '../base/result.ts';

export type HpkeKeyPair = { readonly publicKey: Uint8Array; readonly secret: Redacted<Uint8Array> };
const suite = new HPKE.CipherSuite(HPKE.KEM_DHKEM_X25519_HKDF_SHA256, HPKE.KDF_HKDF_SHA256, HPKE.AEAD_AES_256_GCM);

export const hpkeKeyPairFromSecret = (secret: Uint8Array): HpkeKeyPair => ({ publicKey: x25519.getPublicKey(secret), secret: redact(secret) });
export const createHpkeKeyPair = (random: Random): HpkeKeyPair => hpkeKeyPairFromSecret(random(32));

export async function sealHpke(recipient: Uint8Array, info: Uint8Array, aad: Uint8Array, plaintext: Uint8Array): Promise<Uint8Array> {
  const key = await suite.DeserializePublicKey(recipient);
  const { encapsulatedSecret, ciphertext } = await suite.Seal(key, plaintext, { info, aad });
  return concatBytes(encapsulatedSecret, ciphertext);
}
export async function openHpke(pair: HpkeKeyPair, info: Uint8Array, aad: Uint8Array, sealed: Uint8Array): Promise<Result<Uint8Array, { readonly type: 'cannot-open' }>> {
  try {
    const key = await suite.DeserializePrivateKey(pair.secret.reveal());
    return ok(await suite.Open(key, sealed.subarray(0, 32), sealed.subarray(32), { info, aad }));
  } catch {
    return err({ type: 'cannot-open' });
  }
}
