/**
 * The grantee's side of one feed: verifies, keeps and serves what the owner reveals, with the grantee's own pending writes on top. Records
 * stay sealed on disk; how long they are shown and kept is the copy's life. Must not know requests or messages.
 */

import { bytesToHex, concatBytes, type JsonObject } from '@sluice/core/base';
import {
  type Checkpoint,
  covers,
  type FeedKeys,
  type FeedRecord,
  openCheckpoint,
  openFeedDelete,
  openFeedPut,
  openMemo,
  openVerdicts,
  recordPrint,
} from '@sluice/core/grant';
import { MAX_HLC_COUNTER } from '@sluice/core/record';
import {
  decodeHeader,
  type Entry,
  ENTRY_KIND,
  type ErrorCode,
  type Header,
  type Page,
  type PageEntry,
} from '@sluice/core/wire';
import { isStoreFull, SluiceError, unlessFull } from '../../errors.ts';
import { addListener } from '../../listeners.ts';
import { erase } from '../../store/store-db.ts';
import { createWaiters } from '../../waiters.ts';
import type { WriteVerdict } from '../lane/lane-writer.ts';
import { createCopyLife } from './copy-life.ts';
import { type FeedRows, openFeedRows } from './feed-rows.ts';
import { changesBetween, type FeedAlarm, type FeedChange } from './feed-change.ts';
import type { FeedReader, FeedReaderDeps } from './feed-reader-types.ts';
import { findRecords } from './find-records.ts';
import { createCardReader, keepCard } from './kept-cards.ts';
import { FRESH, type FeedStatus, loadReaderState, type ReaderState, saveReaderState } from './reader-state.ts';

/** A subscription that the node closes at most so long before the grant's end was closed by that, in ms: its word takes a while. */
const END_SLACK_MS = 5_000;
/** How often a paused feed is asked for again, in ms. */
const PAUSED_RETRY_MS = 2_000;
const NEVER = Number.POSITIVE_INFINITY;
const SWEEP = Uint8Array.of(1);
const FINAL: ReadonlySet<FeedStatus> = new Set(['revoked', 'expired', 'dropped', 'alarm']);

/** Opens the local copy of a feed. */
export function openFeedReader(deps: FeedReaderDeps): FeedReader {
  const { db, feed, overlay } = deps;
  const onlyKey = (epoch: number): FeedKeys | undefined => {
    const key = deps.keyOf(epoch);
    return key && { stream: feed, key };
  };
  const openRow = (header: Uint8Array, body: Uint8Array): FeedRecord | undefined => {
    const head = decodeHeader(header);
    const keys = head.ok ? onlyKey(head.value.epoch) : undefined;
    const opened = keys && openFeedPut(keys, { header, body });
    return opened?.ok ? opened.value.value : undefined;
  };
  const clock = { nowMs: (): number => life.shownMs() };
  const rows = openFeedRows(db, feed, clock, openRow);
  /** What a second reading of the whole feed finds, before it stands for the first. */
  const second = openFeedRows(db, concatBytes(feed, SWEEP), clock, openRow);
  const listeners = {
    change: new Set<(c: FeedChange) => void>(),
    alarm: new Set<(a: FeedAlarm) => void>(),
    status: new Set<(s: FeedStatus) => void>(),
    verdict: new Set<(v: WriteVerdict) => void>(),
  };
  const waiters = createWaiters(deps.clock);
  let state = loadReaderState(db, rows.row);
  /** The sum did not fit: the feed is read once more, into `second`. */
  let sweep: Pick<ReaderState, 'cursor' | 'basis' | 'asOfMs'> | undefined;
  const cards = createCardReader(onlyKey);
  let settled = false;
  /** The node says that the owner has paused the grant; an earlier process may have heard of a pause that is over. */
  let isPausedNow = false;
  /** The last entry that was read, if it is a checkpoint: it speaks for the feed only when nothing comes after it. */
  let closing: { readonly checkpoint: Checkpoint; readonly end: boolean } | undefined;
  /** The status that was told last. */
  let told: FeedStatus = state.status;
  let stop: () => void = () => undefined;
  let cancelRetry: () => void = () => undefined;

  const emit = (change: FeedChange): void => {
    for (const listener of listeners.change) listener(change);
  };
  const setStatus = (status: FeedStatus, more: Partial<ReaderState> = {}): void => {
    if (state.status === status) return;
    state = { ...state, ...more, status };
    try {
      saveReaderState(db, rows.row, state);
    } catch (cause) {
      // It holds for now, and the node says it again at the next opening.
      if (!isStoreFull(cause)) throw cause;
    }
    tellStatus();
    waiters.wake();
  };
  const status = (): FeedStatus => (!FINAL.has(state.status) && life.isOver() ? 'expired' : state.status);
  const tellStatus = (): void => {
    const now = status();
    if (now === told) return;
    told = now;
    for (const listener of listeners.status) listener(now);
  };
  const life = createCopyLife({
    clock: deps.clock,
    link: deps.link,
    rows,
    state: () => state,
    endsAtMs: deps.endsAtMs,
    keepMs: deps.keepMs,
    isEnded: () => FINAL.has(state.status) || state.status === 'completed',
    emit,
    onOver: () => end('expired'),
    onLook: tellStatus,
    onDue: wipeEnded,
  });

  type Found = { readonly changes: FeedChange[]; readonly verdicts: WriteVerdict[]; readonly nodeMs: number };
  /** Applies one entry. Returns the reason why the page is not to be trusted, if there is one. */
  function apply(into: FeedRows, item: PageEntry, found: Found): FeedAlarm['what'] | undefined {
    const decoded = decodeHeader(item.header);
    if (!decoded.ok) return 'malformed';
    const head = decoded.value;
    if (bytesToHex(item.stream) !== bytesToHex(feed)) return 'swapped';
    const keys = onlyKey(head.epoch);
    if (!keys) return 'cannot-open';
    // The whole millisecond: what it speaks of may carry any instant in it.
    overlay?.observe({ ms: head.hlc.ms, counter: MAX_HLC_COUNTER });
    const entry = item.body && { header: item.header, body: item.body };
    switch (head.kind) {
      case ENTRY_KIND.PUT:
        return applyPut(into, keys, item, head, found);
      case ENTRY_KIND.DEL: {
        const id = entry ? openFeedDelete(keys, entry) : undefined;
        if (!id?.ok) return 'cannot-open';
        const known = into.sumOf(head.tag);
        const before = shown(id.value);
        into.remove(head.tag);
        if (known)
          found.changes.push({ type: 'delete', id: id.value, reason: 'left', origin: before ? 'owner' : 'self' });
        return undefined;
      }
      case ENTRY_KIND.CKPT:
      case ENTRY_KIND.END: {
        const checkpoint = entry && openCheckpoint(keys, entry, head);
        if (!entry || !checkpoint?.ok) return 'cannot-open';
        return readCheckpoint(into, head, entry, checkpoint.value, found);
      }
      case ENTRY_KIND.VERDICT: {
        const verdicts = entry ? openVerdicts(keys, entry) : undefined;
        if (!verdicts?.ok) return 'cannot-open';
        if (!overlay || verdicts.value.upTo < state.verdicts.upTo) return undefined;
        found.verdicts.push(...overlay.decide(verdicts.value));
        state = { ...state, verdicts: verdicts.value };
        return undefined;
      }
      case ENTRY_KIND.KEY:
        // Taken up before the page.
        return undefined;
      default:
        return 'malformed';
    }
  }

  function applyPut(
    into: FeedRows,
    keys: FeedKeys,
    item: PageEntry,
    head: Header,
    found: Found,
  ): FeedAlarm['what'] | undefined {
    const memo = item.memo ? openMemo(keys, item.header, item.memo) : undefined;
    if (!memo?.ok) return 'cannot-open';
    if (!item.body) {
      // The node dropped an expired body: the memo keeps the sum right, and there is nothing to show.
      if (head.expiresMs === null || head.expiresMs > Math.max(clock.nowMs(), found.nodeMs)) return 'malformed';
      goes(into, head, found);
      into.put(head.tag, item.seq, memo.value, item.header, null);
      return undefined;
    }
    const opened = openFeedPut(keys, { header: item.header, body: item.body });
    if (!opened.ok) return 'cannot-open';
    const print = recordPrint(opened.value.plaintext);
    if (bytesToHex(print) !== bytesToHex(memo.value.print)) return 'cannot-open';
    const { id, expiresMs } = opened.value.value;
    const endsMs = expiresMs ?? NEVER;
    const isPast = endsMs <= clock.nowMs();
    const before = overlay?.touches(id) ? shown(id) : undefined;
    if (isPast) goes(into, head, found);
    const body = endsMs <= life.certainMs() ? null : item.body;
    into.put(head.tag, item.seq, { print, expiresMs: expiresMs ?? null }, item.header, body, id);
    if (isPast) {
      // Past by a clock that may be wrong: kept, and not shown.
      if (body) life.hide(head.tag, id);
      return undefined;
    }
    const record = overlay ? overlay.over(id, opened.value.value.record) : opened.value.value.record;
    if (!record) return undefined;
    const own = before !== undefined && overlay?.isSame(before, record);
    found.changes.push({ type: 'put', id, record, origin: own ? 'self' : 'owner' });
    return undefined;
  }

  /** What was held under the tag is gone: what takes its place has left its window already. */
  function goes(into: FeedRows, { tag }: Header, found: Found): void {
    const id = into === rows ? rows.idOf(tag) : undefined;
    // What was hidden was told of then.
    if (id !== undefined && !life.hides(id))
      found.changes.push({ type: 'delete', id, reason: 'expired', origin: 'owner' });
  }

  function readCheckpoint(
    into: FeedRows,
    head: Header,
    entry: Entry,
    checkpoint: Checkpoint,
    found: Found,
  ): FeedAlarm['what'] | undefined {
    const { signer, basis, asOfMs } = checkpoint;
    const card = cards.of(state.cards, head, checkpoint);
    if (!card || !deps.isOwnersDevice(signer, card, asOfMs)) return 'foreign-signer';
    // A second reading starts from nothing, and meets what the first one met.
    const seen = sweep ?? state;
    if (!covers(basis, seen.basis) || asOfMs < seen.asOfMs) return 'basis';
    for (const id of into.removeExpired(asOfMs))
      if (!life.hides(id)) found.changes.push({ type: 'delete', id, reason: 'expired', origin: 'owner' });
    if (sweep) sweep = { ...sweep, basis, asOfMs };
    else state = { ...state, basis, asOfMs };
    if (checkpoint.card) state = { ...state, cards: keepCard(state.cards, head, entry) };
    closing = { checkpoint, end: head.kind === ENTRY_KIND.END };
    return undefined;
  }

  /** What a checkpoint sums up may have been replaced since by an append that is not closed yet: only the last entry is judged. */
  function judgeSum(into: FeedRows): FeedAlarm['what'] | undefined {
    if (!closing) return undefined;
    const { checkpoint, end } = closing;
    const { basis, asOfMs } = checkpoint;
    // Where a second reading ends is not before where the first one was.
    if (!covers(basis, state.basis) || asOfMs < state.asOfMs) return 'basis';
    const digest = into.digest();
    if (digest.count() !== checkpoint.count) return 'count';
    if (bytesToHex(digest.value()) !== bytesToHex(checkpoint.digest)) return 'digest';
    state = { ...state, basis, asOfMs, status: end ? 'completed' : 'live' };
    settled = true;
    closing = undefined;
    return undefined;
  }

  const onPage = async (page: Page): Promise<void> => {
    const reading = sweep;
    const cursor = reading ? reading.cursor : state.cursor;
    if (page.head < cursor) return distrust('rollback');
    if (!(await deps.takeKeys(page.entries))) return distrust('foreign-signer');
    // The grant may have ended while the keys were looked at.
    if (FINAL.has(state.status)) return;
    isPausedNow = false;
    const [before, closingBefore] = [state, closing];
    const found: Found = { changes: [], verdicts: [], nodeMs: page.nowMs };
    const held = reading ? new Map([...rows.visible()].map((record) => [String(record._id), record])) : undefined;
    let wrong: FeedAlarm['what'] | undefined;
    try {
      db.transactLazily(() => {
        for (const item of page.entries) {
          if (item.seq <= cursor) continue;
          settled = false;
          closing = undefined;
          wrong = apply(reading ? second : rows, item, found);
          if (wrong) throw new Distrusted();
        }
        if (page.cursor === page.head) wrong = judgeSum(reading ? second : rows);
        if (wrong) throw new Distrusted();
        if (reading && settled) rows.takeOver(second);
        // A second reading counts once it fits: until then the first one's cursor stays.
        if (!reading || settled)
          state = { ...state, cursor: page.cursor, ...(settled ? { settledAt: page.cursor } : {}) };
        // What is served is not paused any more, even where there is nothing new in it.
        if (state.status === 'paused')
          state = { ...state, status: state.settledAt === undefined ? 'backfill' : 'live' };
        saveReaderState(db, rows.row, state);
      });
    } catch (cause) {
      state = before;
      closing = closingBefore;
      sweep = reading;
      rows.reload();
      second.reload();
      overlay?.reload();
      if (!(cause instanceof Distrusted)) throw cause;
    }
    if (wrong) return distrust(wrong);
    if (sweep) sweep = { ...sweep, cursor: page.cursor };
    // Nothing came since the last checkpoint, which an earlier process may have seen.
    if (!reading && page.cursor === page.head && state.settledAt === page.cursor) settled = true;
    // Only a sum that fits ends the second reading: a feed may take several pages.
    if (settled) sweep = undefined;
    // A second reading tells nothing before it stands for the first.
    const told = !held ? found.changes : sweep ? [] : changesBetween(held, rows.visible());
    for (const change of told) emit(change);
    for (const verdict of found.verdicts) tellVerdict(verdict);
    tellStatus();
    life.arm();
    waiters.wake();
  };

  function tellVerdict(verdict: WriteVerdict): void {
    for (const listener of listeners.verdict) listener(verdict);
    // What was refused is not shown any more.
    if (!verdict.accepted) tellOwn(verdict.id);
  }
  function tellOwn(id: string): void {
    const record = shown(id);
    emit(record ? { type: 'put', id, record, origin: 'self' } : { type: 'delete', id, origin: 'self' });
  }

  /** A sum that does not fit may be our own fault: read the whole feed once more, and only then blame the node. */
  function distrust(what: FeedAlarm['what']): void {
    if ((what === 'count' || what === 'digest') && !sweep) {
      second.clear();
      sweep = { cursor: 0, basis: [], asOfMs: 0 };
      closing = undefined;
      stop();
      return subscribe();
    }
    stop();
    for (const listener of listeners.alarm) listener({ type: 'tampered', what });
    setStatus('alarm');
  }

  const onClosed = (code: ErrorCode): void => {
    if (code === 'PAUSED') {
      setStatus('paused');
      isPausedNow = true;
      waiters.wake();
      cancelRetry = deps.clock.timer(PAUSED_RETRY_MS, subscribe);
    } else if (code === 'REVOKED' || code === 'FORBIDDEN') {
      end((deps.endsAtMs() ?? NEVER) <= life.certainMs() + END_SLACK_MS ? 'expired' : 'revoked');
    } else distrust('malformed');
  };

  /** The grant has ended: the copy goes, at once or when the time is over for which it may be kept. */
  function end(status: 'revoked' | 'expired' | 'dropped'): void {
    stop();
    cancelRetry();
    setStatus(status, { wipeAtMs: life.wipeAtMs(status) });
    life.arm();
  }

  function reviveIfDue(): void {
    if (state.status !== 'expired' || (deps.endsAtMs() ?? NEVER) <= life.shownMs()) return;
    try {
      revive();
    } catch (cause) {
      // It is taken up again when the grant is opened the next time.
      unlessFull(cause);
    }
  }

  function revive(): void {
    const { wipeAtMs, ...held } = state;
    // What is kept for a while after an end is still whole.
    const next: ReaderState =
      wipeAtMs === undefined
        ? { ...FRESH, verdicts: held.verdicts, cards: held.cards }
        : { ...held, status: held.settledAt === undefined ? 'backfill' : 'live' };
    saveReaderState(db, rows.row, next);
    state = next;
    settled = false;
    for (const listener of listeners.status) listener(state.status);
    subscribe();
  }

  function subscribe(): void {
    if (FINAL.has(state.status)) return;
    stop = deps.link.subscribe(
      deps.space,
      { type: 'stream', stream: feed },
      { cursor: () => sweep?.cursor ?? state.cursor, onPage, onClosed },
    );
  }

  function wipeEnded(): void {
    const { wipeAtMs: _, ...rest } = state;
    const seen = seenIds();
    let wiped: readonly string[] = [];
    erase(db, () => {
      wiped = rows.clear();
      second.clear();
      overlay?.wipe();
      saveReaderState(db, rows.row, rest);
    });
    state = rest;
    tellWiped(new Set([...seen, ...wiped]));
    if (state.status === 'revoked' || state.status === 'expired' || state.status === 'dropped')
      deps.onWiped(wiped.length, state.status);
  }

  const tellWiped = (ids: Iterable<string>): void => {
    for (const id of ids) emit({ type: 'delete', id, reason: 'wiped', origin: 'owner' });
  };
  const withOwn = (): Iterable<JsonObject> =>
    overlay ? overlay.visible(rows.visible(), (id) => rows.get(id)) : rows.visible();
  const seenIds = (): readonly string[] => [...withOwn()].map((record) => String(record._id));

  /** What is shown under an id: the owner's record with this grantee's pending writes on top. */
  function shown(id: string): JsonObject | undefined {
    if (life.isGone()) return undefined;
    const record = rows.get(id);
    return overlay ? overlay.over(id, record) : record;
  }
  const visible = (): Iterable<JsonObject> => (life.isGone() ? [] : withOwn());

  return {
    start: () => {
      life.start();
      if (!FINAL.has(state.status)) subscribe();
      // The end may have been put off while nobody read this.
      else reviveIfDue();
    },
    get: shown,
    query: (filter, options) => findRecords(visible(), filter, options, deps.formats, clock.nowMs()),
    count: () => (life.isGone() ? 0 : overlay?.isEmpty() === false ? [...visible()].length : rows.count()),
    onChange: (listener) => addListener(listeners.change, listener),
    onAlarm: (listener) => addListener(listeners.alarm, listener),
    onStatus: (listener) => addListener(listeners.status, listener),
    onVerdict: (listener) => addListener(listeners.verdict, listener),
    wrote: tellOwn,
    decided: () => {
      if (!overlay) return;
      const news = db.transact(() => overlay.decide(state.verdicts));
      for (const verdict of news) tellVerdict(verdict);
      if (news.length > 0) waiters.wake();
    },
    state: () => state,
    status,
    upToDate: (timeoutMs) =>
      waiters.until(() => {
        if (state.status === 'revoked' || state.status === 'dropped') return new SluiceError('REVOKED');
        if (state.status === 'expired') return new SluiceError('EXPIRED');
        if (isPausedNow) return new SluiceError('PAUSED');
        return state.status === 'alarm' ? new SluiceError('TAMPERED') : settled && !life.isOver();
      }, timeoutMs),
    settled: (n, timeoutMs) => {
      let verdict: WriteVerdict | undefined;
      const forget = addListener(listeners.verdict, (v) => {
        if (v.n === (overlay?.numberOf(n) ?? n)) verdict = v;
      });
      return waiters
        .until(() => {
          verdict ??= overlay?.verdictOf(state.verdicts, n);
          if (verdict) return true;
          return FINAL.has(state.status) && new SluiceError('REVOKED');
        }, timeoutMs)
        .then(() => verdict as WriteVerdict)
        .finally(forget);
    },
    wipe: () => {
      const wiped = erase(db, rows.clear);
      tellWiped(wiped);
      return wiped.length;
    },
    drop: (keep) => {
      keep(rows.count());
      end('dropped');
    },
    termsChanged: () => {
      reviveIfDue();
      life.arm();
    },
    close: () => {
      life.close();
      cancelRetry();
      stop();
      waiters.end();
    },
  };
}

class Distrusted extends Error {}
