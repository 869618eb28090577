import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Tag } from '@sluice/core/base';
import { recordTag, toAeadKey, toStreamTagKey } from '@sluice/core/crypto';
import type { Loser } from '@sluice/core/record';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openNodeStore } from '../node/node-store.ts';
import { type ConflictJournal, type LostValue, openConflictJournal } from './conflict-journal.ts';
import { CLIENT_TABLES, type StoreDb } from './store-db.ts';

const DAY = 86_400_000;
const WRITER = 'b'.repeat(32);
const STREAM = 1;
const tagKey = toStreamTagKey(new Uint8Array(32).fill(1));
const tag: Tag = recordTag(tagKey, 'r');
const loser = (ms: number, field = 'title'): Loser => ({
  field,
  value: `written ${ms}`,
  stamp: { ms, counter: 0, writer: WRITER },
});

describe('the conflict journal', () => {
  let directory: string;
  let db: StoreDb;
  let nowMs: number;
  let journal: ConflictJournal;
  const open = (): ConflictJournal => {
    let byte = 0;
    return openConflictJournal({
      db,
      rowOf: () => STREAM,
      key: toAeadKey(new Uint8Array(32).fill(2)),
      tagKey,
      clock: { nowMs: () => nowMs },
      random: (length) => new Uint8Array(length).fill(byte++),
    });
  };
  /** So many heads of the record in the replica. */
  const setHeads = (count: number): void => {
    db.sql('DELETE FROM entry').run();
    for (let n = 1; n <= count; n++)
      db.sql("INSERT INTO entry (stream, tag, writer, n, live, header, body) VALUES (?, ?, x'00', ?, 1, x'', x'')").run(
        STREAM,
        tag,
        n,
      );
  };
  const values = (): unknown[] => journal.list().map(({ lost }) => lost);

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'sluice-journal-'));
    db = openNodeStore(directory).db;
    db.exec(CLIENT_TABLES);
    nowMs = 100 * DAY;
    setHeads(2);
    journal = open();
  });
  afterEach(() => {
    db.close();
    rmSync(directory, { recursive: true });
  });

  it('[DS-14] keeps what lost with its field, writer and time, also for whoever opens it again', () => {
    journal.note(tag, 'r', [loser(5), { ...loser(7, 'gone'), value: undefined }]);
    const expected = [
      { id: 'r', field: 'title', lost: 'written 5', writer: WRITER, writtenMs: 5, lostMs: nowMs },
      { id: 'r', field: 'gone', lost: undefined, writer: WRITER, writtenMs: 7, lostMs: nowMs },
    ];
    expect(journal.list()).toMatchObject(expected);
    journal = open();
    expect(journal.list('r')).toMatchObject(expected);
    expect(journal.list('other')).toEqual([]);
  });

  it('[DS-14] keeps the last three of a field, in whatever order they are reported', () => {
    for (const ms of [4, 1, 5, 2, 3]) journal.note(tag, 'r', [loser(ms)]);
    journal.note(tag, 'r', [loser(1, 'other')]);
    expect(values().sort()).toEqual(['written 1', 'written 3', 'written 4', 'written 5']);
    expect(db.sql('SELECT count(*) AS n FROM conflict WHERE sealed IS NOT NULL').get()?.n).toBe(4);
  });

  it('[DS-15] a loser that is reported again is not written down again: not one that is there, settled, too old or one too many', async () => {
    const told: LostValue[] = [];
    journal.onLoser((lost) => told.push(lost));
    const all = [1, 2, 3, 4].map((ms) => loser(ms));
    journal.note(tag, 'r', all);
    await Promise.resolve();
    const [first] = journal.list();
    expect([journal.settle(String(first?.key)), journal.settle(String(first?.key))]).toEqual([true, false]);
    const left = values();
    expect(left).toHaveLength(2);
    nowMs += DAY;
    journal = open();
    journal.note(tag, 'r', all);
    expect(values()).toEqual(left);
    nowMs += 30 * DAY;
    journal.note(tag, 'r', all);
    expect(values()).toEqual([]);
    expect(db.sql('SELECT count(*) AS n FROM conflict WHERE sealed IS NOT NULL').get()?.n).toBe(0);
    expect(told.map(({ lost }) => lost).sort()).toEqual(['written 1', 'written 2', 'written 3', 'written 4']);
  });

  it('[DS-15] what is settled leaves no row once the record has one head', () => {
    journal.note(tag, 'r', [loser(1)]);
    journal.settle(String(journal.list()[0]?.key));
    setHeads(1);
    journal.note(recordTag(tagKey, 's'), 's', [loser(2)]);
    expect(db.sql('SELECT count(*) AS n FROM conflict').get()?.n).toBe(1);
    expect(values()).toEqual(['written 2']);
  });

  it('[DS-14] what is noted in a transaction that is undone is neither kept nor told', async () => {
    const told: LostValue[] = [];
    journal.onLoser((lost) => told.push(lost));
    const undone = (): void => {
      journal.note(tag, 'r', [loser(1)]);
      throw new Error('undone');
    };
    expect(() => db.transact(undone)).toThrow('undone');
    await Promise.resolve();
    expect([journal.list(), told]).toEqual([[], []]);
  });

  it('[DS-14] forgets what is old without a look at the rest: of thousands that meet at once, each is noted by itself', () => {
    const texts = new Set<string>();
    const { sql } = db;
    Object.assign(db, { sql: (text: string) => sql(texts.add(text) && text) });
    journal.note(tag, 'r', [loser(1)]);
    const plans = [...texts]
      .filter((text) => /^(UPDATE|DELETE)/.test(text))
      .flatMap((text) =>
        sql(`EXPLAIN QUERY PLAN ${text}`)
          .all(...Array.from(text.matchAll(/\?/g), () => null))
          .map(({ detail }) => String(detail))
          .filter((detail) => / conflict /.test(detail)),
      );
    expect(plans).toEqual([
      expect.stringContaining('conflict_at (stream=? AND at<?)'),
      expect.stringContaining('conflict_wiped (stream=?'),
    ]);
  });

  it('[DS-14] a value under another name, or changed bytes, are nothing', () => {
    journal.note(tag, 'r', [loser(1), loser(2, 'other')]);
    db.sql('UPDATE conflict SET sealed = (SELECT max(sealed) FROM conflict)').run();
    expect(journal.list()).toHaveLength(1);
    expect(journal.settle('not a key')).toBe(false);
  });
});
