/**
 * Makes the unsent entries of a space anew under the same numbers: stamped by a corrected clock and sealed under the newest epoch.
 * Only after a definite refusal, when the node can hold no other bytes under these numbers (spec/push.md).
 */

import { bytesToHex, type Random, type StreamId, type WriterId } from '@sluice/core/base';
import type { SigningKey } from '@sluice/core/crypto';
import { decodeBody, encodeBody, type HlcClock, type RecordState, type Stamp } from '@sluice/core/record';
import { createSeal, NO_SEAL, openEntry, sealEntry, sealHash } from '@sluice/core/stream';
import { decodeHeader, type Entry, type Header } from '@sluice/core/wire';
import type { CollectionKeys } from './collection.ts';
import type { SpaceStore } from './space-store.ts';
import type { StoreDb } from './store-db.ts';

/** What refused entries are made anew with. */
export type RestageDeps = {
  readonly db: StoreDb;
  readonly store: SpaceStore;
  readonly writer: SigningKey;
  readonly hlc: HlcClock;
  readonly random: Random;
  readonly keysOf: (stream: StreamId) => CollectionKeys | undefined;
};

/** Returns false when some entry's collection is not open, so that nothing was changed. */
export function restageOutbox(deps: RestageDeps): boolean {
  /** Stamps of restamped entries, since later entries of the same record carry them on. */
  const renamed = new Map<string, Stamp>();
  return restageWith(deps.db, deps.store, deps.writer, (stream) => {
    const keys = deps.keysOf(stream);
    return keys && ((entry) => remake(deps, keys, stream, entry, renamed));
  });
}

/** Makes every unsent entry anew by what `remakerOf` gives for its stream, and seals the batches again. */
export function restageWith(
  db: StoreDb,
  store: SpaceStore,
  writer: SigningKey,
  remakerOf: (stream: StreamId) => ((entry: Entry) => Entry) | undefined,
): boolean {
  const batches = db
    .sql(
      'SELECT o.id, o.stream, o.first_ls, o.last_ls, o.seal, s.stream AS name FROM outbox o JOIN stream s ON s.id = o.stream WHERE o.space = ? ORDER BY o.id',
    )
    .all(store.spaceRow);
  if (batches.some((b) => !remakerOf(b.name as StreamId))) return false;
  db.transact(() => {
    /** The acknowledged end of each stream, from which the new chain of seals goes on. */
    const chain = new Map<number, Uint8Array>();
    for (const batch of batches) {
      const stream = batch.name as StreamId;
      const row = Number(batch.stream);
      const again = remakerOf(stream) as (entry: Entry) => Entry;
      const rows = db
        .sql('SELECT ls, n, header, body FROM entry WHERE ls BETWEEN ? AND ? ORDER BY ls')
        .all(Number(batch.first_ls), Number(batch.last_ls));
      const entries = rows.map((r) => {
        const fresh = again({ header: r.header as Uint8Array, body: r.body as Uint8Array });
        db.sql('UPDATE entry SET header = ?, body = ? WHERE ls = ?').run(fresh.header, fresh.body, Number(r.ls));
        return fresh;
      });
      const previous = chain.get(row) ?? pinnedSeal(db, row, store.self);
      const seal = createSeal(writer, stream, Number(rows[0]?.n), entries, previous);
      db.sql('UPDATE outbox SET seal = ? WHERE id = ?').run(seal, Number(batch.id));
      db.sql('UPDATE stream SET hash = ? WHERE id = ?').run(sealHash(seal), row);
      chain.set(row, sealHash(seal));
    }
  });
  return true;
}

function remake(
  deps: RestageDeps,
  keys: CollectionKeys,
  stream: StreamId,
  entry: Entry,
  renamed: Map<string, Stamp>,
): Entry {
  const header = decodeHeader(entry.header);
  const oldKey = header.ok ? keys.keyOf(header.value.epoch) : undefined;
  const newKey = keys.keyOf(keys.epoch());
  const plain = oldKey && openEntry(oldKey, stream, entry);
  if (!header.ok || !newKey || !plain?.ok) return entry;
  const writer = bytesToHex(header.value.writer);
  const oldStamp: Stamp = { ...header.value.hlc, writer };
  const state = decodeBody(plain.value, oldStamp);
  if (!state.ok) return entry;
  const newStamp: Stamp = { ...deps.hlc.tick(), writer };
  renamed.set(stampName(oldStamp), newStamp);
  const fresh: Header = { ...header.value, hlc: { ms: newStamp.ms, counter: newStamp.counter }, epoch: keys.epoch() };
  return sealEntry(newKey, stream, fresh, encodeBody(restamp(state.value, renamed), newStamp), deps.random);
}

const stampName = (s: Stamp): string => `${s.ms}.${s.counter}.${s.writer}`;

function restamp(state: RecordState, renamed: Map<string, Stamp>): RecordState {
  return { ...state, stamps: state.stamps.map((s) => renamed.get(stampName(s)) ?? s) };
}

/** The hash of the last acknowledged seal of this writer, or none when nothing was ever acknowledged. */
function pinnedSeal(db: StoreDb, stream: number, self: WriterId): Uint8Array {
  const row = db.sql('SELECT hash FROM pin WHERE stream = ? AND writer = ?').get(stream, self);
  return (row?.hash as Uint8Array | undefined) ?? NO_SEAL;
}
