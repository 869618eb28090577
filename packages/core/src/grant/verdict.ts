/** Verdicts on a lane: one entry of the feed that says how far the owner has decided, and what became of each write (spec/lane.md). */

import type { Tag } from '../base/ids.ts';
import type { Random } from '../base/random.ts';
import { err, ok, type Result } from '../base/result.ts';
import { recordTag, type StreamTagKey } from '../crypto/keys.ts';
import { entryHash, openEntry, sealEntry } from '../stream/sealed-entry.ts';
import { encodeCbor } from '../wire/cbor.ts';
import type { Entry, FeedEntry } from '../wire/entry.ts';
import { ENTRY_KIND } from '../wire/header.ts';
import { MAX_BODY_BYTES, MAX_LANE_ENTRIES } from '../wire/limits.ts';
import { fixed, list, oneOf, readShape, tuple, uint } from '../wire/shape.ts';
import type { FeedFailure, FeedKeys, FeedPlace } from './feed-entry.ts';

/** Why a write was not accepted. */
export const REJECTIONS = [
  'MALFORMED',
  'OPERATION_NOT_ALLOWED',
  'FIELD_NOT_ALLOWED',
  'NOT_FOUND',
  'OUTSIDE_FILTER',
  'BAD_RECORD',
  'BAD_CLOCK',
  'DECLINED',
  'TOO_MANY_WAITING',
] as const;
/** A code of `REJECTIONS`. `DECLINED`: the owner looked and said no. `TOO_MANY_WAITING`: so much waits already that the owner is to be left alone. */
export type Rejection = (typeof REJECTIONS)[number];

/** What the owner has decided of one lane. A number up to `upTo` that stands in no list is accepted, and its effect is in the feed. */
export type LaneVerdicts = {
  readonly upTo: number;
  /** Numbers that wait for the owner's yes or no, ascending. */
  readonly waiting: readonly number[];
  readonly rejected: readonly { readonly n: number; readonly code: Rejection }[];
  /** Accepted, but not yet in what the feed shows. */
  readonly unapplied: readonly number[];
  /** What was decided on: the hash of each entry that waits or is not made yet, so that no other one of its number takes its place. */
  readonly entries: readonly { readonly n: number; readonly hash: Uint8Array }[];
};

/** Nothing decided. */
export const NO_VERDICTS: LaneVerdicts = { upTo: 0, waiting: [], rejected: [], unapplied: [], entries: [] };
/** Writes of one grant that wait for the owner at once. */
export const MAX_WAITING_WRITES = 1_000;
/** Rejections that are kept for a grantee that does not say what it has seen; those of writes that had waited come on top. */
export const MAX_KEPT_REJECTIONS = 1_000;

const numbers = list(uint(), MAX_LANE_ENTRIES);
const verdictShape = tuple(
  ['upTo', uint()],
  ['waiting', numbers],
  ['rejected', list(tuple(['n', uint()], ['code', oneOf(...REJECTIONS)]), MAX_KEPT_REJECTIONS + MAX_WAITING_WRITES)],
  ['unapplied', numbers],
  ['entries', list(tuple(['n', uint()], ['hash', fixed(16)]), 2 * MAX_LANE_ENTRIES)],
);
/** For the pin of the wire schema. */
export const VERDICT_SHAPE = verdictShape;

/** The one tag of a feed's verdicts. */
const verdictTag = (tagKey: StreamTagKey): Tag => recordTag(tagKey, '\u0000verdict');

/** Seals the verdicts on a lane; they replace the ones before. */
export function sealVerdicts(
  keys: FeedKeys,
  place: FeedPlace,
  tagKey: StreamTagKey,
  v: LaneVerdicts,
  random: Random,
): FeedEntry {
  const header = { ...place, tag: verdictTag(tagKey), kind: ENTRY_KIND.VERDICT, superseded: [], expiresMs: null };
  const body = encodeCbor([
    v.upTo,
    [...v.waiting],
    v.rejected.map((r) => [r.n, r.code]),
    [...v.unapplied],
    v.entries.map((e) => [e.n, e.hash]),
  ]);
  return { ...sealEntry(keys.key, keys.stream, header, body, random), memo: null };
}

/** Opens verdicts. */
export function openVerdicts(keys: FeedKeys, entry: Entry): Result<LaneVerdicts, FeedFailure> {
  const plain = openEntry(keys.key, keys.stream, entry);
  if (!plain.ok) return plain;
  const read = readShape(verdictShape, plain.value, MAX_BODY_BYTES);
  return read.ok ? ok(read.value) : err({ type: 'malformed' });
}

/** What names an entry of a lane in verdicts: the first 16 bytes of its hash. */
export const laneEntryHash = (entry: Entry): Uint8Array => entryHash(entry).slice(0, 16);

/** How writes stand, for many of them. */
export function verdictsByNumber(v: LaneVerdicts): (n: number) => ReturnType<typeof verdictOf> {
  const [waiting, unapplied] = [new Set(v.waiting), new Set(v.unapplied)];
  const rejected = new Map(v.rejected.map((r) => [r.n, r.code]));
  return (n) => {
    if (n > v.upTo) return 'open';
    if (waiting.has(n)) return 'waiting';
    return rejected.get(n) ?? (unapplied.has(n) ? 'accepted' : 'applied');
  };
}

/** How one write stands: `open` until its number is reached. */
export function verdictOf(v: LaneVerdicts, n: number): 'open' | 'waiting' | 'accepted' | 'applied' | Rejection {
  return verdictsByNumber(v)(n);
}
