/** A change under a stamp that need not be this device's: what a grantee wrote, merged as its own. */

import type { JsonObject, JsonValue } from '../base/json.ts';
import { asSet, assemble, type Draft, draftsOf } from './assemble.ts';
import { type Element, type Elements, NO_ELEMENTS, sameElements, toElements } from './element-set.ts';
import { copyJson } from './json-copy.ts';
import { compareDrafts, isSameValue } from './merge.ts';
import { compareStamps, hasSeen, type Stamp } from './stamp.ts';
import { deleteStamp, fieldNames, isDeleted, isFieldName, type MergeRules, type RecordState } from './state.ts';

/** Some fields of a record, set and removed; or with `deleted` the whole of it. Base fields are passed over. */
export type FieldsChange = {
  readonly id: string;
  readonly schema?: string | undefined;
  readonly set: JsonObject;
  readonly remove: readonly string[];
  readonly deleted?: boolean;
};

/**
 * Joins a change under its own stamp into a state: a field with a larger stamp stays, whoever applies the change and how
 * often. A change that shows nothing new, or that a later delete covers, gives `previous` itself.
 *
 * A set loses the elements with smaller stamps that the new array lacks.
 * NOTE: changes of one writer to sets of one record are applied in the order of their stamps: a state that holds a later
 * stamp of the writer counts as having seen the earlier ones.
 *
 * Throws TypeError or RangeError on what a record cannot hold, and TypeError on another record's state.
 */
export function applyFields(
  previous: RecordState | undefined,
  change: FieldsChange,
  stamp: Stamp,
  merges: MergeRules,
): RecordState {
  if (previous !== undefined && previous.id !== change.id) throw new TypeError('the change is of another record');
  const ended = previous && deleteStamp(previous);
  if (previous !== undefined && ended !== undefined && compareStamps(stamp, ended) <= 0) return previous;
  const values = new Map<string, JsonValue | undefined>();
  if (change.deleted !== true) {
    for (const name of change.remove) if (isFieldName(name)) values.set(name, undefined);
    for (const name of fieldNames(change.set)) values.set(name, copyJson(change.set[name] as JsonValue));
    if (previous !== undefined && showsAll(previous, values, merges)) return previous;
  } else if (previous !== undefined && isDeleted(previous)) return previous;

  const drafts = previous === undefined ? new Map<string, Draft>() : draftsOf(previous);
  let isChanged = previous === undefined || change.deleted === true;
  for (const [name, value] of values) {
    const old = drafts.get(name);
    const next = isSetIn(old, name, merges)
      ? joinSet(old, value, stamp, previous?.stamps ?? [])
      : joinWhole(old, value, stamp);
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

const isSetIn = (old: Draft | undefined, name: string, merges: MergeRules): boolean =>
  merges.get(name) === 'set' || old?.elements !== undefined;

/** Tells whether the record already shows every value. A deleted one shows nothing. */
function showsAll(
  previous: RecordState,
  values: ReadonlyMap<string, JsonValue | undefined>,
  merges: MergeRules,
): boolean {
  if (isDeleted(previous)) return false;
  for (const [name, value] of values) {
    const shown = Object.hasOwn(previous.fields, name) ? previous.fields[name] : undefined;
    const areSets = merges.get(name) === 'set' && Array.isArray(shown) && Array.isArray(value);
    if (!(areSets ? sameElements(shown, value) : isSameValue(shown, value))) return false;
  }
  return true;
}

function joinWhole(old: Draft | undefined, value: JsonValue | undefined, stamp: Stamp): Draft {
  const next = { value, stamp };
  return old !== undefined && compareDrafts(old, next) >= 0 ? old : next;
}

/** Every element gets the addition, also one that is there: whoever applies the change adds the same. */
function joinSet(old: Draft | undefined, value: JsonValue | undefined, stamp: Stamp, seen: readonly Stamp[]): Draft {
  const isArray = Array.isArray(value);
  const fresh: Elements = isArray ? toElements(value, stamp) : NO_ELEMENTS;
  if (old === undefined) return { value: isArray ? [] : value, stamp, elements: fresh };
  if (hasSeen(seen, stamp)) return old;
  const before = asSet(old);
  const elements = new Map<string, Element>(fresh);
  for (const [key, element] of before.elements) {
    const adds = fresh.has(key)
      ? [...element.adds, stamp].sort((a, b) => compareStamps(b, a))
      : element.adds.filter((add) => compareStamps(add, stamp) > 0);
    if (adds.length > 0) elements.set(key, { value: element.value, adds });
  }
  // As in a save: where the field is a set already, its elements alone change.
  const isKept = isArray && Array.isArray(before.value);
  const whole = isKept ? before : joinWhole(before, isArray ? [] : value, stamp);
  return { value: whole.value, stamp: whole.stamp, elements };
}
