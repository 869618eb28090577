/**
 * The local replica of one space: the very entries that were pushed or pulled, still sealed, plus cursors, pins and the outbox.
 * Must not know what is inside an entry. Every method is one local transaction or part of the caller's.
 */

import { equalBytes, type SpaceId, type StreamId, type Tag, type WriterId } from '@sluice/core/base';
import type { SigningKey } from '@sluice/core/crypto';
import {
  type CheckedEntry,
  createSeal,
  NO_SEAL,
  type Pin,
  type PinnedWriter,
  type Pins,
  sealHash,
} from '@sluice/core/stream';
import { decodeHeader, type Entry, type Header, MAX_WRITER_STREAMS, type PushPart } from '@sluice/core/wire';
import { BATCH_BYTES, batchesOf, entryBytes } from '../batches.ts';
import { SluiceError } from '../errors.ts';
import type { StoreDb, StoreStatement } from './store-db.ts';

/** One head of a record. `ls` is the local sequence number, ever growing in this store. */
export type StoredEntry = { readonly ls: number; readonly header: Header; readonly entry: Entry };

const bytesOf = ({ entry }: NewEntry): number => entryBytes(entry);
const OUTBOX_SEALS = 64;
const SCAN_ROWS = 500;

/** What goes to the node in one push. */
export type OutboxBatch = {
  readonly parts: readonly PushPart[];
  /** To be called when the node has stored the parts. */
  readonly acked: () => void;
  /** False when more is waiting than fits one push. */
  readonly complete: boolean;
};

/** An own entry to be stored and sent. */
export type NewEntry = {
  readonly tag: Tag;
  readonly entry: Entry;
  readonly header: Header;
  readonly replaces: readonly StoredEntry[];
};

/** The replica of one space, with the outbox in the same rows. */
export type SpaceStore = {
  readonly spaceRow: number;
  /** Whose numbers, cursors and outbox these are. */
  readonly self: WriterId;
  readonly streamRow: (stream: StreamId) => number;
  /** The heads of a record, this writer's own first: an entry has to supersede that, and names 64 heads at most. */
  readonly heads: (stream: number, tag: Tag) => StoredEntry[];
  /** Every living entry of a stream, oldest first, read in pages. */
  readonly scan: (stream: number) => Iterable<StoredEntry>;
  readonly nextN: (stream: number) => number;
  /** Adds entries numbered from `nextN` and their seal to replica and outbox. Returns the `ls` of each. Errors: NODE_QUOTA. */
  readonly addOwn: (stream: number, id: StreamId, entries: readonly NewEntry[], key: SigningKey) => number[];
  /** Stores a checked page. Returns the new entries with their `ls`. */
  readonly addPage: (
    entries: readonly CheckedEntry[],
    pins: readonly PinnedWriter[],
    log: string,
    cursor: number,
  ) => StoredPageEntry[];
  readonly cursor: (log: string) => number;
  readonly setCursor: (log: string, seq: number) => void;
  readonly pins: () => Pins;
  /** The oldest waiting batches, at most so many. */
  readonly outbox: (seals?: number) => OutboxBatch | undefined;
  readonly outboxSize: () => number;
  /** The version vector of a stream: the last number of every writer whose entries this replica holds, its own unsent ones included. */
  readonly vector: (stream: number, self: WriterId) => { readonly writer: WriterId; readonly n: number }[];
};
/** Where an entry of a page was stored. `ls` is the local number. */
export type StoredPageEntry = { readonly ls: number; readonly stream: StreamId; readonly tag: Tag };

/** Opens the replica of a space inside a client store: one for each writer, since numbers and cursors are a writer's own. */
export function openSpaceStore(db: StoreDb, space: SpaceId, self: WriterId): SpaceStore {
  db.sql('INSERT OR IGNORE INTO space (space, writer) VALUES (?, ?)').run(space, self);
  const spaceRow = Number(db.sql('SELECT id FROM space WHERE space = ? AND writer = ?').get(space, self)?.id);
  const streamRows = new Map<string, number>();
  // The row of an undone stream goes to the next one that is named.
  db.onRollback(() => streamRows.clear());

  const streamRow = (stream: StreamId): number => {
    const key = stream.join();
    const known = streamRows.get(key);
    if (known !== undefined) return known;
    const found = db.sql('SELECT id FROM stream WHERE space = ? AND stream = ?').get(spaceRow, stream);
    const row = found
      ? Number(found.id)
      : db.sql('INSERT INTO stream (space, stream) VALUES (?, ?)').insert(spaceRow, stream);
    streamRows.set(key, row);
    return row;
  };

  const heads = (stream: number, tag: Tag): StoredEntry[] => {
    const rows = db
      .sql('SELECT ls, header, body FROM entry WHERE stream = ? AND tag = ? AND live = 1 ORDER BY writer = ? DESC, ls')
      .all(stream, tag, self);
    return rows.flatMap((row) => storedEntry(row) ?? []);
  };

  const scan = function* (stream: number): Generator<StoredEntry> {
    for (let after = 0; ; ) {
      // NOTE: the unary plus keeps SQLite on the table's own order; the tag index would walk the whole stream.
      const rows = db
        .sql('SELECT ls, header, body FROM entry WHERE +stream = ? AND live = 1 AND ls > ? ORDER BY ls LIMIT ?')
        .all(stream, after, SCAN_ROWS);
      for (const row of rows) {
        const stored = storedEntry(row);
        if (stored) yield stored;
      }
      if (rows.length < SCAN_ROWS) return;
      after = Number(rows.at(-1)?.ls);
    }
  };

  const insert = (stream: number, header: Header, entry: Entry): number =>
    db
      .sql('INSERT INTO entry (stream, tag, writer, n, live, header, body) VALUES (?, ?, ?, ?, 1, ?, ?)')
      .insert(stream, header.tag, header.writer, header.n, entry.header, entry.body);

  /** An unsent entry must still travel, since its number is taken; a sent one can go. */
  const retire = (stream: number, ls: number): void => {
    // Batches follow each other, so that the last one that begins before it is the one that may hold it.
    const batch = db
      .sql('SELECT last_ls FROM outbox WHERE stream = ? AND first_ls <= ? ORDER BY first_ls DESC LIMIT 1')
      .get(stream, ls);
    const waiting = batch !== undefined && Number(batch.last_ls) >= ls;
    db.sql(waiting ? 'UPDATE entry SET live = 0 WHERE ls = ?' : 'DELETE FROM entry WHERE ls = ?').run(ls);
  };

  return {
    spaceRow,
    self,
    streamRow,
    heads,
    scan,
    nextN: (stream) => Number(db.sql('SELECT n FROM stream WHERE id = ?').get(stream)?.n) + 1,
    addOwn: (stream, id, entries, key) => {
      const row = db.sql('SELECT n, hash FROM stream WHERE id = ?').get(stream);
      const firstN = Number(row?.n) + 1;
      // The node would refuse it, and with it all that waits behind it.
      if (firstN === 1 && writtenStreams(db, spaceRow) >= MAX_WRITER_STREAMS) throw new SluiceError('NODE_QUOTA');
      const numbers: number[] = [];
      let at = 0;
      for (const batch of batchesOf(entries, bytesOf)) {
        const state = db.sql('SELECT hash FROM stream WHERE id = ?').get(stream);
        const seal = createSeal(
          key,
          id,
          firstN + at,
          batch.map((e) => e.entry),
          (state?.hash as Uint8Array) ?? NO_SEAL,
        );
        const added = batch.map((e) => insert(stream, e.header, e.entry));
        for (const e of batch) for (const old of e.replaces) retire(stream, old.ls);
        const size = batch.reduce((sum, e) => sum + bytesOf(e), seal.length);
        const lastN = firstN + at + batch.length - 1;
        db.sql(
          'INSERT INTO outbox (space, stream, first_ls, last_ls, last_n, size, seal) VALUES (?, ?, ?, ?, ?, ?, ?)',
        ).run(spaceRow, stream, added[0] as number, added.at(-1) as number, lastN, size, seal);
        db.sql('UPDATE stream SET n = ?, hash = ? WHERE id = ?').run(lastN, sealHash(seal), stream);
        numbers.push(...added);
        at += batch.length;
      }
      return numbers;
    },
    addPage: (entries, pins, log, cursor) => {
      const added: StoredPageEntry[] = [];
      for (const { stream, header, entry } of entries) {
        const row = streamRow(stream);
        const ls = insert(row, header, entry);
        for (const ref of header.superseded) {
          const old = db
            .sql('SELECT ls FROM entry WHERE stream = ? AND tag = ? AND live = 1 AND n = ? AND writer = ?')
            .get(row, header.tag, ref.n, ref.writer);
          if (old) retire(row, Number(old.ls));
        }
        added.push({ ls, stream, tag: header.tag });
      }
      for (const pin of pins) setPin(db, streamRow(pin.stream), pin);
      setCursor(db, spaceRow, log, cursor);
      return added;
    },
    cursor: (log) => Number(db.sql('SELECT seq FROM cursor WHERE space = ? AND log = ?').get(spaceRow, log)?.seq ?? 0),
    setCursor: (log, seq) => setCursor(db, spaceRow, log, seq),
    pins: () => readPins(db, spaceRow, streamRow),
    outbox: (seals = OUTBOX_SEALS) => readOutbox(db, spaceRow, self, seals),
    outboxSize: () => Number(db.sql('SELECT count(*) AS size FROM outbox WHERE space = ?').get(spaceRow)?.size),
    vector: (stream, own) => {
      const rows = db.sql('SELECT writer, n FROM pin WHERE stream = ?').all(stream);
      const others = rows
        .map((r) => ({ writer: r.writer as WriterId, n: Number(r.n) }))
        .filter((r) => !equalBytes(r.writer, own));
      const n = Number(db.sql('SELECT n FROM stream WHERE id = ?').get(stream)?.n);
      return n > 0 ? [...others, { writer: own, n }] : others;
    },
  };
}

function storedEntry(row: ReturnType<StoreStatement['all']>[number]): StoredEntry | undefined {
  const entry = { header: row.header as Uint8Array, body: row.body as Uint8Array };
  const header = decodeHeader(entry.header);
  return header.ok ? { ls: Number(row.ls), header: header.value, entry } : undefined;
}

const writtenStreams = (db: StoreDb, space: number): number =>
  Number(db.sql('SELECT count(*) AS size FROM stream WHERE space = ? AND n > 0').get(space)?.size);

function setPin(db: StoreDb, stream: number, pin: Pin & { readonly writer: WriterId }): void {
  db.sql(
    'INSERT INTO pin (stream, writer, n, hash) VALUES (?, ?, ?, ?) ON CONFLICT (stream, writer) DO UPDATE SET n = excluded.n, hash = excluded.hash',
  ).run(stream, pin.writer, pin.n, pin.hash);
}

function setCursor(db: StoreDb, space: number, log: string, seq: number): void {
  db.sql(
    'INSERT INTO cursor (space, log, seq) VALUES (?, ?, ?) ON CONFLICT (space, log) DO UPDATE SET seq = max(seq, excluded.seq)',
  ).run(space, log, seq);
}

function readPins(db: StoreDb, space: number, streamRow: (stream: StreamId) => number): Pins {
  const all = (): PinnedWriter[] =>
    db
      .sql('SELECT s.stream, p.writer, p.n, p.hash FROM pin p JOIN stream s ON s.id = p.stream WHERE s.space = ?')
      .all(space)
      .map((r) => ({
        stream: r.stream as StreamId,
        writer: r.writer as WriterId,
        n: Number(r.n),
        hash: r.hash as Uint8Array,
      }));
  return {
    all,
    get: (stream, writer) => {
      const row = db.sql('SELECT n, hash FROM pin WHERE stream = ? AND writer = ?').get(streamRow(stream), writer);
      return row ? { n: Number(row.n), hash: row.hash as Uint8Array } : undefined;
    },
  };
}

/** The oldest waiting batches, with the very bytes that were sealed when they were saved. */
function readOutbox(db: StoreDb, space: number, self: WriterId, seals: number): OutboxBatch | undefined {
  const rows = db
    .sql(
      'SELECT o.id, o.stream, o.first_ls, o.last_ls, o.last_n, o.size, o.seal, s.stream AS name FROM outbox o JOIN stream s ON s.id = o.stream WHERE o.space = ? ORDER BY o.id LIMIT ?',
    )
    .all(space, seals + 1);
  if (rows.length === 0) return undefined;
  const taken: typeof rows = [];
  let size = 0;
  for (const row of rows.slice(0, seals)) {
    if (taken.length > 0 && size + Number(row.size) > BATCH_BYTES) break;
    size += Number(row.size);
    taken.push(row);
  }
  const parts = taken.map((row): PushPart => {
    const entries = db
      .sql('SELECT header, body FROM entry WHERE ls BETWEEN ? AND ? ORDER BY ls')
      .all(Number(row.first_ls), Number(row.last_ls))
      .map((e) => ({ header: e.header as Uint8Array, body: e.body as Uint8Array }));
    return { type: 'sealed', stream: row.name as StreamId, entries, seal: row.seal as Uint8Array };
  });
  const acked = (): void =>
    db.transactLazily(() => {
      for (const row of taken) {
        db.sql('DELETE FROM outbox WHERE id = ?').run(Number(row.id));
        db.sql('DELETE FROM entry WHERE ls BETWEEN ? AND ? AND live = 0').run(
          Number(row.first_ls),
          Number(row.last_ls),
        );
        setPin(db, Number(row.stream), { writer: self, n: Number(row.last_n), hash: sealHash(row.seal as Uint8Array) });
      }
    });
  return { parts, acked, complete: taken.length === rows.length };
}
