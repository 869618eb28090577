/**
 * One collection of one space: records in, records out, sealed in between. Merging, indexes, queries and the record cache live here.
 * Must not know nodes, grants or schemas' meaning.
 */

import { bytesToHex, type JsonObject, type StreamId, type Tag } from '@sluice/core/base';
import { recordTag } from '@sluice/core/crypto';
import { type Filter, indexKeys, planIndex } from '@sluice/core/filter';
import {
  applyDelete,
  applyFields,
  applySave,
  createState,
  decodeBody,
  encodeBody,
  type FieldsChange,
  isDeleted,
  type Loser,
  mergeStates,
  type RecordState,
  revOf,
  type Stamp,
  toDocument,
} from '@sluice/core/record';
import { openEntry, sealEntry } from '@sluice/core/stream';
import { ENTRY_KIND, type Header, MAX_BODY_BYTES, MAX_SUPERSEDED } from '@sluice/core/wire';
import { SluiceError } from '../errors.ts';
import { type CollectionIndex, createCollectionIndex, type IndexedKeys } from './collection-index.ts';
import { loadSnapshot, storeSnapshot } from './collection-snapshot.ts';
import { type ConflictJournal, openConflictJournal } from './conflict-journal.ts';
import { type Explained, type QueryOptions, runQuery } from './run-query.ts';
export type { Explained, QueryOptions } from './run-query.ts';
import type { CollectionDeps } from './collection-deps.ts';
export type { CollectionKeys, CollectionShape } from './collection-deps.ts';
import type { NewEntry, StoredEntry } from './space-store.ts';
import type { StoreDb } from './store-db.ts';

/** One record to save. `rev` is what it was read as; with `force` that does not matter. */
export type SaveItem = {
  readonly id: string;
  readonly document: JsonObject;
  readonly schema?: string;
  readonly rev?: string;
  readonly force: boolean;
  /** Leaves a record that is there, or was and is deleted, as it is. */
  readonly onlyNew?: boolean;
};
/** What became of one item; `unchanged` when the record was like that already and nothing was written. */
export type Saved = { readonly id: string; readonly rev: string; readonly unchanged: boolean };
/** A change of one record, by this device (`self`) or another. */
export type RecordChange = {
  readonly type: 'put' | 'delete';
  readonly id: string;
  readonly record?: JsonObject;
  readonly ls: number;
  readonly origin: 'self' | 'other';
};
/** A record with the local number of its latest entry. */
export type ChangedRecord = { readonly ls: number; readonly tag: Tag; readonly state: RecordState };

/** Records decoded and kept. */
const CACHE_RECORDS = 2_000;

/** The records of one collection on this device. */
export type Collection = {
  readonly stream: StreamId;
  readonly streamRow: number;
  /** Saves in one transaction. Result: one for each item, but for those that `onlyNew` left alone. */
  readonly save: (items: readonly SaveItem[]) => Saved[];
  /** Joins changes under the stamps of others, in one transaction; what changes nothing leaves no entry. */
  readonly join: (items: readonly { readonly change: FieldsChange; readonly stamp: Stamp }[]) => void;
  readonly remove: (ids: readonly string[]) => number;
  readonly get: (id: string) => JsonObject | undefined;
  readonly query: (
    filter: Filter,
    nowMs: number,
    options: QueryOptions,
  ) => { readonly records: JsonObject[]; readonly explained: Explained };
  readonly ids: () => string[];
  readonly size: () => number;
  /** Up to `limit` records whose local sequence number is above `ls`, in its order, with their present state. `upTo` is how far was looked if not `more`. */
  readonly changedSince: (
    ls: number,
    limit: number,
  ) => { readonly records: readonly ChangedRecord[]; readonly more: boolean; readonly upTo: number };
  readonly lastLs: () => number;
  /** Pseudonyms of a superset of the records that match now, found by an index where there is one. */
  readonly candidates: (filter: Filter, nowMs: number) => readonly Tag[];
  /** Pseudonyms of every record, deleted ones included. */
  readonly allTags: () => readonly Tag[];
  /** The present state of a record, a deleted one included. */
  readonly stateById: (id: string) => RecordState | undefined;
  /** The present state under a pseudonym. */
  readonly stateOf: (tag: Tag) => ChangedRecord | undefined;
  /** Tells the collection that a pulled page added entries to it. */
  readonly arrived: (entries: readonly { readonly ls: number; readonly tag: Tag }[]) => void;
  readonly onChange: (listener: (change: RecordChange) => void) => () => void;
  /** What lost a concurrent edit here. Empty unless the shape asks for it. */
  readonly conflicts: Omit<ConflictJournal, 'note'>;
  readonly saveSnapshot: () => void;
  /** Reads what could not be read for want of its epoch's key. */
  readonly keysArrived: () => void;
  /** Drops decoded records, after their entries were made anew. */
  readonly forget: () => void;
};

type Cached = { readonly ls: number; readonly state: RecordState; document?: JsonObject };

/** Opens a collection over its space's replica. */
export function openCollection(deps: CollectionDeps): Collection {
  const { db, store, keys, shape, clock } = deps;
  /** Asked each time: a row that was made in a transaction that was undone is another stream's. */
  const rowOf = (): number => store.streamRow(keys.stream);
  const names = shape.indexes.map((i) => i.name);
  const cache = new Map<string, Cached>();
  const listeners = new Set<(change: RecordChange) => void>();
  /** Records with an entry whose epoch's key is not here (yet). */
  const locked = new Set<string>();
  const journal = openConflictJournal({ ...deps, rowOf, key: keys.snapshotKey, tagKey: keys.tagKey });
  let index: CollectionIndex | undefined;

  // What was undone had numbers beyond the newest there is; they will be given to other entries.
  db.onRollback(() => {
    const newest = newestLs(db);
    if (index && index.upTo > newest) index = undefined;
    for (const [name, { ls }] of cache) if (ls > newest) cache.delete(name);
  });

  const decode = (stored: StoredEntry): RecordState | undefined => {
    const key = keys.keyOf(stored.header.epoch);
    if (!key) {
      locked.add(tagName(stored.header.tag));
      return undefined;
    }
    const plain = openEntry(key, keys.stream, stored.entry);
    const state = plain.ok ? decodeBody(plain.value, stampOf(stored.header)) : undefined;
    // The tag is authenticated but chosen by the writer: a record under another record's tag would shadow it.
    if (state?.ok && sameTag(recordTag(keys.tagKey, state.value.id), stored.header.tag)) return state.value;
    deps.onUnreadable(keys.stream, stored.ls);
    return undefined;
  };

  const load = (tag: Tag): { readonly heads: StoredEntry[]; readonly current: Cached | undefined } => {
    const heads = store.heads(rowOf(), tag);
    const ls = heads.reduce((max, h) => Math.max(max, h.ls), 0);
    const name = tagName(tag);
    const known = cache.get(name);
    if (known && known.ls === ls) return { heads, current: known };
    const states = heads.map(decode).filter((s) => s !== undefined);
    const first = states[0];
    if (!first) return { heads, current: undefined };
    return { heads, current: keep(name, { ls, state: states.length === 1 ? first : mergeHeads(tag, states) }) };
  };

  const mergeHeads = (tag: Tag, heads: readonly RecordState[]): RecordState => {
    const losers: Loser[] = [];
    const state = heads.reduce((a, b) => {
      const merged = mergeStates(a, b, shape.merges);
      losers.push(...merged.losers);
      return merged.state;
    });
    if (shape.keepsLosers && losers.length > 0) journal.note(tag, state.id, losers);
    return state;
  };

  const keep = (name: string, entry: Cached): Cached => {
    cache.delete(name);
    cache.set(name, entry);
    if (cache.size > CACHE_RECORDS) {
      const oldest = cache.keys().next().value;
      if (oldest !== undefined) cache.delete(oldest);
    }
    return entry;
  };

  const documentOf = (cached: Cached): JsonObject => {
    cached.document ??= toDocument(cached.state);
    return cached.document;
  };

  const keysOf = (document: JsonObject): IndexedKeys =>
    shape.indexes.map((i) => {
      const found = indexKeys(document, i.fields, shape.formats);
      return found === 'unindexable' ? undefined : found;
    });

  const indexed = (): CollectionIndex => {
    index ??= createCollectionIndex(names, loadSnapshot(db, rowOf(), keys.snapshotKey));
    const newest = newestLs(db);
    if (index.upTo < newest) catchUp(index, newest);
    return index;
  };

  const reindex = (into: CollectionIndex, name: string, ls: number, state: RecordState): void => {
    if (isDeleted(state)) into.remove(name);
    else into.put(name, ls, keysOf(toDocument(state)));
  };

  const catchUp = (into: CollectionIndex, newest: number): void => {
    if (into.upTo === 0) fill(into);
    else {
      // NOTE: the unary plus keeps SQLite on the table's own order; the tag index would walk the whole stream.
      const rows = db
        .sql('SELECT tag, max(ls) AS ls FROM entry WHERE +stream = ? AND ls > ? GROUP BY tag ORDER BY ls')
        .all(rowOf(), into.upTo);
      for (const row of rows) {
        const { current } = load(row.tag as Tag);
        const name = tagName(row.tag as Tag);
        if (current) reindex(into, name, current.ls, current.state);
        else into.remove(name);
      }
    }
    into.upTo = newest;
  };

  /** Indexes everything in one walk over the table: looked up one by one, the records would cost three times as much. */
  const fill = (into: CollectionIndex): void => {
    const seen = new Set<string>();
    const several = new Map<string, Tag>();
    for (const head of store.scan(rowOf())) {
      const { tag } = head.header;
      const name = tagName(tag);
      if (seen.has(name)) several.set(name, tag);
      else {
        seen.add(name);
        const state = decode(head);
        if (state) reindex(into, name, head.ls, state);
      }
    }
    for (const [name, tag] of several) {
      const { current } = load(tag);
      if (current) reindex(into, name, current.ls, current.state);
    }
  };

  const emit = (state: RecordState, ls: number, origin: RecordChange['origin']): void => {
    if (listeners.size === 0) return;
    const change: RecordChange = isDeleted(state)
      ? { type: 'delete', id: state.id, ls, origin }
      : { type: 'put', id: state.id, record: toDocument(state), ls, origin };
    for (const listener of listeners) listener(change);
  };

  const nextStamp = (): Stamp => ({ ...deps.hlc.tick(), writer: bytesToHex(deps.writerId) });

  /** Seals the new states of one transaction and adds them to the replica under one seal. */
  const commit = (changes: readonly { tag: Tag; state: RecordState; stamp: Stamp; heads: StoredEntry[] }[]): void => {
    if (changes.length === 0) return;
    const firstN = store.nextN(rowOf());
    const epoch = keys.epoch();
    const key = keys.keyOf(epoch);
    if (!key) throw new SluiceError('DISCONNECTED');
    const entries = changes.map(({ tag, state, stamp, heads: all }, i): NewEntry => {
      // More heads than one entry may name stay beside it, and go with the next changes.
      const heads = all.slice(0, MAX_SUPERSEDED);
      const header: Header = {
        writer: deps.writerId,
        n: firstN + i,
        tag,
        kind: isDeleted(state) ? ENTRY_KIND.DEL : ENTRY_KIND.PUT,
        hlc: { ms: stamp.ms, counter: stamp.counter },
        epoch,
        superseded: heads.map((h) => ({ writer: h.header.writer, n: h.header.n })),
        expiresMs: null,
      };
      const entry = sealEntry(
        key,
        keys.stream,
        header,
        asRecord(() => encodeBody(state, stamp)),
        deps.random,
      );
      if (entry.body.length > MAX_BODY_BYTES)
        throw new SluiceError(
          'INVALID_RECORD',
          `Nothing was saved: a record takes at most ${MAX_BODY_BYTES} sealed bytes`,
        );
      return { tag, header, entry, replaces: heads };
    });
    const numbers = store.addOwn(rowOf(), keys.stream, entries, deps.writer);
    for (const [i, { tag, state }] of changes.entries()) keep(tagName(tag), { ls: numbers[i] as number, state });
  };

  const applied = (changes: readonly { tag: Tag; state: RecordState }[]): void => {
    for (const { tag, state } of changes) {
      const name = tagName(tag);
      const ls = cache.get(name)?.ls ?? newestLs(db);
      if (index && !isDeleted(state)) index.put(name, ls, keysOf(toDocument(state)));
      if (index && isDeleted(state)) index.remove(name);
      emit(state, ls, 'self');
    }
    if (index && changes.length > 0) index.upTo = newestLs(db);
  };

  return {
    stream: keys.stream,
    get streamRow() {
      return rowOf();
    },
    save: (items) => {
      if (index) indexed();
      const changes: { tag: Tag; state: RecordState; stamp: Stamp; heads: StoredEntry[] }[] = [];
      const saved: Saved[] = [];
      db.transact(() => {
        for (const item of items) {
          const tag = recordTag(keys.tagKey, item.id);
          const { heads, current } = load(tag);
          if (item.onlyNew && current) continue;
          const stamp = nextStamp();
          const alive = current && !isDeleted(current.state) ? current : undefined;
          if (!item.force && (alive ? revOf(alive.state) : undefined) !== item.rev && (alive || item.rev))
            throw new SluiceError('REV_CONFLICT');
          const state = asRecord(() =>
            current
              ? applySave(current.state, item.document, stamp, shape.merges)
              : createState(item.document, stamp, {
                  id: item.id,
                  ...(item.schema ? { schema: item.schema } : {}),
                  merges: shape.merges,
                }),
          );
          const unchanged = state === current?.state && heads.length === 1;
          saved.push({ id: item.id, rev: revOf(state), unchanged });
          if (!unchanged) changes.push({ tag, state, stamp, heads });
        }
        commit(changes);
      });
      applied(changes);
      return saved;
    },
    join: (items) => {
      if (index) indexed();
      type Draft = {
        tag: Tag;
        before: RecordState | undefined;
        state: RecordState;
        stamp: Stamp;
        heads: StoredEntry[];
      };
      const drafts = new Map<string, Draft>();
      const changed = (): Draft[] => [...drafts.values()].filter((d) => d.state !== d.before || d.heads.length > 1);
      db.transact(() => {
        for (const { change, stamp } of items) {
          const tag = recordTag(keys.tagKey, change.id);
          const { heads, current } = load(tag);
          const known = drafts.get(tagName(tag));
          const previous = known?.state ?? current?.state;
          const state = asRecord(() => applyFields(previous, change, stamp, shape.merges));
          deps.hlc.observe(stamp);
          drafts.set(tagName(tag), { tag, before: current?.state, state, stamp: known?.stamp ?? nextStamp(), heads });
        }
        commit(changed());
      });
      applied(changed());
    },
    remove: (ids) => {
      if (index) indexed();
      const changes: { tag: Tag; state: RecordState; stamp: Stamp; heads: StoredEntry[] }[] = [];
      db.transact(() => {
        for (const id of ids) {
          const tag = recordTag(keys.tagKey, id);
          const { heads, current } = load(tag);
          if (!current || isDeleted(current.state)) continue;
          const stamp = nextStamp();
          changes.push({ tag, state: applyDelete(current.state, stamp), stamp, heads });
        }
        commit(changes);
      });
      applied(changes);
      return changes.length;
    },
    get: (id) => {
      const { current } = load(recordTag(keys.tagKey, id));
      return current && !isDeleted(current.state) ? documentOf(current) : undefined;
    },
    query: (filter, nowMs, options) =>
      runQuery(indexed(), filter, nowMs, options, shape, (name) => {
        const { current } = load(tagFromName(name));
        return current && !isDeleted(current.state) ? documentOf(current) : undefined;
      }),
    ids: () =>
      [...indexed().all()].flatMap((name) => {
        const { current } = load(tagFromName(name));
        return current ? [current.state.id] : [];
      }),
    size: () => indexed().size(),
    changedSince: (ls, limit) => {
      const rows = db
        .sql('SELECT ls, tag FROM entry WHERE +stream = ? AND ls > ? AND live = 1 ORDER BY ls LIMIT ?')
        .all(rowOf(), ls, limit + 1);
      const upTo = newestLs(db);
      const records = rows.slice(0, limit).flatMap((row) => {
        const { current } = load(row.tag as Tag);
        return current ? [{ ls: Number(row.ls), tag: row.tag as Tag, state: current.state }] : [];
      });
      return { records, more: rows.length > limit, upTo };
    },
    lastLs: () => newestLs(db),
    candidates: (filter, nowMs) => {
      const all = indexed();
      const plan = planIndex(filter, shape.indexes, nowMs);
      return [...(plan ? all.candidates(plan) : all.all())].map(tagFromName);
    },
    stateById: (id) => load(recordTag(keys.tagKey, id)).current?.state,
    allTags: () =>
      db
        .sql('SELECT DISTINCT tag FROM entry WHERE stream = ? AND live = 1')
        .all(rowOf())
        .map((row) => row.tag as Tag),
    stateOf: (tag) => {
      const { current } = load(tag);
      return current && { ls: current.ls, tag, state: current.state };
    },
    arrived: (entries) => {
      const last = new Map(entries.map((e) => [tagName(e.tag), e]));
      for (const { tag } of last.values()) {
        const { current } = load(tag);
        if (!current) continue;
        deps.hlc.observe({ ms: newestStampMs(current.state), counter: 0 });
        emit(current.state, current.ls, 'other');
      }
    },
    onChange: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    keysArrived: () => {
      const names = [...locked];
      locked.clear();
      for (const name of names) {
        cache.delete(name);
        const { current } = load(tagFromName(name));
        if (!current) continue;
        if (index) reindex(index, name, current.ls, current.state);
        emit(current.state, current.ls, 'other');
      }
    },
    forget: () => cache.clear(),
    conflicts: {
      ...journal,
      list: (id) => {
        // What arrived and was not looked at yet may hold more.
        indexed();
        return journal.list(id);
      },
    },
    saveSnapshot: () => {
      // A snapshot vouches for all before its number: what is still locked would be missing from it for good.
      if (!index || locked.size > 0) return;
      storeSnapshot(db, rowOf(), keys.snapshotKey, indexed().snapshot(), deps.random);
    },
  };

  function newestStampMs(state: RecordState): number {
    return Math.min(
      clock.nowMs(),
      state.stamps.reduce((max, s) => Math.max(max, s.ms), 0),
    );
  }
}

/** What no record can be (too large, too deep, not JSON) is the caller's input, and said so. */
function asRecord<T>(make: () => T): T {
  try {
    return make();
  } catch (cause) {
    if (cause instanceof RangeError || cause instanceof TypeError)
      throw new SluiceError('INVALID_RECORD', `Nothing was saved: ${cause.message}`);
    throw cause;
  }
}

const stampOf = (header: Header): Stamp => ({
  ms: header.hlc.ms,
  counter: header.hlc.counter,
  writer: bytesToHex(header.writer),
});
const sameTag = (a: Tag, b: Tag): boolean => a.every((byte, i) => byte === b[i]);

/** Tags as map keys: 16 characters of one byte each, a quarter of what hex would take. */
const tagName = (tag: Tag): string => String.fromCharCode(...tag);
const tagFromName = (name: string): Tag => Uint8Array.from(name, (c) => c.charCodeAt(0)) as Tag;

/** The newest local sequence number of the whole store: a bound that costs one look at the table's end. */
const newestLs = (db: StoreDb): number => Number(db.sql('SELECT max(ls) AS ls FROM entry').get()?.ls ?? 0);
