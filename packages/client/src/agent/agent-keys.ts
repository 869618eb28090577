/**
 * What an agent holds keys by: a secret of its own, from which the collections follow that it alone shares with the owner, and the keys of
 * single collections, which say nothing of any other. Must not know how they are given.
 */

import { type JsonObject, toStreamId } from '@sluice/core/base';
import {
  type AeadKey,
  hkdf,
  streamId,
  streamTagKey,
  toAeadKey,
  toStreamTagKey,
  toTagSecret,
} from '@sluice/core/crypto';
import { FIRST_EPOCH } from '@sluice/core/stream';
import { STREAM_KIND } from '@sluice/core/wire';
import { packBytes, unpackBytes } from '../account/keychain.ts';
import { collectionKeys, type SpaceKeys } from '../space/space-keys.ts';
import type { CollectionKeys } from '../store/collection.ts';

/** The collections that one agent shares with the owner's devices: what it is given and reports, and what it did. */
export type SharedName = 'handover' | 'activity';

/** Keys of a collection that an agent shares with the owner, from the agent's secret. A new epoch of the space changes none of them. */
export function sharedKeys(secret: Uint8Array, name: SharedName, announced: () => number): CollectionKeys {
  const tagSecret = toTagSecret(hkdf(secret, 'agent-tags'));
  const stream = streamId(STREAM_KIND.own, tagSecret, name);
  const key = toAeadKey(hkdf(secret, `agent/${name}`));
  return {
    stream,
    tagKey: streamTagKey(tagSecret, stream),
    snapshotKey: toAeadKey(hkdf(secret, `agent-snapshot/${name}`)),
    epoch: () => Math.max(FIRST_EPOCH, announced()),
    keyOf: () => key,
  };
}

/** One collection of a space as an agent is given it: its stream, the key of its tags, its key of every epoch there is. */
export function packCollection(keys: SpaceKeys, name: string): JsonObject {
  const { stream, tagKey, keyOf } = collectionKeys(keys, name, () => FIRST_EPOCH);
  const epochs: Record<string, string> = {};
  for (const n of [...keys.epochs.keys()].sort((a, b) => a - b)) {
    const key = keyOf(n);
    if (key) epochs[String(n)] = packBytes(key);
  }
  return { stream: packBytes(stream), tagKey: packBytes(tagKey), epochs };
}

/** Keys of a collection that was given: `item` gives what stands of it now, since epochs are added. */
export function givenKeys(
  item: () => JsonObject | undefined,
  secret: Uint8Array,
  announced: () => number,
): CollectionKeys {
  const first = item();
  const stream = toStreamId(unpackBytes(first?.stream));
  const keys = new Map<number, AeadKey>();
  const keyOf = (epoch: number): AeadKey | undefined => {
    const known = keys.get(epoch);
    if (known) return known;
    const packed = ((item()?.epochs ?? {}) as JsonObject)[String(epoch)];
    if (packed === undefined) return undefined;
    const key = toAeadKey(unpackBytes(packed));
    keys.set(epoch, key);
    return key;
  };
  return {
    stream,
    tagKey: toStreamTagKey(unpackBytes(first?.tagKey)),
    snapshotKey: toAeadKey(hkdf(secret, `agent-snapshot/${packBytes(stream)}`)),
    epoch: () => newestOf(item(), announced()),
    keyOf,
  };
}

/** The epochs whose keys an item holds. */
export const epochsOf = (item: JsonObject | undefined): readonly number[] =>
  Object.keys((item?.epochs ?? {}) as JsonObject).map(Number);

/** What is sealed under a later epoch than was announced, others could not open. */
const newestOf = (item: JsonObject | undefined, announced: number): number => {
  const known = epochsOf(item);
  const usable = known.filter((n) => n <= Math.max(FIRST_EPOCH, announced));
  return Math.max(FIRST_EPOCH, ...(usable.length > 0 ? usable : known));
};
