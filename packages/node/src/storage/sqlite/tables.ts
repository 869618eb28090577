/** The node's tables in SQLite, and the small look-ups that every operation shares. */

import type { SpaceId, StreamId, WriterId } from '@sluice/core/base';
import { type ErrorCode, MAX_PAGE_ITEMS, MAX_WRITER_STREAMS } from '@sluice/core/wire';
import type { Db } from '@sluice/sqlite';

/** Rowid tables on purpose: 1 KB rows in WITHOUT ROWID tables grow threefold. */
export const TABLES = `
CREATE TABLE IF NOT EXISTS space (id INTEGER PRIMARY KEY, space BLOB NOT NULL UNIQUE, genesis BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS log (
  id INTEGER PRIMARY KEY, space INTEGER NOT NULL, name BLOB NOT NULL, head INTEGER NOT NULL DEFAULT 0,
  closed INTEGER NOT NULL DEFAULT 0, term INTEGER NOT NULL DEFAULT 0, UNIQUE (space, name));
CREATE TABLE IF NOT EXISTS stream (id INTEGER PRIMARY KEY, log INTEGER NOT NULL, stream BLOB NOT NULL, UNIQUE (log, stream));
CREATE TABLE IF NOT EXISTS writer (
  id INTEGER PRIMARY KEY, stream INTEGER NOT NULL, writer BLOB NOT NULL, n INTEGER NOT NULL, hash BLOB NOT NULL, UNIQUE (stream, writer));
CREATE TABLE IF NOT EXISTS entry (
  id INTEGER PRIMARY KEY, log INTEGER NOT NULL, seq INTEGER NOT NULL, stream INTEGER NOT NULL, writer INTEGER, n INTEGER NOT NULL,
  tag BLOB NOT NULL, expires INTEGER, header BLOB NOT NULL, body BLOB, memo BLOB);
CREATE UNIQUE INDEX IF NOT EXISTS entry_seq ON entry (log, seq);
CREATE INDEX IF NOT EXISTS entry_tag ON entry (stream, tag);
CREATE TABLE IF NOT EXISTS seal (
  id INTEGER PRIMARY KEY, log INTEGER NOT NULL, writer INTEGER NOT NULL, first_n INTEGER NOT NULL, last_n INTEGER NOT NULL,
  last_seq INTEGER NOT NULL, live INTEGER NOT NULL, size INTEGER NOT NULL, hash BLOB NOT NULL, bytes BLOB);
CREATE UNIQUE INDEX IF NOT EXISTS seal_n ON seal (writer, first_n);
CREATE INDEX IF NOT EXISTS seal_seq ON seal (log, last_seq);
CREATE TABLE IF NOT EXISTS drained (log INTEGER NOT NULL, tag BLOB NOT NULL, until INTEGER NOT NULL, PRIMARY KEY (log, tag)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS drained_until ON drained (log, until);
CREATE TABLE IF NOT EXISTS lane_day (log INTEGER PRIMARY KEY, day INTEGER NOT NULL, entries INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS inbox (log INTEGER PRIMARY KEY, messages INTEGER NOT NULL, bytes INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS blob (kind TEXT NOT NULL, name TEXT NOT NULL, value BLOB NOT NULL, expires INTEGER, PRIMARY KEY (kind, name));
CREATE INDEX IF NOT EXISTS blob_expiry ON blob (expires) WHERE expires IS NOT NULL;
`;

/** Thrown inside a transaction to roll one push back with an answer for its sender. */
export class Refused extends Error {
  readonly code: ErrorCode;

  constructor(code: ErrorCode) {
    super(code);
    this.name = 'Refused';
    this.code = code;
  }
}

/** A log’s row. `head` is the last number given out. */
export type LogRow = { readonly id: number; head: number; readonly closed: boolean; readonly term: number };
/** How far a writer has come in a stream. */
export type WriterRow = { readonly id: number; readonly n: number; readonly hash: Uint8Array };

/** A log's name in the table: a kind byte or a stream id. */
export const kindName = (kind: number): Uint8Array => Uint8Array.of(kind);

/** Finds a space’s row. */
export function spaceRowId(db: Db, space: SpaceId): number | undefined {
  const row = db.sql('SELECT id FROM space WHERE space = ?').get(space);
  return row ? Number(row.id) : undefined;
}

/** Finds a log’s row. */
export function findLog(db: Db, spaceId: number, name: Uint8Array): LogRow | undefined {
  const row = db.sql('SELECT id, head, closed, term FROM log WHERE space = ? AND name = ?').get(spaceId, name);
  return row
    ? { id: Number(row.id), head: Number(row.head), closed: row.closed !== 0, term: Number(row.term) }
    : undefined;
}

/** Finds or makes a log’s row. */
export function ensureLog(db: Db, spaceId: number, name: Uint8Array): LogRow {
  const found = findLog(db, spaceId, name);
  if (found) return found;
  db.sql('INSERT INTO log (space, name) VALUES (?, ?)').run(spaceId, name);
  return findLog(db, spaceId, name) as LogRow;
}

/** Takes `count` numbers from the log's counter row, in the transaction of the data: commit order is number order. */
export function takeSeqs(db: Db, log: LogRow, count: number): number {
  const first = log.head + 1;
  log.head += count;
  db.sql('UPDATE log SET head = ? WHERE id = ?').run(log.head, log.id);
  return first;
}

/** Finds or makes a stream’s row. */
export function ensureStream(db: Db, logId: number, stream: StreamId): number {
  const found = db.sql('SELECT id FROM stream WHERE log = ? AND stream = ?').get(logId, stream);
  if (found) return Number(found.id);
  db.sql('INSERT INTO stream (log, stream) VALUES (?, ?)').run(logId, stream);
  return ensureStream(db, logId, stream);
}

/** Throws QUOTA where a page could no longer tell of every writer: a reader could not read the log any more. */
export function ensureWriter(db: Db, logId: number, streamId: number, writer: WriterId): WriterRow {
  const found = db.sql('SELECT id, n, hash FROM writer WHERE stream = ? AND writer = ?').get(streamId, writer);
  if (found) return { id: Number(found.id), n: Number(found.n), hash: found.hash as Uint8Array };
  const held = db
    .sql(
      'SELECT count(*) AS everybody, sum(w.writer = ?) AS mine FROM stream s JOIN writer w ON w.stream = s.id WHERE s.log = ?',
    )
    .get(writer, logId);
  if (Number(held?.everybody) >= MAX_PAGE_ITEMS || Number(held?.mine ?? 0) >= MAX_WRITER_STREAMS)
    throw new Refused('QUOTA');
  db.sql('INSERT INTO writer (stream, writer, n, hash) VALUES (?, ?, 0, zeroblob(32))').run(streamId, writer);
  return ensureWriter(db, logId, streamId, writer);
}
