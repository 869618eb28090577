/** What a call reads does not grow with what others keep at the node: neither rows that are walked over nor bodies that are not served. */

import { systemRandom, type SpaceId, type StreamId, type Tag, type WriterId } from '@sluice/core/base';
import { sha256 } from '@sluice/core/crypto';
import { ENTRY_KIND } from '@sluice/core/wire';
import { type Db, openDb } from '@sluice/sqlite';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createBlobTable } from './blobs.ts';
import { createCommitQueue } from './commit-queue.ts';
import { depositAll, drainInbox, INBOX_QUOTA } from './inbox.ts';
import { readPage } from './read-page.ts';
import { killEntry } from './seals.ts';
import { TABLES } from './tables.ts';

const NOW = 1_800_000_000_000;
const space = systemRandom(32) as SpaceId;

describe('the tables of a node', () => {
  let db: Db;
  /** The statements that ran, and the bytes of the bodies they gave. */
  let texts: Set<string>;
  let bodyBytes = 0;
  let watched: Db;
  beforeEach(() => {
    db = openDb(':memory:');
    db.exec(TABLES);
    db.sql('INSERT INTO space (space, genesis) VALUES (?, ?)').run(space, new Uint8Array(1));
    texts = new Set();
    bodyBytes = 0;
    watched = {
      ...db,
      sql: (text) => {
        texts.add(text);
        const statement = db.sql(text);
        return {
          ...statement,
          all: (...params) => {
            const rows = statement.all(...params);
            for (const { body } of rows) if (body instanceof Uint8Array) bodyBytes += body.length;
            return rows;
          },
        };
      },
    };
  });
  afterEach(() => db.close());

  const plans = (): string[] =>
    [...texts].flatMap((text) =>
      db
        .sql(`EXPLAIN QUERY PLAN ${text}`)
        .all(...Array.from(text.matchAll(/\?/g), () => null))
        .map((row) => String(row.detail)),
    );

  it('of blobs, finds those whose time has passed without a look at the others', async () => {
    const queue = createCommitQueue(db, { onCommitted: () => undefined, onRolledBack: () => undefined });
    const blobs = createBlobTable(watched, queue);
    await blobs.put('drop', 'a', new Uint8Array(3), { nowMs: NOW, expiresMs: NOW + 1, mayReplace: () => 'yes' });
    expect(plans().filter((plan) => plan.startsWith('SCAN'))).toEqual([]);
    await blobs.put('drop', 'b', new Uint8Array(3), { nowMs: NOW + 1, expiresMs: NOW + 9, mayReplace: () => 'yes' });
    expect(db.sql('SELECT name FROM blob').all()).toEqual([{ name: 'b' }]);
  });

  it('of drained messages, forgets the old without a look at the others', () => {
    depositAll(db, space, [new Uint8Array(10)], NOW, INBOX_QUOTA);
    drainInbox(watched, 1, { type: 'drain', tags: [systemRandom(16) as Tag] }, NOW);
    const log = 'SEARCH drained USING PRIMARY KEY (log=?)';
    expect(plans().filter((plan) => plan.startsWith('SCAN') || plan === log)).toEqual([]);
  });

  it('of seals, finds a dead neighbour without a look at the others of its writer', () => {
    const [writer, tag] = [systemRandom(16) as WriterId, systemRandom(16) as Tag];
    db.sql("INSERT INTO log (space, name) VALUES (1, x'01')").run();
    db.sql('INSERT INTO stream (log, stream) VALUES (1, ?)').run(systemRandom(16) as StreamId);
    db.sql('INSERT INTO writer (stream, writer, n, hash) VALUES (1, ?, 4, zeroblob(32))').run(writer);
    const add = (n: number): void => {
      db.sql(
        "INSERT INTO entry (log, seq, stream, writer, n, tag, header, body) VALUES (1, ?, 1, 1, ?, ?, x'00', x'00')",
      ).run(n, n, tag);
      db.sql(
        "INSERT INTO seal (log, writer, first_n, last_n, last_seq, live, size, hash, bytes) VALUES (1, 1, ?, ?, ?, 1, 1, x'00', x'00')",
      ).run(n, n, n);
    };
    for (const n of [1, 2, 3, 4]) add(n);
    for (const n of [1, 3, 2]) killEntry(watched, 1, tag, { writer, n });
    expect(db.sql('SELECT first_n, last_n, live FROM seal ORDER BY first_n').all()).toEqual([
      { first_n: 1, last_n: 3, live: 0 },
      { first_n: 4, last_n: 4, live: 1 },
    ]);
    expect(
      plans().filter((plan) => plan.startsWith('SCAN') || /seal USING INDEX \w+ \(writer=\?\)$/.test(plan)),
    ).toEqual([]);
  });

  it('of an inbox, reads no more bodies than a page holds', () => {
    const size = 256 * 1024;
    const messages = Array.from({ length: 20 }, () => systemRandom(size));
    depositAll(db, space, messages, NOW, INBOX_QUOTA);
    const except = systemRandom(16) as WriterId;
    const served: (Uint8Array | null)[] = [];
    let after = 0;
    for (;;) {
      const page = readPage(watched, { space, log: { type: 'inbox' }, after, except, whole: false, nowMs: NOW });
      served.push(...page.entries.map(({ body }) => body));
      after = page.cursor;
      if (!page.more) break;
    }
    expect(served.map((body) => body && sha256(body).join())).toEqual(messages.map((body) => sha256(body).join()));
    expect(bodyBytes).toBe(messages.length * size);
  });

  it('of a feed, reads no body whose time has passed', () => {
    db.sql("INSERT INTO log (space, name, head) VALUES (1, x'04', 2)").run();
    const stream = new Uint8Array(16).fill(4) as StreamId;
    db.sql('UPDATE log SET name = ?').run(stream);
    db.sql('INSERT INTO stream (log, stream) VALUES (1, ?)').run(stream);
    for (const [seq, expires] of [
      [1, NOW],
      [2, NOW + 1],
    ] as const)
      db.sql(
        `INSERT INTO entry (log, seq, stream, n, tag, expires, header, body) VALUES (1, ?, 1, 0, x'0${ENTRY_KIND.PUT}', ?, x'00', zeroblob(9))`,
      ).run(seq, expires);
    const except = systemRandom(16) as WriterId;
    const page = readPage(watched, {
      space,
      log: { type: 'stream', stream },
      after: 0,
      except,
      whole: false,
      nowMs: NOW,
    });
    expect(page.entries.map(({ seq, body }) => [seq, body?.length])).toEqual([
      [1, undefined],
      [2, 9],
    ]);
    expect([page.more, page.cursor, bodyBytes]).toEqual([false, 2, 9]);
  });
});
