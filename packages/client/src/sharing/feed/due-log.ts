/** Records that will come into a grant's filter by time alone, as the agent remembers them: by pseudonym and instant. */

import type { StreamId, Tag } from '@sluice/core/base';
import type { StoreDb } from '../../store/store-db.ts';

/** When which record has to be looked at again. */
export type DueLog = {
  /** Notes when a record comes in; undefined when it never does. Call inside a transaction. */
  readonly note: (tag: Tag, atMs: number | undefined) => void;
  /** Up to `limit` records whose instant has come. */
  readonly due: (nowMs: number, limit: number) => Tag[];
  /** The next instant; undefined when there is none. */
  readonly soonest: () => number | undefined;
  /** Forgets all of it. */
  readonly clear: () => void;
  readonly reload: () => void;
};

/** Opens the log of one feed. */
export function openDueLog(db: StoreDb, feed: StreamId): DueLog {
  /** The next instant, or infinity; undefined when it has to be looked up. */
  let soonestMs: number | undefined;
  const soonest = (): number => {
    if (soonestMs !== undefined) return soonestMs;
    const at = db.sql('SELECT min(at) AS at FROM due WHERE feed = ?').get(feed)?.at;
    soonestMs = at === null || at === undefined ? Number.POSITIVE_INFINITY : Number(at);
    return soonestMs;
  };
  return {
    note: (tag, atMs) => {
      if (atMs === undefined) {
        // Most filters know no time, and then there is nothing to forget either.
        if (soonest() === Number.POSITIVE_INFINITY) return;
        db.sql('DELETE FROM due WHERE feed = ? AND tag = ?').run(feed, tag);
        soonestMs = undefined;
        return;
      }
      db.sql(
        'INSERT INTO due (feed, tag, at) VALUES (?, ?, ?) ON CONFLICT (feed, tag) DO UPDATE SET at = excluded.at',
      ).run(feed, tag, atMs);
      soonestMs = undefined;
    },
    due: (nowMs, limit) =>
      soonest() > nowMs
        ? []
        : db
            .sql('SELECT tag FROM due WHERE feed = ? AND at <= ? ORDER BY at LIMIT ?')
            .all(feed, nowMs, limit)
            .map((row) => row.tag as Tag),
    soonest: () => (soonest() === Number.POSITIVE_INFINITY ? undefined : soonest()),
    clear: () => {
      db.sql('DELETE FROM due WHERE feed = ?').run(feed);
      soonestMs = undefined;
    },
    reload: () => {
      soonestMs = undefined;
    },
  };
}
