/** What a feed's reader is made with, and what it is to its grant. */

import type { Clock, JsonObject, SpaceId, StreamId } from '@sluice/core/base';
import type { AeadKey, VerifyKey } from '@sluice/core/crypto';
import type { FieldFormats, Filter } from '@sluice/core/filter';
import type { PageEntry } from '@sluice/core/wire';
import type { LiveLink } from '../../link/live-link.ts';
import type { StoreDb } from '../../store/store-db.ts';
import type { WriteVerdict } from '../lane/lane-writer.ts';
import type { Overlay } from '../lane/overlay.ts';
import type { FeedAlarm, FeedChange } from './feed-change.ts';
import type { FindRecords } from './find-records.ts';
import type { FeedStatus, ReaderState } from './reader-state.ts';

/** What a reader needs: the local store, the connection made with the pairwise key, and the keys of the grant. */
export type FeedReaderDeps = {
  readonly db: StoreDb;
  readonly link: LiveLink;
  readonly clock: Clock;
  readonly space: SpaceId;
  readonly feed: StreamId;
  /** The grant's key of an epoch, as far as known. */
  readonly keyOf: (epoch: number) => AeadKey | undefined;
  /** Takes up the new keys of a page. False when one of them is not genuine. */
  readonly takeKeys: (entries: readonly PageEntry[]) => Promise<boolean>;
  readonly formats: FieldFormats;
  /** Whether a device key speaks for the owner, by the card that stands in the feed and the checkpoint's instant. */
  readonly isOwnersDevice: (signer: VerifyKey, card: Uint8Array, atMs: number) => boolean;
  /** The grantee's own writes on top of what the owner reveals; absent where it may not write. */
  readonly overlay?: Overlay;
  /** When a copy has to go that the grant's end left here: ms after the end. */
  readonly keepMs: number;
  /** When the grant ends by its terms, in ms. */
  readonly endsAtMs: () => number | undefined;
  /** The copy was wiped because the grant ended. */
  readonly onWiped: (wiped: number, reason: 'revoked' | 'expired' | 'dropped') => void;
};

/** The local copy of a feed: verified, queried, and told of. */
export type FeedReader = {
  readonly start: () => void;
  readonly get: (id: string) => JsonObject | undefined;
  readonly query: (filter: Filter, options: FindRecords) => JsonObject[];
  readonly count: () => number;
  readonly onChange: (listener: (change: FeedChange) => void) => () => void;
  readonly onAlarm: (listener: (alarm: FeedAlarm) => void) => () => void;
  readonly onStatus: (listener: (status: FeedStatus) => void) => () => void;
  readonly onVerdict: (listener: (verdict: WriteVerdict) => void) => () => void;
  /** Looks at the verdicts again: the node has taken more writes. */
  readonly decided: () => void;
  /** Tells of a record that the grantee has just written itself. */
  readonly wrote: (id: string) => void;
  readonly state: () => ReaderState;
  /** As the state says; `expired` also while the grant may have ended and nothing is shown until the node tells the time. */
  readonly status: () => FeedStatus;
  /** Resolves at the next checkpoint that verifies, or at once when the last one did and nothing came since. */
  readonly upToDate: (timeoutMs: number) => Promise<void>;
  /** Resolves when the write has its final verdict. */
  readonly settled: (n: number, timeoutMs: number) => Promise<WriteVerdict>;
  /** Removes every revealed record from this store. */
  readonly wipe: () => number;
  /** Ends the grant from this side: nothing is read any more, and the copy goes. `keep` is told before how many records that wipes; what it throws ends nothing. */
  readonly drop: (keep: (held: number) => void) => void;
  /** The end may have been put off: a copy that went with the old one is read anew. */
  readonly termsChanged: () => void;
  readonly close: () => void;
};
