/**
 * The grantee's side of one feed: verifies, keeps and serves what the owner reveals. Records stay sealed on disk; a record whose window
 * has passed is wiped by this clock, with nobody online. Must not know requests or messages.
 */

import {
  bytesToHex,
  bytesToUtf8,
  type Clock,
  hexToBytes,
  isJsonObject,
  type JsonObject,
  parseJson,
  type SpaceId,
  type Tag,
  toWriterId,
  utf8ToBytes,
} from '@sluice/core/base';
import type { VerifyKey } from '@sluice/core/crypto';
import { bindFilter, compareBySort, type FieldFormats, type Filter, type Sort } from '@sluice/core/filter';
import {
  type Basis,
  type Checkpoint,
  covers,
  createRunningDigest,
  type FeedKeys,
  openCheckpoint,
  openFeedDelete,
  openFeedPut,
  openMemo,
  recordPrint,
} from '@sluice/core/grant';
import { decodeHeader, ENTRY_KIND, type ErrorCode, type Header, type Page, type PageEntry } from '@sluice/core/wire';
import { isStoreFull, SluiceError } from '../../errors.ts';
import { addListener } from '../../listeners.ts';
import { createWaiters } from '../../waiters.ts';
import type { LiveLink } from '../../link/live-link.ts';
import type { StoreDb } from '../../store/store-db.ts';

/** A record that came or changed, or one that is gone: it left the filter, its window passed, or a sweep did not find it. */
export type FeedChange = {
  readonly type: 'put' | 'delete';
  readonly id: string;
  readonly record?: JsonObject;
  readonly reason?: 'left' | 'expired' | 'swept';
};
/** `backfill` until the first checkpoint verifies, then `live`; `completed`, `revoked` and `alarm` are final. */
export type FeedStatus = 'backfill' | 'live' | 'completed' | 'revoked' | 'alarm';
/** Why the feed is not trusted any more. */
export type FeedAlarm = {
  readonly type: 'tampered';
  readonly what: 'cannot-open' | 'malformed' | 'rollback' | 'digest' | 'count' | 'basis' | 'foreign-signer' | 'swapped';
};

/** What a reader needs: the local store, the connection made with the pairwise key, and the keys of the grant. */
export type FeedReaderDeps = {
  readonly db: StoreDb;
  readonly link: LiveLink;
  readonly clock: Clock;
  readonly space: SpaceId;
  readonly keys: FeedKeys;
  readonly formats: FieldFormats;
  /** Whether a device key speaks for the owner, by the card in the checkpoint. */
  readonly isOwnersDevice: (signer: VerifyKey, card: Uint8Array) => boolean;
};

/** The local copy of a feed: verified, queried, and told of. */
export type FeedReader = {
  readonly start: () => void;
  readonly get: (id: string) => JsonObject | undefined;
  readonly query: (
    filter: Filter,
    options: { readonly limit?: number; readonly skip?: number; readonly sort?: Sort },
  ) => JsonObject[];
  readonly count: () => number;
  readonly onChange: (listener: (change: FeedChange) => void) => () => void;
  readonly onAlarm: (listener: (alarm: FeedAlarm) => void) => () => void;
  readonly onStatus: (listener: (status: FeedStatus) => void) => () => void;
  readonly status: () => FeedStatus;
  /** Resolves at the next checkpoint that verifies, or at once when the last one did and nothing came since. */
  readonly upToDate: (timeoutMs: number) => Promise<void>;
  /** Removes every revealed record from this store. */
  readonly wipe: () => number;
  readonly close: () => void;
};

/** `settledAt`: the cursor right after the last checkpoint that verified. */
type State = { cursor: number; basis: Basis; asOfMs: number; status: FeedStatus; settledAt?: number };
/** How long wiping waits when the local disk is full, in ms. */
const FULL_PAUSE_MS = 1_000;

type RowSet = { readonly print: Uint8Array; readonly expiresMs: number | null };

/** NOTE: replaced where it stands; a row deleted and inserted again dirties the pages of both places and of every index. */
const PUT_ROW = `INSERT INTO feed_row (feed, tag, seq, print, expires, header, body) VALUES (?, ?, ?, ?, ?, ?, ?)
  ON CONFLICT (feed, tag) DO UPDATE SET seq = excluded.seq, print = excluded.print, expires = excluded.expires,
  header = excluded.header, body = excluded.body`;

/** Opens the local copy of a feed. */
export function openFeedReader(deps: FeedReaderDeps): FeedReader {
  const { db, clock, keys } = deps;
  const feedRow = ensureFeed(db, keys.stream);
  const listeners = {
    change: new Set<(c: FeedChange) => void>(),
    alarm: new Set<(a: FeedAlarm) => void>(),
    status: new Set<(s: FeedStatus) => void>(),
  };
  const waiters = createWaiters(clock);
  let state = loadState(db, feedRow);
  let digest = loadDigest(db, feedRow);
  let settled = false;
  let sweeping = false;
  let cancelTimer: () => void = () => undefined;
  let stop: () => void = () => undefined;

  const emit = (change: FeedChange): void => {
    for (const listener of listeners.change) listener(change);
  };
  const alarm = (what: FeedAlarm['what']): void => {
    for (const listener of listeners.alarm) listener({ type: 'tampered', what });
  };
  const setStatus = (status: FeedStatus): void => {
    if (state.status === status) return;
    state = { ...state, status };
    try {
      saveState(db, feedRow, state);
    } catch (cause) {
      // It holds for now, and the node says it again at the next opening.
      if (!isStoreFull(cause)) throw cause;
    }
    for (const listener of listeners.status) listener(status);
    waiters.wake();
  };
  const rowOf = (tag: Tag): RowSet | undefined => {
    const row = db.sql('SELECT print, expires FROM feed_row WHERE feed = ? AND tag = ?').get(feedRow, tag);
    return row
      ? { print: row.print as Uint8Array, expiresMs: row.expires === null ? null : Number(row.expires) }
      : undefined;
  };
  const removeRow = (tag: Tag): void => {
    const old = rowOf(tag);
    if (!old) return;
    digest.remove(tag, old.print);
    db.sql('DELETE FROM feed_row WHERE feed = ? AND tag = ?').run(feedRow, tag);
  };
  const putRow = (tag: Tag, seq: number, row: RowSet, header: Uint8Array, body: Uint8Array | null): void => {
    const old = rowOf(tag);
    if (old) digest.remove(tag, old.print);
    digest.add(tag, row.print);
    db.sql(PUT_ROW).run(feedRow, tag, seq, row.print, row.expiresMs, header, body);
  };

  /** Applies one entry. Returns what to tell, or the reason why the page is not to be trusted. */
  function apply(item: PageEntry, changes: FeedChange[]): FeedAlarm['what'] | undefined {
    const decoded = decodeHeader(item.header);
    if (!decoded.ok) return 'malformed';
    const head = decoded.value;
    if (bytesToHex(item.stream) !== bytesToHex(keys.stream)) return 'swapped';
    switch (head.kind) {
      case ENTRY_KIND.PUT:
        return applyPut(item, head, changes);
      case ENTRY_KIND.DEL: {
        const id = item.body ? openFeedDelete(keys, { header: item.header, body: item.body }) : undefined;
        if (!id?.ok) return 'cannot-open';
        const known = rowOf(head.tag);
        removeRow(head.tag);
        if (known) changes.push({ type: 'delete', id: id.value, reason: 'left' });
        return undefined;
      }
      case ENTRY_KIND.CKPT:
      case ENTRY_KIND.END: {
        const checkpoint = item.body ? openCheckpoint(keys, { header: item.header, body: item.body }, head) : undefined;
        if (!checkpoint?.ok) return 'cannot-open';
        return applyCheckpoint(checkpoint.value, head.kind === ENTRY_KIND.END);
      }
      default:
        return 'malformed';
    }
  }

  function applyPut(item: PageEntry, head: Header, changes: FeedChange[]): FeedAlarm['what'] | undefined {
    const memo = item.memo ? openMemo(keys, item.header, item.memo) : undefined;
    if (!memo?.ok) return 'cannot-open';
    if (!item.body) {
      // The node dropped an expired body: the memo keeps the sum right, and there is nothing to show.
      if (head.expiresMs === null || head.expiresMs > clock.nowMs()) return 'malformed';
      putRow(head.tag, item.seq, memo.value, item.header, null);
      return undefined;
    }
    const opened = openFeedPut(keys, { header: item.header, body: item.body });
    if (!opened.ok) return 'cannot-open';
    const print = recordPrint(opened.value.plaintext);
    if (bytesToHex(print) !== bytesToHex(memo.value.print)) return 'cannot-open';
    const { id, record, expiresMs } = opened.value.value;
    const gone = expiresMs !== undefined && expiresMs <= clock.nowMs();
    putRow(head.tag, item.seq, { print, expiresMs: expiresMs ?? null }, item.header, gone ? null : item.body);
    tagsById?.set(id, head.tag);
    if (!gone) changes.push({ type: 'put', id, record });
    return undefined;
  }

  function applyCheckpoint(checkpoint: Checkpoint, end: boolean): FeedAlarm['what'] | undefined {
    if (!deps.isOwnersDevice(checkpoint.signer, checkpoint.card)) return 'foreign-signer';
    if (!covers(checkpoint.basis, state.basis) || checkpoint.asOfMs < state.asOfMs) return 'basis';
    // Rows that had expired by the checkpoint's instant no longer count, on either side.
    for (const row of db
      .sql('SELECT tag FROM feed_row WHERE feed = ? AND expires IS NOT NULL AND expires <= ?')
      .all(feedRow, checkpoint.asOfMs))
      removeRow(row.tag as Tag);
    if (digest.count() !== checkpoint.count) return 'count';
    if (bytesToHex(digest.value()) !== bytesToHex(checkpoint.digest)) return 'digest';
    state = { ...state, basis: checkpoint.basis, asOfMs: checkpoint.asOfMs, status: end ? 'completed' : 'live' };
    settled = true;
    return undefined;
  }

  const onPage = (page: Page): void => {
    if (page.head < state.cursor) return distrust('rollback');
    const before = state;
    const changes: FeedChange[] = [];
    let wrong: FeedAlarm['what'] | undefined;
    try {
      db.transactLazily(() => {
        for (const item of page.entries) {
          if (item.seq <= state.cursor) continue;
          settled = false;
          wrong = apply(item, changes);
          if (wrong) throw new Distrusted();
        }
        state = { ...state, cursor: page.cursor, ...(settled ? { settledAt: page.cursor } : {}) };
        saveState(db, feedRow, state);
      });
    } catch (cause) {
      state = before;
      digest = loadDigest(db, feedRow);
      if (!(cause instanceof Distrusted)) throw cause;
    }
    if (wrong) return distrust(wrong);
    // Nothing came since the last checkpoint, which an earlier process may have seen.
    if (page.cursor === page.head && state.settledAt === page.cursor) settled = true;
    // Only a sum that fits ends the second reading: a feed may take several pages.
    if (settled) sweeping = false;
    for (const change of changes) emit(change);
    if (before.status !== state.status) for (const listener of listeners.status) listener(state.status);
    armExpiry();
    waiters.wake();
  };

  /** A sum that does not fit may be our own fault: read the whole feed once more, and only then blame the node. */
  function distrust(what: FeedAlarm['what']): void {
    if ((what === 'count' || what === 'digest') && !sweeping) {
      const next = { ...state, cursor: 0 };
      db.transact(() => {
        db.sql('DELETE FROM feed_row WHERE feed = ?').run(feedRow);
        saveState(db, feedRow, next);
      });
      stop();
      sweeping = true;
      state = next;
      digest = createRunningDigest();
      return subscribe();
    }
    stop();
    alarm(what);
    setStatus('alarm');
  }

  const onClosed = (code: ErrorCode): void => {
    if (code === 'REVOKED' || code === 'FORBIDDEN') setStatus('revoked');
    else distrust('malformed');
  };

  function subscribe(): void {
    stop = deps.link.subscribe(
      deps.space,
      { type: 'stream', stream: keys.stream },
      { cursor: () => state.cursor, onPage, onClosed },
    );
  }

  /** Wipes what has left its window and waits for the next that will. */
  function armExpiry(): void {
    cancelTimer();
    try {
      wipeDue(clock.nowMs());
    } catch (cause) {
      if (!isStoreFull(cause)) throw cause;
      cancelTimer = clock.timer(FULL_PAUSE_MS, armExpiry);
      return;
    }
    const next = db
      .sql('SELECT min(expires) AS at FROM feed_row WHERE feed = ? AND expires IS NOT NULL AND body IS NOT NULL')
      .get(feedRow)?.at;
    if (next !== null && next !== undefined)
      cancelTimer = clock.timer(Math.max(0, Number(next) - clock.nowMs()), armExpiry);
  }

  function wipeDue(nowMs: number): void {
    const due = db
      .sql('SELECT tag, header, body FROM feed_row WHERE feed = ? AND expires <= ? AND body IS NOT NULL')
      .all(feedRow, nowMs);
    for (const row of due) {
      const opened = openFeedPut(keys, { header: row.header as Uint8Array, body: row.body as Uint8Array });
      db.sql('UPDATE feed_row SET body = NULL WHERE feed = ? AND tag = ?').run(feedRow, row.tag as Tag);
      if (opened.ok) emit({ type: 'delete', id: opened.value.value.id, reason: 'expired' });
    }
  }

  /** What a row shows now; nothing once its window has passed. */
  const shown = (row: ReturnType<ReturnType<StoreDb['sql']>['all']>[number]): JsonObject | undefined => {
    if (row.expires !== null && Number(row.expires) <= clock.nowMs()) return undefined;
    const opened = openFeedPut(keys, { header: row.header as Uint8Array, body: row.body as Uint8Array });
    return opened.ok ? opened.value.value.record : undefined;
  };
  const visible = function* (): Generator<JsonObject> {
    for (const row of db
      .sql('SELECT header, body, expires FROM feed_row WHERE feed = ? AND body IS NOT NULL ORDER BY seq')
      .all(feedRow)) {
      const record = shown(row);
      if (record) yield record;
    }
  };
  /** Where a record lies, by its id: read from all rows when first asked, then kept up to date. */
  let tagsById: Map<string, Tag> | undefined;
  const findTag = (id: string): Tag | undefined => {
    if (!tagsById) {
      tagsById = new Map();
      for (const row of db
        .sql('SELECT tag, header, body, expires FROM feed_row WHERE feed = ? AND body IS NOT NULL')
        .all(feedRow)) {
        const record = shown(row);
        if (record) tagsById.set(String(record._id), row.tag as Tag);
      }
    }
    return tagsById.get(id);
  };

  return {
    start: () => {
      armExpiry();
      if (state.status !== 'revoked' && state.status !== 'alarm') subscribe();
    },
    get: (id) => {
      const tag = findTag(id);
      const row =
        tag &&
        db
          .sql('SELECT header, body, expires FROM feed_row WHERE feed = ? AND tag = ? AND body IS NOT NULL')
          .get(feedRow, tag);
      return row && shown(row);
    },
    query: (filter, { limit, skip = 0, sort }) => {
      const test = bindFilter(filter, clock.nowMs());
      const end = limit === undefined ? Number.POSITIVE_INFINITY : skip + limit;
      const found: JsonObject[] = [];
      for (const record of visible()) {
        // Unsorted, the first that are found are the answer.
        if (!sort && found.length >= end) break;
        if (test(record)) found.push(record);
      }
      if (sort) found.sort(compareBySort(sort, deps.formats));
      return found.slice(skip, end);
    },
    count: () => {
      const nowMs = clock.nowMs();
      return Number(
        db
          .sql(
            'SELECT count(*) AS n FROM feed_row WHERE feed = ? AND body IS NOT NULL AND (expires IS NULL OR expires > ?)',
          )
          .get(feedRow, nowMs)?.n,
      );
    },
    onChange: (listener) => addListener(listeners.change, listener),
    onAlarm: (listener) => addListener(listeners.alarm, listener),
    onStatus: (listener) => addListener(listeners.status, listener),
    status: () => state.status,
    upToDate: (timeoutMs) =>
      waiters.until(() => {
        if (settled) return true;
        if (state.status === 'revoked') return new SluiceError('REVOKED');
        return state.status === 'alarm' && new SluiceError('TAMPERED');
      }, timeoutMs),
    wipe: () => {
      const wiped = Number(
        db.sql('SELECT count(*) AS n FROM feed_row WHERE feed = ? AND body IS NOT NULL').get(feedRow)?.n,
      );
      db.sql('DELETE FROM feed_row WHERE feed = ?').run(feedRow);
      digest = createRunningDigest();
      return wiped;
    },
    close: () => {
      cancelTimer();
      stop();
      waiters.end();
    },
  };
}

class Distrusted extends Error {}

function ensureFeed(db: StoreDb, stream: Uint8Array): number {
  db.sql('INSERT OR IGNORE INTO feed (stream) VALUES (?)').run(stream);
  return Number(db.sql('SELECT id FROM feed WHERE stream = ?').get(stream)?.id);
}

function loadState(db: StoreDb, feedRow: number): State {
  const row = db.sql('SELECT cursor, state FROM feed WHERE id = ?').get(feedRow);
  const parsed = row?.state
    ? parseJson(bytesToUtf8(row.state as Uint8Array), { maxBytes: 1024 * 1024, maxDepth: 4 })
    : undefined;
  if (!parsed?.ok || !isJsonObject(parsed.value)) return { cursor: 0, basis: [], asOfMs: 0, status: 'backfill' };
  const { basis, asOfMs, status, settledAt } = parsed.value as unknown as {
    settledAt?: number;
    basis: readonly (readonly [string, number])[];
    asOfMs: number;
    status: FeedStatus;
  };
  return {
    cursor: Number(row?.cursor ?? 0),
    asOfMs,
    status,
    ...(settledAt === undefined ? {} : { settledAt }),
    basis: basis.map(([w, n]) => ({ writer: toWriterId(hexToBytes(w)), n })),
  };
}

function saveState(db: StoreDb, feedRow: number, state: State): void {
  const { basis, asOfMs, status, settledAt } = state;
  const text = JSON.stringify({ asOfMs, status, settledAt, basis: basis.map((b) => [bytesToHex(b.writer), b.n]) });
  db.sql('UPDATE feed SET cursor = ?, state = ? WHERE id = ?').run(state.cursor, utf8ToBytes(text), feedRow);
}

function loadDigest(db: StoreDb, feedRow: number): ReturnType<typeof createRunningDigest> {
  const digest = createRunningDigest();
  for (const row of db.sql('SELECT tag, print FROM feed_row WHERE feed = ?').all(feedRow))
    digest.add(row.tag as Tag, row.print as Uint8Array);
  return digest;
}
