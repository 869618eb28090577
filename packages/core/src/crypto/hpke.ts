/** Sealing to somebody's public key: HPKE (RFC 9180), base mode, single shot. */

import {
  AEAD_AES_256_GCM,
  CipherSuite,
  KDF_HKDF_SHA256,
  KEM_DHKEM_X25519_HKDF_SHA256,
  type Key,
  type KeyPair,
} from 'hpke';
import type { Brand } from '../base/brand.ts';
import { concatBytes } from '../base/bytes.ts';
import { type Random, systemRandom } from '../base/random.ts';
import { type Redacted, redact } from '../base/redacted.ts';
import { err, ok, type Result } from '../base/result.ts';
import type { CannotOpen } from './aead.ts';
import { isNative, primitives } from './backend/primitives-in-use.ts';
import { createHpkeSuite } from './hpke-suite.ts';

/** An X25519 public key, 32 bytes. */
export type HpkePublicKey = Brand<Uint8Array, 'HpkePublicKey'>;
/** An X25519 key pair; the secret, 32 bytes, does not print. */
export type HpkeKeyPair = { readonly publicKey: HpkePublicKey; readonly secret: Redacted<Uint8Array> };

const KEY_BYTES = 32;
const TAG_BYTES = 16;

/** Brands a public key. Throws TypeError unless it has 32 bytes. */
export function toHpkePublicKey(bytes: Uint8Array): HpkePublicKey {
  if (!(bytes instanceof Uint8Array) || bytes.length !== KEY_BYTES)
    throw new TypeError('HpkePublicKey must be 32 bytes');
  return bytes as HpkePublicKey;
}

/** Creates a fresh key pair. */
export const createHpkeKeyPair = (random: Random): HpkeKeyPair => hpkeKeyPairFromSecret(random(KEY_BYTES));

/** The key pair of an X25519 secret, which is copied. Throws TypeError unless it has 32 bytes. */
export function hpkeKeyPairFromSecret(secret: Uint8Array): HpkeKeyPair {
  if (!(secret instanceof Uint8Array) || secret.length !== KEY_BYTES)
    throw new TypeError('an HPKE secret must be 32 bytes');
  const own = new Uint8Array(secret);
  return { publicKey: toHpkePublicKey(primitives.x25519(own).publicKey), secret: redact(own) };
}

/**
 * Seals bytes to a public key. Whoever opens them learns nothing about who sealed them.
 *
 * Shape: ephemeral key[32] || ciphertext[n] || tag[16]. `info` and `aad` are authenticated and not carried.
 * Throws TypeError on a recipient key that nothing can be sealed to: another length, or a point of small order.
 * Source: spec/crypto.md CRY-9; RFC 9180 section 6.1.
 */
export const sealHpke = async (
  recipient: Uint8Array,
  info: Uint8Array,
  aad: Uint8Array,
  plaintext: Uint8Array,
): Promise<Uint8Array> => (await hpkeInUse()).seal(recipient, info, aad, plaintext);

const NOTHING = new Uint8Array(0);

/** Tells whether anything can be sealed to a key that somebody names as theirs: it may be of another length, or a point of small order. */
export const canSealTo = (recipient: Uint8Array): Promise<boolean> =>
  sealHpke(recipient, NOTHING, NOTHING, NOTHING).then(
    () => true,
    (cause: unknown) => {
      if (cause instanceof TypeError) return false;
      throw cause;
    },
  );

/**
 * Opens what `sealHpke` made for this key pair, `info` and `aad`.
 *
 * Errors: cannot-open. Source: spec/crypto.md CRY-4, CRY-9; vectors/crypto.json.
 */
export const openHpke = async (
  keyPair: HpkeKeyPair,
  info: Uint8Array,
  aad: Uint8Array,
  sealed: Uint8Array,
): Promise<Result<Uint8Array, CannotOpen>> => (await hpkeInUse()).open(keyPair, info, aad, sealed);

/** Sealing and opening on one suite. */
export type Hpke = { readonly seal: typeof sealHpke; readonly open: typeof openHpke };

/** `sealHpke` and `openHpke` on a given suite. */
export function createHpke<K extends Key>(suite: CipherSuite<K>): Hpke {
  /** By the secret's wrapper, so that an imported key lives as long as the secret it came from. */
  const imported = new WeakMap<Redacted<Uint8Array>, KeyPair<K>>();

  async function importPair({ publicKey, secret }: HpkeKeyPair): Promise<KeyPair<K>> {
    const known = imported.get(secret);
    if (known !== undefined) return known;
    const pair = {
      publicKey: await suite.DeserializePublicKey(publicKey),
      privateKey: await suite.DeserializePrivateKey(secret.reveal()),
    };
    imported.set(secret, pair);
    return pair;
  }

  return {
    seal: async (recipient, info, aad, plaintext) => {
      try {
        const key = await suite.DeserializePublicKey(recipient);
        const { encapsulatedSecret, ciphertext } = await suite.Seal(key, plaintext, { info, aad });
        return concatBytes(encapsulatedSecret, ciphertext);
      } catch {
        throw new TypeError('the recipient key cannot be sealed to');
      }
    },
    open: async (keyPair, info, aad, sealed) => {
      if (sealed.length < KEY_BYTES + TAG_BYTES) return err({ type: 'cannot-open' });
      const pair = await importPair(keyPair);
      try {
        return ok(await suite.Open(pair, sealed.subarray(0, KEY_BYTES), sealed.subarray(KEY_BYTES), { info, aad }));
      } catch {
        return err({ type: 'cannot-open' });
      }
    },
  };
}

/** HPKE on the platform's WebCrypto, or undefined if that has no X25519. */
export async function findWebCryptoHpke(): Promise<Hpke | undefined> {
  const suite = new CipherSuite(KEM_DHKEM_X25519_HKDF_SHA256, KDF_HKDF_SHA256, AEAD_AES_256_GCM);
  try {
    await suite.GenerateKeyPair();
    return createHpke(suite);
  } catch {
    return undefined;
  }
}

let inUse: Promise<Hpke> | undefined;

/** Node's own crypto answers several times sooner than its WebCrypto; in a browser it is the other way round with @noble. */
function hpkeInUse(): Promise<Hpke> {
  inUse ??= chooseHpke();
  return inUse;
}

async function chooseHpke(): Promise<Hpke> {
  const webCrypto = isNative ? undefined : await findWebCryptoHpke();
  return webCrypto ?? createHpke(createHpkeSuite(primitives, systemRandom));
}
