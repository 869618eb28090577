/** The HPKE suite of the protocol on a given back end, through the extension interface of the `hpke` package. */

import {
  type AEADFactory,
  CipherSuite,
  concat,
  I2OSP,
  type KDF,
  type KDFFactory,
  type KEMFactory,
  type Key,
  LabeledExpand,
  LabeledExtract,
} from 'hpke';
import type { Random } from '../base/random.ts';
import { hkdfExpand, hkdfExtract } from './backend/hkdf.ts';
import type { Agreer, Primitives } from './backend/primitives.ts';

/** Code points of RFC 9180 section 7. */
const ID = { kem: 0x0020, kdf: 0x0001, aes128: 0x0001, aes256: 0x0002 } as const;
const KEY_BYTES = 32;
const NOTHING = new Uint8Array(0);

type PublicKey = Key & { readonly type: 'public'; readonly bytes: Uint8Array };
type PrivateKey = Key & { readonly type: 'private'; readonly agreer: Agreer };
/** A key of this suite. A private one holds closures, so printing it shows no secret. */
export type SuiteKey = PublicKey | PrivateKey;

/**
 * Creates the suite DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-GCM with keys of `aeadKeyBytes`, 32 in the protocol.
 * `random` gives the ephemeral secret of each seal.
 */
export const createHpkeSuite = (p: Primitives, random: Random, aeadKeyBytes: 16 | 32 = 32): CipherSuite<SuiteKey> =>
  new CipherSuite<SuiteKey>(x25519Kem(p, random), hkdfSha256(p), aesGcm(p, aeadKeyBytes));

const hkdfSha256 =
  (p: Primitives): KDFFactory =>
  () => ({
    id: ID.kdf,
    type: 'KDF',
    name: 'HKDF-SHA256',
    Nh: 32,
    stages: 2,
    Extract: async (salt, ikm) => hkdfExtract(p, salt, ikm),
    Expand: async (prk, info, length) => hkdfExpand(p, prk, info, length),
    Derive: () => notOffered(),
  });

const aesGcm =
  (p: Primitives, keyBytes: 16 | 32): AEADFactory =>
  () => ({
    id: keyBytes === 16 ? ID.aes128 : ID.aes256,
    type: 'AEAD',
    name: `AES-${keyBytes * 8}-GCM`,
    Nk: keyBytes,
    Nn: 12,
    Nt: 16,
    Seal: async (key, nonce, aad, plaintext) => p.sealAesGcm(key, nonce, aad, plaintext),
    Open: async (key, nonce, aad, sealed) => {
      const plaintext = sealed.length < 16 ? undefined : p.openAesGcm(key, nonce, aad, sealed);
      if (plaintext === undefined) throw new Error('cannot open');
      return plaintext;
    },
  });

const x25519Kem =
  (p: Primitives, random: Random): KEMFactory<SuiteKey> =>
  () => {
    const kdf = hkdfSha256(p)();
    return {
      id: ID.kem,
      type: 'KEM',
      name: 'DHKEM(X25519, HKDF-SHA256)',
      Nsecret: KEY_BYTES,
      Nenc: KEY_BYTES,
      Npk: KEY_BYTES,
      Nsk: KEY_BYTES,
      DeriveKeyPair: () => notOffered(),
      GenerateKeyPair: () => notOffered(),
      SerializePrivateKey: () => notOffered(),
      SerializePublicKey: async (key) => publicBytes(key).slice(),
      DeserializePublicKey: async (bytes) => publicKey(bytes.slice()),
      DeserializePrivateKey: async (bytes) => privateKey(p.x25519(bytes)),
      Encap: async (recipient) => {
        const pkR = publicBytes(recipient);
        const ephemeral = p.x25519(random(KEY_BYTES));
        const shared = await sharedSecret(kdf, ephemeral.agree(pkR), ephemeral.publicKey, pkR);
        return { shared_secret: shared, enc: ephemeral.publicKey };
      },
      Decap: async (enc, own) => {
        if (own.type !== 'private') throw new TypeError('a private key is needed');
        return sharedSecret(kdf, own.agreer.agree(enc), enc, own.agreer.publicKey);
      },
    };
  };

/** ExtractAndExpand of RFC 9180 section 4.1. Throws if there is no agreement: the peer's point is of small order. */
async function sharedSecret(
  kdf: KDF,
  agreed: Uint8Array | undefined,
  enc: Uint8Array,
  recipient: Uint8Array,
): Promise<Uint8Array> {
  if (agreed === undefined) throw new Error('no agreement');
  const suite = concat(KEM_LABEL, I2OSP(ID.kem, 2));
  const prk = await LabeledExtract(kdf, suite, NOTHING, EAE_PRK, agreed);
  return LabeledExpand(kdf, suite, prk, SHARED_SECRET, concat(enc, recipient), KEY_BYTES);
}

const ascii = (text: string): Uint8Array => new TextEncoder().encode(text);
const KEM_LABEL = ascii('KEM');
const EAE_PRK = ascii('eae_prk');
const SHARED_SECRET = ascii('shared_secret');

const ALGORITHM = { name: 'X25519' } as const;

const publicKey = (bytes: Uint8Array): PublicKey => ({
  algorithm: ALGORITHM,
  extractable: true,
  type: 'public',
  bytes,
});

const privateKey = (agreer: Agreer): PrivateKey => ({
  algorithm: ALGORITHM,
  extractable: false,
  type: 'private',
  agreer,
});

const publicBytes = (key: SuiteKey): Uint8Array => (key.type === 'public' ? key.bytes : key.agreer.publicKey);

/** Keys are made by the caller from its own randomness; the protocol derives none from seeds. */
function notOffered(): never {
  throw new TypeError('this suite does not offer the operation');
}
