/**
 * What a grantee's own software refuses of its writes: those that the owner would refuse for certain, by what is known here. Of the rest
 * the owner decides (spec/lane.md LANE-6). Must not know how writes are kept or sent.
 */

import { type JsonObject, type JsonValue, shownText } from '@sluice/core/base';
import { describe, failsForCertain, parseFilter } from '@sluice/core/filter';
import {
  fitsLane,
  type GrantTerms,
  isLaneRecordId,
  isSeenWhole,
  type LaneWrite,
  MAX_WRITTEN_BYTES,
  maySet,
} from '@sluice/core/grant';
import { applyFields, encodeBody, isFieldName } from '@sluice/core/record';
import { SluiceError } from '../../errors.ts';
import type { LoadedSchema } from '../../schema/index.ts';

/** A write that is about to be made. `before` is the record as it is shown; undefined where it is new, or not shown. */
export type DraftWrite = {
  readonly write: Omit<LaneWrite, 'seen'>;
  readonly before: JsonObject | undefined;
};

/** How far this clock and the owner's may be apart before a window is said to have passed, in ms. */
const CLOCK_SLACK_MS = 120_000;
const STAMP = { ms: 0, counter: 0, writer: '00'.repeat(16) };

/**
 * Checks a write by the terms as they are known.
 *
 * Errors: OPERATION_NOT_ALLOWED, FIELD_NOT_ALLOWED, OUTSIDE_FILTER, INVALID_RECORD, NOT_FOUND. Source: spec/lane.md LANE-20.
 */
export function assertWritable(terms: GrantTerms, schema: LoadedSchema, draft: DraftWrite, nowMs: number): void {
  const { write: rule } = terms;
  if (!rule) throw new SluiceError('NOT_ALLOWED', 'This grant does not let write');
  const { id, operation, set, remove } = draft.write;
  // What it cannot read it can only change where it made it.
  if (!draft.before && operation !== 'insert' && !isLaneRecordId(id)) throw new SluiceError('NOT_FOUND');
  if (!rule.operations.includes(operation))
    throw new SluiceError(
      'OPERATION_NOT_ALLOWED',
      `The terms of this grant do not let ${operation}; allowed are ${rule.operations.join(', ')}`,
    );
  if (operation === 'delete') return;
  const strayOf = (names: readonly string[]): readonly string[] =>
    names.filter((name) => !maySet(rule, terms.fields, name)).map((name) => shownText(name));
  const [strayToSet, strayToRemove] = [strayOf(Object.keys(set)), strayOf(remove)];
  const not = [
    ...(strayToSet.length > 0 ? [`set ${strayToSet.join(', ')}`] : []),
    // Who saves a record without a field that it has may not mean to remove it.
    ...(strayToRemove.length > 0 ? [`remove ${strayToRemove.join(', ')}, which this record leaves out`] : []),
  ];
  if (not.length > 0)
    throw new SluiceError(
      'FIELD_NOT_ALLOWED',
      `The terms of this grant do not let ${not.join(', nor ')}; allowed are ${
        rule.fields?.join(', ') ?? 'the fields that are seen whole'
      }`,
    );
  assertSize(schema, draft.write);
  assertRecord(terms, schema, draft);
  assertInFilter(terms, schema, draft, nowMs);
}

/** The record holds at least what is set. */
function assertSize(schema: LoadedSchema, write: DraftWrite['write']): void {
  const { id, set, remove } = write;
  let isTooLarge: boolean;
  try {
    const state = applyFields(undefined, { id, schema: schema.id, set, remove }, STAMP, schema.merges);
    isTooLarge = encodeBody(state, STAMP).length > MAX_WRITTEN_BYTES;
  } catch (cause) {
    if (!(cause instanceof TypeError || cause instanceof RangeError)) throw cause;
    throw new SluiceError('INVALID_RECORD', `The record cannot be kept: ${cause.message}`);
  }
  if (isTooLarge || !fitsLane({ ...write, seen: 0 }))
    throw new SluiceError(
      'INVALID_RECORD',
      `The write is too large; allowed are ${MAX_WRITTEN_BYTES.toLocaleString('en-US')} bytes of a record, 256 fields and 62 levels`,
    );
}

/** What is wrong with the fields that the write sets; of the others only where all of the record is known. */
function assertRecord(terms: GrantTerms, schema: LoadedSchema, draft: DraftWrite): void {
  const { set, remove, operation } = draft.write;
  const isAllKnown = operation === 'insert' || (draft.before !== undefined && !terms.fields);
  const touched = new Set(
    [...Object.keys(set), ...remove].filter((name) => operation === 'insert' || !schema.merges.has(name)),
  );
  if (!isAllKnown && !schema.isFieldwise) return;
  const { _id, ...content } = recordAfter(schema, draft);
  const issues = schema
    .validate({ ...content, _id: draft.write.id })
    .filter(({ path }) => isAllKnown || touched.has(topOf(path)));
  const [first] = issues;
  if (first)
    throw new SluiceError(
      'INVALID_RECORD',
      `The record does not match ${schema.title}: ${first.path} ${first.message}`,
      issues,
    );
}

const topOf = (path: string): string => path.split('/')[1]?.replaceAll('~1', '/').replaceAll('~0', '~') ?? '';

function assertInFilter(terms: GrantTerms, schema: LoadedSchema, draft: DraftWrite, nowMs: number): void {
  const { operation, set, remove } = draft.write;
  const parsed = parseFilter(terms.filter, schema.formats);
  if (!parsed.ok) return;
  // What merges with what the owner has may come out otherwise.
  const isKnown = (name: string): boolean => {
    if (!isFieldName(name)) return false;
    if (operation === 'insert') return true;
    if (schema.merges.has(name)) return false;
    return (
      Object.hasOwn(set, name) ||
      remove.includes(name) ||
      (draft.before !== undefined && isSeenWhole(terms.fields, name))
    );
  };
  const instants = [nowMs - CLOCK_SLACK_MS, nowMs + CLOCK_SLACK_MS];
  const failed = failsForCertain(parsed.value, recordAfter(schema, draft), isKnown, instants);
  if (failed)
    throw new SluiceError(
      'OUTSIDE_FILTER',
      `This grant is for records where ${describe(failed, schema.lists)}, and this would be none`,
    );
}

function recordAfter(schema: LoadedSchema, { before, write }: DraftWrite): JsonObject {
  const after: Record<string, JsonValue> = { ...before, ...write.set, schema: schema.id };
  for (const name of write.remove) delete after[name];
  return after;
}
