/** The keys of one space as this client holds them: an owner's device holds all, an app session what consent released to it. */

import { bytesToHex, type SpaceId } from '@sluice/core/base';
import {
  type AeadKey,
  type CollectionKey,
  collectionKey,
  type EpochKey,
  hkdf,
  type SigningKey,
  streamId,
  streamTagKey,
  type TagSecret,
  toAeadKey,
} from '@sluice/core/crypto';
import { STREAM_KIND } from '@sluice/core/wire';
import type { NodeAddress } from '../platform.ts';
import type { CollectionKeys } from '../store/collection.ts';

/** What a device or session holds of one space. */
export type SpaceKeys = {
  readonly space: SpaceId;
  readonly node: NodeAddress;
  /** The signed genesis: whoever holds these keys can check the space's root. */
  readonly genesis: Uint8Array;
  readonly tagSecret: TagSecret;
  /** Key epochs by number. New ones are added as they arrive. */
  readonly epochs: Map<number, EpochKey>;
  /** Opens the sealed part of control entries; sessions do not have it. */
  readonly ctlKey?: AeadKey;
  /** Signs the first admin row of a device; sessions do not have it. */
  readonly root?: SigningKey;
};

/** The number of the newest epoch held. */
const newestEpoch = (keys: SpaceKeys): number => Math.max(...keys.epochs.keys());

/** The number of the newest epoch held that was announced: what is sealed under a later one, others could not open. */
const sealingEpoch = (keys: SpaceKeys, announced: number): number => {
  const known = [...keys.epochs.keys()].filter((n) => n <= Math.max(1, announced));
  return known.length > 0 ? Math.max(...known) : newestEpoch(keys);
};

/** Derives what a collection is sealed and named with. `announced` is the space's epoch as its control log says. */
export function collectionKeys(keys: SpaceKeys, name: string, announced: () => number): CollectionKeys {
  const stream = streamId(STREAM_KIND.own, keys.tagSecret, name);
  const derived = new Map<number, CollectionKey>();
  return {
    stream,
    tagKey: streamTagKey(keys.tagSecret, stream),
    snapshotKey: toAeadKey(hkdf(keys.tagSecret, `snapshot/${bytesToHex(stream)}`)),
    epoch: () => sealingEpoch(keys, announced()),
    keyOf: (epoch) => {
      const known = derived.get(epoch);
      if (known) return toAeadKey(known);
      const epochKey = keys.epochs.get(epoch);
      if (!epochKey) return undefined;
      const key = collectionKey(epochKey, name);
      derived.set(epoch, key);
      return toAeadKey(key);
    },
  };
}
