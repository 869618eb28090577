/** The back end on Node's own crypto: the same bytes as the @noble one, several times faster. */

import { hchacha } from '@noble/ciphers/chacha.js';
import { base64urlToBytes, bytesToBase64url, concatBytes, hexToBytes } from '../../base/bytes.ts';
import { isStrictlyEncoded } from './ed25519-encoding.ts';
import type { KeyObject, NodeCrypto } from './node-crypto.ts';
import type { Agreer, Primitives, Signer } from './primitives.ts';

const NONCE_BYTES = 24;
const TAG_BYTES = 16;
/** Without it Node takes tags of 4 bytes. */
const TAG = { authTagLength: TAG_BYTES } as const;
const NOTHING = new Uint8Array(0);
const CHACHA = 'chacha20-poly1305';
const ED25519_PKCS8 = hexToBytes('302e020100300506032b657004220420');
/** Imported public keys kept; an import costs a twentieth of a verification. */
const KEPT_KEYS = 256;

/** Every primitive on `node:crypto`, except the key step of XChaCha, which OpenSSL does not have. */
export function createNodePrimitives(node: NodeCrypto): Primitives {
  const verifyKeys = new Map<string, KeyObject>();

  function ed25519(seed: Uint8Array): Signer {
    // PKCS#8 is the slow import, but it keeps a long-lived secret out of strings.
    const key = node.createPrivateKey({ key: concatBytes(ED25519_PKCS8, seed), format: 'der', type: 'pkcs8' });
    return { publicKey: publicBytes(node, key), sign: (message) => plain(node.sign(null, message, key)) };
  }

  /** Undefined for what no strict verifier takes. */
  function verifyKey(publicKey: Uint8Array, signature: Uint8Array): KeyObject | undefined {
    if (!isStrictlyEncoded(publicKey, signature)) return undefined;
    const name = bytesToBase64url(publicKey);
    let key = verifyKeys.get(name);
    if (key === undefined) {
      key = node.createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x: name }, format: 'jwk' });
      if (verifyKeys.size >= KEPT_KEYS) verifyKeys.clear();
      verifyKeys.set(name, key);
    }
    return key;
  }

  function ed25519Verify(publicKey: Uint8Array, signature: Uint8Array, message: Uint8Array): boolean {
    const key = verifyKey(publicKey, signature);
    return key !== undefined && node.verify(null, message, key, signature);
  }

  function ed25519VerifyLater(publicKey: Uint8Array, signature: Uint8Array, message: Uint8Array): Promise<boolean> {
    const key = verifyKey(publicKey, signature);
    if (key === undefined) return Promise.resolve(false);
    return new Promise((resolve, reject) => {
      node.verify(null, message, key, signature, (cause, valid) => (cause ? reject(cause) : resolve(valid)));
    });
  }

  function x25519(secret: Uint8Array): Agreer {
    // One key serves one message here, and the JWK import is ten times faster than PKCS#8. `x` is computed from `d`.
    const jwk = { kty: 'OKP', crv: 'X25519', x: bytesToBase64url(secret.slice().fill(0)) } as const;
    const privateKey = node.createPrivateKey({ key: { ...jwk, d: bytesToBase64url(secret) }, format: 'jwk' });
    const agree = (publicKey: Uint8Array): Uint8Array | undefined => {
      const peer = node.createPublicKey({ key: { ...jwk, x: bytesToBase64url(publicKey) }, format: 'jwk' });
      // OpenSSL refuses to answer an all-zero secret.
      return orUndefined(() => plain(node.diffieHellman({ privateKey, publicKey: peer })));
    };
    return { publicKey: publicBytes(node, privateKey), agree };
  }

  return {
    sha256: (parts) => digest(node.createHash('sha256'), parts),
    hmacSha256: (key, parts) => digest(node.createHmac('sha256', key), parts),
    sealXChaCha: (key, nonce, aad, plaintext) =>
      encrypt(node, CHACHA, subkeyOf(key, nonce), shortNonceOf(nonce), aad, plaintext, nonce),
    openXChaCha: (key, aad, sealed) => {
      const nonce = sealed.subarray(0, NONCE_BYTES);
      return decrypt(node, CHACHA, subkeyOf(key, nonce), shortNonceOf(nonce), aad, sealed.subarray(NONCE_BYTES));
    },
    sealAesGcm: (key, nonce, aad, plaintext) => encrypt(node, gcmName(key), key, nonce, aad, plaintext, NOTHING),
    openAesGcm: (key, nonce, aad, sealed) => decrypt(node, gcmName(key), key, nonce, aad, sealed),
    ed25519,
    ed25519Verify,
    ed25519VerifyLater,
    x25519,
  };
}

function encrypt(
  node: NodeCrypto,
  algorithm: string,
  key: Uint8Array,
  nonce: Uint8Array,
  aad: Uint8Array,
  plaintext: Uint8Array,
  prefix: Uint8Array,
): Uint8Array {
  const cipher = node.createCipheriv(algorithm, key, nonce, TAG).setAAD(aad);
  const out = new Uint8Array(prefix.length + plaintext.length + TAG_BYTES);
  out.set(prefix);
  out.set(cipher.update(plaintext), prefix.length);
  cipher.final();
  out.set(cipher.getAuthTag(), prefix.length + plaintext.length);
  return out;
}

function decrypt(
  node: NodeCrypto,
  algorithm: string,
  key: Uint8Array,
  nonce: Uint8Array,
  aad: Uint8Array,
  sealed: Uint8Array,
): Uint8Array | undefined {
  const tagAt = sealed.length - TAG_BYTES;
  const decipher = node.createDecipheriv(algorithm, key, nonce, TAG).setAAD(aad).setAuthTag(sealed.subarray(tagAt));
  // Not authentic before final() has returned; it stays in here until then.
  const plaintext = decipher.update(sealed.subarray(0, tagAt));
  return orUndefined(() => {
    decipher.final();
    return plain(plaintext);
  });
}

const gcmName = (key: Uint8Array): string => `aes-${key.length * 8}-gcm`;

/** The constants of ChaCha, "expand 32-byte k". */
const SIGMA = Uint32Array.of(0x61707865, 0x3320646e, 0x79622d32, 0x6b206574);
const keyWords = new Uint32Array(8);
const keyBytes = new Uint8Array(keyWords.buffer);
const nonceWords = new Uint32Array(4);
const nonceBytes = new Uint8Array(nonceWords.buffer);

/** HChaCha20: the key that goes with the last 8 bytes of the nonce (draft-irtf-cfrg-xchacha-03 section 2.2). */
function subkeyOf(key: Uint8Array, nonce: Uint8Array): Uint8Array {
  keyBytes.set(key);
  nonceBytes.set(nonce.subarray(0, 16));
  hchacha(SIGMA, keyWords, nonceWords, keyWords);
  const subkey = keyBytes.slice();
  keyBytes.fill(0);
  return subkey;
}

function shortNonceOf(nonce: Uint8Array): Uint8Array {
  const short = new Uint8Array(12);
  short.set(nonce.subarray(16), 4);
  return short;
}

type Hasher = { update(part: Uint8Array): unknown; digest(): Uint8Array };

function digest(hasher: Hasher, parts: readonly Uint8Array[]): Uint8Array {
  for (const part of parts) hasher.update(part);
  return plain(hasher.digest());
}

function publicBytes(node: NodeCrypto, privateKey: KeyObject): Uint8Array {
  const { x } = node.createPublicKey(privateKey).export({ format: 'jwk' });
  if (x === undefined) throw new Error('the platform exported a key without its public part');
  return base64urlToBytes(x);
}

/** A Buffer behaves unlike a Uint8Array in slice and in equality; none leaves this file. */
const plain = (buffer: Uint8Array): Uint8Array => new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.length);

function orUndefined<T>(attempt: () => T): T | undefined {
  try {
    return attempt();
  } catch {
    return undefined;
  }
}
