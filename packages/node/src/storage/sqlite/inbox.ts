/** The inbox of a space: messages that anybody leaves and the owner drains, within a quota of number and size. */

import type { SpaceId, WriterId } from '@sluice/core/base';
import { sha256 } from '@sluice/core/crypto';
import { inboxStreamId } from '@sluice/core/stream';
import { encodeHeader, ENTRY_KIND, type Header, STREAM_KIND } from '@sluice/core/wire';
import type { Db } from '@sluice/sqlite';
import { type Appended, INSERT, type Part } from './append.ts';
import { ensureLog, ensureStream, findLog, kindName, type LogRow, Refused, spaceRowId, takeSeqs } from './tables.ts';

/** How long the node remembers drained messages against replays, in ms. */
const DRAINED_KEEP_MS = 30 * 24 * 3600 * 1000;

/** How much one inbox holds undrained. */
export type InboxQuota = { readonly messages: number; readonly bytes: number };
/** What one inbox holds unless a node says otherwise. */
export const INBOX_QUOTA: InboxQuota = { messages: 10_000, bytes: 256 * 1024 * 1024 };

/** Leaves messages in the inbox, each unless it is there or was drained lately. Returns how many were new; throws QUOTA if they do not all fit. */
export function depositAll(
  db: Db,
  space: SpaceId,
  messages: readonly Uint8Array[],
  nowMs: number,
  quota: InboxQuota,
): number {
  const spaceId = spaceRowId(db, space);
  if (spaceId === undefined) throw new Refused('NOT_FOUND');
  const log = ensureLog(db, spaceId, kindName(STREAM_KIND.inbox));
  const stream = ensureStream(db, log.id, inboxStreamId(space));
  const held = heldIn(db, log.id);
  const isKnown = (tag: Header['tag']): boolean =>
    db.sql('SELECT 1 FROM drained WHERE log = ? AND tag = ?').get(log.id, tag) !== undefined ||
    db.sql('SELECT 1 FROM entry WHERE stream = ? AND tag = ?').get(stream, tag) !== undefined;
  let [stored, bytes] = [0, 0];
  for (const sealed of messages) {
    const header = headerOf(sealed, nowMs);
    if (isKnown(header.tag)) continue;
    stored++;
    bytes += sealed.length;
    if (held.messages + stored > quota.messages || held.bytes + bytes > quota.bytes) throw new Refused('QUOTA');
    insertMessage(db, log, stream, header, sealed);
  }
  count(db, log.id, stored, bytes);
  return stored;
}

/** Drops inbox entries and remembers their tags, so that a replayed message does not land twice. */
export function drainInbox(db: Db, spaceId: number, part: Part<'drain'>, nowMs: number): Appended {
  const name = kindName(STREAM_KIND.inbox);
  const log = findLog(db, spaceId, name);
  if (!log) return { head: 0, log: name };
  // Before anything is dropped: where the counter row is absent, it is made of what is there.
  heldIn(db, log.id);
  for (const tag of part.tags) {
    const found = db
      .sql(
        'SELECT id, length(body) AS size FROM entry WHERE stream IN (SELECT id FROM stream WHERE log = ?) AND tag = ?',
      )
      .get(log.id, tag);
    if (found) {
      db.sql('DELETE FROM entry WHERE id = ?').run(Number(found.id));
      count(db, log.id, -1, -Number(found.size));
    }
    db.sql('INSERT OR REPLACE INTO drained (log, tag, until) VALUES (?, ?, ?)').run(
      log.id,
      tag,
      nowMs + DRAINED_KEEP_MS,
    );
  }
  db.sql('DELETE FROM drained WHERE log = ? AND until < ?').run(log.id, nowMs);
  return { head: log.head, log: name };
}

function headerOf(sealed: Uint8Array, nowMs: number): Header {
  const id = sha256(sealed).slice(0, 16);
  return {
    writer: id as WriterId,
    n: 0,
    tag: id as Header['tag'],
    kind: ENTRY_KIND.PUT,
    hlc: { ms: nowMs, counter: 0 },
    epoch: 0,
    superseded: [],
    expiresMs: null,
  };
}

function insertMessage(db: Db, log: LogRow, stream: number, header: Header, sealed: Uint8Array): void {
  const seq = takeSeqs(db, log, 1);
  db.sql(INSERT).run(log.id, seq, stream, null, 0, header.tag, null, encodeHeader(header), sealed, null);
}

/** Read from the inbox's counter row, so that a deposit costs the same however full the inbox is. */
function heldIn(db: Db, log: number): InboxQuota {
  const counted = db.sql('SELECT messages, bytes FROM inbox WHERE log = ?').get(log);
  if (counted) return { messages: Number(counted.messages), bytes: Number(counted.bytes) };
  db.sql(
    'INSERT INTO inbox (log, messages, bytes) SELECT ?, count(*), coalesce(sum(length(body)), 0) FROM entry WHERE log = ?',
  ).run(log, log);
  return heldIn(db, log);
}

function count(db: Db, log: number, messages: number, bytes: number): void {
  db.sql('UPDATE inbox SET messages = messages + ?, bytes = bytes + ? WHERE log = ?').run(messages, bytes, log);
}
