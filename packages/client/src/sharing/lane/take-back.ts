/** How an owner takes back, as one, what a grantee wrote (spec/lane.md LANE-9). Must not know how writes are decided on, or where the log is kept. */

import { canonicalJson, type JsonObject, type JsonValue } from '@sluice/core/base';
import {
  addedBy,
  countBy,
  type Hlc,
  isDeleted,
  type MergeRules,
  type RecordState,
  type Stamp,
  stampOfField,
} from '@sluice/core/record';
import { SluiceError } from '../../errors.ts';
import type { Collection, SaveItem } from '../../store/collection.ts';
import { carries, changeBy, heldBefore, operationOn } from './made-write.ts';
import type { WriteRecord } from './write-log.ts';

/** The schema of the records, and how their fields merge. */
type Ground = { readonly id: string; readonly merges: MergeRules };
/** Whose writes are taken back. */
type Side = {
  /** The key that wrote, in hex. Grants of one request have the same. */
  readonly writer: string;
  /** What other grants of that key wrote to a record. */
  readonly othersOn: (recordId: string) => readonly WriteRecord[];
};
/** What was taken back. */
export type TakenBack = {
  /** Records that are otherwise now. */
  readonly undone: number;
  /** Writes that were accepted and not made before. */
  readonly made: readonly WriteRecord[];
  /** All writes that are undone now, as the log is to say it. */
  readonly records: readonly WriteRecord[];
};

/**
 * Takes back what stands of the writes of one grant, given in their order: all that the log has of it. To be called in a transaction.
 */
export function takeBack(
  collection: Collection,
  writes: readonly WriteRecord[],
  { writer, othersOn }: Side,
  schema: Ground,
): TakenBack {
  const made = writes.flatMap((write) =>
    write.status === 'accepted' ? makeNow(collection, write, writer, schema) : [],
  );
  const madeAt = new Map(made.map((write) => [write.n, write]));
  const all = writes.flatMap((write): WriteRecord[] => {
    const known = madeAt.get(write.n) ?? write;
    return known.status === 'applied' || known.status === 'undone' ? [known] : [];
  });
  const standing = all.filter(({ status }) => status === 'applied');
  const saves: SaveItem[] = [];
  const removes: string[] = [];
  for (const id of new Set(standing.map(({ recordId }) => recordId))) {
    const state = collection.stateById(id);
    const others = new Set(othersOn(id).map(({ at }) => nameOf(at)));
    const side = { writer, isOwn: (at: Hlc) => !others.has(nameOf(at)) };
    const mine = all.filter(({ recordId }) => recordId === id);
    const document = state && documentBefore(state, mine, side, schema.merges);
    if (document === 'gone') removes.push(id);
    else if (document)
      saves.push({ id, document, force: true, ...(state.schema === undefined ? {} : { schema: state.schema }) });
  }
  const saved = saves.length > 0 ? collection.save(saves) : [];
  if (removes.length > 0) collection.remove(removes);
  return {
    undone: saved.filter(({ unchanged }) => !unchanged).length + removes.length,
    made,
    records: standing.map((write) => ({ ...write, status: 'undone' })),
  };
}

/**
 * Makes what was accepted and has had no effect yet, so that it can be taken back: another device may be making it at this moment, and
 * what was taken back after it stands, whichever comes first.
 */
function makeNow(
  collection: Collection,
  write: WriteRecord,
  writer: string,
  { id: schema, merges }: Ground,
): readonly WriteRecord[] {
  const stamp = { ...write.at, writer };
  const before = collection.stateById(write.recordId);
  // Another device made it, and its word of what was there before is still to come.
  if (before && carries(before, stamp)) return [];
  // What stands on a proposal has nothing to be made on while that waits.
  if (!before && write.operation !== 'insert') return [];
  const base = write.lane?.base;
  const whole = base ? { ...write, base } : write;
  try {
    collection.join([{ change: changeBy(whole, write.recordId, schema), stamp }]);
  } catch (cause) {
    // What the record cannot take any more has no effect, whoever makes it.
    if (!(cause instanceof SluiceError) || cause.code !== 'INVALID_RECORD') throw cause;
  }
  const operation = operationOn(write.operation, before);
  return [{ ...write, operation, ...heldBefore(before, whole, writer, merges), status: 'applied' }];
}

/** A record without what the grantee wrote; `gone` when nothing else would be left of it, undefined when there is nothing to take back. */
function documentBefore(
  state: RecordState,
  writes: readonly WriteRecord[],
  { writer, isOwn }: { readonly writer: string; readonly isOwn: (at: Hlc) => boolean },
  merges: MergeRules,
): JsonObject | 'gone' | undefined {
  const isMine = (stamp: Stamp | undefined): boolean => stamp?.writer === writer && isOwn(stamp);
  // What was there before a delete, its stamp among it, is no part of the record that was made after it.
  const since = state.deleted > 0 ? state.stamps.slice(0, state.deleted) : state.stamps;
  const isMade = writes.some(({ operation }) => operation === 'insert') && since.every(isMine);
  if (isMade && !isDeleted(state)) return 'gone';
  if (isDeleted(state) && !isMine(state.stamps[0])) return undefined;
  const document: Record<string, JsonValue> = { ...state.fields };
  for (const name of new Set(writes.flatMap(namesIn))) {
    const part = isDeleted(state) ? undefined : PARTS[String(merges.get(name))];
    if (part) {
      const first = writes.find((w) => w.status === 'applied' && isTouched(w, name));
      const left = first && part(state, name, writes, writer);
      if (left !== undefined) {
        // A field that was not there before, and of which nothing is left.
        const isEmpty = left === 0 || (Array.isArray(left) && left.length === 0);
        if (isEmpty && first?.before?.[name] === undefined) delete document[name];
        else document[name] = left;
        continue;
      }
    }
    // What somebody else has written since is not the grantee's to lose.
    if (!isDeleted(state) && !isMine(stampOfField(state, name))) continue;
    const isOverOwn = ({ overOwn }: WriteRecord): boolean => {
      const at = overOwn && Object.hasOwn(overOwn, name) ? overOwn[name] : undefined;
      return at !== undefined && isOwn(at);
    };
    const source = writes.findLast((w) => isTouched(w, name) && !isOverOwn(w));
    const before = source?.before?.[name];
    if (before !== undefined) document[name] = before;
    else if (source) delete document[name];
  }
  // Of a record that the grantee had made there was nothing before.
  return isDeleted(state) && Object.keys(document).length === 0 ? undefined : document;
}

/** What is left of a field to which many contribute, without one writer's part; undefined for a field that shows something else. */
type LeftOf = (
  state: RecordState,
  name: string,
  writes: readonly WriteRecord[],
  writer: string,
) => JsonValue | undefined;

/** A set without what the writer alone has added, and with what it took away. */
const leftOfSet: LeftOf = (state, name, writes, writer) => {
  const shown = state.fields[name];
  if (!Array.isArray(shown)) return undefined;
  const added = new Set(addedBy(state, name, writer).map(canonicalJson));
  const left = new Map(shown.map((value: JsonValue) => [canonicalJson(value), value]));
  for (const text of added) left.delete(text);
  for (const { status, base, before, set } of writes) {
    if (status !== 'applied' || !(name in set)) continue;
    const [seen, held, kept] = [base, before, set].map((of) => elementsOf(of?.[name]));
    for (const [text, value] of held ?? [])
      if (seen?.has(text) && !kept?.has(text) && !added.has(text)) left.set(text, value);
  }
  return [...left.values()];
};
const elementsOf = (value: JsonValue | undefined): ReadonlyMap<string, JsonValue> =>
  new Map(Array.isArray(value) ? value.map((element: JsonValue) => [canonicalJson(element), element]) : []);

/** A counter without what the writer has contributed since its first write that stands. */
const leftOfCounter: LeftOf = (state, name, writes, writer) => {
  const shown = state.fields[name];
  const first = writes.find(({ status, set }) => status === 'applied' && name in set);
  if (typeof shown !== 'number' || !first) return undefined;
  return shown - countBy(state, name, writer) + (first.counts?.[name] ?? 0);
};
const PARTS: { readonly [rule: string]: LeftOf | undefined } = { set: leftOfSet, counter: leftOfCounter };

const nameOf = ({ ms, counter }: Hlc): string => `${ms}/${counter}`;
const namesIn = ({ set, remove, before }: WriteRecord): readonly string[] => [
  ...Object.keys(set),
  ...remove,
  ...Object.keys(before ?? {}),
];
/** A delete touches every field: one that it found absent, too. */
const isTouched = ({ operation, set, remove }: WriteRecord, name: string): boolean =>
  operation === 'delete' || name in set || remove.includes(name);
