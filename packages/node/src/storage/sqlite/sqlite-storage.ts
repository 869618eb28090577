/** The storage port on SQLite. */

import { bytesToHex, equalBytes, type SpaceId } from '@sluice/core/base';
import {
  access,
  type AccessState,
  applyCtl,
  copyAccessState,
  createAccessState,
  ctlStreamId,
  grantStanding,
  isOwners,
  openCtlEntry,
  openGenesis,
} from '@sluice/core/stream';
import { formatLogName, type LogName, type PartAnswer, type PushAnswer, STREAM_KIND } from '@sluice/core/wire';
import { type Db, type DbOptions, openDb } from '@sluice/sqlite';
import type { CheckedPart } from '../checked-part.ts';
import type { PushJob, Storage, TouchedLog } from '../port.ts';
import { REFUSALS } from '../refusals.ts';
import { appendCtl, type Appended, appendFeed, appendSealed } from './append.ts';
import { createBlobTable } from './blobs.ts';
import { createCommitQueue, type Schedule } from './commit-queue.ts';
import { depositAll, drainInbox, INBOX_QUOTA, type InboxQuota } from './inbox.ts';
import { emptyRevokedFeeds, trimLane } from './lanes.ts';
import { logTableName, readPage } from './read-page.ts';
import { findLog, kindName, Refused, spaceRowId, TABLES } from './tables.ts';

/** Access states kept in memory; the least recently used space is read again. */
const MAX_CACHED_STATES = 10_000;

/** Where the database is, and its limits. */
export type SqliteStorageOptions = DbOptions & {
  readonly path: string;
  /** What one inbox holds; INBOX_QUOTA unless given. */
  readonly inboxQuota?: InboxQuota;
};

/** Storage in one SQLite file. */
export type SqliteStorage = Storage & {
  /** Caps the file at so many pages from now on, or at its present size when that is more. */
  readonly limitPages: (pages: number) => void;
};

/** Opens or creates the node's database file. */
export const openSqliteStorage = (options: SqliteStorageOptions): SqliteStorage =>
  createSqliteStorage(openDb(options.path, options), options);

/** Storage in a database that is open already. `schedule` says when a group is committed; with the next turn unless given. */
export function createSqliteStorage(
  db: Db,
  options: { readonly inboxQuota?: InboxQuota; readonly schedule?: Schedule } = {},
): SqliteStorage {
  db.exec(TABLES);
  const cache = new Map<string, AccessState>();
  const staged = new Map<string, AccessState>();
  let touched: TouchedLog[] = [];
  const listeners = new Set<(touched: readonly TouchedLog[]) => void>();

  const hooks = {
    onCommitted: () => {
      for (const [space, state] of staged) remember(cache, space, state);
      staged.clear();
      const logs = touched;
      touched = [];
      if (logs.length > 0) for (const listener of listeners) listener(logs);
    },
    onRolledBack: () => {
      staged.clear();
      touched = [];
    },
  };
  const queue = createCommitQueue(db, hooks, options.schedule);

  const accessState = (space: SpaceId): AccessState | undefined => {
    const key = bytesToHex(space);
    const known = staged.get(key) ?? cache.get(key);
    if (known) return known;
    const loaded = loadAccessState(db, space);
    if (loaded) remember(cache, key, loaded);
    return loaded;
  };

  const runPush = (job: PushJob, born?: AccessState): PushAnswer => {
    const key = bytesToHex(job.space);
    const spaceId = spaceRowId(db, job.space);
    const before = born ?? accessState(job.space);
    if (spaceId === undefined || !before) throw new Refused('NOT_FOUND');
    const state = job.parts.some((p) => p.type === 'ctl') ? copyAccessState(before) : before;
    const mine: TouchedLog[] = [];
    const parts = job.parts.map((part) => answerPart(db, spaceId, job, part, state, mine));
    if (state !== before) staged.set(key, state);
    touched.push(...mine);
    return { nowMs: job.nowMs, parts };
  };

  return {
    accessState,
    createSpace: (genesis, space, job) =>
      queue.add(() => {
        const opened = openGenesis(genesis);
        if (!opened.ok || !equalBytes(opened.value.space, space)) throw new Refused('MALFORMED');
        if (spaceRowId(db, space) !== undefined) return runPush(job);
        db.sql('INSERT INTO space (space, genesis) VALUES (?, ?)').run(space, genesis);
        return runPush(job, createAccessState(opened.value.root));
      }),
    push: (job) => queue.add(() => runPush(job)),
    readPage: (query) => readPage(db, query),
    head: (space, log) => headOf(db, space, log),
    deposit: (space, messages, nowMs) =>
      queue.add(() => {
        const stored = depositAll(db, space, messages, nowMs, options.inboxQuota ?? INBOX_QUOTA);
        if (stored > 0) touched.push({ space, log: 'inbox' });
        return stored;
      }),
    blobs: createBlobTable(db, queue),
    onCommit: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    limitPages: db.limitPages,
    ready: () => db.sql('SELECT 1 AS one').get()?.one === 1,
    close: async () => {
      await queue.drain();
      db.close();
    },
  };
}

/** Own, ctl and drain parts succeed together or not at all; a feed part is answered by itself and never takes them down. */
function answerPart(
  db: Db,
  spaceId: number,
  job: PushJob,
  part: CheckedPart,
  state: AccessState,
  touched: TouchedLog[],
): PartAnswer {
  const done = (appended: Appended, log: LogName): PartAnswer => {
    touched.push({ space: job.space, log: formatLogName(log) });
    return { type: 'ok', head: appended.head };
  };
  switch (part.type) {
    case 'sealed':
      mayWrite(
        state,
        job,
        part.kind === 'own' ? { kind: 'own', stream: part.stream } : { kind: 'lane', stream: part.stream },
      );
      return done(
        appendSealed(db, spaceId, part, state, job),
        part.kind === 'own' ? { type: 'own' } : { type: 'stream', stream: part.stream },
      );
    case 'ctl': {
      const appended = appendCtl(db, spaceId, job.space, part, state, job.nowMs);
      emptyRevokedFeeds(db, spaceId, part.parsed, state);
      return done(appended, { type: 'ctl' });
    }
    case 'trim':
      if (!isOwners(state, job.requester, job.nowMs)) throw new Refused('FORBIDDEN');
      mayWrite(state, job, { kind: 'lane', stream: part.stream });
      return { type: 'ok', head: trimLane(db, spaceId, part.stream, part.upTo) };
    case 'drain':
      mayWrite(state, job, { kind: 'inbox' });
      return done(drainInbox(db, spaceId, part, job.nowMs), { type: 'inbox' });
    case 'feed':
      try {
        mayWrite(state, job, { kind: 'feed', stream: part.stream });
        // A feed takes entries while some live row reads it: after the revoke there is nobody left to write to.
        const standing = grantStanding(state, part.stream, job.nowMs);
        if (standing !== 'open') throw new Refused(REFUSALS[standing]);
        return done(
          db.transact(() => appendFeed(db, spaceId, part, state, job.nowMs)),
          { type: 'stream', stream: part.stream },
        );
      } catch (cause) {
        if (!(cause instanceof Refused)) throw cause;
        return { type: 'refused', code: cause.code };
      }
  }
}

function mayWrite(state: AccessState, job: PushJob, target: Parameters<typeof access>[2]): void {
  const verdict = access(state, job.requester, target, 'write', job.nowMs);
  if (verdict !== 'allowed') throw new Refused(REFUSALS[verdict]);
}

function headOf(db: Db, space: SpaceId, log: LogName): number {
  const spaceId = spaceRowId(db, space);
  return spaceId === undefined ? 0 : (findLog(db, spaceId, logTableName(log))?.head ?? 0);
}

/** Replays the control log. Every entry was verified on arrival; it is verified again, since the file is not the node's memory. */
function loadAccessState(db: Db, space: SpaceId): AccessState | undefined {
  const row = db.sql('SELECT id, genesis FROM space WHERE space = ?').get(space);
  const genesis = row && openGenesis(row.genesis as Uint8Array);
  if (!row || !genesis?.ok) return undefined;
  const state = createAccessState(genesis.value.root);
  const log = findLog(db, Number(row.id), kindName(STREAM_KIND.ctl));
  if (!log) return state;
  for (const item of db.sql('SELECT header, body FROM entry WHERE log = ? ORDER BY seq').all(log.id)) {
    const entry = { header: item.header as Uint8Array, body: item.body as Uint8Array };
    const ctl = openCtlEntry(ctlStreamId(space), entry);
    // The stamp, not the present time, decides whether the signer's row was live: expiry must not undo the past.
    if (ctl.ok) applyCtl(state, ctl.value, entry, ctl.value.header.hlc.ms);
  }
  return state;
}

function remember(cache: Map<string, AccessState>, key: string, state: AccessState): void {
  cache.delete(key);
  cache.set(key, state);
  if (cache.size > MAX_CACHED_STATES) {
    const oldest = cache.keys().next().value;
    if (oldest !== undefined) cache.delete(oldest);
  }
}
