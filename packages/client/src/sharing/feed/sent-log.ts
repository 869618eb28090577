/** What one grantee was sent, as the agent remembers it: fingerprints by pseudonym, and their sum. Must not know filters or seals. */

import type { StreamId, Tag } from '@sluice/core/base';
import { createRunningDigest, type Memo, type RunningDigest } from '@sluice/core/grant';
import type { StoreDb } from '../../store/store-db.ts';

/** A record that was revealed, by pseudonym and fingerprint. */
export type SentPut = { readonly tag: Tag; readonly memo: Memo };

/** What one grantee holds, as far as the agent knows. */
export type SentLog = {
  readonly memoOf: (tag: Tag) => Memo | undefined;
  /**
   * Notes what was sent, and what was taken back or whose window passed; what is in both has come back after that, and is held. Call inside a
   * transaction; when that fails, `reload`.
   */
  readonly note: (puts: readonly SentPut[], gone: readonly Tag[]) => void;
  /** Count and digest as they will be when the changes are noted. */
  readonly sumAfter: (
    puts: readonly SentPut[],
    gone: readonly Tag[],
  ) => { readonly count: number; readonly digest: Uint8Array };
  /** Every pseudonym whose window has passed: the next checkpoint counts none of them, nor does its reader. */
  readonly expired: (nowMs: number) => Tag[];
  /** Sums up anew what the table holds. */
  readonly reload: () => void;
};

/** Opens the log of one feed. */
export function openSentLog(db: StoreDb, feed: StreamId): SentLog {
  let digest = loadDigest(db, feed);
  /** No window passes before this instant; undefined when it has to be looked up. */
  let soonestMs: number | undefined;

  const memoOf = (tag: Tag): Memo | undefined => {
    const row = db.sql('SELECT print, expires FROM sent WHERE feed = ? AND tag = ?').get(feed, tag);
    return row
      ? { print: row.print as Uint8Array, expiresMs: row.expires === null ? null : Number(row.expires) }
      : undefined;
  };
  const findSoonest = (): number => {
    const at = db.sql('SELECT min(expires) AS at FROM sent WHERE feed = ? AND expires IS NOT NULL').get(feed)?.at;
    return at === null || at === undefined ? Number.POSITIVE_INFINITY : Number(at);
  };

  return {
    memoOf,
    note: (puts, gone) => {
      const forget = (tag: Tag): void => {
        const old = memoOf(tag);
        if (old) digest.remove(tag, old.print);
      };
      for (const tag of gone) {
        forget(tag);
        db.sql('DELETE FROM sent WHERE feed = ? AND tag = ?').run(feed, tag);
      }
      for (const { tag, memo } of puts) {
        forget(tag);
        digest.add(tag, memo.print);
        db.sql(
          'INSERT INTO sent (feed, tag, print, expires) VALUES (?, ?, ?, ?) ON CONFLICT (feed, tag) DO UPDATE SET print = excluded.print, expires = excluded.expires',
        ).run(feed, tag, memo.print, memo.expiresMs);
        if (soonestMs !== undefined && memo.expiresMs !== null) soonestMs = Math.min(soonestMs, memo.expiresMs);
      }
    },
    sumAfter: (puts, gone) => {
      const after = digest.copy();
      const dropped = new Map<string, Tag>();
      for (const tag of [...puts.map((p) => p.tag), ...gone]) dropped.set(tag.join(), tag);
      for (const tag of dropped.values()) {
        const old = memoOf(tag);
        if (old) after.remove(tag, old.print);
      }
      for (const { tag, memo } of puts) after.add(tag, memo.print);
      return { count: after.count(), digest: after.value() };
    },
    expired: (nowMs) => {
      soonestMs ??= findSoonest();
      if (soonestMs > nowMs) return [];
      soonestMs = undefined;
      return db
        .sql('SELECT tag FROM sent WHERE feed = ? AND expires IS NOT NULL AND expires <= ?')
        .all(feed, nowMs)
        .map((row) => row.tag as Tag);
    },
    reload: () => {
      digest = loadDigest(db, feed);
      soonestMs = undefined;
    },
  };
}

function loadDigest(db: StoreDb, feed: StreamId): RunningDigest {
  const digest = createRunningDigest();
  for (const row of db.sql('SELECT tag, print FROM sent WHERE feed = ?').all(feed))
    digest.add(row.tag as Tag, row.print as Uint8Array);
  return digest;
}
