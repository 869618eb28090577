/** What of node:crypto is used, by structure: present in Node, undefined elsewhere. */

type Hash = { update(data: Uint8Array): Hash; digest(): Uint8Array };
type Cipher = {
  setAAD(aad: Uint8Array, o: { plaintextLength: number }): void;
  update(d: Uint8Array): Uint8Array;
  final(): Uint8Array;
  getAuthTag(): Uint8Array;
  setAuthTag(t: Uint8Array): void;
};
export type KeyObject = { readonly type: string };
export type NodeCrypto = {
  createHash(name: string): Hash;
  createHmac(name: string, key: Uint8Array): Hash;
  createCipheriv(name: string, key: Uint8Array, iv: Uint8Array, o: { authTagLength: number }): Cipher;
  createDecipheriv(name: string, key: Uint8Array, iv: Uint8Array, o: { authTagLength: number }): Cipher;
  createPrivateKey(o: { key: Uint8Array; format: 'der'; type: 'pkcs8' }): KeyObject;
  createPublicKey(o: { key: Uint8Array; format: 'der'; type: 'spki' }): KeyObject;
  sign(alg: null, data: Uint8Array, key: KeyObject): Uint8Array;
  verify(alg: null, data: Uint8Array, key: KeyObject, signature: Uint8Array): boolean;
};

type Host = { process?: { getBuiltinModule?(name: string): unknown } };

export const node = (globalThis as unknown as Host).process?.getBuiltinModule?.('node:crypto') as
  | NodeCrypto
  | undefined;
