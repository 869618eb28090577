/** How an owner takes back, as one, what a grantee wrote (spec/lane.md LANE-9). Must not know how writes are decided on, or where the log is kept. */

import type { JsonObject, JsonValue } from '@sluice/core/base';
import { isDeleted, type RecordState, stampOfField } from '@sluice/core/record';
import { SluiceError } from '../../errors.ts';
import type { Collection, SaveItem } from '../../store/collection.ts';
import { carries, changeBy, heldBefore, operationOn } from './made-write.ts';
import type { WriteRecord } from './write-log.ts';

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
 * Takes back what stands of the writes of one grant, given in their order: all that the log has of it. `writer` is the grantee's, in hex. To
 * be called in a transaction.
 */
export function takeBack(
  collection: Collection,
  writes: readonly WriteRecord[],
  writer: string,
  schema: string,
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
    const document =
      state &&
      documentBefore(
        state,
        all.filter(({ recordId }) => recordId === id),
        writer,
      );
    if (document === 'gone') removes.push(id);
    else if (document)
      saves.push({ id, document, force: true, ...(state.schema === undefined ? {} : { schema: state.schema }) });
  }
  if (saves.length > 0) collection.save(saves);
  if (removes.length > 0) collection.remove(removes);
  return {
    undone: saves.length + removes.length,
    made,
    records: standing.map((write) => ({ ...write, status: 'undone' })),
  };
}

/**
 * Makes what was accepted and has had no effect yet, so that it can be taken back: another device may be making it at this moment, and
 * what was taken back after it stands, whichever comes first.
 */
function makeNow(collection: Collection, write: WriteRecord, writer: string, schema: string): readonly WriteRecord[] {
  const stamp = { ...write.at, writer };
  const before = collection.stateById(write.recordId);
  // Another device made it, and its word of what was there before is still to come.
  if (before && carries(before, stamp)) return [];
  // What stands on a proposal has nothing to be made on while that waits.
  if (!before && write.operation !== 'insert') return [];
  try {
    const base = write.lane?.base;
    collection.join([{ change: changeBy({ ...write, ...(base ? { base } : {}) }, write.recordId, schema), stamp }]);
  } catch (cause) {
    // What the record cannot take any more has no effect, whoever makes it.
    if (!(cause instanceof SluiceError) || cause.code !== 'INVALID_RECORD') throw cause;
  }
  const operation = operationOn(write.operation, before);
  return [{ ...write, operation, ...heldBefore(before, write, writer), status: 'applied' }];
}

/** A record without what the grantee wrote; `gone` when nothing else would be left of it, undefined when there is nothing to take back. */
function documentBefore(
  state: RecordState,
  writes: readonly WriteRecord[],
  writer: string,
): JsonObject | 'gone' | undefined {
  // What was there before a delete, its stamp among it, is no part of the record that was made after it.
  const since = state.deleted > 0 ? state.stamps.slice(0, state.deleted) : state.stamps;
  const isMade = writes.some(({ operation }) => operation === 'insert') && since.every((s) => s.writer === writer);
  if (isMade && !isDeleted(state)) return 'gone';
  if (isDeleted(state) && state.stamps[0]?.writer !== writer) return undefined;
  const document: Record<string, JsonValue> = { ...state.fields };
  for (const name of new Set(writes.flatMap(namesIn))) {
    // What somebody else has written since is not the grantee's to lose.
    if (!isDeleted(state) && stampOfField(state, name).writer !== writer) continue;
    const source = writes.findLast((w) => isTouched(w, name) && !w.overOwn?.includes(name));
    const before = source?.before?.[name];
    if (before !== undefined) document[name] = before;
    else if (source) delete document[name];
  }
  // Of a record that the grantee had made there was nothing before.
  return isDeleted(state) && Object.keys(document).length === 0 ? undefined : document;
}

const namesIn = ({ set, remove, before }: WriteRecord): readonly string[] => [
  ...Object.keys(set),
  ...remove,
  ...Object.keys(before ?? {}),
];
/** A delete touches every field: one that it found absent, too. */
const isTouched = ({ operation, set, remove }: WriteRecord, name: string): boolean =>
  operation === 'delete' || name in set || remove.includes(name);
