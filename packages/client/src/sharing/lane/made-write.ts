/** A grantee's write as it takes effect: the change it makes, and what was there before it. Must not know how writes are decided on. */

import { bytesToHex, type JsonObject, type JsonValue, type StreamId } from '@sluice/core/base';
import type { WriteOperation } from '@sluice/core/grant';
import {
  countBy,
  type FieldsChange,
  isDeleted,
  type MergeRules,
  type RecordState,
  type Stamp,
  stampOfField,
} from '@sluice/core/record';

/** What a grantee does to a record. */
export type WrittenFields = {
  readonly operation: WriteOperation;
  readonly set: JsonObject;
  readonly remove: readonly string[];
  /** What the grantee saw of sets and counters. */
  readonly base?: JsonObject;
};

/** What the fields of a write held before it. */
export type HeldBefore = {
  /** A field that was absent is not in it. */
  readonly before: JsonObject;
  /** Who had written what they held, and when; a field that nobody had written is not in it. */
  readonly over: { readonly [name: string]: Stamp };
  /** What the grantee had contributed to counters. */
  readonly counts?: { readonly [name: string]: number };
  readonly base?: JsonObject;
};

/** The change of a record that a write makes. */
export const changeBy = (write: WrittenFields, id: string, schema: string): FieldsChange => ({
  id,
  schema,
  set: write.operation === 'delete' ? {} : write.set,
  remove: write.remove,
  ...(write.operation === 'delete' ? { deleted: true } : {}),
  ...(write.base ? { base: write.base } : {}),
});

/** What a write does to the record that is there: what the write calls itself may be something else. */
export const operationOn = (operation: WriteOperation, before: RecordState | undefined): WriteOperation =>
  operation !== 'insert' || !before || isDeleted(before) ? operation : 'update';

/**
 * The writer in the stamps of what comes by a lane, in hex: the lane itself. Grants of one request have one key, and clocks of their own; the
 * writes of one must not be taken for those of another.
 */
export const laneWriter = (lane: StreamId): string => bytesToHex(lane);

/** Whether a record carries a stamp already. */
export const carries = (state: RecordState, stamp: Stamp): boolean =>
  state.stamps.some((s) => s.ms === stamp.ms && s.counter === stamp.counter && s.writer === stamp.writer);

/** What the fields of a write of this writer held before it; all of them for a delete. */
export function heldBefore(
  state: RecordState | undefined,
  write: WrittenFields,
  writer: string,
  merges: MergeRules,
): HeldBefore {
  if (!state) return { before: {}, over: {} };
  const before: Record<string, JsonValue> = {};
  const held = new Set([...Object.keys(state.fields), ...state.removed]);
  const names = write.operation === 'delete' ? [...held] : [...Object.keys(write.set), ...write.remove];
  const over: Record<string, Stamp> = {};
  for (const name of names) {
    const value = state.fields[name];
    if (value !== undefined) before[name] = value;
    if (held.has(name)) over[name] = stampOfField(state, name);
  }
  const counters = Object.keys(write.set).filter((name) => merges.get(name) === 'counter');
  return {
    before,
    over,
    ...(counters.length > 0 ? { counts: Object.fromEntries(counters.map((n) => [n, countBy(state, n, writer)])) } : {}),
    ...(write.base ? { base: write.base } : {}),
  };
}
