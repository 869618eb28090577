/** A grantee's write as it takes effect: the change it makes, and what was there before it. Must not know how writes are decided on. */

import type { JsonObject, JsonValue } from '@sluice/core/base';
import type { WriteOperation } from '@sluice/core/grant';
import {
  countBy,
  type FieldsChange,
  type Hlc,
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
  /** Of fields that held what the same key had written: when. Where that was by the same grant, an earlier write says what others had written there. */
  readonly overOwn: { readonly [name: string]: Hlc };
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
  if (!state) return { before: {}, overOwn: {} };
  const before: Record<string, JsonValue> = {};
  const held = new Set([...Object.keys(state.fields), ...state.removed]);
  const names = write.operation === 'delete' ? [...held] : [...Object.keys(write.set), ...write.remove];
  for (const name of names) {
    const value = state.fields[name];
    if (value !== undefined) before[name] = value;
  }
  const overOwn: Record<string, Hlc> = {};
  for (const name of names) {
    const { writer: by, ms, counter } = stampOfField(state, name);
    if (held.has(name) && by === writer) overOwn[name] = { ms, counter };
  }
  const counters = Object.keys(write.set).filter((name) => merges.get(name) === 'counter');
  return {
    before,
    overOwn,
    ...(counters.length > 0 ? { counts: Object.fromEntries(counters.map((n) => [n, countBy(state, n, writer)])) } : {}),
    ...(write.base ? { base: write.base } : {}),
  };
}
