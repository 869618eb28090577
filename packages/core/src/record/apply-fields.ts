/** A change under a stamp that need not be this device's: what a grantee wrote, merged as its own. */

import type { JsonObject, JsonValue } from '../base/json.ts';
import { asSet, assemble, asWrites, type Draft, draftsOf } from './assemble.ts';
import { type Element, type Elements, NO_ELEMENTS, sameElements, toElements } from './element-set.ts';
import { copyJson } from './json-copy.ts';
import { compareDrafts, isSameValue } from './merge.ts';
import { compareStamps, hasSeen, type Stamp } from './stamp.ts';
import {
  assertCount,
  deleteStamp,
  fieldNames,
  isDeleted,
  isFieldName,
  isRecordId,
  type MergeRules,
  type RecordState,
} from './state.ts';
import {
  countOf,
  isCount,
  isWriteRule,
  joinWrites,
  outdoes,
  settleWrites,
  shownOf,
  type WriteRule,
  type Writes,
} from './writes.ts';

/** Some fields of a record, set and removed; or with `deleted` the whole of it. Base fields are passed over. */
export type FieldsChange = {
  readonly id: string;
  readonly schema?: string | undefined;
  readonly set: JsonObject;
  readonly remove: readonly string[];
  readonly deleted?: boolean;
  /** What the writer saw of these fields. Without it a counter's change is taken from what this device shows, and a set's from all of it. */
  readonly base?: JsonObject;
};

/**
 * Joins a change under its own stamp into a state: a field with a larger stamp stays, whoever applies the change and how
 * often. A change that shows nothing new, or that a later delete covers, gives `previous` itself.
 *
 * A set loses the elements with smaller stamps that the new array lacks, of those in `base`. A counter takes the difference
 * to `base` as the writer's contribution. An extreme that is not outdone and an immutable field that is there stay.
 * NOTE: changes of one writer to sets and counters of one record are applied in the order of their stamps: a state that holds
 * a later stamp of the writer counts as having seen the earlier ones.
 *
 * Throws TypeError or RangeError on what a record cannot hold (a counter that is no whole number among it), and TypeError on
 * another record's state.
 */
export function applyFields(
  previous: RecordState | undefined,
  change: FieldsChange,
  stamp: Stamp,
  merges: MergeRules,
): RecordState {
  if (previous !== undefined && previous.id !== change.id) throw new TypeError('the change is of another record');
  if (!isRecordId(change.id)) throw new TypeError('an id is text, and none with half a character');
  const ended = previous && deleteStamp(previous);
  if (previous !== undefined && ended !== undefined && compareStamps(stamp, ended) <= 0) return previous;
  const values = new Map<string, JsonValue | undefined>();
  if (change.deleted !== true) {
    for (const name of change.remove) if (isFieldName(name)) values.set(name, undefined);
    for (const name of fieldNames(change.set)) {
      const value = copyJson(change.set[name] as JsonValue);
      if (merges.get(name) === 'counter') assertCount(name, value);
      values.set(name, value);
    }
    if (previous !== undefined && showsAll(previous, values, merges, change.base)) return previous;
  } else if (previous !== undefined && isDeleted(previous)) return previous;

  const drafts = previous === undefined ? new Map<string, Draft>() : draftsOf(previous);
  let isChanged = previous === undefined || change.deleted === true;
  for (const [name, value] of values) {
    const old = drafts.get(name);
    const rule = merges.get(name);
    const base = ownValue(change.base, name);
    let next: Draft | undefined;
    if (isWriteRule(rule)) next = joinWrite(old, value, stamp, rule, base);
    else if (rule === 'set' || old?.elements !== undefined)
      next = joinSet(old, value, stamp, previous?.stamps ?? [], base);
    else next = joinWhole(old, value, stamp);
    if (next === undefined) continue;
    isChanged ||= next !== old;
    drafts.set(name, next);
  }
  if (previous !== undefined && !isChanged) return previous;
  const head = {
    id: change.id,
    schema: previous?.schema ?? change.schema,
    insertedAt: previous?.insertedAt ?? stamp.ms,
    merges: previous?.merges ?? 1,
  };
  return assemble(head, drafts, change.deleted === true ? stamp : ended, [stamp, ...(previous?.stamps ?? [])]);
}

/** Tells whether the record already shows every value. A deleted one shows nothing. */
function showsAll(
  previous: RecordState,
  values: ReadonlyMap<string, JsonValue | undefined>,
  merges: MergeRules,
  base: JsonObject | undefined,
): boolean {
  if (isDeleted(previous)) return false;
  for (const [name, value] of values) {
    const isCounted = merges.get(name) === 'counter' && ownValue(base, name) !== undefined;
    const shown = ownValue(isCounted ? base : previous.fields, name);
    const areSets = merges.get(name) === 'set' && Array.isArray(shown) && Array.isArray(value);
    if (!(areSets ? sameElements(shown, value) : isSameValue(shown, value))) return false;
  }
  return true;
}

const ownValue = (object: JsonObject | undefined, name: string): JsonValue | undefined =>
  object !== undefined && Object.hasOwn(object, name) ? object[name] : undefined;

function joinWhole(old: Draft | undefined, value: JsonValue | undefined, stamp: Stamp): Draft {
  const next = { value, stamp };
  return old !== undefined && compareDrafts(old, next) >= 0 ? old : next;
}

/** Every element gets the addition, also one that is there: whoever applies the change adds the same. */
function joinSet(
  old: Draft | undefined,
  value: JsonValue | undefined,
  stamp: Stamp,
  seen: readonly Stamp[],
  base: JsonValue | undefined,
): Draft {
  const isArray = Array.isArray(value);
  const known = Array.isArray(base) ? toElements(base, stamp) : undefined;
  const wanted: Elements = isArray ? toElements(value, stamp) : NO_ELEMENTS;
  const fresh = known === undefined ? wanted : new Map([...wanted].filter(([key]) => !known.has(key)));
  if (old === undefined) return { value: isArray ? [] : value, stamp, elements: fresh };
  if (hasSeen(seen, stamp)) return old;
  const before = asSet(old);
  const elements = new Map<string, Element>(fresh);
  for (const [key, element] of before.elements) {
    const isGone = !wanted.has(key) && known?.has(key) !== false;
    const kept = isGone ? element.adds.filter((add) => compareStamps(add, stamp) > 0) : element.adds;
    const adds = fresh.has(key) ? [...kept, stamp].sort((a, b) => compareStamps(b, a)) : kept;
    if (adds.length > 0) elements.set(key, { value: element.value, adds });
  }
  // As in a save: where the field is a set already, its elements alone change.
  const isKept = isArray && Array.isArray(before.value);
  const whole = isKept ? before : joinWhole(before, isArray ? [] : value, stamp);
  return { value: whole.value, stamp: whole.stamp, elements };
}

/** Joins a write with a typed field; gives the field itself where the write counts for nothing. */
function joinWrite(
  old: Draft | undefined,
  value: JsonValue | undefined,
  stamp: Stamp,
  rule: WriteRule,
  base: JsonValue | undefined,
): Draft | undefined {
  const none: Writes = { rule, cut: undefined, list: [] };
  const writes = old === undefined ? none : asWrites(old, rule);
  const shown = shownOf(writes);
  let next: Writes = { ...none, cut: stamp };
  if (value !== undefined) {
    let written = value;
    if (rule === 'counter') {
      if (writes.list.some((write) => isSeen(write.stamp, stamp))) return old;
      const from = [base, shown].find(isCount) ?? 0;
      written = countOf(writes, stamp.writer) + ((value as number) - from);
      if (!isCount(written)) throw new RangeError('a counter is beyond the whole numbers that JSON carries');
    } else if (shown !== undefined && (rule === 'immutable' || !outdoes(rule, value, shown))) return old;
    next = { ...none, list: [{ value: written, stamp }] };
  } else if (rule === 'immutable' && shown !== undefined) return old;
  const joined = settleWrites(joinWrites(writes, next), undefined);
  const isSame = joined.cut === writes.cut && joined.list.every((write) => writes.list.includes(write));
  return isSame && joined.list.length === writes.list.length ? old : { value: shownOf(joined), stamp, writes: joined };
}

const isSeen = (known: Stamp, stamp: Stamp): boolean =>
  known.writer === stamp.writer && compareStamps(known, stamp) >= 0;
