/**
 * The agent: keeps the feeds of one space up to date from its replica. It evaluates filters on plaintext, diffs against what each
 * grantee was sent, and appends by compare-and-set; whoever loses reads the feed and diffs again. Must not know requests or messages.
 */

import { type Clock, equalBytes, type Random, type SpaceId } from '@sluice/core/base';
import type { SigningKey } from '@sluice/core/crypto';
import { subtractSpan } from '@sluice/core/filter';
import { covers } from '@sluice/core/grant';
import { decodeHeader, MAX_PUSH_BYTES, type Page, type PartAnswer, type PushPart } from '@sluice/core/wire';
import { isStoreFull } from '../../errors.ts';
import type { LiveLink } from '../../link/live-link.ts';
import { readLog } from '../../link/read-log.ts';
import type { FeedSource, SpaceEngine } from '../../space/space-engine.ts';
import type { StoreDb } from '../../store/store-db.ts';
import type { GrantRelease } from '../activity.ts';
import { cardName, type FeedProgress, storeProgress } from './feed-progress.ts';
import { createRound } from './feed-round.ts';
import { type Looked, nextStep, type Staged, STEP_RECORDS } from './feed-step.ts';
import { type AgentGrant, feedKeys, isSameWork, type NextKey, openWork, type Work } from './feed-work.ts';
import { readBack } from './read-back.ts';

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
  /** Keeps what is about to be revealed, before it is: durable when it returns. */
  readonly onRelease: (releases: readonly GrantRelease[]) => void;
  /** A grant's key is old, or has sealed much. */
  readonly onKeyOld: (grantId: string) => void;
  /** Nothing more is sealed under a key that is from before this instant; 0 where any will do. */
  readonly keyFromMs: (grantId: string) => number;
};

/** Keeps the feeds of one space; feeds join and leave while it runs. */
export type Agent = {
  /** Takes a grant up, or on with new terms. */
  readonly add: (grant: AgentGrant) => void;
  readonly remove: (grantId: string) => void;
  readonly setPaused: (grantId: string, paused: boolean) => void;
  /** Puts a new key into the feed with the next append. */
  readonly changeKey: (grantId: string, key: NextKey) => void;
  /** What this device knows of a feed; undefined for one that it does not run. */
  readonly progress: (grantId: string) => FeedProgress | undefined;
  /** How many records the grantee was last told it holds. */
  readonly held: (grantId: string) => number;
  /** Whether every feed reflects the replica as it is now. */
  readonly upToDate: () => boolean;
  /** The grants whose feeds do not. */
  readonly behind: () => readonly string[];
  readonly source: FeedSource;
};

/** How long the agent pauses when the local disk is full, or a refusal cannot be explained, in ms. */
const PAUSE_MS = 1_000;
/** The agent does not wake itself more often than this. */
const MIN_WAKE_MS = 100;
/** Feeds on one push: while the node stores these and their readers open them, the next are evaluated. */
const MAX_FEEDS_A_PUSH = 16;
/** And what they take together, in bytes, beyond the first: own entries that go along take up to half a push. */
const MAX_FEED_BYTES = MAX_PUSH_BYTES / 2 - 128 * 1024;
/** Looking at so many records again costs less than to remember each time that there was nothing to tell. */
const LOOKED_RECORDS = 1_000;
/** A grant's key is changed after so long or so much: 30 days in ms, and entries. */
const KEY_AGE_MS = 30 * 24 * 3_600_000;
const KEY_ENTRIES = 100_000;

/** The feed has a new key that this device has not got yet. */
class KeyIsOnItsWay extends Error {}

const bytesOf = ({ entries }: Staged): number =>
  entries.reduce((sum, { header, body, memo }) => sum + header.length + body.length + (memo?.length ?? 0), 0);

/** Creates the agent of one space. */
export function createAgent(deps: AgentDeps): Agent {
  const { db, engine, clock } = deps;
  const works = new Map<string, Work>();
  let staged: Staged[] = [];
  let folding = false;
  /** The grant that had its turn last, when there was no room for more. */
  let lastTurn = '';
  let cancelTimer: () => void = () => undefined;

  const prepare = (): readonly Extract<PushPart, { type: 'feed' }>[] => {
    staged = [];
    let bytes = 0;
    let isFull = false;
    const round = createRound(engine, STEP_RECORDS);
    for (const work of inTurn()) {
      isFull ||= staged.length >= MAX_FEEDS_A_PUSH;
      if (isFull) break;
      if (work.ended || work.paused || work.notBeforeMs > clock.monotonicMs()) continue;
      if (work.doubtful) void fold(work, { refused: false });
      if (work.doubtful || !covers(round.basisOf(work.grant.collection), work.progress.basis)) continue;
      if (!work.nextKey && hasLostKey(work)) {
        deps.onKeyOld(work.grant.grantId);
        continue;
      }
      const step = nextStep(deps, work, round);
      if (step && 'entries' in step) {
        bytes += bytesOf(step);
        isFull = staged.length > 0 && bytes > MAX_FEED_BYTES;
        // Nothing came of making it: it is the first of the next push.
        if (!isFull) staged.push(step);
      } else if (step) {
        looked(work, step);
        actSoon(work);
      }
    }
    lastTurn = isFull ? (staged.at(-1)?.work.grant.grantId ?? '') : '';
    armTimer();
    const releases = staged.map(releaseOf).filter((r) => r.puts.length + r.deletes.length > 0);
    if (releases.length > 0) deps.onRelease(releases);
    return staged.map(({ work, entries }) => ({
      type: 'feed',
      stream: work.grant.feed,
      head: work.progress.cursor,
      term: work.grant.term,
      entries,
    }));
  };

  /** Whether somebody who shall see no more knows the key. Nothing is sealed under it; the new one wakes the pump when it is there. */
  const hasLostKey = ({ grant, progress }: Work): boolean =>
    progress.cursor > 0 && progress.keySinceMs < deps.keyFromMs(grant.grantId);

  /** Every grant, beginning after the last one that had its turn: one that always has something must not keep the others waiting. */
  function inTurn(): readonly Work[] {
    const all = [...works.values()];
    const at = all.findIndex((work) => work.grant.grantId === lastTurn) + 1;
    return [...all.slice(at), ...all.slice(0, at)];
  }

  const releaseOf = ({ work, entries, released }: Staged): GrantRelease => ({
    grantId: work.grant.grantId,
    grantee: work.grant.grantee,
    ...released,
    first: work.progress.cursor + 1,
    last: work.progress.cursor + entries.length,
  });

  /** Nothing to tell the grantee: remember how far was looked, so that it is not looked at again. */
  function looked(work: Work, { ls, dues, finished }: Looked): void {
    const change = { ls: Math.max(ls, work.progress.ls), whole: work.progress.whole && ls === 0 };
    const far = change.ls - work.savedLs > LOOKED_RECORDS || work.savedLs === 0;
    if (dues.length === 0 && !far) work.progress = { ...work.progress, ...change };
    else
      storeWith([work], () => {
        noteDues(work, dues);
        saveProgress(work, change);
      });
    if (!finished) engine.nudge();
  }

  /**
   * What the feed says of writes may have had no effect here yet: the device that said it ended, the disk was full, or the write comes later.
   * After the push that is being made: what takes effect now is no part of it.
   */
  const actSoon = (work: Work): void => {
    const { desk, grantId } = work.grant;
    if (!desk) return;
    queueMicrotask(() => {
      if (works.get(grantId) !== work || work.ended || work.doubtful) return;
      try {
        desk.act(work.progress.verdicts);
      } catch (cause) {
        if (!isStoreFull(cause)) throw cause;
        clock.timer(PAUSE_MS, engine.nudge);
      }
    });
  };

  const noteDues = (work: Work, dues: Staged['dues']): void => {
    for (const { tag, atMs } of dues) work.dues.note(tag, atMs);
  };

  /** Wakes the pump when time brings a record into some filter, or the next batch of a slow grant is due. */
  function armTimer(): void {
    cancelTimer();
    let soonest = Number.POSITIVE_INFINITY;
    let pauseMs = Number.POSITIVE_INFINITY;
    for (const work of works.values()) {
      if (work.ended || work.paused) continue;
      soonest = Math.min(soonest, nextWakeMs(work));
      // A timer may come early, so the end of a pause is waited for again until it is there.
      const leftMs = work.notBeforeMs - clock.monotonicMs();
      if (leftMs > 0) pauseMs = Math.min(pauseMs, leftMs);
    }
    // By the clock that decides what is due, which another device or the node may have moved.
    const waitMs = Math.min(pauseMs, soonest - engine.hlc.now());
    if (waitMs !== Number.POSITIVE_INFINITY) cancelTimer = clock.timer(Math.max(MIN_WAKE_MS, waitMs), engine.nudge);
  }

  /** When time has something for a grant: a record that comes in, or the next batch of one that gets at most one in so long. */
  function nextWakeMs(work: Work): number {
    const { every } = work.grant;
    const dueMs = work.dues.soonest() ?? Number.POSITIVE_INFINITY;
    if (!every) return dueMs;
    const { asOfMs } = work.progress;
    const batchMs = asOfMs + (asOfMs - subtractSpan(asOfMs, every)) + 1;
    // Nothing to tell: neither of records nor of what the grantee wrote.
    const isIdle = work.doubtful || (isUpToDate(work) && !work.grant.desk?.next(work.progress.verdicts));
    return isIdle ? Math.max(dueMs, batchMs) : batchMs;
  }

  function saveProgress(work: Work, change: Partial<FeedProgress>): void {
    work.progress = { ...work.progress, ...change };
    work.savedLs = work.progress.ls;
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
        work.dues.reload();
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
        else if (answer.code === 'PAUSED') step.work.paused = true;
        else if (answer.code === 'REVOKED' || answer.code === 'FORBIDDEN' || answer.code === 'CLOSED')
          end(step.work, answer.code === 'CLOSED' ? 'completed' : 'revoked');
      }
    };
    const all = mine.map((step) => step.work);
    storeWith(all, done);
    for (const work of all) {
      if (work.doubtful && answers) await fold(work, { refused: true });
      else if (!work.doubtful) work.grant.desk?.act(work.progress.verdicts);
    }
  };

  function commit(step: Staged, head: number): void {
    const { work, nextKey } = step;
    work.sent.note(step.puts, step.gone);
    noteDues(work, step.dues);
    const ls = step.advance();
    const { commitments, keyEntries } = work.progress;
    saveProgress(work, {
      ls,
      whole: work.progress.whole && ls === 0,
      n: step.n,
      cursor: head,
      basis: step.basis,
      asOfMs: step.asOfMs,
      closed: step.closes,
      card: step.card,
      verdicts: step.verdicts,
      keyEntries: keyEntries + step.entries.length,
      keySinceMs: work.progress.keySinceMs || step.asOfMs,
      ...(nextKey
        ? {
            epoch: nextKey.epoch,
            commitments: [...commitments, nextKey.commitment],
            keySinceMs: Math.max(step.asOfMs, deps.keyFromMs(work.grant.grantId)),
            keyEntries: 0,
          }
        : {}),
    });
    if (ls > 0) delete work.backfill;
    if (nextKey) delete work.nextKey;
    else if (isKeyOld(work.progress, step.asOfMs)) deps.onKeyOld(work.grant.grantId);
    if (step.completes) end(work, 'completed');
  }

  const isKeyOld = ({ keySinceMs, keyEntries }: FeedProgress, nowMs: number): boolean =>
    keyEntries >= KEY_ENTRIES || nowMs - keySinceMs >= KEY_AGE_MS;

  function end(work: Work, how: 'completed' | 'revoked'): void {
    work.ended = true;
    deps.onEnded(work.grant.grantId, how);
  }

  /** Reads what is in the feed beyond our cursor: appended by another agent, or by us with the answer lost. */
  async function fold(work: Work, { refused }: { readonly refused: boolean }): Promise<void> {
    if (folding) return;
    folding = true;
    const { cursor } = work.progress;
    let pauseMs = 0;
    try {
      const done = await readLog(deps.link, deps.space, { type: 'stream', stream: work.grant.feed }, cursor, (page) =>
        storeWith([work], () => foldPage(work, page)),
      );
      if (!done.ok && (done.code === 'REVOKED' || done.code === 'FORBIDDEN')) end(work, 'revoked');
      work.doubtful = false;
      if (work.nextKey && work.nextKey.epoch <= work.progress.epoch) delete work.nextKey;
      // The node refuses, and the feed has nothing new: there are terms that this device has not heard of yet.
      if (refused && work.progress.cursor === cursor) pauseMs = PAUSE_MS;
    } catch (cause) {
      if (!isStoreFull(cause) && !(cause instanceof KeyIsOnItsWay)) throw cause;
      pauseMs = PAUSE_MS;
    } finally {
      work.sent.reload();
      folding = false;
    }
    if (pauseMs > 0) work.notBeforeMs = clock.monotonicMs() + pauseMs;
    if (!work.ended) work.grant.desk?.act(work.progress.verdicts);
    engine.nudge();
  }

  function foldPage(work: Work, page: Page): void {
    let { n, basis, closed, asOfMs, epoch, commitments, keySinceMs, verdicts, whole, card } = work.progress;
    for (const item of page.entries) {
      const header = decodeHeader(item.header);
      const keys = header.ok
        ? feedKeys({ ...work, progress: { ...work.progress, commitments } }, header.value.epoch)
        : undefined;
      // What it says must not be passed over: the key was kept before the feed named it, and comes by another way.
      if (header.ok && !keys && commitments[header.value.epoch - 2]) throw new KeyIsOnItsWay();
      const entry = header.ok && keys ? readBack(keys, item, header.value) : undefined;
      if (!header.ok || !entry) continue;
      if (equalBytes(header.value.writer, engine.self)) n = Math.max(n, header.value.n);
      // What was sent may have changed since: the first evaluation of a feed that has a past is of everything.
      if (work.progress.ls === 0) whole = true;
      // Whatever comes after a checkpoint has to be closed by another.
      closed = entry.type === 'checkpoint';
      if (entry.type === 'put') work.sent.note([entry], []);
      else if (entry.type === 'delete') work.sent.note([], [entry.tag]);
      else if (entry.type === 'verdicts') verdicts = entry.verdicts;
      else if (entry.type === 'key') {
        if (entry.change.epoch !== epoch + 1) continue;
        epoch = entry.change.epoch;
        commitments = [...commitments, entry.change.commitment];
        keySinceMs = header.value.hlc.ms;
      } else {
        basis = entry.checkpoint.basis;
        if (entry.checkpoint.card && equalBytes(entry.checkpoint.signer, deps.device.publicKey))
          card = cardName(entry.checkpoint.card);
        asOfMs = Math.max(asOfMs, entry.checkpoint.asOfMs);
        if (entry.ends) end(work, 'completed');
      }
    }
    const where = { n, basis, asOfMs, epoch, commitments, keySinceMs, cursor: page.cursor };
    saveProgress(work, { ...where, closed, verdicts, whole, card });
  }

  const isUpToDate = (work: Work): boolean =>
    work.ended ||
    work.paused ||
    (!work.doubtful &&
      work.progress.closed &&
      work.progress.ls > 0 &&
      (!work.grant.reads || work.grant.collection.changedSince(work.progress.ls, 1).records.length === 0));

  return {
    add: (grant) => {
      const known = works.get(grant.grantId);
      if (known && isSameWork(known.grant, grant)) return;
      known?.grant.desk?.close();
      works.set(grant.grantId, openWork(db, grant));
    },
    remove: (grantId) => {
      works.get(grantId)?.grant.desk?.close();
      works.delete(grantId);
    },
    setPaused: (grantId, paused) => {
      const work = works.get(grantId);
      if (work) work.paused = paused;
    },
    changeKey: (grantId, key) => {
      const work = works.get(grantId);
      if (work && work.progress.epoch + 1 === key.epoch) work.nextKey = key;
    },
    progress: (grantId) => works.get(grantId)?.progress,
    held: (grantId) => works.get(grantId)?.sent.sumAfter([], []).count ?? 0,
    upToDate: () => [...works.values()].every(isUpToDate),
    behind: () => [...works.values()].filter((work) => !isUpToDate(work)).map((work) => work.grant.grantId),
    source: { prepare, settle },
  };
}
