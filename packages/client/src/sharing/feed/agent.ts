/**
 * The agent: keeps the feeds of one space up to date from its replica. It evaluates filters on plaintext, diffs against what each
 * grantee was sent, and appends by compare-and-set; whoever loses reads the feed and diffs again. Must not know requests or messages.
 */

import {
  type Clock,
  compareBytes,
  type Did,
  equalBytes,
  type Random,
  type SpaceId,
  type StreamId,
  type Tag,
} from '@sluice/core/base';
import {
  type AeadKey,
  type GrantSecret,
  hmacSha256,
  type SigningKey,
  streamTagKey,
  type StreamTagKey,
  type TagSecret,
} from '@sluice/core/crypto';
import type { Filter } from '@sluice/core/filter';
import {
  type Basis,
  checkpointTag,
  covers,
  diffRecord,
  endTag,
  type FeedKeys,
  type FeedPlace,
  type FeedRule,
  feedTag,
  type FieldTerm,
  sealCheckpoint,
  sealFeedDelete,
  sealFeedPut,
} from '@sluice/core/grant';
import { isDeleted, toDocument } from '@sluice/core/record';
import { decodeHeader, ENTRY_KIND, type FeedEntry, type Page, type PartAnswer, type PushPart } from '@sluice/core/wire';
import { isStoreFull } from '../../errors.ts';
import type { LiveLink } from '../../link/live-link.ts';
import { readLog } from '../../link/read-log.ts';
import type { FeedSource, SpaceEngine } from '../../space/space-engine.ts';
import type { ChangedRecord, Collection } from '../../store/collection.ts';
import type { StoreDb } from '../../store/store-db.ts';
import { type FeedProgress, loadProgress, noProgress, storeProgress } from './feed-progress.ts';
import { createRound, type Round } from './feed-round.ts';
import { readBack } from './read-back.ts';
import { openSentLog, type SentLog, type SentPut } from './sent-log.ts';

/** One grant as its agent needs it. */
export type AgentGrant = {
  readonly grantId: string;
  readonly grantee: Did;
  readonly feed: StreamId;
  readonly key: AeadKey;
  readonly secret: GrantSecret;
  readonly filter: Filter;
  readonly fields: readonly FieldTerm[] | undefined;
  readonly once: boolean;
  readonly collection: Collection;
};

/** What an agent needs of its account: store, connection and space, and the device that signs checkpoints. */
export type AgentDeps = {
  readonly db: StoreDb;
  readonly link: LiveLink;
  readonly engine: SpaceEngine;
  readonly space: SpaceId;
  readonly clock: Clock;
  readonly random: Random;
  readonly device: SigningKey;
  readonly card: Uint8Array;
  /** A feed ended: it is complete, or the node says that it was revoked. */
  readonly onEnded: (grantId: string, how: 'completed' | 'revoked') => void;
};

/** Keeps the feeds of one space; feeds join and leave while it runs. */
export type Agent = {
  readonly add: (grant: AgentGrant) => void;
  readonly remove: (grantId: string) => void;
  /** Whether every feed reflects the replica as it is now. */
  readonly upToDate: () => boolean;
  readonly source: FeedSource;
};

/** Records evaluated in one step, so that a backfill leaves room for other work. */
const STEP_RECORDS = 400;
/** How long the agent pauses when the local disk is full, in ms. */
const FULL_PAUSE_MS = 1_000;
const MAX_STEP_BYTES = 1024 * 1024;
/** Feeds on one push: while the node stores these and their readers open them, the next are evaluated. */
const MAX_FEEDS_A_PUSH = 16;

/** The records a new feed starts with: found once by index, sent in steps. `upTo` is the local number they reflect. */
type Backfill = { readonly tags: readonly Tag[]; readonly upTo: number; at: number };
type Work = {
  readonly grant: AgentGrant;
  readonly rule: FeedRule;
  readonly keys: FeedKeys;
  readonly sent: SentLog;
  progress: FeedProgress;
  doubtful: boolean;
  ended: boolean;
  backfill?: Backfill;
};
type Staged = {
  readonly work: Work;
  readonly puts: readonly SentPut[];
  readonly gone: readonly Tag[];
  readonly n: number;
  readonly basis: Basis;
  readonly asOfMs: number;
  readonly closes: boolean;
  readonly completes: boolean;
  readonly advance: () => number;
};
/** Records to evaluate next. `taken` says how many of them were; `advance` gives the local number that is then evaluated. */
type Batch = {
  readonly records: readonly ChangedRecord[];
  readonly finished: (taken: number) => boolean;
  readonly advance: (taken: number) => number;
};

/**
 * Records in an order that says nothing of them. An index gives them by value and the node sees the order in which they come, so that
 * it would learn who stands before whom.
 */
const inBlindOrder = (tags: readonly Tag[], key: StreamTagKey): readonly Tag[] =>
  tags
    .map((tag) => ({ tag, place: hmacSha256(key, tag) }))
    .sort((a, b) => compareBytes(a.place, b.place))
    .map(({ tag }) => tag);

/** Creates the agent of one space. */
export function createAgent(deps: AgentDeps): Agent {
  const { db, engine, clock } = deps;
  const works = new Map<string, Work>();
  let staged: Staged[] = [];
  let folding = false;

  const prepare = (): readonly Extract<PushPart, { type: 'feed' }>[] => {
    staged = [];
    const round = createRound(engine, STEP_RECORDS);
    const parts: Extract<PushPart, { type: 'feed' }>[] = [];
    for (const work of works.values()) {
      if (parts.length >= MAX_FEEDS_A_PUSH) break;
      if (work.ended) continue;
      if (work.doubtful) void fold(work);
      if (work.doubtful || !covers(round.basisOf(work.grant.collection), work.progress.basis)) continue;
      const step = nextStep(work, round);
      if (!step) continue;
      staged.push(step.staged);
      parts.push({ type: 'feed', stream: work.grant.feed, head: work.progress.cursor, term: 0, entries: step.entries });
    }
    return parts;
  };

  /** Evaluates the next records of one grant. Undefined when there is nothing to append. */
  function nextStep(work: Work, round: Round): { readonly entries: FeedEntry[]; readonly staged: Staged } | undefined {
    const { grant, rule, keys, sent, progress } = work;
    const nowMs = clock.nowMs();
    const batch = progress.ls === 0 ? nextBackfill(work, nowMs) : nextChanges(work, round);
    const entries: FeedEntry[] = [];
    const puts: SentPut[] = [];
    const gone: Tag[] = [];
    let { n } = progress;
    let { asOfMs } = progress;
    const place = (): FeedPlace => {
      const hlc = engine.hlc.tick();
      // Another device's clock may be ahead of this one, or this one was set back: to the grantee time only goes on.
      asOfMs = Math.max(asOfMs, hlc.ms);
      return { writer: engine.self, n: ++n, hlc: { ...hlc, ms: asOfMs }, epoch: 1 };
    };
    const done = new Set<string>();
    let size = 0;
    let taken = 0;
    for (const record of batch.records) {
      if (size > MAX_STEP_BYTES) break;
      taken++;
      // Concurrent heads list one record twice; its merged state counts once.
      if (done.has(record.state.id)) continue;
      done.add(record.state.id);
      const spot = feedTag(rule, record.state.id);
      const document = isDeleted(record.state) ? undefined : toDocument(record.state);
      const step = diffRecord(rule, spot, document, sent.memoOf(spot.tag), nowMs);
      if (step.type === 'put') {
        entries.push(sealFeedPut(keys, place(), step.tag, step.plaintext, step.memo, deps.random));
        puts.push({ tag: step.tag, memo: step.memo });
        size += step.plaintext.length;
      } else if (step.type === 'delete') {
        entries.push(sealFeedDelete(keys, place(), step.tag, step.id, deps.random));
        gone.push(step.tag);
      }
    }
    const finished = batch.finished(taken);
    const expired = finished ? sent.expired(nowMs, STEP_RECORDS) : [];
    const closes = finished && (entries.length > 0 || expired.length > 0 || grant.once || !progress.closed);
    if (entries.length === 0 && !closes) {
      // Nothing to tell the grantee: remember how far was looked, so that it is not looked at again.
      const ls = batch.advance(taken);
      if (ls > progress.ls) storeWith([work], () => saveProgress(work, { ls }));
      if (!finished) engine.nudge();
      return undefined;
    }
    const basis = round.basisOf(grant.collection);
    if (closes) entries.push(...closing(work, place, { puts, gone: [...gone, ...expired], basis, once: grant.once }));
    const staged: Staged = {
      work,
      puts,
      gone: [...gone, ...expired],
      n,
      basis: closes ? basis : progress.basis,
      asOfMs,
      closes,
      completes: closes && grant.once,
      advance: () => batch.advance(taken),
    };
    return { entries, staged };
  }

  /** The first evaluation of a feed looks only at what an index says can match, not at the whole collection. */
  function nextBackfill(work: Work, nowMs: number): Batch {
    const { collection, filter } = work.grant;
    work.backfill ??= {
      tags: inBlindOrder(collection.candidates(filter, nowMs), work.rule.tagKey),
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
      finished: isLast,
      advance: (taken) => {
        if (isLast(taken)) return Math.max(1, backfill.upTo);
        backfill.at += taken === records.length ? STEP_RECORDS : taken;
        return 0;
      },
    };
  }

  function nextChanges(work: Work, round: Round): Batch {
    const { records, more, upTo } = round.changesOf(work.grant.collection, work.progress.ls);
    const last = records.at(-1)?.ls ?? work.progress.ls;
    return {
      records,
      finished: (taken) => taken === records.length && !more,
      advance: (taken) => {
        if (taken === records.length) return more ? last : Math.max(last, upTo);
        return records[taken - 1]?.ls ?? work.progress.ls;
      },
    };
  }

  function closing(
    work: Work,
    place: () => FeedPlace,
    change: { puts: Staged['puts']; gone: readonly Tag[]; basis: Basis; once: boolean },
  ): FeedEntry[] {
    const content = { ...work.sent.sumAfter(change.puts, change.gone), basis: change.basis, card: deps.card };
    const checkpoint = sealCheckpoint(
      work.keys,
      place(),
      checkpointTag(work.rule.tagKey),
      ENTRY_KIND.CKPT,
      content,
      deps.device,
      deps.random,
    );
    if (!change.once) return [checkpoint];
    return [
      checkpoint,
      sealCheckpoint(work.keys, place(), endTag(work.rule.tagKey), ENTRY_KIND.END, content, deps.device, deps.random),
    ];
  }

  function saveProgress(work: Work, change: Partial<FeedProgress>): void {
    work.progress = { ...work.progress, ...change };
    storeProgress(db, work.grant.feed, work.progress);
  }

  /** Progress moves together with what is stored: on a full disk neither does, and the feed is read to see where it stands. */
  const storeWith = (mine: readonly Work[], body: () => void): void => {
    const before = mine.map((work) => ({ work, progress: work.progress, ended: work.ended }));
    try {
      db.transactLazily(body);
    } catch (cause) {
      for (const { work, progress, ended } of before) {
        Object.assign(work, { progress, ended, doubtful: true });
        delete work.backfill;
        work.sent.reload();
      }
      throw cause;
    }
  };

  const settle = async (answers: readonly PartAnswer[] | undefined): Promise<void> => {
    const mine = staged;
    staged = [];
    const done = (): void => {
      for (const [i, step] of mine.entries()) {
        const answer = answers?.[i];
        if (answer?.type === 'ok') commit(step, answer.head);
        else if (answer === undefined || answer.code === 'STALE_HEAD') step.work.doubtful = true;
        else if (answer.code === 'REVOKED' || answer.code === 'FORBIDDEN' || answer.code === 'CLOSED')
          end(step.work, answer.code === 'CLOSED' ? 'completed' : 'revoked');
      }
    };
    const works = mine.map((step) => step.work);
    storeWith(works, done);
    for (const work of works) if (work.doubtful && answers) await fold(work);
  };

  function commit(step: Staged, head: number): void {
    const { work } = step;
    work.sent.note(step.puts, step.gone);
    saveProgress(work, {
      ls: step.advance(),
      n: step.n,
      cursor: head,
      basis: step.basis,
      asOfMs: step.asOfMs,
      closed: step.closes || work.progress.closed,
    });
    if (step.completes) end(work, 'completed');
  }

  function end(work: Work, how: 'completed' | 'revoked'): void {
    work.ended = true;
    deps.onEnded(work.grant.grantId, how);
  }

  /** Reads what is in the feed beyond our cursor: appended by another agent, or by us with the answer lost. */
  async function fold(work: Work): Promise<void> {
    if (folding) return;
    folding = true;
    const goOn = (): void => {
      folding = false;
      engine.nudge();
    };
    let pauseMs = 0;
    try {
      const done = await readLog(
        deps.link,
        deps.space,
        { type: 'stream', stream: work.grant.feed },
        work.progress.cursor,
        (page) => storeWith([work], () => foldPage(work, page)),
      );
      if (!done.ok && (done.code === 'REVOKED' || done.code === 'FORBIDDEN')) end(work, 'revoked');
      work.doubtful = false;
    } catch (cause) {
      if (!isStoreFull(cause)) throw cause;
      pauseMs = FULL_PAUSE_MS;
    } finally {
      work.sent.reload();
      if (pauseMs > 0) clock.timer(pauseMs, goOn);
      else goOn();
    }
  }

  function foldPage(work: Work, page: Page): void {
    let { n, basis, closed, asOfMs } = work.progress;
    for (const item of page.entries) {
      const header = decodeHeader(item.header);
      const entry = header.ok ? readBack(work.keys, item, header.value) : undefined;
      if (!header.ok || !entry) continue;
      if (equalBytes(header.value.writer, engine.self)) n = Math.max(n, header.value.n);
      if (entry.type === 'put') work.sent.note([entry], []);
      else if (entry.type === 'delete') work.sent.note([], [entry.tag]);
      else {
        basis = entry.checkpoint.basis;
        closed = true;
        asOfMs = Math.max(asOfMs, entry.checkpoint.asOfMs);
        if (entry.ends) end(work, 'completed');
      }
    }
    saveProgress(work, { n, basis, closed, asOfMs, cursor: page.cursor });
  }

  return {
    add: (grant) => {
      if (works.has(grant.grantId)) return;
      // The feed's tags are made from the grant's own secret, so that no two grants share a pseudonym.
      const tagKey = streamTagKey(grant.secret as unknown as TagSecret, grant.feed);
      const rule: FeedRule = { filter: grant.filter, fields: grant.fields, secret: grant.secret, tagKey };
      const progress = loadProgress(db, grant.feed);
      works.set(grant.grantId, {
        grant,
        rule,
        keys: { stream: grant.feed, key: grant.key },
        sent: openSentLog(db, grant.feed),
        progress: progress ?? noProgress(),
        doubtful: progress === undefined,
        ended: false,
      });
    },
    remove: (grantId) => {
      works.delete(grantId);
    },
    upToDate: () =>
      [...works.values()].every(
        (w) =>
          w.ended ||
          (!w.doubtful && w.progress.closed && w.grant.collection.changedSince(w.progress.ls, 1).records.length === 0),
      ),
    source: { prepare, settle },
  };
}
