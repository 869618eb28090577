/** What a collection stands on. */

import type { Clock, Random, StreamId, WriterId } from '@sluice/core/base';
import type { AeadKey, SigningKey, StreamTagKey } from '@sluice/core/crypto';
import type { FieldFormats } from '@sluice/core/filter';
import type { HlcClock, MergeRules } from '@sluice/core/record';
import type { SpaceStore } from './space-store.ts';
import type { StoreDb } from './store-db.ts';

/** What a schema says of its records: which indexes to keep, which fields are instants, how fields merge. */
export type CollectionShape = {
  readonly indexes: readonly { readonly name: string; readonly fields: readonly string[] }[];
  readonly formats: FieldFormats;
  readonly merges: MergeRules;
  /** Keeps what loses a concurrent edit, for people to look at. */
  readonly keepsLosers?: true;
};

/** What a collection is named and sealed with. `epoch` is the one to seal under; `keyOf` gives undefined for a key that is not here. */
export type CollectionKeys = {
  readonly stream: StreamId;
  readonly tagKey: StreamTagKey;
  readonly snapshotKey: AeadKey;
  readonly epoch: () => number;
  readonly keyOf: (epoch: number) => AeadKey | undefined;
};

/** What a collection stands on: the replica, its keys and shape, and the writer in whose name it saves. */
export type CollectionDeps = {
  readonly db: StoreDb;
  readonly store: SpaceStore;
  readonly keys: CollectionKeys;
  readonly shape: CollectionShape;
  readonly writer: SigningKey;
  readonly writerId: WriterId;
  readonly hlc: HlcClock;
  readonly clock: Clock;
  readonly random: Random;
  /** Called for an entry that no key of ours opens, or whose content is not a record: it is left out, and said. */
  readonly onUnreadable: (stream: StreamId, ls: number) => void;
};
