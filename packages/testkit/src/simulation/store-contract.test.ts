/** What any database under client and node must do: SQLite in a file, and the one that simulations run on. */

import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Db, openDb, SqliteFailure } from '@sluice/sqlite';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { crashDisk, createSimDisk, openSimStore, type SimDisk } from './sim-store.ts';

/** A database that can lose its power. */
type Bench = {
  readonly open: () => Db;
  /** The database as it is found after a power cut in which all that may be lost is lost. */
  readonly afterPowerCut: () => Db;
  readonly end: () => void;
};

function fileBench(): Bench {
  const directory = mkdtempSync(join(tmpdir(), 'sluice-db-'));
  const path = join(directory, 'store.db');
  return {
    open: () => openDb(path),
    afterPowerCut: () => {
      // What was not synced is at best in the log beside the file. What only reached the log may be lost.
      copyFileSync(path, join(directory, 'left.db'));
      return openDb(join(directory, 'left.db'));
    },
    end: () => rmSync(directory, { recursive: true, force: true }),
  };
}

function simBench(): Bench {
  const disk: SimDisk = createSimDisk();
  return {
    open: () => openSimStore(disk).db,
    afterPowerCut: () => {
      crashDisk(disk, disk.synced);
      return openSimStore(disk).db;
    },
    end: () => undefined,
  };
}

describe.each([
  ['SQLite in a file', fileBench],
  ['the store of simulations', simBench],
])('%s', (_name, createBench) => {
  let bench: Bench;
  let db: Db;
  beforeEach(() => {
    bench = createBench();
    db = bench.open();
    db.exec('CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER UNIQUE, b BLOB)');
  });
  afterEach(() => {
    db.close();
    bench.end();
  });
  const put = (n: number): number => db.sql('INSERT INTO t (n) VALUES (?)').run(n);
  const rowsOf = (from: Db): number[] =>
    from
      .sql('SELECT n FROM t ORDER BY id')
      .all()
      .map((row) => Number(row.n));

  it('runs, inserts, gets and lists with parameters of every kind', () => {
    const insert = db.sql('INSERT INTO t (n, b) VALUES (?, ?)');
    expect(insert.insert(7, Uint8Array.of(1, 2))).toBe(1);
    expect(insert.insert(8, null)).toBe(2);
    expect(db.sql('UPDATE t SET n = n + 10').run()).toBe(2);
    expect(db.sql('SELECT n, b FROM t WHERE id = ?').get(1)).toEqual({ n: 17, b: Uint8Array.of(1, 2) });
    expect(db.sql('SELECT n FROM t WHERE id = ?').get(9)).toBeUndefined();
    expect(rowsOf(db)).toEqual([17, 18]);
    expect(db.sql('SELECT n FROM t')).toBe(db.sql('SELECT n FROM t'));
  });

  it('a transaction is there whole or not at all, and says so to those who listen', () => {
    let undone = 0;
    db.onRollback(() => undone++);
    expect(db.transact(() => put(1) + put(2))).toBe(2);
    expect(() =>
      db.transact(() => {
        put(3);
        throw new Error('no');
      }),
    ).toThrow('no');
    expect([rowsOf(db), undone]).toEqual([[1, 2], 1]);
  });

  it('a part that fails inside leaves the rest', () => {
    db.transact(() => {
      put(1);
      expect(() =>
        db.transact(() => {
          put(2);
          throw new Error('no');
        }),
      ).toThrow('no');
      db.transact(() => put(3));
    });
    expect(rowsOf(db)).toEqual([1, 3]);
  });

  it('a statement that fails is a failure of the database and undoes the transaction around it', () => {
    put(1);
    expect(() =>
      db.transact(() => {
        put(2);
        put(1);
      }),
    ).toThrow(SqliteFailure);
    expect(rowsOf(db)).toEqual([1]);
  });

  it('what was closed is there when it is opened again', () => {
    db.transact(() => put(1));
    db.transactLazily(() => put(2));
    put(3);
    db.close();
    db = bench.open();
    expect(rowsOf(db)).toEqual([1, 2, 3]);
    expect(db.sql('INSERT INTO t (n) VALUES (4)').insert()).toBe(4);
  });

  it('is full at its limit, and goes on with what it has', () => {
    db.limitPages(6);
    const fill = (): void => {
      for (let i = 0; i < 100; i++) db.sql('INSERT INTO t (b) VALUES (zeroblob(2000))').run();
    };
    expect(() => db.transact(fill)).toThrow(expect.objectContaining({ code: 'full' }));
    expect(rowsOf(db)).toEqual([]);
    expect(put(1)).toBe(1);
  });
});

describe('what a power cut leaves', () => {
  it('in a simulation: all that was synced and all before it, and of the rest a beginning', () => {
    const disk = createSimDisk();
    const { db } = openSimStore(disk);
    db.exec('CREATE TABLE t (n INTEGER)');
    const put = (n: number) => db.sql('INSERT INTO t (n) VALUES (?)').run(n);
    db.transactLazily(() => put(1));
    db.transact(() => put(2));
    db.transactLazily(() => put(3));
    db.transactLazily(() => put(4));
    expect([disk.synced, disk.commits.length]).toEqual([3, 5]);
    expect(() => crashDisk(disk, 2)).toThrow(RangeError);
    crashDisk(disk, 4);
    const rows = openSimStore(disk).db.sql('SELECT n FROM t').all();
    expect(rows.map((row) => row.n)).toEqual([1, 2, 3]);
  });

  it('a process that is gone writes nothing any more, and notices nothing of it', () => {
    const disk = createSimDisk();
    const store = openSimStore(disk);
    store.db.exec('CREATE TABLE t (n INTEGER)');
    store.detach();
    store.db.transact(() => store.db.sql('INSERT INTO t (n) VALUES (1)').run());
    expect(store.db.sql('SELECT n FROM t').all()).toEqual([{ n: 1 }]);
    expect(openSimStore(disk).db.sql('SELECT n FROM t').all()).toEqual([]);
  });

  it.each([
    ['SQLite in a file', fileBench],
    ['the store of simulations', simBench],
  ])('%s: what must last lasts, also inside of what need not', (_name, createBench) => {
    const bench = createBench();
    const db = bench.open();
    db.exec('CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER)');
    const put = (n: number) => db.sql('INSERT INTO t (n) VALUES (?)').run(n);
    db.transactLazily(() => {
      put(1);
      db.transact(() => put(2));
    });
    db.transactLazily(() => put(3));
    const left = bench.afterPowerCut();
    expect(left.sql('SELECT n FROM t').all()).toEqual([{ n: 1 }, { n: 2 }]);
    left.close();
    db.close();
    bench.end();
  });
});
