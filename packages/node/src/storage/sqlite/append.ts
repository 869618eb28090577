/** Appends of sealed, control and feed parts, each inside the caller's transaction. A throw of Refused rolls the push back. */

import { equalBytes, type SpaceId } from '@sluice/core/base';
import { type AccessState, applyCtl, type CtlFailure, ctlStreamId, grantTerm } from '@sluice/core/stream';
import {
  ENTRY_KIND,
  type Entry,
  type ErrorCode,
  type Header,
  MAX_CLOCK_AHEAD_MS,
  STREAM_KIND,
} from '@sluice/core/wire';
import type { Db } from '@sluice/sqlite';
import type { CheckedPart } from '../checked-part.ts';
import type { PushJob } from '../port.ts';
import { takeLaneRoom } from './lanes.ts';
import { killEntry } from './seals.ts';
import { ensureLog, ensureStream, ensureWriter, kindName, type LogRow, Refused, takeSeqs } from './tables.ts';

/** A checked part of one type. */
export type Part<T extends CheckedPart['type']> = Extract<CheckedPart, { type: T }>;
/** The log that was appended to, and its head after that. */
export type Appended = { readonly head: number; readonly log: Uint8Array };

/** Stores one entry. */
export const INSERT =
  'INSERT INTO entry (log, seq, stream, writer, n, tag, expires, header, body, memo) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)';

/** Appends a sealed batch of an own or lane stream. The same batch again gives the same answer. */
export function appendSealed(
  db: Db,
  spaceId: number,
  part: Part<'sealed'>,
  access: AccessState,
  { requester, nowMs }: Pick<PushJob, 'requester' | 'nowMs'>,
): Appended {
  const name = part.kind === 'own' ? kindName(STREAM_KIND.own) : part.stream;
  const log = ensureLog(db, spaceId, name);
  const stream = ensureStream(db, log.id, part.stream);
  const writer = ensureWriter(db, log.id, stream, part.seal.writer);
  const lastN = part.seal.firstN + part.seal.count - 1;
  if (part.seal.firstN <= writer.n) return repeated(db, writer.id, part, log, name);
  if (part.seal.firstN !== writer.n + 1) throw new Refused('GAP');
  if (!equalBytes(part.seal.previous, writer.hash)) throw new Refused('FORK');

  if (part.kind === 'lane') takeLaneRoom(db, log.id, part.entries.length, access, part.stream, requester, nowMs);
  const firstSeq = takeSeqs(db, log, part.entries.length);
  db.sql('UPDATE writer SET n = ?, hash = ? WHERE id = ?').run(lastN, part.sealHash, writer.id);
  const size = part.entries.reduce((sum, entry) => sum + entry.body.length, 0);
  // Before its entries, which count as they die: a batch may hold several of one record, each in place of the one before.
  db.sql(
    'INSERT INTO seal (log, writer, first_n, last_n, last_seq, live, size, hash, bytes) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)',
  ).run(log.id, writer.id, part.seal.firstN, lastN, log.head, part.seal.count, size, part.sealHash, part.sealBytes);
  const insert = db.sql(INSERT);
  for (const [i, entry] of part.entries.entries()) {
    const header = part.headers[i] as Header;
    checkStamp(header, part.kind, access.epoch, nowMs);
    if (part.kind === 'own') checkOwnHead(db, stream, writer.id, header);
    insert.run(log.id, firstSeq + i, stream, writer.id, header.n, header.tag, null, entry.header, entry.body, null);
    for (const ref of header.superseded) killEntry(db, stream, header.tag, ref);
  }
  return { head: log.head, log: name };
}

function checkStamp(header: Header, kind: 'own' | 'lane', epoch: number, nowMs: number): void {
  if (header.hlc.ms > nowMs + MAX_CLOCK_AHEAD_MS) throw new Refused('CLOCK_SKEW');
  if (kind === 'own' && header.epoch < epoch) throw new Refused('KEY_EPOCH');
}

/** A writer has one head of a record at most, or one key could make a record of any number of heads, which every reader merges anew. */
function checkOwnHead(db: Db, stream: number, writer: number, { tag, writer: id, superseded }: Header): void {
  for (const row of db.sql('SELECT n FROM entry WHERE stream = ? AND tag = ? AND writer = ?').all(stream, tag, writer))
    if (!superseded.some((ref) => ref.n === Number(row.n) && equalBytes(ref.writer, id)))
      throw new Refused('MALFORMED');
}

/** Numbers inside a merged dead run keep no hash of their own; a fork there shows at the next seal, whose chain does not fit. */
function repeated(db: Db, writer: number, part: Part<'sealed'>, log: LogRow, name: Uint8Array): Appended {
  const old = db
    .sql('SELECT hash, last_n, live FROM seal WHERE writer = ? AND first_n = ?')
    .get(writer, part.seal.firstN);
  const sameRange = Number(old?.last_n) === part.seal.firstN + part.seal.count - 1;
  if (old && (Number(old.live) > 0 || sameRange) && !equalBytes(old.hash as Uint8Array, part.sealHash))
    throw new Refused('FORK');
  // Several devices of a grantee share a lane: without a hash it cannot be told whose number that was, and the writer finds out by the chain.
  if (part.kind === 'lane' && !(old && sameRange)) throw new Refused('FORK');
  return { head: log.head, log: name };
}

/** Appends control entries and folds them into `access`, which is the caller's own copy. */
export function appendCtl(
  db: Db,
  spaceId: number,
  space: SpaceId,
  part: Part<'ctl'>,
  access: AccessState,
  nowMs: number,
): Appended {
  const name = kindName(STREAM_KIND.ctl);
  const log = ensureLog(db, spaceId, name);
  const stream = ensureStream(db, log.id, ctlStreamId(space));
  for (const [i, ctl] of part.parsed.entries()) {
    const entry = part.entries[i] as Entry;
    if (ctl.header.hlc.ms > nowMs + MAX_CLOCK_AHEAD_MS) throw new Refused('CLOCK_SKEW');
    const applied = applyCtl(access, ctl, entry, nowMs);
    if (!applied.ok && applied.error.type === 'known') continue;
    if (!applied.ok) throw new Refused(ctlRefusal(applied.error));
    const seq = takeSeqs(db, log, 1);
    db.sql(INSERT).run(log.id, seq, stream, null, ctl.header.n, ctl.header.tag, null, entry.header, entry.body, null);
  }
  return { head: log.head, log: name };
}

const CTL_REFUSALS: { readonly [K in CtlFailure['type']]: ErrorCode } = {
  forbidden: 'FORBIDDEN',
  revoked: 'REVOKED',
  gap: 'GAP',
  fork: 'FORK',
  known: 'EXISTS',
};
const ctlRefusal = (failure: CtlFailure): ErrorCode => CTL_REFUSALS[failure.type];

/** Appends to a feed if nobody else did meanwhile; an entry replaces the older one of its tag. */
export function appendFeed(db: Db, spaceId: number, part: Part<'feed'>, access: AccessState, nowMs: number): Appended {
  const log = ensureLog(db, spaceId, part.stream);
  if (log.closed) throw new Refused('CLOSED');
  if (part.head !== log.head) throw new Refused('STALE_HEAD');
  if (part.term < Math.max(log.term, grantTerm(access, part.stream))) throw new Refused('STALE_HEAD');
  if (part.term > log.term) db.sql('UPDATE log SET term = ? WHERE id = ?').run(part.term, log.id);
  const stream = ensureStream(db, log.id, part.stream);
  const firstSeq = takeSeqs(db, log, part.entries.length);
  const drop = db.sql('DELETE FROM entry WHERE stream = ? AND tag = ?');
  const insert = db.sql(INSERT);
  for (const [i, entry] of part.entries.entries()) {
    const header = part.headers[i] as Header;
    if (header.hlc.ms > nowMs + MAX_CLOCK_AHEAD_MS) throw new Refused('CLOCK_SKEW');
    drop.run(stream, header.tag);
    insert.run(
      log.id,
      firstSeq + i,
      stream,
      null,
      header.n,
      header.tag,
      header.expiresMs,
      entry.header,
      entry.body,
      entry.memo,
    );
    if (header.kind === ENTRY_KIND.END) db.sql('UPDATE log SET closed = 1 WHERE id = ?').run(log.id);
  }
  return { head: log.head, log: part.stream };
}
