/** Pages of a log: the one scan behind pull and live (spec/pull.md). A page never splits a seal. */

import { equalBytes, type StreamId, type WriterId } from '@sluice/core/base';
import {
  type DeadRange,
  type Hole,
  type LogName,
  MAX_BATCH_ENTRIES,
  MAX_PAGE_ITEMS,
  type Page,
  PAGE_BYTES,
  type PageEntry,
  STREAM_KIND,
  type VectorItem,
} from '@sluice/core/wire';
import type { Db } from '@sluice/sqlite';
import type { PageQuery } from '../port.ts';
import { findLog, kindName, type LogRow, spaceRowId } from './tables.ts';

const MAX_SEALS = 256;

/** A log’s name in the table. */
export const logTableName = (log: LogName): Uint8Array =>
  log.type === 'stream' ? log.stream : kindName(STREAM_KIND[log.type]);

/** Reads the page after a cursor. An unknown space or log reads as empty: access was decided before. */
export function readPage(db: Db, query: PageQuery): Page {
  const space = spaceRowId(db, query.space);
  const log = space === undefined ? undefined : findLog(db, space, logTableName(query.log));
  const empty = { entries: [], seals: [], dead: [], holes: [], vector: [], nowMs: query.nowMs };
  if (!log) return { ...empty, cursor: 0, head: 0, more: false, whole: query.whole };
  const sealed = query.log.type === 'own' || (query.log.type === 'stream' && query.log.stream[0] === STREAM_KIND.lane);
  return sealed ? readSealed(db, log, query) : { ...empty, ...readPlain(db, log, query) };
}

/** ctl, inbox and feed logs: entries alone, by number. Expired feed entries keep their header only. */
function readPlain(
  db: Db,
  log: LogRow,
  query: PageQuery,
): Pick<Page, 'cursor' | 'head' | 'more' | 'whole' | 'entries'> {
  const { upTo, more } = plainRange(db, log, query);
  const entries = db
    .sql(
      `SELECT e.seq, s.stream, e.header, ${SERVED} AS body, e.memo FROM entry e JOIN stream s ON s.id = e.stream
       WHERE e.log = ? AND e.seq > ? AND e.seq <= ? ORDER BY e.seq`,
    )
    .all(query.nowMs, log.id, query.after, upTo)
    .map(
      (row): PageEntry => ({
        seq: Number(row.seq),
        stream: row.stream as StreamId,
        header: row.header as Uint8Array,
        body: row.body as Uint8Array | null,
        memo: row.memo as Uint8Array | null,
      }),
    );
  const cursor = more ? (entries.at(-1)?.seq ?? query.after) : Math.max(log.head, query.after);
  return { cursor, head: log.head, more, whole: !more && query.whole, entries };
}

/** The body of an entry that has not expired at the instant of the first parameter. */
const SERVED = 'CASE WHEN e.expires <= ? THEN NULL ELSE e.body END';

/** How far the next page goes, by the sizes of bodies alone: read with all that may come, a page of large ones would take hundreds of MB. */
function plainRange(db: Db, log: LogRow, query: PageQuery): { readonly upTo: number; readonly more: boolean } {
  const rows = db
    .sql(`SELECT e.seq, length(${SERVED}) AS size FROM entry e WHERE e.log = ? AND e.seq > ? ORDER BY e.seq LIMIT ?`)
    .all(query.nowMs, log.id, query.after, MAX_BATCH_ENTRIES + 1);
  let upTo = query.after;
  let size = 0;
  for (const [i, row] of rows.entries()) {
    size += Number(row.size);
    if (i === MAX_BATCH_ENTRIES || (i > 0 && size > PAGE_BYTES)) return { upTo, more: true };
    upTo = Number(row.seq);
  }
  return { upTo, more: false };
}

type SealRow = {
  readonly writerId: number;
  readonly writer: WriterId;
  readonly stream: StreamId;
  readonly firstN: number;
  readonly lastN: number;
  readonly lastSeq: number;
  readonly live: number;
  readonly hash: Uint8Array;
  readonly bytes: Uint8Array | null;
};

function readSealed(db: Db, log: LogRow, query: PageQuery): Page {
  const { rows, more } = nextSeals(db, log, query.after);
  const cursor = more ? (rows.at(-1)?.lastSeq ?? query.after) : Math.max(log.head, query.after);
  const wanted = rows.filter((row) => !equalBytes(row.writer, query.except));
  const liveRows = wanted.filter((row) => row.bytes !== null);
  const { entries, holes } = readEntries(db, log, query.after, cursor, liveRows);
  const dead: DeadRange[] = wanted.flatMap((r) =>
    r.bytes ? [] : [{ stream: r.stream, writer: r.writer, firstN: r.firstN, lastN: r.lastN, hash: r.hash }],
  );
  const whole = !more && query.whole;
  return {
    cursor,
    head: log.head,
    more,
    nowMs: query.nowMs,
    entries,
    seals: liveRows.flatMap((row) => (row.bytes ? [row.bytes] : [])),
    dead,
    holes,
    whole,
    vector: whole ? readVector(db, log.id) : [],
  };
}

function nextSeals(db: Db, log: LogRow, after: number): { readonly rows: readonly SealRow[]; readonly more: boolean } {
  const all = db
    .sql(
      `SELECT l.first_n, l.last_n, l.last_seq, l.live, l.size, l.hash, l.bytes, w.id AS writer_id, w.writer, s.stream
       FROM seal l JOIN writer w ON w.id = l.writer JOIN stream s ON s.id = w.stream
       WHERE l.log = ? AND l.last_seq > ? ORDER BY l.last_seq LIMIT ?`,
    )
    .all(log.id, after, MAX_SEALS + 1);
  const rows: SealRow[] = [];
  let count = 0;
  let size = 0;
  let holes = 0;
  for (const row of all.slice(0, MAX_SEALS)) {
    count += Number(row.live);
    size += Number(row.size);
    if (row.bytes !== null) holes += Number(row.last_n) - Number(row.first_n) + 1 - Number(row.live);
    if (rows.length > 0 && (count > MAX_BATCH_ENTRIES || size > PAGE_BYTES || holes > MAX_PAGE_ITEMS)) break;
    rows.push({
      writerId: Number(row.writer_id),
      writer: row.writer as WriterId,
      stream: row.stream as StreamId,
      firstN: Number(row.first_n),
      lastN: Number(row.last_n),
      lastSeq: Number(row.last_seq),
      live: Number(row.live),
      hash: row.hash as Uint8Array,
      bytes: row.bytes as Uint8Array | null,
    });
  }
  return { rows, more: rows.length < all.length };
}

function readEntries(
  db: Db,
  log: LogRow,
  after: number,
  upTo: number,
  seals: readonly SealRow[],
): { entries: PageEntry[]; holes: Hole[] } {
  if (seals.length === 0) return { entries: [], holes: [] };
  const byWriter = new Map<number, SealRow>(seals.map((row) => [row.writerId, row]));
  const present = new Map<SealRow, Set<number>>();
  const entries: PageEntry[] = [];
  const rows = db
    .sql('SELECT seq, writer, n, header, body FROM entry WHERE log = ? AND seq > ? AND seq <= ? ORDER BY seq')
    .all(log.id, after, upTo);
  for (const row of rows) {
    const writer = byWriter.get(Number(row.writer));
    if (!writer) continue;
    entries.push({
      seq: Number(row.seq),
      stream: writer.stream,
      header: row.header as Uint8Array,
      body: row.body as Uint8Array,
      memo: null,
    });
  }
  for (const seal of seals) if (seal.live < seal.lastN - seal.firstN + 1) present.set(seal, new Set());
  if (present.size === 0) return { entries, holes: [] };
  for (const row of rows) {
    for (const [seal, numbers] of present) {
      const n = Number(row.n);
      if (seal.writerId === Number(row.writer) && n >= seal.firstN && n <= seal.lastN) numbers.add(n);
    }
  }
  const holes: Hole[] = [];
  for (const [seal, numbers] of present) {
    for (let n = seal.firstN; n <= seal.lastN; n++)
      if (!numbers.has(n)) holes.push({ stream: seal.stream, writer: seal.writer, n });
  }
  return { entries, holes };
}

function readVector(db: Db, logId: number): VectorItem[] {
  return db
    .sql('SELECT s.stream, w.writer, w.n, w.hash FROM writer w JOIN stream s ON s.id = w.stream WHERE s.log = ?')
    .all(logId)
    .map((row) => ({
      stream: row.stream as StreamId,
      writer: row.writer as WriterId,
      n: Number(row.n),
      hash: row.hash as Uint8Array,
    }));
}
