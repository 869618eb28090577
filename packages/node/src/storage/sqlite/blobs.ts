/** Named values outside any space, in SQLite. */

import type { Db } from '@sluice/sqlite';
import type { BlobTable } from '../port.ts';
import type { CommitQueue } from './commit-queue.ts';
import { Refused } from './tables.ts';

/** Creates the table of small named values over a database. */
export function createBlobTable(db: Db, queue: CommitQueue): BlobTable {
  const get = (kind: string, name: string, nowMs: number): Uint8Array | undefined => {
    const row = db.sql('SELECT value, expires FROM blob WHERE kind = ? AND name = ?').get(kind, name);
    if (!row || (row.expires !== null && Number(row.expires) <= nowMs)) return undefined;
    return row.value as Uint8Array;
  };
  return {
    get,
    put: (kind, name, value, options) =>
      queue.add(() => {
        const verdict = options.mayReplace(get(kind, name, options.nowMs));
        if (verdict !== 'yes') throw new Refused(verdict);
        db.sql('INSERT OR REPLACE INTO blob (kind, name, value, expires) VALUES (?, ?, ?, ?)').run(
          kind,
          name,
          value,
          options.expiresMs ?? null,
        );
        db.sql('DELETE FROM blob WHERE expires IS NOT NULL AND expires <= ?').run(options.nowMs);
        return null;
      }),
    take: async (kind, name, nowMs) => {
      const taken = await queue.add(() => {
        const value = get(kind, name, nowMs);
        if (!value) throw new Refused('NOT_FOUND');
        db.sql('DELETE FROM blob WHERE kind = ? AND name = ?').run(kind, name);
        return value;
      });
      return taken.ok ? taken.value : undefined;
    },
  };
}
