/** Disks that fill up: the page limit of a client's store, and what tests put into it. */

import type { Account, Database } from '@sluice/client';
import type { JsonObject } from '@sluice/core/base';

/** No page may be added from now on. */
export const fillDisk = (account: Account): void => account.open.store.db.exec('PRAGMA max_page_count = 1');

/** There is space again. */
export const freeDisk = (account: Account): void => account.open.store.db.exec('PRAGMA max_page_count = 1000000');

/** Room for so many more pages. */
export function leavePages(account: Account, pages: number): void {
  const used = Number(account.open.store.db.sql('PRAGMA page_count').get()?.page_count);
  account.open.store.db.exec(`PRAGMA max_page_count = ${used + pages}`);
}

export const note = (id: string, bytes = 4000): JsonObject => ({ _id: id, text: id.padEnd(bytes, '.') });

/** Saves until a save is refused. Returns the ids of those that resolved, and the refusal. */
export async function saveUntilFull(
  notes: Database,
  name: string,
  bytes?: number,
): Promise<{ readonly saved: readonly string[]; readonly cause: unknown }> {
  const saved: string[] = [];
  for (let i = 0; i < 2000; i++) {
    try {
      saved.push((await notes.save(note(`${name}-${i}`, bytes))).id);
    } catch (cause) {
      return { saved, cause };
    }
  }
  throw new Error('the disk did not fill up');
}

/** The ids of all notes, sorted. */
export const idsOf = async (notes: Database): Promise<readonly string[]> =>
  (await notes.getMany({}, { limit: 100_000 })).map((r) => String(r._id)).sort();
