/** What is particular to grants in storage: how much a lane takes, what is dropped of it, and what goes when a grant ends. */

import { equalBytes, type StreamId, type WriterId } from '@sluice/core/base';
import type { VerifyKey } from '@sluice/core/crypto';
import type { AccessState, CtlEntry } from '@sluice/core/stream';
import { MAX_LANE_ENTRIES, streamKind } from '@sluice/core/wire';
import type { Db } from '@sluice/sqlite';
import { killEntry } from './seals.ts';
import { findLog, Refused } from './tables.ts';

const DAY_MS = 86_400_000;

/** Counts new entries of a lane against what waits in it and against the writer's day. Throws LANE_FULL. */
export function takeLaneRoom(
  db: Db,
  log: number,
  count: number,
  access: AccessState,
  stream: StreamId,
  key: VerifyKey,
  nowMs: number,
): void {
  const waiting = Number(db.sql('SELECT count(*) AS n FROM entry WHERE log = ?').get(log)?.n);
  if (waiting + count > MAX_LANE_ENTRIES) throw new Refused('LANE_FULL');
  const limit = perDayOf(access, stream, key);
  if (limit === 0) return;
  const day = Math.floor(nowMs / DAY_MS);
  const row = db.sql('SELECT day, entries FROM lane_day WHERE log = ?').get(log);
  const used = Number(row?.day) === day ? Number(row?.entries) : 0;
  if (used + count > limit) throw new Refused('LANE_FULL');
  db.sql(
    'INSERT INTO lane_day (log, day, entries) VALUES (?, ?, ?) ON CONFLICT (log) DO UPDATE SET day = excluded.day, entries = excluded.entries',
  ).run(log, day, used + count);
}

function perDayOf(access: AccessState, stream: StreamId, key: VerifyKey): number {
  for (const row of access.rows.values())
    if (equalBytes(row.key, key) && row.access.some((a) => equalBytes(a.target, stream))) return row.perDay;
  return 0;
}

/** Drops what is left of a lane up to a number. Returns the head of its log. */
export function trimLane(db: Db, spaceId: number, lane: StreamId, upTo: number): number {
  const log = findLog(db, spaceId, lane);
  if (!log) return 0;
  const rows = db
    .sql(
      'SELECT e.stream, e.n, e.tag, w.writer FROM entry e JOIN writer w ON w.id = e.writer WHERE e.log = ? AND e.n <= ?',
    )
    .all(log.id, upTo);
  for (const row of rows)
    killEntry(db, Number(row.stream), row.tag as Parameters<typeof killEntry>[2], {
      writer: row.writer as WriterId,
      n: Number(row.n),
    });
  return log.head;
}

/** What a revoked grantee has not read it never will: its feed is emptied. The lane stays until the owner has decided on it. */
export function emptyRevokedFeeds(db: Db, spaceId: number, parsed: readonly CtlEntry[], access: AccessState): void {
  for (const { public: change } of parsed) {
    if (change.type !== 'row' || change.status !== 'revoked') continue;
    for (const row of access.rows.values()) {
      if (row.role !== 'grantee' || row.status !== 'revoked' || !equalBytes(row.id, change.id)) continue;
      for (const { target } of row.access) emptyFeed(db, spaceId, target as StreamId);
    }
  }
}

function emptyFeed(db: Db, spaceId: number, stream: StreamId): void {
  const log = streamKind(stream) === 'feed' ? findLog(db, spaceId, stream) : undefined;
  if (log) db.sql('DELETE FROM entry WHERE log = ?').run(log.id);
}
