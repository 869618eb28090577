/** The rows of one feed in the grantee's store: sealed on disk, opened on demand, summed up as they come and go. */

import type { Clock, JsonObject, Tag } from '@sluice/core/base';
import { createRunningDigest, type FeedRecord, type RunningDigest } from '@sluice/core/grant';
import type { StoreDb } from '../../store/store-db.ts';

/** What stays known of a row whose body is gone. */
export type RowSum = { readonly print: Uint8Array; readonly expiresMs: number | null };
/** The revealed records of one feed. */
export type FeedRows = {
  readonly sumOf: (tag: Tag) => RowSum | undefined;
  /** Puts a row in place of the one under its tag. `body` is null for a record that nobody can see any more. */
  readonly put: (tag: Tag, seq: number, sum: RowSum, header: Uint8Array, body: Uint8Array | null, id?: string) => void;
  readonly remove: (tag: Tag) => void;
  /** The id of the record under a tag, while its body is held. */
  readonly idOf: (tag: Tag) => string | undefined;
  /** Removes what had left its window by an instant: it no longer counts, on either side. Returns the ids of the records that were still held. */
  readonly removeExpired: (asOfMs: number) => readonly string[];
  /** What has left its window by an instant, and has its body still. */
  readonly due: (nowMs: number) => readonly { readonly tag: Tag; readonly expiresMs: number }[];
  /** Wipes the body of a record. */
  readonly wipe: (tag: Tag) => void;
  /** The instant after another at which the next record leaves its window. */
  readonly nextExpiry: (afterMs: number) => number | undefined;
  readonly digest: () => RunningDigest;
  readonly get: (id: string) => JsonObject | undefined;
  readonly visible: () => Iterable<JsonObject>;
  readonly count: () => number;
  /** Removes every row. Returns the ids of the records that were held. */
  readonly clear: () => readonly string[];
  /** Takes the rows of another set in place of its own. */
  readonly takeOver: (other: FeedRows) => void;
  /** Sums up anew what the table holds, after a rollback. */
  readonly reload: () => void;
  readonly row: number;
};

/** NOTE: replaced where it stands; a row deleted and inserted again dirties the pages of both places and of every index. */
const PUT_ROW = `INSERT INTO feed_row (feed, tag, seq, print, expires, header, body) VALUES (?, ?, ?, ?, ?, ?, ?)
  ON CONFLICT (feed, tag) DO UPDATE SET seq = excluded.seq, print = excluded.print, expires = excluded.expires,
  header = excluded.header, body = excluded.body`;

/** Opens the rows of a feed. `name` tells sets of rows apart; `open` gives the record in a sealed body. */
export function openFeedRows(
  db: StoreDb,
  name: Uint8Array,
  clock: Pick<Clock, 'nowMs'>,
  open: (header: Uint8Array, body: Uint8Array) => FeedRecord | undefined,
): FeedRows {
  const feed = ensureFeed(db, name);
  let digest = loadDigest(db, feed);
  /** Where a record lies, by its id: read from all rows when first asked, then kept up to date. */
  let tagsById: Map<string, Tag> | undefined;

  const sumOf = (tag: Tag): RowSum | undefined => {
    const row = db.sql('SELECT print, expires FROM feed_row WHERE feed = ? AND tag = ?').get(feed, tag);
    return row
      ? { print: row.print as Uint8Array, expiresMs: row.expires === null ? null : Number(row.expires) }
      : undefined;
  };
  const remove = (tag: Tag): void => {
    const old = sumOf(tag);
    if (!old) return;
    digest.remove(tag, old.print);
    db.sql('DELETE FROM feed_row WHERE feed = ? AND tag = ?').run(feed, tag);
  };
  /** What a row shows now; nothing once its window has passed. */
  const shown = (row: ReturnType<ReturnType<StoreDb['sql']>['all']>[number]): JsonObject | undefined => {
    if (row.expires !== null && Number(row.expires) <= clock.nowMs()) return undefined;
    return open(row.header as Uint8Array, row.body as Uint8Array)?.record;
  };
  const idIn = ({ header, body }: ReturnType<ReturnType<StoreDb['sql']>['all']>[number]): string | undefined =>
    body === null ? undefined : open(header as Uint8Array, body as Uint8Array)?.id;
  const withBody = 'feed = ? AND body IS NOT NULL';
  const findTag = (id: string): Tag | undefined => {
    if (!tagsById) {
      tagsById = new Map();
      for (const row of db.sql(`SELECT tag, header, body, expires FROM feed_row WHERE ${withBody}`).all(feed)) {
        const record = shown(row);
        if (record) tagsById.set(String(record._id), row.tag as Tag);
      }
    }
    return tagsById.get(id);
  };

  return {
    row: feed,
    sumOf,
    remove,
    put: (tag, seq, sum, header, body, id) => {
      const old = sumOf(tag);
      if (old) digest.remove(tag, old.print);
      digest.add(tag, sum.print);
      db.sql(PUT_ROW).run(feed, tag, seq, sum.print, sum.expiresMs, header, body);
      if (id !== undefined) tagsById?.set(id, tag);
    },
    idOf: (tag) => {
      const row = db.sql(`SELECT header, body FROM feed_row WHERE ${withBody} AND tag = ?`).get(feed, tag);
      return row && idIn(row);
    },
    removeExpired: (asOfMs) => {
      const due = db
        .sql('SELECT tag, header, body FROM feed_row WHERE feed = ? AND expires IS NOT NULL AND expires <= ?')
        .all(feed, asOfMs);
      for (const row of due) remove(row.tag as Tag);
      return due.flatMap((row) => idIn(row) ?? []);
    },
    due: (nowMs) =>
      db
        .sql(`SELECT tag, expires FROM feed_row WHERE ${withBody} AND expires <= ?`)
        .all(feed, nowMs)
        .map((row) => ({ tag: row.tag as Tag, expiresMs: Number(row.expires) })),
    wipe: (tag) => {
      db.sql('UPDATE feed_row SET body = NULL WHERE feed = ? AND tag = ?').run(feed, tag);
    },
    nextExpiry: (afterMs) => {
      const at = db
        .sql(`SELECT min(expires) AS at FROM feed_row WHERE ${withBody} AND expires > ?`)
        .get(feed, afterMs)?.at;
      return at === null || at === undefined ? undefined : Number(at);
    },
    digest: () => digest,
    get: (id) => {
      const tag = findTag(id);
      const row =
        tag && db.sql(`SELECT header, body, expires FROM feed_row WHERE ${withBody} AND tag = ?`).get(feed, tag);
      return row && shown(row);
    },
    visible: function* () {
      for (const row of db.sql(`SELECT header, body, expires FROM feed_row WHERE ${withBody} ORDER BY seq`).all(feed)) {
        const record = shown(row);
        if (record) yield record;
      }
    },
    count: () =>
      Number(
        db
          .sql(`SELECT count(*) AS n FROM feed_row WHERE ${withBody} AND (expires IS NULL OR expires > ?)`)
          .get(feed, clock.nowMs())?.n,
      ),
    clear: () => {
      const held = db.sql(`SELECT header, body FROM feed_row WHERE ${withBody} ORDER BY seq`).all(feed);
      const ids = held.flatMap((row) => idIn(row) ?? []);
      db.sql('DELETE FROM feed_row WHERE feed = ?').run(feed);
      digest = createRunningDigest();
      tagsById = undefined;
      return ids;
    },
    takeOver: (other) => {
      db.sql('DELETE FROM feed_row WHERE feed = ?').run(feed);
      db.sql('UPDATE feed_row SET feed = ? WHERE feed = ?').run(feed, other.row);
      digest = loadDigest(db, feed);
      tagsById = undefined;
      other.reload();
    },
    reload: () => {
      digest = loadDigest(db, feed);
      tagsById = undefined;
    },
  };
}

function ensureFeed(db: StoreDb, name: Uint8Array): number {
  db.sql('INSERT OR IGNORE INTO feed (stream) VALUES (?)').run(name);
  return Number(db.sql('SELECT id FROM feed WHERE stream = ?').get(name)?.id);
}

function loadDigest(db: StoreDb, feed: number): RunningDigest {
  const digest = createRunningDigest();
  for (const row of db.sql('SELECT tag, print FROM feed_row WHERE feed = ?').all(feed))
    digest.add(row.tag as Tag, row.print as Uint8Array);
  return digest;
}
