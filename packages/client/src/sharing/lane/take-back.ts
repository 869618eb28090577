/** How an owner takes back, as one, what a grantee wrote (spec/lane.md LANE-9). Must not know how writes are decided on, or where the log is kept. */

import { canonicalJson, type JsonObject, type JsonValue } from '@sluice/core/base';
import {
  addedBy,
  compareStamps,
  countBy,
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
  /** The writer in their stamps. */
  readonly writer: string;
  /** What other grants wrote to a record and was taken back. */
  readonly undoneOn: (recordId: string) => readonly UndoneWrite[];
};
/** A write that was taken back, and the writer in its stamp. */
export type UndoneWrite = { readonly by: string; readonly write: WriteRecord };
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
  side: Side,
  schema: Ground,
): TakenBack {
  const made = writes.flatMap((write) =>
    write.status === 'accepted' ? makeNow(collection, write, side.writer, schema) : [],
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
    const mine = all.filter(({ recordId }) => recordId === id);
    const undone = side.undoneOn(id);
    const document = state && documentBefore(state, mine, { writer: side.writer, undone }, schema.merges);
    if (document === 'gone') removes.push(id);
    else if (document)
      saves.push({ id, document, force: true, ...(state.schema === undefined ? {} : { schema: state.schema }) });
  }
  const saved = saves.length > 0 ? collection.save(saves) : [];
  const restored = new Set(saved.flatMap(({ id, unchanged }) => (unchanged ? [] : [id])));
  if (removes.length > 0) collection.remove(removes);
  return {
    undone: restored.size + removes.length,
    made,
    records: standing.map((write) => {
      const at = restored.has(write.recordId) ? newestStamp(collection.stateById(write.recordId)) : undefined;
      return { ...write, status: 'undone', ...(at ? { undone: at } : {}) };
    }),
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
  { writer, undone }: { readonly writer: string; readonly undone: readonly UndoneWrite[] },
  merges: MergeRules,
): JsonObject | 'gone' | undefined {
  // What was there before a delete, its stamp among it, is no part of the record that was made after it.
  const since = state.deleted > 0 ? state.stamps.slice(0, state.deleted) : state.stamps;
  const isMade = writes.some(({ operation }) => operation === 'insert') && since.every((s) => s.writer === writer);
  if (isMade && !isDeleted(state)) return 'gone';
  if (isDeleted(state) && state.stamps[0]?.writer !== writer) return undefined;
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
    if (!isDeleted(state) && path(undone, name, stampOfField(state, name)).stamp?.writer !== writer) continue;
    const source = writes.findLast((w) => isTouched(w, name) && overOf(w, name)?.writer !== writer);
    // What another grant wrote there and was taken back does not come back with this.
    const last = source && path(undone, name, overOf(source, name)).last;
    const before = (last ?? source)?.before?.[name];
    if (before !== undefined) document[name] = before;
    else if (source) delete document[name];
  }
  // Of a record that the grantee had made there was nothing before.
  return isDeleted(state) && Object.keys(document).length === 0 ? undefined : document;
}

/**
 * Goes back from what stands, or stood, in a field under a stamp through what was taken back: from a write that was to what it had been
 * written over, and so from what an undo has put there. Result: the stamp where this ends, none where the field was absent; and the last of
 * these writes.
 */
function path(
  undone: readonly UndoneWrite[],
  name: string,
  stamp: Stamp | undefined,
): { readonly stamp: Stamp | undefined; readonly last: WriteRecord | undefined } {
  const left = undone.filter(({ write }) => isTouched(write, name));
  const isOver = ({ by, write }: UndoneWrite): boolean => overOf(write, name)?.writer !== by;
  let end = stamp;
  let last: WriteRecord | undefined;
  for (;;) {
    const at = end;
    const found =
      at &&
      (left.find(({ by, write }) => isSameStamp({ ...write.at, writer: by }, at)) ??
        left.findLast((one) => one.write.undone && isSameStamp(one.write.undone, at) && isOver(one)));
    if (!found) return { stamp: end, last };
    left.splice(left.indexOf(found), 1);
    last = found.write;
    end = overOf(last, name);
  }
}
const isSameStamp = (a: Stamp, b: Stamp): boolean => compareStamps(a, b) === 0;

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

/** Who had written what a field held before a write. */
const overOf = ({ over }: WriteRecord, name: string): Stamp | undefined =>
  over && Object.hasOwn(over, name) ? over[name] : undefined;
const newestStamp = (state: RecordState | undefined): Stamp | undefined =>
  state?.stamps.reduce((a, b) => (compareStamps(a, b) < 0 ? b : a));
const namesIn = ({ set, remove, before }: WriteRecord): readonly string[] => [
  ...Object.keys(set),
  ...remove,
  ...Object.keys(before ?? {}),
];
/** A delete touches every field: one that it found absent, too. */
const isTouched = ({ operation, set, remove }: WriteRecord, name: string): boolean =>
  operation === 'delete' || name in set || remove.includes(name);
