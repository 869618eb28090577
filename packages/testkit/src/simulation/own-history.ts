/**
 * Every own entry of one collection that the node ever took, opened with the owner's keys: what the records were at any version vector.
 * The entries are folded here anew, without the client's replica.
 */

import { bytesToHex, type JsonObject, type StreamId } from '@sluice/core/base';
import { collectionKey, type EpochKey, streamId, type TagSecret, toAeadKey } from '@sluice/core/crypto';
import type { Basis } from '@sluice/core/grant';
import {
  decodeBody,
  isDeleted,
  type MergeRules,
  mergeStates,
  type RecordState,
  stampOfField,
  toDocument,
} from '@sluice/core/record';
import { openEntry } from '@sluice/core/stream';
import { decodeHeader, type PageEntry, STREAM_KIND } from '@sluice/core/wire';

/** What opens the entries of a space. */
export type OwnKeys = { readonly tagSecret: TagSecret; readonly epochKey: (epoch: number) => EpochKey | undefined };

/** The entries of one collection, by writer and number. */
export type OwnHistory = {
  readonly stream: StreamId;
  readonly add: (item: PageEntry) => void;
  /** The last number taken of each writer. */
  readonly head: () => Basis;
  /** The records as of a version vector; without one, of all there is. Deleted ones are left out. */
  readonly documentsAt: (basis?: Basis) => ReadonlyMap<string, JsonObject>;
  /** Every record and stamp under which this content was ever written. */
  readonly writesOf: (content: string) => ReadonlySet<string>;
};

/** An empty history of the collection of this name. */
export function createOwnHistory(keys: OwnKeys, name: string, merges: MergeRules): OwnHistory {
  const stream = streamId(STREAM_KIND.own, keys.tagSecret, name);
  const streamName = bytesToHex(stream);
  const entries: { readonly writer: string; readonly n: number; readonly state: RecordState }[] = [];
  const heads = new Map<string, { writer: Basis[number]['writer']; n: number }>();
  const known = new Map<string, ReadonlyMap<string, JsonObject>>();
  const written = new Map<string, Set<string>>();

  const noteWrite = (state: RecordState): void => {
    const { content } = state.fields;
    if (typeof content !== 'string') return;
    const stamp = stampOfField(state, 'content');
    const places = written.get(content) ?? new Set<string>();
    written.set(content, places.add(`${state.id} at ${stamp.ms}.${stamp.counter} by ${stamp.writer.slice(0, 8)}`));
  };

  return {
    stream,
    add: (item) => {
      if (bytesToHex(item.stream) !== streamName) return;
      const header = decodeHeader(item.header);
      if (!header.ok || !item.body) throw new Error('an own entry without a header or a body');
      const { writer, n, epoch, hlc } = header.value;
      const key = keys.epochKey(epoch);
      if (!key) throw new Error(`no key of epoch ${epoch}`);
      const sealing = toAeadKey(collectionKey(key, name) as unknown as Uint8Array);
      const plain = openEntry(sealing, stream, { header: item.header, body: item.body });
      const id = bytesToHex(writer);
      const state = plain.ok ? decodeBody(plain.value, { ...hlc, writer: id }) : plain;
      if (!state.ok) throw new Error('an own entry that its owner cannot open');
      entries.push({ writer: id, n, state: state.value });
      noteWrite(state.value);
      const head = heads.get(id);
      if (!head || head.n < n) heads.set(id, { writer, n });
      known.delete('');
    },
    head: () => [...heads.values()],
    documentsAt: (basis) => {
      const name = basis
        ? basis
            .map((b) => `${bytesToHex(b.writer)}${b.n}`)
            .sort()
            .join()
        : '';
      const before = known.get(name);
      if (before) return before;
      const reached = basis && new Map(basis.map((b) => [bytesToHex(b.writer), b.n]));
      const states = new Map<string, RecordState>();
      for (const { writer, n, state } of entries) {
        if (reached && n > (reached.get(writer) ?? 0)) continue;
        const other = states.get(state.id);
        states.set(state.id, other ? mergeStates(other, state, merges).state : state);
      }
      const documents = new Map<string, JsonObject>();
      for (const [id, state] of states) if (!isDeleted(state)) documents.set(id, toDocument(state));
      known.set(name, documents);
      return documents;
    },
    writesOf: (content) => written.get(content) ?? new Set(),
  };
}
