/** The keys of the protocol by use, and how one comes from another. Must not know what they seal. */

import type { Brand } from '../base/brand.ts';
import { bytesToHex, concatBytes, utf8ToBytes } from '../base/bytes.ts';
import { type StreamId, type Tag, toStreamId, toTag, toWriterId, type WriterId } from '../base/ids.ts';
import { hkdf, hmacSha256, sha256 } from './hash.ts';
import type { VerifyKey } from './sign.ts';

/** Root of an account's secrets, random, replaced generation by generation. */
export type AccountRoot = Brand<Uint8Array, 'AccountRoot'>;
/** Seals the keychain. */
export type KeychainKey = Brand<Uint8Array, 'KeychainKey'>;
/** Random key of one epoch of a space. */
export type EpochKey = Brand<Uint8Array, 'EpochKey'>;
/** Seals the entries of one collection in one epoch. */
export type CollectionKey = Brand<Uint8Array, 'CollectionKey'>;
/** Names streams and records of a space; never rotates. */
export type TagSecret = Brand<Uint8Array, 'TagSecret'>;
/** Names the records of one stream. */
export type StreamTagKey = Brand<Uint8Array, 'StreamTagKey'>;
/** Seals the entries of one grant's feed. */
export type GrantKey = Brand<Uint8Array, 'GrantKey'>;
/** Names the records of one grant's feed. */
export type GrantSecret = Brand<Uint8Array, 'GrantSecret'>;
/** Seals the entries of one lane. */
export type LaneKey = Brand<Uint8Array, 'LaneKey'>;

const KEY_BYTES = 32;
const ID_BYTES = 16;
const WRITER_DOMAIN = utf8ToBytes('sluice/writer/1\0');

/** Makes the constructor of one key brand: it throws TypeError unless it gets 32 bytes. */
const keyOf =
  <K extends Uint8Array>(name: string) =>
  (bytes: Uint8Array): K => {
    if (!(bytes instanceof Uint8Array) || bytes.length !== KEY_BYTES) throw new TypeError(`${name} must be 32 bytes`);
    return bytes as K;
  };

/** Brands 32 bytes as an account root. Throws TypeError on another length. */
export const toAccountRoot = keyOf<AccountRoot>('AccountRoot');
/** Brands 32 bytes as a keychain key. Throws TypeError on another length. */
export const toKeychainKey = keyOf<KeychainKey>('KeychainKey');
/** Brands 32 bytes as an epoch key. Throws TypeError on another length. */
export const toEpochKey = keyOf<EpochKey>('EpochKey');
/** Brands 32 bytes as a collection key. Throws TypeError on another length. */
export const toCollectionKey = keyOf<CollectionKey>('CollectionKey');
/** Brands 32 bytes as a tag secret. Throws TypeError on another length. */
export const toTagSecret = keyOf<TagSecret>('TagSecret');
/** Brands 32 bytes as a stream tag key. Throws TypeError on another length. */
export const toStreamTagKey = keyOf<StreamTagKey>('StreamTagKey');
/** Brands 32 bytes as a grant key. Throws TypeError on another length. */
export const toGrantKey = keyOf<GrantKey>('GrantKey');
/** Brands 32 bytes as a grant secret. Throws TypeError on another length. */
export const toGrantSecret = keyOf<GrantSecret>('GrantSecret');
/** Brands 32 bytes as a lane key. Throws TypeError on another length. */
export const toLaneKey = keyOf<LaneKey>('LaneKey');

/** The keychain key of an account root. Source: spec/crypto.md CRY-13. */
export const keychainKey = (root: AccountRoot): KeychainKey => toKeychainKey(hkdf(root, 'keychain'));

/** The key of a collection in one epoch. Source: spec/crypto.md CRY-13. */
export const collectionKey = (epochKey: EpochKey, collectionName: string): CollectionKey =>
  toCollectionKey(hkdf(epochKey, `collection/${collectionName}`));

/** The key that names the records of one stream. Source: spec/crypto.md CRY-13. */
export const streamTagKey = (tagSecret: TagSecret | GrantSecret, stream: StreamId): StreamTagKey =>
  toStreamTagKey(hkdf(tagSecret, `stream-tag/${bytesToHex(stream)}`));

/**
 * The id of a named stream: its kind and a pseudonym of its name, 16 bytes. Throws RangeError on a kind that is no byte.
 *
 * Source: spec/crypto.md CRY-14; vectors/crypto.json.
 */
export function streamId(kindByte: number, tagSecret: TagSecret | GrantSecret, name: string): StreamId {
  if (!Number.isInteger(kindByte) || kindByte < 0 || kindByte > 255) throw new RangeError('a stream kind is one byte');
  const pseudonym = hmacSha256(tagSecret, utf8ToBytes(`stream/${name}`));
  return toStreamId(concatBytes(Uint8Array.of(kindByte), pseudonym.subarray(0, ID_BYTES - 1)));
}

/** The pseudonym of a record in one stream, 16 bytes. Source: spec/crypto.md CRY-14; vectors/crypto.json. */
export const recordTag = (key: StreamTagKey, recordId: string): Tag =>
  toTag(hmacSha256(key, utf8ToBytes(recordId)).slice(0, ID_BYTES));

/** The name of a writer, 16 bytes: it says which key must have signed. Source: spec/crypto.md CRY-14; vectors/crypto.json. */
export const writerId = (publicKey: VerifyKey): WriterId =>
  toWriterId(sha256(WRITER_DOMAIN, publicKey).slice(0, ID_BYTES));
