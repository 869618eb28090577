/** The part of Node's `node:crypto` that is used here, declared by shape: this package compiles without Node's types. */

export type KeyObject = { export(options: { readonly format: 'jwk' }): { readonly x?: string } };
type Hasher = { update(part: Uint8Array): Hasher; digest(): Uint8Array };
type AuthTagLength = { readonly authTagLength: number };
type DerKey = { readonly key: Uint8Array; readonly format: 'der'; readonly type: 'pkcs8' };
type Jwk = { readonly kty: 'OKP'; readonly crv: 'Ed25519' | 'X25519'; readonly x: string; readonly d?: string };
type JwkKey = { readonly key: Jwk; readonly format: 'jwk' };

type Cipher = {
  setAAD(aad: Uint8Array): Cipher;
  update(plaintext: Uint8Array): Uint8Array;
  final(): Uint8Array;
  getAuthTag(): Uint8Array;
};
type Decipher = {
  setAAD(aad: Uint8Array): Decipher;
  setAuthTag(tag: Uint8Array): Decipher;
  update(ciphertext: Uint8Array): Uint8Array;
  final(): Uint8Array;
};

/** The part of `node:crypto` that is used here, typed by hand: core compiles without Node types. */
export type NodeCrypto = {
  createHash(algorithm: 'sha256'): Hasher;
  createHmac(algorithm: 'sha256', key: Uint8Array): Hasher;
  createCipheriv(algorithm: string, key: Uint8Array, nonce: Uint8Array, options: AuthTagLength): Cipher;
  createDecipheriv(algorithm: string, key: Uint8Array, nonce: Uint8Array, options: AuthTagLength): Decipher;
  createPrivateKey(key: DerKey | JwkKey): KeyObject;
  createPublicKey(key: JwkKey | KeyObject): KeyObject;
  diffieHellman(keys: { readonly privateKey: KeyObject; readonly publicKey: KeyObject }): Uint8Array;
  sign(algorithm: null, message: Uint8Array, key: KeyObject): Uint8Array;
  verify(algorithm: null, message: Uint8Array, key: KeyObject, signature: Uint8Array): boolean;
  verify(
    algorithm: null,
    message: Uint8Array,
    key: KeyObject,
    signature: Uint8Array,
    done: (cause: Error | null, valid: boolean) => void,
  ): void;
};

type NodeGlobal = { process?: { getBuiltinModule?: (name: string) => unknown } };

/** Returns Node's crypto module, or undefined where there is none. */
export function findNodeCrypto(): NodeCrypto | undefined {
  return (globalThis as unknown as NodeGlobal).process?.getBuiltinModule?.('node:crypto') as NodeCrypto | undefined;
}
