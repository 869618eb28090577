/** did:key and the Multikey text form of public keys. Must not know documents or resolution. */

import { ed25519 } from '@noble/curves/ed25519.js';
import { base58 } from '@scure/base';
import { concatBytes } from '../base/bytes.ts';
import { err, ok, type Result } from '../base/result.ts';
import { toVerifyKey, type VerifyKey } from '../crypto/sign.ts';

/** Varint multicodec prefixes. */
const CODEC = { ed25519: [0xed, 0x01], x25519: [0xec, 0x01] } as const;
const KEY_BYTES = 32;
/** 34 bytes never take more than 47 base58 characters; longer text is not decoded at all, since decoding is quadratic. */
const MAX_MULTIKEY_CHARS = 48;

/** What a public key is for. */
export type KeyKind = keyof typeof CODEC;

/** Writes a 32-byte public key as Multikey text: `z` and base58btc of multicodec and key. */
export function encodeMultikey(kind: KeyKind, key: Uint8Array): string {
  if (key.length !== KEY_BYTES) throw new TypeError('a public key must be 32 bytes');
  return `z${base58.encode(concatBytes(Uint8Array.from(CODEC[kind]), key))}`;
}

/** Reads Multikey text of one kind of key. Errors: malformed (form, length, another kind). */
export function decodeMultikey(kind: KeyKind, text: unknown): Result<Uint8Array, { readonly type: 'malformed' }> {
  if (typeof text !== 'string' || text.length > MAX_MULTIKEY_CHARS || !text.startsWith('z'))
    return err({ type: 'malformed' });
  let bytes: Uint8Array;
  try {
    bytes = base58.decode(text.slice(1));
  } catch {
    return err({ type: 'malformed' });
  }
  const [first, second] = CODEC[kind];
  if (bytes.length !== KEY_BYTES + 2 || bytes[0] !== first || bytes[1] !== second) return err({ type: 'malformed' });
  return ok(bytes.slice(2));
}

/**
 * Reads the Ed25519 key a did:key names.
 *
 * Errors: malformed (another method, key kind or form). Source: spec/identity.md ID-1; vectors/identity.json.
 */
export function parseDidKey(did: string): Result<VerifyKey, { readonly type: 'malformed' }> {
  if (!did.startsWith('did:key:')) return err({ type: 'malformed' });
  const key = decodeMultikey('ed25519', did.slice('did:key:'.length));
  return key.ok ? ok(toVerifyKey(key.value)) : key;
}

/**
 * The X25519 key that belongs to an Ed25519 key: its image on the Montgomery curve, as did:key defines it.
 *
 * Errors: malformed (the key has no image).
 */
export function sealingKeyOf(publicKey: VerifyKey): Result<Uint8Array, { readonly type: 'malformed' }> {
  try {
    return ok(ed25519.utils.toMontgomery(publicKey));
  } catch {
    return err({ type: 'malformed' });
  }
}
