/** The life of seals: kept whole while one of their entries lives, then only as a hash in a run of dead numbers (spec/seal.md). */

import type { Tag } from '@sluice/core/base';
import type { HeadRef } from '@sluice/core/wire';
import type { Db } from '@sluice/sqlite';

/** Removes a superseded head. It must carry the tag of the entry that supersedes it, or it stays. */
export function killEntry(db: Db, stream: number, tag: Tag, ref: HeadRef): void {
  const row = db
    .sql(
      'SELECT e.id, e.writer, e.log FROM entry e JOIN writer w ON w.id = e.writer WHERE e.stream = ? AND e.tag = ? AND e.n = ? AND w.writer = ?',
    )
    .get(stream, tag, ref.n, ref.writer);
  if (!row) return;
  db.sql('DELETE FROM entry WHERE id = ?').run(Number(row.id));
  const seal = db
    .sql('SELECT id, live FROM seal WHERE writer = ? AND first_n <= ? ORDER BY first_n DESC LIMIT 1')
    .get(Number(row.writer), ref.n);
  if (!seal) return;
  const live = Number(seal.live) - 1;
  db.sql('UPDATE seal SET live = ? WHERE id = ?').run(live, Number(seal.id));
  if (live === 0) bury(db, Number(seal.id), Number(row.writer));
}

/** Drops a dead seal's bytes and joins it with dead neighbours, so that a record edited for years costs one row. */
function bury(db: Db, id: number, writer: number): void {
  db.sql('UPDATE seal SET bytes = NULL, size = 0 WHERE id = ?').run(id);
  const row = db.sql('SELECT first_n, last_n, last_seq, hash FROM seal WHERE id = ?').get(id);
  if (!row) return;
  // A writer's seals follow each other, so that its neighbour is the one that begins before: by its end it would be looked for among all.
  const before = db
    .sql('SELECT id, first_n, last_n, live FROM seal WHERE writer = ? AND first_n < ? ORDER BY first_n DESC LIMIT 1')
    .get(writer, Number(row.first_n));
  if (before && before.live === 0 && Number(before.last_n) === Number(row.first_n) - 1) {
    db.sql('DELETE FROM seal WHERE id = ?').run(Number(before.id));
    db.sql('UPDATE seal SET first_n = ? WHERE id = ?').run(Number(before.first_n), id);
  }
  const after = db
    .sql('SELECT id FROM seal WHERE writer = ? AND first_n = ? AND live = 0')
    .get(writer, Number(row.last_n) + 1);
  if (after) {
    const first = db.sql('SELECT first_n FROM seal WHERE id = ?').get(id);
    db.sql('DELETE FROM seal WHERE id = ?').run(id);
    db.sql('UPDATE seal SET first_n = ? WHERE id = ?').run(Number(first?.first_n), Number(after.id));
  }
}
