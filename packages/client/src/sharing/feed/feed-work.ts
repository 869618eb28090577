/** What an agent holds of one grant while it keeps its feed up to date. */

import { canonicalJson, bytesToHex, type Did, type StreamId, type Tag, utf8ToBytes } from '@sluice/core/base';
import { type AeadKey, type GrantSecret, sha256, streamTagKey } from '@sluice/core/crypto';
import type { Filter, Span } from '@sluice/core/filter';
import type { FeedKeys, FieldTerm, FeedRule, LaneVerdicts } from '@sluice/core/grant';
import type { Collection } from '../../store/collection.ts';
import type { StoreDb } from '../../store/store-db.ts';
import { type DueLog, openDueLog } from './due-log.ts';
import { type FeedProgress, loadProgress, noProgress } from './feed-progress.ts';
import { openSentLog, type SentLog } from './sent-log.ts';

/** One grant as its agent needs it. */
export type AgentGrant = {
  readonly grantId: string;
  readonly grantee: Did;
  readonly feed: StreamId;
  /** The grant's key of an epoch, by the commitment in the feed; the first has none. */
  readonly keyOf: (epoch: number, commitment: Uint8Array | undefined) => AeadKey | undefined;
  readonly secret: GrantSecret;
  /** Raised with every change of the terms: an agent that has not heard of one is refused. */
  readonly term: number;
  /** What tells one version of the terms from another, also of those that two devices gave one number. */
  readonly version: string;
  readonly filter: Filter;
  readonly fields: readonly FieldTerm[] | undefined;
  /** False where the grantee only writes: its feed holds verdicts and no record. */
  readonly reads: boolean;
  readonly once: boolean;
  /** At most one batch in so long. */
  readonly every?: Span;
  readonly collection: Collection;
  readonly desk?: LaneDesk;
};

/** Who decides on a grantee's writes. */
export type LaneDesk = {
  /** What is to be said next, or undefined when the feed says it all. */
  readonly next: (stated: LaneVerdicts) => LaneVerdicts | undefined;
  /** Takes effect of what the feed now says: accepted writes are made, waiting ones are put before the owner. */
  readonly act: (stated: LaneVerdicts) => void;
  readonly close: () => void;
};

/** The records a feed starts with, or all of them after a change of its rule. `upTo` is the local number they reflect. */
type Backfill = { readonly tags: readonly Tag[]; readonly upTo: number; at: number };

/** A new key of the grant on its way into the feed. */
export type NextKey = {
  readonly epoch: number;
  readonly key: AeadKey;
  readonly commitment: Uint8Array;
  /** The key sealed to the grantee. */
  readonly sealed: Uint8Array;
};

/** One grant at work. */
export type Work = {
  readonly grant: AgentGrant;
  readonly rule: FeedRule;
  readonly sent: SentLog;
  readonly dues: DueLog;
  progress: FeedProgress;
  /** The feed has to be read before anything is appended. */
  doubtful: boolean;
  ended: boolean;
  paused: boolean;
  /** The local number in the stored progress; the one in memory may be a little further. */
  savedLs: number;
  /** No append before this instant of the monotonic clock: the node refused, and the feed did not say why. */
  notBeforeMs: number;
  backfill?: Backfill;
  nextKey?: NextKey;
};

/** Takes up the work on a grant where this store left it. */
export function openWork(db: StoreDb, grant: AgentGrant): Work {
  // The feed's tags are made from the grant's own secret, so that no two grants share a pseudonym.
  const tagKey = streamTagKey(grant.secret, grant.feed);
  const { grantId, filter, fields, secret } = grant;
  const rule = { grantId, filter, fields, secret, tagKey };
  const known = loadProgress(db, grant.feed);
  const dues = openDueLog(db, grant.feed);
  const name = ruleName(grant);
  const progress = known ?? noProgress();
  const work: Work = {
    grant,
    rule,
    sent: openSentLog(db, grant.feed),
    dues,
    progress: { ...progress, rule: name },
    doubtful: known === undefined,
    ended: false,
    paused: false,
    notBeforeMs: 0,
    savedLs: progress.ls,
  };
  // Another rule than the one the feed was made by: every record is looked at again, and only what differs moves.
  if (known && known.rule !== name) {
    // And the feed is closed anew, so that the node hears of the new terms and refuses whoever has not.
    work.progress = { ...work.progress, ls: 0, whole: true, closed: false };
    dues.clear();
  }
  return work;
}

/** What a feed is sealed with now; undefined while its key has not come. */
export function feedKeys({ grant, progress }: Work, epoch: number = progress.epoch): FeedKeys | undefined {
  const commitment = progress.commitments[epoch - 2];
  const key = grant.keyOf(epoch, commitment);
  return key && { stream: grant.feed, key };
}

/** Tells rules apart, and the terms they come of. */
const ruleName = ({ filter, fields, reads, term }: AgentGrant): string =>
  bytesToHex(sha256(utf8ToBytes(canonicalJson({ filter: filter.source, fields: fields ?? null, reads, term })))).slice(
    0,
    32,
  );

/** Whether two descriptions of a grant reveal and decide the same. */
export const isSameWork = (a: AgentGrant, b: AgentGrant): boolean => a.version === b.version;
