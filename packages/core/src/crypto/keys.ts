/** The key hierarchy as types, and its derivations. */

import type { Brand } from '../base/brand.ts';
import { bytesToHex, concatBytes, utf8ToBytes } from '../base/bytes.ts';
import { type StreamId, type Tag, toStreamId, toTag, toWriterId, type WriterId } from '../base/ids.ts';
import { hkdf, hmacSha256, sha256 } from './hash.ts';

export type AccountRoot = Brand<Uint8Array, 'AccountRoot'>;
export type KeychainKey = Brand<Uint8Array, 'KeychainKey'>;
export type EpochKey = Brand<Uint8Array, 'EpochKey'>;
export type CollectionKey = Brand<Uint8Array, 'CollectionKey'>;
export type TagSecret = Brand<Uint8Array, 'TagSecret'>;
export type StreamTagKey = Brand<Uint8Array, 'StreamTagKey'>;
export type GrantKey = Brand<Uint8Array, 'GrantKey'>;
export type GrantSecret = Brand<Uint8Array, 'GrantSecret'>;
export type LaneKey = Brand<Uint8Array, 'LaneKey'>;

const sized = (name: string) => (bytes: Uint8Array): never => {
  if (bytes.length !== 32) throw new TypeError(`${name} must be 32 bytes`);
  return bytes as never;
};
export const toAccountRoot: (b: Uint8Array) => AccountRoot = sized('AccountRoot');
export const toEpochKey: (b: Uint8Array) => EpochKey = sized('EpochKey');
export const toTagSecret: (b: Uint8Array) => TagSecret = sized('TagSecret');
export const toGrantKey: (b: Uint8Array) => GrantKey = sized('GrantKey');
export const toGrantSecret: (b: Uint8Array) => GrantSecret = sized('GrantSecret');
export const toLaneKey: (b: Uint8Array) => LaneKey = sized('LaneKey');

export const keychainKey = (root: AccountRoot): KeychainKey => hkdf(root, 'keychain') as KeychainKey;
export const collectionKey = (epoch: EpochKey, name: string): CollectionKey => hkdf(epoch, `collection/${name}`) as CollectionKey;
export const streamTagKey = (secret: TagSecret, stream: StreamId): StreamTagKey => hkdf(secret, `tag/${bytesToHex(stream)}`) as StreamTagKey;
export const streamId = (kind: number, secret: TagSecret, name: string): StreamId =>
  toStreamId(concatBytes(Uint8Array.of(kind), hmacSha256(secret, utf8ToBytes(`stream/${name}`)).subarray(0, 15)));
export const recordTag = (key: StreamTagKey, recordId: string): Tag => toTag(hmacSha256(key, utf8ToBytes(recordId)).slice(0, 16));
export const writerId = (publicKey: Uint8Array): WriterId => toWriterId(sha256(utf8ToBytes('sluice/writer/1\0'), publicKey).slice(0, 16));
