/** The join of two states of a record: idempotent, commutative, associative. */

import { canonicalJson, jsonEquals } from '../base/canonical-json.ts';
import type { JsonValue } from '../base/json.ts';
import { asSet, assemble, type Draft, draftsOf, type SetDraft } from './assemble.ts';
import { joinElements, NO_ELEMENTS } from './element-set.ts';
import { compareStamps, hasSeen, laterStamp, type Stamp } from './stamp.ts';
import { deleteStamp, type MergeRules, type RecordState } from './state.ts';

/** A value that a merge dropped although the other side had not seen it. `value` is undefined for a removal. */
export type Loser = { readonly field: string; readonly value: JsonValue | undefined; readonly stamp: Stamp };

/** `state` is `a` itself where `b` adds nothing to it. */
export type Merged = { readonly state: RecordState; readonly losers: readonly Loser[] };

const NO_LOSERS: readonly Loser[] = [];

/**
 * Joins two states of one record: for each field the value with the larger stamp, for set fields the union less what either
 * side has removed. Throws TypeError if the states are of two records.
 */
export function mergeStates(a: RecordState, b: RecordState, merges: MergeRules): Merged {
  if (a === b) return { state: a, losers: NO_LOSERS };
  if (a.id !== b.id) throw new TypeError('only states of the same record merge');
  const deleted = laterStamp(deleteStamp(a), deleteStamp(b));
  const drafts = draftsOf(a);
  const others = draftsOf(b);
  const losers: Loser[] = [];
  const lose = (field: string, draft: Draft, winner: RecordState): void => {
    if (!hasSeen(winner.stamps, draft.stamp)) losers.push({ field, value: draft.value, stamp: draft.stamp });
  };
  for (const [name, mine] of drafts) {
    const theirs = others.get(name);
    if (isSetIn(name, mine, theirs, merges)) {
      drafts.set(name, joinSets(asSet(mine), theirs && asSet(theirs), a, b));
    } else if (theirs !== undefined) {
      const order = compareDrafts(mine, theirs);
      if (order < 0) drafts.set(name, theirs);
      if (order !== 0 && !isSameValue(mine.value, theirs.value)) {
        if (order < 0) lose(name, mine, b);
        else lose(name, theirs, a);
      }
    } else if (isEnded(mine, deleted)) lose(name, mine, b);
  }
  for (const [name, theirs] of others) {
    if (drafts.has(name)) continue;
    const isSet = isSetIn(name, theirs, undefined, merges);
    drafts.set(name, isSet ? joinSets(asSet(theirs), undefined, b, a) : theirs);
    if (!isSet && isEnded(theirs, deleted)) lose(name, theirs, a);
  }
  const head = {
    id: a.id,
    schema: smaller(a.schema, b.schema),
    insertedAt: Math.min(a.insertedAt, b.insertedAt),
    merges: Math.max(a.merges, b.merges),
  };
  const state = assemble(head, drafts, deleted, [...a.stamps, ...b.stamps]);
  return { state: isSameState(a, state) ? a : state, losers };
}

/** Tells whether a value ends with the delete. */
const isEnded = (draft: Draft, deleted: Stamp | undefined): boolean =>
  deleted !== undefined && draft.value !== undefined && compareStamps(draft.stamp, deleted) <= 0;

const isSetIn = (name: string, mine: Draft, theirs: Draft | undefined, merges: MergeRules): boolean =>
  merges.get(name) === 'set' || mine.elements !== undefined || theirs?.elements !== undefined;

/** Joins a set field of `mine` with that of `theirs`, which may never have had it. */
function joinSets(mine: SetDraft, theirs: SetDraft | undefined, from: RecordState, other: RecordState): SetDraft {
  const whole = theirs === undefined || compareDrafts(mine, theirs) >= 0 ? mine : theirs;
  const elements = joinElements(
    { elements: mine.elements, seen: from.stamps },
    { elements: theirs?.elements ?? NO_ELEMENTS, seen: other.stamps },
  );
  return { value: whole.value, stamp: whole.stamp, elements };
}

/** Orders by stamp; equal stamps, which no honest writer makes, by value, so that the join stays one. */
export function compareDrafts(a: Draft, b: Draft): number {
  const order = compareStamps(a.stamp, b.stamp);
  if (order !== 0 || isSameValue(a.value, b.value)) return order;
  if (a.value === undefined || b.value === undefined) return a.value === undefined ? -1 : 1;
  return canonicalJson(a.value) < canonicalJson(b.value) ? -1 : 1;
}

/** Tells whether two values are equal as JSON; undefined, a removal, equals itself. */
export const isSameValue = (a: JsonValue | undefined, b: JsonValue | undefined): boolean =>
  a === b || (a !== undefined && b !== undefined && jsonEquals(a, b));

/** A record has one schema for good; should two devices have given it two, the smaller stays. */
const smaller = (a: string | undefined, b: string | undefined): string | undefined =>
  a === undefined || (b !== undefined && b < a) ? b : a;

/** States are JSON but for members that are undefined, which compare as they are. */
const isSameState = (a: RecordState, b: RecordState): boolean =>
  a.stamps.length === b.stamps.length && jsonEquals(a as unknown as JsonValue, b as unknown as JsonValue);
