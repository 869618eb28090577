/**
 * The database port of a client store: SQLite in Node, and in a browser's worker. The caller owns the transaction boundaries. Whatever
 * opens it turns a full disk into the SluiceError STORE_FULL and a damaged file into STORE_CORRUPT.
 */

import { isStoreFull } from '../errors.ts';

type Value = null | number | bigint | string | Uint8Array;

/** A prepared statement. */
export type StoreStatement = {
  readonly run: (...params: readonly Value[]) => number;
  readonly insert: (...params: readonly Value[]) => number;
  readonly get: (...params: readonly Value[]) => Record<string, Value> | undefined;
  readonly all: (...params: readonly Value[]) => Record<string, Value>[];
};

/** The database under a client store; in Node it is SQLite. */
export type StoreDb = {
  readonly sql: (text: string) => StoreStatement;
  readonly exec: (text: string) => void;
  readonly transact: <T>(body: () => T) => T;
  /** Without waiting for the disk: only for what the node can give again. Never for own entries, whose numbers must not be lost. */
  readonly transactLazily: <T>(body: () => T) => T;
  /** Calls back after every rollback: what was remembered of the work that was undone must go. */
  readonly onRollback: (listener: () => void) => void;
  readonly close: () => void;
};

/** Tables of a client store. Everything that says something of a person is sealed; names of streams and tags are pseudonyms. */
export const CLIENT_TABLES = `
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS space (id INTEGER PRIMARY KEY, space BLOB NOT NULL, writer BLOB NOT NULL, UNIQUE (space, writer));
CREATE TABLE IF NOT EXISTS stream (id INTEGER PRIMARY KEY, space INTEGER NOT NULL, stream BLOB NOT NULL, n INTEGER NOT NULL DEFAULT 0,
  hash BLOB NOT NULL DEFAULT (zeroblob(32)), UNIQUE (space, stream));
CREATE TABLE IF NOT EXISTS cursor (space INTEGER NOT NULL, log TEXT NOT NULL, seq INTEGER NOT NULL, PRIMARY KEY (space, log));
CREATE TABLE IF NOT EXISTS pin (stream INTEGER NOT NULL, writer BLOB NOT NULL, n INTEGER NOT NULL, hash BLOB NOT NULL, PRIMARY KEY (stream, writer)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS entry (ls INTEGER PRIMARY KEY AUTOINCREMENT, stream INTEGER NOT NULL, tag BLOB NOT NULL, writer BLOB NOT NULL,
  n INTEGER NOT NULL, live INTEGER NOT NULL, header BLOB NOT NULL, body BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS entry_live ON entry (stream, tag) WHERE live = 1;
CREATE TABLE IF NOT EXISTS outbox (id INTEGER PRIMARY KEY AUTOINCREMENT, space INTEGER NOT NULL, stream INTEGER NOT NULL,
  first_ls INTEGER NOT NULL, last_ls INTEGER NOT NULL, last_n INTEGER NOT NULL, size INTEGER NOT NULL, seal BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS outbox_ls ON outbox (stream, first_ls);
CREATE TABLE IF NOT EXISTS drain (space INTEGER NOT NULL, tag BLOB NOT NULL, PRIMARY KEY (space, tag)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS ctl (id INTEGER PRIMARY KEY AUTOINCREMENT, space INTEGER NOT NULL, sent INTEGER NOT NULL, header BLOB NOT NULL, body BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS ctl_header ON ctl (space, header);
CREATE TABLE IF NOT EXISTS snapshot (stream INTEGER PRIMARY KEY, sealed BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS conflict (stream INTEGER NOT NULL, mark BLOB NOT NULL, tag BLOB NOT NULL, at INTEGER NOT NULL, sealed BLOB,
  PRIMARY KEY (stream, mark)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS conflict_tag ON conflict (stream, tag);
CREATE INDEX IF NOT EXISTS conflict_at ON conflict (stream, at) WHERE sealed IS NOT NULL;
CREATE INDEX IF NOT EXISTS conflict_wiped ON conflict (stream) WHERE sealed IS NULL;
CREATE TABLE IF NOT EXISTS sent (feed BLOB NOT NULL, tag BLOB NOT NULL, print BLOB NOT NULL, expires INTEGER, PRIMARY KEY (feed, tag)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS feed (id INTEGER PRIMARY KEY, stream BLOB NOT NULL UNIQUE, cursor INTEGER NOT NULL DEFAULT 0, state BLOB);
CREATE TABLE IF NOT EXISTS feed_row (feed INTEGER NOT NULL, tag BLOB NOT NULL, seq INTEGER NOT NULL, print BLOB NOT NULL, expires INTEGER,
  header BLOB NOT NULL, body BLOB, UNIQUE (feed, tag));
CREATE TABLE IF NOT EXISTS due (feed BLOB NOT NULL, tag BLOB NOT NULL, at INTEGER NOT NULL, PRIMARY KEY (feed, tag)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS due_at ON due (feed, at);
CREATE INDEX IF NOT EXISTS sent_expiry ON sent (feed, expires) WHERE expires IS NOT NULL;
CREATE INDEX IF NOT EXISTS feed_row_expiry ON feed_row (feed, expires) WHERE expires IS NOT NULL;
`;

/**
 * Runs a transaction whose deleted and replaced rows are overwritten in the file and not only given free, and folds the write-ahead log, in which
 * they may stand too (docs/decisions/0020). Not inside of another transaction.
 */
export function erase<T>(db: Pick<StoreDb, 'exec' | 'transact'>, body: () => T): T {
  db.exec('PRAGMA secure_delete = ON');
  try {
    const result = db.transact(body);
    fold(db);
    return result;
  } finally {
    db.exec('PRAGMA secure_delete = OFF');
  }
}

function fold(db: Pick<StoreDb, 'exec'>): void {
  try {
    db.exec('PRAGMA wal_checkpoint(TRUNCATE)');
  } catch (cause) {
    // The work itself is done. On a full disk the log stays, and is folded at the next close.
    if (!isStoreFull(cause)) throw cause;
  }
}

/** Reads a small named value. */
export function getMeta(db: StoreDb, key: string): Uint8Array | undefined {
  return db.sql('SELECT value FROM meta WHERE key = ?').get(key)?.value as Uint8Array | undefined;
}

/** Writes a small named value. */
export function setMeta(db: StoreDb, key: string, value: Uint8Array): void {
  db.sql('INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value').run(
    key,
    value,
  );
}

/** Removes every row of every table. */
export function clearStore(db: StoreDb): void {
  db.transact(() => {
    for (const [, table] of CLIENT_TABLES.matchAll(/CREATE TABLE IF NOT EXISTS (\w+)/g))
      db.exec(`DELETE FROM ${table}`);
  });
}
