/** Ed25519 signatures, strict and bound to a purpose. */

import type { Brand } from '../base/brand.ts';
import { concatBytes, utf8ToBytes } from '../base/bytes.ts';
import type { Random } from '../base/random.ts';
import { type Redacted, redact } from '../base/redacted.ts';
import type { Signer } from './backend/primitives.ts';
import { primitives } from './backend/primitives-in-use.ts';

/** The secret an Ed25519 key is made from, 32 bytes. */
export type SigningSeed = Brand<Uint8Array, 'SigningSeed'>;
/** An Ed25519 public key, 32 bytes. Its form is checked when it verifies, not here. */
export type VerifyKey = Brand<Uint8Array, 'VerifyKey'>;
/** An Ed25519 key pair, held as its seed of 32 bytes, which does not print. */
export type SigningKey = { readonly publicKey: VerifyKey; readonly seed: Redacted<Uint8Array> };

const KEY_BYTES = 32;
const DOMAIN = /^[\x21-\x7e]{1,64}$/;
/** By the seed's wrapper, so that a platform key lives as long as the secret it came from. */
const signers = new WeakMap<Redacted<Uint8Array>, Signer>();
const domains = new Map<string, Uint8Array>();

/** Brands a seed. Throws TypeError unless it has 32 bytes. */
export const toSigningSeed = (bytes: Uint8Array): SigningSeed => sized(bytes, 'SigningSeed') as SigningSeed;

/** Brands a public key. Throws TypeError unless it has 32 bytes. */
export const toVerifyKey = (bytes: Uint8Array): VerifyKey => sized(bytes, 'VerifyKey') as VerifyKey;

/** Creates a fresh signing key. */
export const createSigningKey = (random: Random): SigningKey => signingKeyFromSeed(random(KEY_BYTES));

/** The signing key of a seed, which is copied. Throws TypeError unless it has 32 bytes. */
export function signingKeyFromSeed(seed: Uint8Array): SigningKey {
  const own = redact<Uint8Array>(toSigningSeed(new Uint8Array(seed)));
  return { publicKey: toVerifyKey(signerOf(own).publicKey), seed: own };
}

/**
 * Signs the parts, one after the other, for one purpose.
 *
 * Shape: 64 bytes over domain || 00 || parts. NOTE: the borders between parts are not signed; parts of open length need a frame.
 * Throws TypeError on a domain that is not 1 to 64 visible ASCII characters.
 * Source: spec/crypto.md CRY-8; RFC 8032 section 5.1.6; vectors/crypto.json.
 */
export const sign = (key: SigningKey, domain: string, ...parts: readonly Uint8Array[]): Uint8Array =>
  signRaw(key, concatBytes(domainPrefix(domain), ...parts));

/**
 * Tells whether a signature is valid for this key, domain and parts. Never throws on bad bytes.
 *
 * Source: spec/crypto.md CRY-7, CRY-8.
 */
export const verify = (
  publicKey: VerifyKey,
  signature: Uint8Array,
  domain: string,
  ...parts: readonly Uint8Array[]
): boolean => verifyRaw(publicKey, signature, concatBytes(domainPrefix(domain), ...parts));

/** `verify` for many at a time: the work is done beside the calling thread where the platform can. */
export const verifyLater = (
  publicKey: VerifyKey,
  signature: Uint8Array,
  domain: string,
  ...parts: readonly Uint8Array[]
): Promise<boolean> => primitives.ed25519VerifyLater(publicKey, signature, concatBytes(domainPrefix(domain), ...parts));

/**
 * Signs bytes without a domain. Only for HTTP signatures and did:webvh proofs: their standards fix every signed byte, and both
 * begin with a text of their own that no domain of this protocol can equal.
 */
export const signRaw = (key: SigningKey, bytes: Uint8Array): Uint8Array => signerOf(key.seed).sign(bytes);

/** Verifies bytes signed without a domain. Only for HTTP signatures and did:webvh proofs, as `signRaw`. */
export const verifyRaw = (publicKey: VerifyKey, signature: Uint8Array, bytes: Uint8Array): boolean =>
  primitives.ed25519Verify(publicKey, signature, bytes);

function signerOf(seed: Redacted<Uint8Array>): Signer {
  let signer = signers.get(seed);
  if (signer === undefined) {
    signer = primitives.ed25519(toSigningSeed(seed.reveal()));
    signers.set(seed, signer);
  }
  return signer;
}

/** Domains are constants of the code, so the map stays small. */
function domainPrefix(domain: string): Uint8Array {
  let prefix = domains.get(domain);
  if (prefix === undefined) {
    if (!DOMAIN.test(domain)) throw new TypeError('a signature domain is 1 to 64 visible ASCII characters');
    prefix = utf8ToBytes(`${domain}\0`);
    domains.set(domain, prefix);
  }
  return prefix;
}

function sized(bytes: Uint8Array, name: string): Uint8Array {
  if (!(bytes instanceof Uint8Array) || bytes.length !== KEY_BYTES) throw new TypeError(`${name} must be 32 bytes`);
  return bytes;
}
