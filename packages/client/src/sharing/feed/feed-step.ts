/** The next entries of one feed: records evaluated, compared with what was sent, sealed. Changes nothing but what it returns. */

import { compareBytes, type Random, type Tag } from '@sluice/core/base';
import { hmacSha256, type SigningKey, type StreamTagKey } from '@sluice/core/crypto';
import { subtractSpan } from '@sluice/core/filter';
import {
  type Basis,
  cardTag,
  checkpointTag,
  diffRecord,
  endTag,
  type FeedKeys,
  type FeedPlace,
  feedTag,
  type LaneVerdicts,
  sealCheckpoint,
  sealFeedDelete,
  sealFeedPut,
  sealKeyChange,
  sealVerdicts,
} from '@sluice/core/grant';
import { isDeleted, toDocument } from '@sluice/core/record';
import { ENTRY_KIND, type FeedEntry } from '@sluice/core/wire';
import type { SpaceEngine } from '../../space/space-engine.ts';
import type { ChangedRecord } from '../../store/collection.ts';
import type { GrantRelease, ReleasedRecord } from '../activity.ts';
import { cardName } from './feed-progress.ts';
import type { Round } from './feed-round.ts';
import { feedKeys, type NextKey, type Work } from './feed-work.ts';
import type { SentPut } from './sent-log.ts';

/** Records evaluated in one step, so that a backfill leaves room for other work. */
export const STEP_RECORDS = 400;
const MAX_STEP_BYTES = 1024 * 1024;

/** What becomes of the progress when the node has taken a step. */
export type Staged = {
  readonly work: Work;
  readonly entries: readonly FeedEntry[];
  readonly puts: readonly SentPut[];
  readonly gone: readonly Tag[];
  /** The owner's ids of what is put and deleted. */
  readonly released: Pick<GrantRelease, 'puts' | 'deletes'>;
  readonly dues: readonly { readonly tag: Tag; readonly atMs: number | undefined }[];
  readonly n: number;
  readonly basis: Basis;
  readonly asOfMs: number;
  readonly closes: boolean;
  /** Names the card of this device that then stands in the feed. */
  readonly card: string;
  readonly completes: boolean;
  readonly verdicts: LaneVerdicts;
  readonly nextKey: NextKey | undefined;
  readonly advance: () => number;
};
/** Records were looked at, and there is nothing to tell of them. */
export type Looked = Pick<Staged, 'dues'> & { readonly ls: number; readonly finished: boolean };

/** Records to evaluate next. `taken` says how many of them were; `advance` gives the local number that is then evaluated. */
type Batch = {
  readonly records: readonly ChangedRecord[];
  readonly finished: (taken: number) => boolean;
  readonly advance: (taken: number) => number;
};
/** What a step is made with. */
export type StepDeps = {
  readonly engine: SpaceEngine;
  readonly random: Random;
  readonly device: SigningKey;
  readonly card: Uint8Array;
};

/** Evaluates the next records of one grant. Undefined while its key has not come, or it is not time for the next batch. */
export function nextStep(deps: StepDeps, work: Work, round: Round): Staged | Looked | undefined {
  const { engine, random } = deps;
  const { grant, rule, sent, progress, nextKey } = work;
  const first = feedKeys(work);
  const keys = nextKey ? { stream: grant.feed, key: nextKey.key } : first;
  if (!first || !keys) return undefined;
  // One instant for the whole batch, later than the last one's: another device's clock may be ahead, or this one was set back.
  const asOfMs = Math.max(progress.asOfMs, engine.hlc.now());
  if (grant.every && progress.closed && progress.asOfMs > subtractSpan(asOfMs, grant.every)) return undefined;
  const batch = nextBatch(work, round, asOfMs);
  const entries: FeedEntry[] = [];
  const epoch = nextKey?.epoch ?? progress.epoch;
  let { n } = progress;
  const place = (under = epoch): FeedPlace => ({
    writer: engine.self,
    n: ++n,
    hlc: { ms: asOfMs, counter: entries.length },
    epoch: under,
  });
  if (nextKey)
    entries.push(sealKeyChange(first, place(progress.epoch), rule.tagKey, nextKey, deps.device, deps.card, random));
  const found = evaluate(work, keys, batch, asOfMs, place, entries, random);
  const finished = batch.finished(found.taken);
  const expired = finished ? sent.expired(asOfMs) : [];
  const verdicts = finished ? grant.desk?.next(progress.verdicts) : undefined;
  if (verdicts) entries.push(sealVerdicts(keys, place(), rule.tagKey, verdicts, random));
  const closes = finished && (entries.length > 0 || expired.length > 0 || grant.once || !progress.closed);
  if (entries.length === 0 && !closes) return { dues: found.dues, ls: batch.advance(found.taken), finished };
  const basis = round.basisOf(grant.collection);
  const card = cardName(deps.card);
  const gone = [...found.gone, ...expired];
  if (closes) {
    const sum = { ...sent.sumAfter(found.puts, gone), basis };
    const seal = (
      tag: Tag,
      kind: typeof ENTRY_KIND.CKPT | typeof ENTRY_KIND.END,
      proof: Uint8Array | null,
    ): FeedEntry => sealCheckpoint(keys, place(), tag, kind, { ...sum, card: proof }, deps.device, random);
    const tag = progress.card === card ? checkpointTag(rule.tagKey) : cardTag(rule.tagKey, deps.device.publicKey);
    entries.push(seal(tag, ENTRY_KIND.CKPT, progress.card === card ? null : deps.card));
    if (grant.once) entries.push(seal(endTag(rule.tagKey), ENTRY_KIND.END, null));
  }
  return {
    work,
    entries,
    puts: found.puts,
    gone,
    released: found.released,
    dues: found.dues,
    n,
    basis: closes ? basis : progress.basis,
    asOfMs,
    closes,
    card: closes ? card : progress.card,
    completes: closes && grant.once,
    verdicts: verdicts ?? progress.verdicts,
    nextKey,
    advance: () => batch.advance(found.taken),
  };
}

function evaluate(
  { rule, sent, dues: log }: Work,
  keys: FeedKeys,
  batch: Batch,
  nowMs: number,
  place: () => FeedPlace,
  entries: FeedEntry[],
  random: Random,
) {
  const puts: SentPut[] = [];
  const gone: Tag[] = [];
  const released = { puts: [] as ReleasedRecord[], deletes: [] as string[] };
  const dues: { tag: Tag; atMs: number | undefined }[] = [];
  const awaited = log.soonest() !== undefined;
  const done = new Set<string>();
  let size = 0;
  let taken = 0;
  for (const record of batch.records) {
    if (size > MAX_STEP_BYTES) break;
    taken++;
    const { id } = record.state;
    // Concurrent heads list one record twice; its merged state counts once.
    if (done.has(id)) continue;
    done.add(id);
    const spot = feedTag(rule, id);
    const document = isDeleted(record.state) ? undefined : toDocument(record.state);
    const step = diffRecord(rule, spot, document, sent.memoOf(spot.tag), nowMs);
    // Most filters know no time: where no record is awaited there is none to forget, and nothing to store for one that was looked at.
    if (step.entersMs !== undefined || awaited) dues.push({ tag: record.tag, atMs: step.entersMs });
    if (step.type === 'put') {
      entries.push(sealFeedPut(keys, place(), step.tag, step.plaintext, step.memo, random));
      puts.push({ tag: step.tag, memo: step.memo });
      const { expiresMs } = step.memo;
      released.puts.push(expiresMs === null ? { id } : { id, expiresMs });
      size += step.plaintext.length;
    } else if (step.type === 'delete') {
      entries.push(sealFeedDelete(keys, place(), step.tag, step.id, random));
      gone.push(step.tag);
      released.deletes.push(id);
    }
  }
  return { puts, gone, released, dues, taken };
}

function nextBatch(work: Work, round: Round, nowMs: number): Batch {
  const { collection, reads } = work.grant;
  // Nothing is revealed to who only writes.
  if (!reads) return { records: [], finished: () => true, advance: () => Math.max(1, collection.lastLs()) };
  return work.progress.ls === 0 ? nextBackfill(work, round, nowMs) : nextChanges(work, round, nowMs);
}

/** The first evaluation of a feed looks only at what an index says can match; a later one, by another rule, at everything. */
function nextBackfill(work: Work, round: Round, nowMs: number): Batch {
  const { collection, filter } = work.grant;
  // Listed for an append that came to nothing: what came since must be in it.
  if (work.backfill?.at === 0 && work.backfill.upTo !== collection.lastLs()) delete work.backfill;
  work.backfill ??= {
    tags: inBlindOrder(
      work.progress.whole ? collection.allTags() : collection.candidates(filter, nowMs),
      work.rule.tagKey,
    ),
    upTo: collection.lastLs(),
    at: 0,
  };
  const { backfill } = work;
  const records = backfill.tags
    .slice(backfill.at, backfill.at + STEP_RECORDS)
    .flatMap((tag) => collection.stateOf(tag) ?? []);
  const isLast = (taken: number): boolean =>
    taken === records.length && backfill.at + STEP_RECORDS >= backfill.tags.length;
  return {
    records,
    // What came since the tags were listed is looked at before a checkpoint speaks for it.
    finished: (taken) => isLast(taken) && round.changesOf(collection, backfill.upTo).records.length === 0,
    advance: (taken) => {
      if (isLast(taken)) return Math.max(1, backfill.upTo);
      backfill.at += taken === records.length ? STEP_RECORDS : taken;
      return 0;
    },
  };
}

/** What time has brought in, then what has changed. */
function nextChanges({ grant, progress, dues }: Work, round: Round, nowMs: number): Batch {
  const tags = dues.due(nowMs, STEP_RECORDS);
  const entering = tags.flatMap((tag) => grant.collection.stateOf(tag) ?? []);
  const { records, more, upTo } = round.changesOf(grant.collection, progress.ls);
  const all = entering.length > 0 ? [...entering, ...records] : records;
  return {
    records: all,
    finished: (taken) => taken === all.length && !more && tags.length < STEP_RECORDS,
    advance: (taken) => {
      if (taken === all.length) return more ? (records.at(-1)?.ls ?? progress.ls) : Math.max(progress.ls, upTo);
      return all[taken - 1]?.ls !== undefined && taken > entering.length
        ? (all[taken - 1] as ChangedRecord).ls
        : progress.ls;
    },
  };
}

/**
 * Records in an order that says nothing of them. An index gives them by value and the node sees the order in which they come, so that
 * it would learn who stands before whom.
 */
const inBlindOrder = (tags: readonly Tag[], key: StreamTagKey): readonly Tag[] =>
  tags
    .map((tag) => ({ tag, place: hmacSha256(key, tag) }))
    .sort((a, b) => compareBytes(a.place, b.place))
    .map(({ tag }) => tag);
