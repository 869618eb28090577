/**
 * A node's tables as an observer reads them, row by row: what is visible as it is, what is sealed by its size alone, and pseudonyms apart,
 * so that two worlds can be compared.
 */

import { bytesToHex, type StreamId } from '@sluice/core/base';
import { openCtlEntry } from '@sluice/core/stream';
import { decodeHeader, ENTRY_KIND, type Header, STREAM_KIND } from '@sluice/core/wire';
import { type Db, openDb } from '@sluice/sqlite';

/**
 * `plain` must be equal. `pseudonym` follows from names under a secret key: equal where the names are, and else renamed one to one.
 * `derived` follows from sealed bytes or signed documents (hashes, signatures), which differ with them: of these only the size counts.
 */
export type Cell =
  | { readonly type: 'plain'; readonly value: unknown }
  | { readonly type: 'pseudonym'; readonly value: string }
  | { readonly type: 'derived'; readonly size: number };
export type Row = { readonly [column: string]: Cell };
export type Tables = { readonly [table: string]: readonly Row[] };

type Raw = Record<string, unknown>;
/** Names of what other rows point to, in place of the numbers that SQLite gave them. */
type Names = {
  readonly log: Map<number, string>;
  readonly stream: Map<number, Stream>;
  readonly writer: Map<number, string>;
};
type Stream = { readonly id: StreamId; readonly place: string };

const plain = (value: unknown): Cell => ({
  type: 'plain',
  value: value instanceof Uint8Array ? bytesToHex(value) : typeof value === 'bigint' ? Number(value) : (value ?? null),
});
const pseudonym = (value: unknown): Cell => ({ type: 'pseudonym', value: bytesToHex(value as Uint8Array) });
const derived = (value: unknown): Cell =>
  value === null ? plain(null) : { type: 'derived', size: (value as Uint8Array).length };

/**
 * Reads every row of every table, in an order of its own. Throws on a table or column that nothing is known of.
 *
 * NOTE: row ids are left out. They are given in the order in which spaces of different people were first written to, which is a matter
 * of their timing.
 */
export function readTables(path: string): Tables {
  const db = openDb(path);
  const names = readNames(db);
  const tables = db.sql("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'").all();
  const read = tables.map(({ name }) => {
    const rows = db.sql(`SELECT * FROM ${String(name)}`).all();
    return [String(name), readTable(String(name), rows, names)] as const;
  });
  db.close();
  return Object.fromEntries(read);
}

function readTable(table: string, rows: readonly Raw[], names: Names): Row[] {
  const readers = COLUMNS[table];
  if (!readers) throw new Error(`nothing is known of the table ${table}`);
  const read = rows.map((row): Row => {
    const cells = Object.entries(row).flatMap(([column, value]): [string, Cell][] => {
      const reader = readers[column];
      if (!reader) throw new Error(`nothing is known of the column ${table}.${column}`);
      return reader === LEFT_OUT ? [] : [[column, reader(value, names)]];
    });
    return { ...Object.fromEntries(cells), ...readInside(table, row, names) };
  });
  const order = ORDER[table] ?? [];
  const keyOf = (row: Row): string => order.map((column) => sortable(row[column])).join('|');
  return read.sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
}

type Reader = (value: unknown, names: Names) => Cell;
const LEFT_OUT: Reader = () => plain(null);
const log: Reader = (value, names) => plain(names.log.get(Number(value)));
const stream: Reader = (value, names) => plain(names.stream.get(Number(value))?.place);
const writer: Reader = (value, names) => plain(value === null ? null : names.writer.get(Number(value)));

/** What each column is. Those that are not plain may differ between worlds, for the reason beside them. */
const COLUMNS: { readonly [table: string]: { readonly [column: string]: Reader } } = {
  space: { id: LEFT_OUT, space: plain, genesis: plain },
  // A log is named by its kind, or is a feed, whose name follows from the grant's random secret.
  log: { id: log, space: LEFT_OUT, name: plain, head: plain, closed: plain, term: plain },
  // A stream's name is that of its collection under the space's secret.
  stream: { id: stream, log, stream: pseudonym },
  // The hash is that of a seal, which lists the hashes of sealed entries.
  writer: { id: LEFT_OUT, stream, writer: plain, n: plain, hash: derived },
  entry: {
    ...{ id: LEFT_OUT, log, seq: plain, stream, writer, n: plain, expires: plain },
    // Looked into below: the tag of a record is its id under a secret, that of a message the hash of its sealed bytes.
    ...{ tag: LEFT_OUT, header: LEFT_OUT },
    ...{ body: derived, memo: derived },
  },
  seal: {
    ...{ id: LEFT_OUT, log, writer, first_n: plain, last_n: plain, last_seq: plain, live: plain, size: plain },
    // It lists the hashes of sealed entries.
    ...{ hash: derived, bytes: derived },
  },
  inbox: { log, messages: plain, bytes: plain },
  lane_day: { log, day: plain, entries: plain },
  // A message's tag is the hash of its sealed bytes.
  drained: { log, tag: derived, until: plain },
  // Looked into below. Drops, which are named by the hash of a request, are gone once they were read.
  blob: { kind: plain, name: plain, value: LEFT_OUT, expires: plain },
};
/** Columns that put the rows of a table in an order that does not hang on row ids. */
const ORDER: { readonly [table: string]: readonly string[] } = {
  space: ['space'],
  log: ['id'],
  stream: ['id'],
  writer: ['stream', 'writer'],
  entry: ['log', 'seq'],
  seal: ['log', 'last_seq'],
  inbox: ['log'],
  lane_day: ['log'],
  drained: ['log', 'until'],
  blob: ['kind', 'name'],
};

const sortable = (cell: Cell | undefined): string =>
  cell?.type !== 'plain'
    ? ''
    : typeof cell.value === 'number'
      ? String(cell.value).padStart(16, '0')
      : String(cell.value);

function readInside(table: string, row: Raw, names: Names): Row {
  if (table === 'entry') return readEntry(row, names);
  // The log of a DID is public. Everything else is sealed: a recovery box holds the DID of its account, which an app chooses.
  if (table === 'blob') return { value: row.kind === 'did' ? plain(row.value) : derived(row.value) };
  return {};
}

/** What a header and a control entry say in clear. */
function readEntry(row: Raw, names: Names): Row {
  const {
    stream: streamRow,
    tag,
    header,
    body,
  } = row as { stream: number; tag: Uint8Array } & {
    [K in 'header' | 'body']: Uint8Array;
  };
  const decoded = decodeHeader(header);
  const { id } = names.stream.get(Number(streamRow)) as Stream;
  if (!decoded.ok) throw new Error('an entry without a header');
  const isMessage = id[0] === STREAM_KIND.inbox;
  return {
    tag: isMessage ? derived(tag) : pseudonym(tag),
    ...readHeader(decoded.value, isMessage),
    ...(decoded.value.kind === ENTRY_KIND.CTL ? readCtl(id, header, body) : {}),
  };
}

function readHeader(header: Header, isMessage: boolean): Row {
  const { writer, tag, superseded, ...rest } = header;
  return {
    'header.writer': isMessage ? derived(writer) : plain(writer),
    'header.tag': isMessage ? derived(tag) : pseudonym(tag),
    'header.superseded': plain(superseded.map((s) => `${bytesToHex(s.writer)}/${s.n}`).join()),
    'header.rest': plain(JSON.stringify(rest)),
  };
}

function readCtl(stream: StreamId, header: Uint8Array, body: Uint8Array): Row {
  const ctl = openCtlEntry(stream, { header, body });
  if (!ctl.ok) throw new Error(`a control entry that is none: ${ctl.error.type}`);
  const { public: pub, sealed, signer } = ctl.value;
  const common = { 'ctl.signer': plain(signer), 'ctl.sealed': derived(sealed), 'ctl.type': plain(pub.type) };
  if (pub.type === 'epoch')
    return {
      ...common,
      'ctl.epoch': plain(pub.epoch),
      'ctl.keys': plain(pub.keys.map((k) => k.sealed.length).join()),
    };
  return {
    ...common,
    // A session's row is named by the hash of the signed request, a grant's and a device's by chance.
    'ctl.row': pseudonym(pub.id),
    'ctl.key': plain(pub.key),
    'ctl.role': plain(pub.role),
    'ctl.access': plain(pub.access.map((a) => `${bytesToHex(a.target)}:${a.verbs}`).join()),
    'ctl.status': plain(pub.status),
    'ctl.expires': plain(pub.expiresMs),
  };
}

/** A log is called by its space and its own name, a stream by its log and its place in it, in the order of their first entries. */
function readNames(db: Db): Names {
  const rows = (text: string): Raw[] => db.sql(text).all();
  const logs = rows('SELECT log.id, space.space, log.name FROM log JOIN space ON space.id = log.space');
  const name = ({ space, name }: Raw): string => `${bytesToHex(space as Uint8Array)}/${bytesToHex(name as Uint8Array)}`;
  const log = new Map(logs.map((row) => [Number(row.id), name(row)]));
  const places = new Map<string, number>();
  const stream = new Map(
    rows('SELECT id, log, stream FROM stream ORDER BY id').map((row): [number, Stream] => {
      const inLog = log.get(Number(row.log)) as string;
      const place = places.get(inLog) ?? 0;
      places.set(inLog, place + 1);
      return [Number(row.id), { id: row.stream as StreamId, place: `${inLog}/${place}` }];
    }),
  );
  const writers = rows('SELECT id, writer FROM writer');
  const writer = new Map(writers.map((row) => [Number(row.id), bytesToHex(row.writer as Uint8Array)]));
  return { log, stream, writer };
}
