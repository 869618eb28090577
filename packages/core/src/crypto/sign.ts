/** Strict Ed25519, domain separated. */

import { ed25519 } from '@noble/curves/ed25519.js';
import type { Brand } from '../base/brand.ts';
import { bytesToHex, concatBytes, utf8ToBytes } from '../base/bytes.ts';
import type { Random } from '../base/random.ts';
import { type Redacted, redact } from '../base/redacted.ts';
import { type KeyObject, node } from './platform.ts';

export type VerifyKey = Brand<Uint8Array, 'VerifyKey'>;
export type SigningKey = { readonly publicKey: VerifyKey; readonly seed: Redacted<Uint8Array> };

const PKCS8 = Uint8Array.from([0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20]);
const SPKI = Uint8Array.from([0x30, 0x2a, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 3, 0x21, 0]);
const privateKeys = new WeakMap<SigningKey, KeyObject>();
const publicKeys = new Map<string, KeyObject>();

export function toVerifyKey(bytes: Uint8Array): VerifyKey {
  if (bytes.length !== 32) throw new TypeError('VerifyKey must be 32 bytes');
  return bytes as VerifyKey;
}
export const signingKeyFromSeed = (seed: Uint8Array): SigningKey => ({ publicKey: toVerifyKey(ed25519.getPublicKey(seed)), seed: redact(seed) });
export const createSigningKey = (random: Random): SigningKey => signingKeyFromSeed(random(32));

export function signRaw(key: SigningKey, bytes: Uint8Array): Uint8Array {
  if (!node) return ed25519.sign(bytes, key.seed.reveal());
  let imported = privateKeys.get(key);
  if (!imported) {
    imported = node.createPrivateKey({ key: concatBytes(PKCS8, key.seed.reveal()), format: 'der', type: 'pkcs8' });
    privateKeys.set(key, imported);
  }
  return new Uint8Array(node.sign(null, bytes, imported));
}
export function verifyRaw(publicKey: VerifyKey, signature: Uint8Array, bytes: Uint8Array): boolean {
  if (signature.length !== 64) return false;
  if (!node) return ed25519.verify(signature, bytes, publicKey, { zip215: false });
  const name = bytesToHex(publicKey);
  let imported = publicKeys.get(name);
  if (!imported) {
    imported = node.createPublicKey({ key: concatBytes(SPKI, publicKey), format: 'der', type: 'spki' });
    if (publicKeys.size > 1000) publicKeys.clear();
    publicKeys.set(name, imported);
  }
  return node.verify(null, bytes, imported, signature);
}
const framed = (domain: string, parts: readonly Uint8Array[]): Uint8Array => concatBytes(utf8ToBytes(domain), Uint8Array.of(0), ...parts);
export const sign = (key: SigningKey, domain: string, ...parts: readonly Uint8Array[]): Uint8Array => signRaw(key, framed(domain, parts));
export const verify = (publicKey: VerifyKey, signature: Uint8Array, domain: string, ...parts: readonly Uint8Array[]): boolean =>
  verifyRaw(publicKey, signature, framed(domain, parts));
