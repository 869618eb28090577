import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Db, openDb, SqliteFailure } from '@sluice/sqlite';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createCommitQueue } from './commit-queue.ts';
import { Refused } from './tables.ts';

describe('the commit queue', () => {
  let directory: string;
  let db: Db;
  /** What became of each outermost transaction, in order. */
  let commits: string[];
  let inside = false;

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'sluice-queue-'));
    db = openDb(join(directory, 'node.db'));
    db.exec('CREATE TABLE t (n INTEGER)');
    commits = [];
  });
  afterEach(() => {
    db.close();
    rmSync(directory, { recursive: true, force: true });
  });

  /** The database with a tally of its outermost transactions: each of them waits for the disk once. */
  const counted = (): Db => ({
    ...db,
    transact: (body) => {
      if (inside) return db.transact(body);
      inside = true;
      try {
        const result = db.transact(body);
        commits.push('committed');
        return result;
      } catch (cause) {
        commits.push('rolled back');
        throw cause;
      } finally {
        inside = false;
      }
    },
  });
  const start = () => {
    const told: string[] = [];
    const hooks = { onCommitted: () => void told.push('committed'), onRolledBack: () => void told.push('rolled back') };
    return { queue: createCommitQueue(counted(), hooks), told };
  };
  const put = (n: number) => () => db.sql('INSERT INTO t (n) VALUES (?)').run(n);
  const rows = (): number[] =>
    db
      .sql('SELECT n FROM t ORDER BY n')
      .all()
      .map((row) => Number(row.n));

  it('[NODE-27] jobs of one turn wait for the disk once, and each has its own answer', async () => {
    const { queue, told } = start();
    const answers = await Promise.all([1, 2, 3].map((n) => queue.add(() => put(n)() + n)));
    expect(answers).toEqual([2, 3, 4].map((value) => ({ ok: true, value })));
    expect([commits, told, rows()]).toEqual([['committed'], ['committed'], [1, 2, 3]]);
  });

  it('[NODE-27] a group is bounded, and what is over goes into the next', async () => {
    const { queue } = start();
    await Promise.all(Array.from({ length: 65 }, (_, n) => queue.add(put(n))));
    expect([commits.length, rows().length]).toEqual([2, 65]);
  });

  it('[NODE-27] a refused job leaves nothing and takes none of the others along', async () => {
    const { queue } = start();
    const refused = () => {
      put(2)();
      throw new Refused('GAP');
    };
    const broken = () => {
      put(3)();
      throw new TypeError('a bug');
    };
    const [one, two, three, four] = await Promise.allSettled(
      [put(1), refused, broken, put(4)].map((job) => queue.add(job)),
    );
    expect([one, four]).toMatchObject([{ value: { ok: true } }, { value: { ok: true } }]);
    expect(two).toMatchObject({ value: { ok: false, code: 'GAP' } });
    expect(three).toMatchObject({ status: 'rejected', reason: { message: 'a bug' } });
    expect([commits, rows()]).toEqual([['committed'], [1, 4]]);
  });

  it('[NODE-27] [PUSH-8] when the disk is full nobody of the group is told that it is stored, and the next group is', async () => {
    const { queue, told } = start();
    const full = () => {
      throw new SqliteFailure('full');
    };
    const answers = await Promise.all([put(1), full, put(3)].map((job) => queue.add(job)));
    expect(answers).toEqual(answers.map(() => ({ ok: false, code: 'DISK_FULL' })));
    expect([commits, told, rows()]).toEqual([['rolled back'], ['rolled back'], []]);
    expect(await queue.add(put(4))).toMatchObject({ ok: true });
    expect(rows()).toEqual([4]);
  });

  it('drains before it is closed', async () => {
    const { queue } = start();
    void queue.add(put(1));
    void queue.add(put(2));
    await queue.drain();
    expect(rows()).toEqual([1, 2]);
    await queue.drain();
  });
});
