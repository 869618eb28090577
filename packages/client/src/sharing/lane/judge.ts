/** Whether one write of a grantee keeps the terms of its grant, and what the record becomes by it (spec/lane.md). Pure. */

import type { JsonObject } from '@sluice/core/base';
import { type Filter, matches } from '@sluice/core/filter';
import {
  bornRecordId,
  type FieldTerm,
  isLaneRecordId,
  type LaneWrite,
  laneIdOf,
  MAX_WRITTEN_BYTES,
  maySet,
  type Rejection,
  type WriteOperation,
  type WriteTerms,
} from '@sluice/core/grant';
import {
  applyFields,
  encodeBody,
  type FieldsChange,
  isDeleted,
  type MergeRules,
  type RecordState,
  type Stamp,
  toDocument,
} from '@sluice/core/record';

/** What writes are judged by. */
export type JudgeRule = {
  readonly grantId: string;
  readonly schema: string;
  readonly filter: Filter;
  /** What the grantee sees; undefined where it sees whole records. */
  readonly fields: readonly FieldTerm[] | undefined;
  /** Whether it sees records that it did not make. */
  readonly reads: boolean;
  readonly write: WriteTerms;
  readonly merges: MergeRules;
  /** Whether a record is one of its schema. */
  readonly isValid: (document: JsonObject) => boolean;
};

/** A write that is accepted: the change it makes, and the record after it. */
export type Accepted = {
  readonly change: FieldsChange;
  readonly operation: WriteOperation;
  readonly state: RecordState;
};

/** How far ahead of the owner's clock a write may be stamped, in ms. */
const MAX_AHEAD_MS = 120_000;
/**
 * Judges one write.
 *
 * `recordId` is the owner's id of the record it names, undefined when there is none; `previous` the record's state.
 * Source: spec/lane.md LANE-5 to LANE-9.
 */
export function judge(
  rule: JudgeRule,
  write: LaneWrite,
  stamp: Stamp,
  recordId: string | undefined,
  previous: RecordState | undefined,
  nowMs: number,
): Accepted | Rejection {
  if (stamp.ms > nowMs + MAX_AHEAD_MS) return 'BAD_CLOCK';
  const alive = previous && !isDeleted(previous) ? previous : undefined;
  if (alive && !maySee(rule, alive, nowMs)) return 'NOT_FOUND';
  if (!alive && (write.operation !== 'insert' || !isLaneRecordId(write.id))) return 'NOT_FOUND';
  const operation = write.operation === 'delete' ? 'delete' : alive ? 'update' : 'insert';
  if (!rule.write.operations.includes(operation)) return 'OPERATION_NOT_ALLOWED';
  const names = [...Object.keys(write.set), ...write.remove];
  if (names.some((name) => !maySet(rule.write, rule.fields, name))) return 'FIELD_NOT_ALLOWED';
  const id = recordId ?? bornRecordId(rule.grantId, write.id);
  const change: FieldsChange = {
    id,
    schema: rule.schema,
    set: operation === 'delete' ? {} : write.set,
    remove: operation === 'delete' ? [] : write.remove,
    ...(operation === 'delete' ? { deleted: true } : {}),
    ...(write.base ? { base: write.base } : {}),
  };
  const state = applied(previous, change, stamp, rule.merges);
  if (!state) return 'BAD_RECORD';
  if (operation === 'delete' || isDeleted(state)) return { change, operation, state };
  const document = toDocument(state);
  if (!rule.isValid(document)) return 'BAD_RECORD';
  return matches(rule.filter, document, nowMs) ? { change, operation, state } : 'OUTSIDE_FILTER';
}

/** What a record cannot hold is the grantee's mistake. */
function applied(
  previous: RecordState | undefined,
  change: FieldsChange,
  stamp: Stamp,
  merges: MergeRules,
): RecordState | undefined {
  try {
    const state = applyFields(previous, change, stamp, merges);
    return encodeBody(state, stamp).length <= MAX_WRITTEN_BYTES ? state : undefined;
  } catch (cause) {
    if (cause instanceof TypeError || cause instanceof RangeError) return undefined;
    throw cause;
  }
}

function maySee(rule: JudgeRule, state: RecordState, nowMs: number): boolean {
  if (!rule.reads && laneIdOf(rule.grantId, state.id) === undefined) return false;
  return matches(rule.filter, toDocument(state), nowMs);
}
