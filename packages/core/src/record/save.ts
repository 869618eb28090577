/** Local changes to a record: a save replaces the document, a delete ends it. */

import { jsonEquals } from '../base/canonical-json.ts';
import type { JsonObject, JsonValue } from '../base/json.ts';
import { asSet, assemble, asWrites, type Draft, draftsOf, shownValue } from './assemble.ts';
import { NO_ELEMENTS, replaceElements, sameElements } from './element-set.ts';
import { copyJson } from './json-copy.ts';
import { compareStamps, type Stamp, stampAfter } from './stamp.ts';
import {
  assertCount,
  deleteStamp,
  fieldNames,
  insertedAtOf,
  isDeleted,
  MAX_STATE_FIELDS,
  type MergeRule,
  type MergeRules,
  type RecordState,
  schemaOf,
} from './state.ts';
import { countOf, isCount, isWriteRule, outdoes, shownOf, type WriteRule } from './writes.ts';

/** Revisions stop counting here. */
export const MAX_MERGES = 2 ** 32 - 1;

/**
 * Saves a document over a state: changed fields get the new stamp, absent ones become stamped removals. A document equal
 * to the one shown gives `previous` itself. A save over a deleted record brings it back with the document's fields alone.
 *
 * What an extreme shows stays unless the document outdoes it; a counter takes the difference as this writer's contribution.
 *
 * Throws as `createState` does, and TypeError where an immutable field is changed.
 */
export function applySave(previous: RecordState, document: JsonObject, stamp: Stamp, merges: MergeRules): RecordState {
  const present = new Set(fieldNames(document));
  const changed: [string, JsonValue][] = [];
  for (const name of present) {
    const value = copyJson(document[name] as JsonValue);
    if (isChanged(previous, name, value, merges)) changed.push([name, value]);
  }
  const absent = Object.keys(previous.fields).filter((name) => !present.has(name));
  for (const name of absent) if (merges.get(name) === 'immutable') throw immutableError(name);
  const schema = previous.schema ?? schemaOf(document);
  const insertedAt = Math.min(previous.insertedAt, insertedAtOf(document) ?? previous.insertedAt);
  const isSame = changed.length + absent.length === 0 && schema === previous.schema;
  if (isSame && insertedAt === previous.insertedAt && !isDeleted(previous)) return previous;

  const now = stampAfter(previous.stamps[0] as Stamp, stamp);
  const drafts = draftsOf(previous);
  for (const [name, value] of changed) drafts.set(name, change(drafts.get(name), value, now, merges.get(name)));
  for (const name of absent) drafts.set(name, { value: undefined, stamp: now });
  let deleted = deleteStamp(previous);
  if (drafts.size > MAX_STATE_FIELDS) {
    // Removals pile up in a record used as a dictionary. Deleting what came before this save and stamping all of it anew drops them.
    deleted = previous.stamps[0];
    for (const [name, draft] of drafts) {
      if (present.has(name)) drafts.set(name, change(undefined, shownValue(draft) as JsonValue, now, merges.get(name)));
    }
  }
  const head = { id: previous.id, schema, insertedAt, merges: nextMerges(previous) };
  return assemble(head, drafts, deleted, [now, ...previous.stamps]);
}

/** Deletes a record: everything stamped before goes, here and wherever this is merged. A deleted record stays as it is. */
export function applyDelete(previous: RecordState, stamp: Stamp): RecordState {
  if (isDeleted(previous)) return previous;
  const newest = previous.stamps[0] as Stamp;
  const next = stampAfter(newest, stamp);
  // After the end of time there is no later stamp. No honest clock gets there; a record that was put there can be deleted all the same.
  const now = compareStamps(next, newest) > 0 ? next : newest;
  const { id, schema, insertedAt } = previous;
  const head = { id, schema, insertedAt, merges: nextMerges(previous) };
  return assemble(head, new Map(), now, [now, ...previous.stamps]);
}

const nextMerges = (previous: RecordState): number => Math.min(previous.merges + 1, MAX_MERGES);

function isChanged(previous: RecordState, name: string, value: JsonValue, merges: MergeRules): boolean {
  const rule = merges.get(name);
  if (rule === 'counter') assertCount(name, value);
  if (!Object.hasOwn(previous.fields, name)) return true;
  const old = previous.fields[name] as JsonValue;
  if (jsonEquals(old, value)) return false;
  if (rule === 'immutable') throw immutableError(name);
  if (isWriteRule(rule) && rule !== 'counter') return outdoes(rule, value, old);
  const areSets = rule === 'set' && Array.isArray(old) && Array.isArray(value);
  return !(areSets && sameElements(old as readonly JsonValue[], value as readonly JsonValue[]));
}

function change(old: Draft | undefined, value: JsonValue, now: Stamp, rule: MergeRule | undefined): Draft {
  if (isWriteRule(rule)) return write(old, value, now, rule);
  if (rule !== 'set' || !Array.isArray(value)) return { value, stamp: now };
  const before = old === undefined ? { value: undefined, stamp: now, elements: NO_ELEMENTS } : asSet(old);
  const elements = replaceElements(before.elements, value, now);
  // The field as a whole is written only where it was no set before: adding to a set must not outdo removing the set's rest.
  return Array.isArray(before.value) ? { ...before, elements } : { value: [], stamp: now, elements };
}

/** Adds a write to a field. That of a counter is what its writer has contributed, this change included. */
function write(old: Draft | undefined, value: JsonValue, now: Stamp, rule: WriteRule): Draft {
  const writes = old === undefined ? { rule, cut: undefined, list: [] } : asWrites(old, rule);
  let written = value;
  if (rule === 'counter') {
    const total = shownOf(writes);
    written = countOf(writes, now.writer) + ((value as number) - (isCount(total) ? total : 0));
    if (!isCount(written)) throw new RangeError('a counter is beyond the whole numbers that JSON carries');
  }
  return { value, stamp: now, writes: { ...writes, list: [{ value: written, stamp: now }, ...writes.list] } };
}

const immutableError = (name: string): TypeError => new TypeError(`\`${name}\` keeps its first value: it is immutable`);
