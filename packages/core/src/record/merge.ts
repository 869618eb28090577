/** The join of two states of a record: idempotent, commutative, associative. */

import { canonicalJson, jsonEquals } from '../base/canonical-json.ts';
import type { JsonValue } from '../base/json.ts';
import { asSet, assemble, asWrites, type Draft, draftsOf, type SetDraft } from './assemble.ts';
import { joinElements, NO_ELEMENTS } from './element-set.ts';
import { compareStamps, hasSeen, laterStamp, type Stamp } from './stamp.ts';
import { deleteStamp, type MergeRules, type RecordState } from './state.ts';
import { isWriteRule, joinWrites, settleWrites, shownOf, type Writes } from './writes.ts';

/** A value that a merge dropped although the other side had not seen it. `value` is undefined for a removal. */
export type Loser = { readonly field: string; readonly value: JsonValue | undefined; readonly stamp: Stamp };

/** `state` is `a` itself where `b` adds nothing to it. */
export type Merged = { readonly state: RecordState; readonly losers: readonly Loser[] };

const NO_LOSERS: readonly Loser[] = [];

/**
 * Joins two states of one record: for each field the value with the larger stamp, for set fields the union less what either
 * side has removed, for typed fields the writes that count. Throws TypeError if the states are of two records.
 */
export function mergeStates(a: RecordState, b: RecordState, merges: MergeRules): Merged {
  if (a === b) return { state: a, losers: NO_LOSERS };
  if (a.id !== b.id) throw new TypeError('only states of the same record merge');
  const deleted = laterStamp(deleteStamp(a), deleteStamp(b));
  const drafts = draftsUnder(merges, a);
  const others = draftsUnder(merges, b);
  const losers: Loser[] = [];
  const lose = (field: string, draft: Draft, winner: RecordState): void => {
    if (!hasSeen(winner.stamps, draft.stamp)) losers.push({ field, value: draft.value, stamp: draft.stamp });
  };
  const typed = joinTyped(merges, [drafts, others], [a, b], deleted, losers);
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
  for (const [name, draft] of typed) drafts.set(name, draft);
  const head = {
    id: a.id,
    schema: smaller(a.schema, b.schema),
    insertedAt: Math.min(a.insertedAt, b.insertedAt),
    merges: Math.max(a.merges, b.merges),
  };
  const state = assemble(head, drafts, deleted, [...a.stamps, ...b.stamps]);
  return { state: isSameState(a, state) ? a : state, losers };
}

/** The drafts of a state; writes under a rule that keeps none are the value they show. */
function draftsUnder(merges: MergeRules, state: RecordState): Map<string, Draft> {
  const drafts = draftsOf(state);
  for (const name of Object.keys(state.writes ?? {})) {
    const { value, stamp } = drafts.get(name) as Draft;
    if (!isWriteRule(merges.get(name))) drafts.set(name, { value, stamp });
  }
  return drafts;
}

type Pair<T> = readonly [T, T];

/** Joins the typed fields of two states, which it takes out of their drafts, and adds those that lose by it. */
function joinTyped(
  merges: MergeRules,
  [mine, theirs]: Pair<Map<string, Draft>>,
  [a, b]: Pair<RecordState>,
  deleted: Stamp | undefined,
  losers: Loser[],
): [string, Draft][] {
  const joined: [string, Draft][] = [];
  for (const [name, rule] of merges) {
    if (!isWriteRule(rule)) continue;
    const [x, y] = [mine.get(name), theirs.get(name)].map((draft) => draft && asWrites(draft, rule));
    const union = x && y ? joinWrites(x, y) : (x ?? y);
    if (union === undefined) continue;
    mine.delete(name);
    theirs.delete(name);
    const writes = settleWrites(union, deleted);
    joined.push([name, { value: shownOf(writes), stamp: a.stamps[0] as Stamp, writes }]);
    for (const [side, other] of [
      [x, b],
      [y, a],
    ] as const) {
      const lost = side && lostWrite(settleWrites(side, undefined), writes, laterStamp(writes.cut, deleted), other);
      if (lost) losers.push({ field: name, ...lost });
    }
  }
  return joined;
}

/** What one side showed that `other`, which had not seen it, ended, outdid as a first value, or brought back after its removal. */
function lostWrite(
  side: Writes,
  joined: Writes,
  end: Stamp | undefined,
  other: RecordState,
): { readonly value: JsonValue | undefined; readonly stamp: Stamp } | undefined {
  const value = shownOf(side);
  const last = side.list[side.list.length - 1];
  if (last === undefined) {
    const isBack = joined.list.length > 0 && side.cut !== undefined && !hasSeen(other.stamps, side.cut);
    return isBack ? { value, stamp: side.cut } : undefined;
  }
  const ended = side.list.find(({ stamp }) => isCovered(stamp, end) && !hasSeen(other.stamps, stamp));
  if (ended !== undefined) return { value, stamp: ended.stamp };
  const isOutdone =
    joined.rule === 'immutable' && !hasSeen(other.stamps, last.stamp) && !isSameValue(value, shownOf(joined));
  return isOutdone ? { value, stamp: last.stamp } : undefined;
}

const isCovered = (stamp: Stamp, end: Stamp | undefined): boolean =>
  end !== undefined && compareStamps(stamp, end) <= 0;

/** Tells whether a value ends with the delete. */
const isEnded = (draft: Draft, deleted: Stamp | undefined): boolean =>
  draft.value !== undefined && isCovered(draft.stamp, deleted);

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
