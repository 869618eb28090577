/** What an owner takes away from what was asked. Narrowing starts from what was asked each time, so it can go back up to that. */

import { isJsonObject, type JsonObject, shownValue } from '@sluice/core/base';
import {
  addedFilter,
  type FieldTerm,
  type GrantDuration,
  type GrantTerms,
  isDrop,
  isOptional,
  liesIn,
  parseFields,
  pathOf,
  transformOf,
  type WriteTerms,
  wrongNarrowing,
} from '@sluice/core/grant';
import { SluiceError } from '../errors.ts';
import type { LoadedSchema } from '../schema/index.ts';
import { assertMembers } from './known-members.ts';
import { isUnknown, type UnknownItem } from './sync-request.ts';
import { type LoadSchema, toTerms } from './terms.ts';

/** What an owner gives less than was asked. What is not named stays as it is. */
export type Narrowing = {
  /** Which of the records: those that match this too. `{}` gives all that was asked. */
  readonly filter?: JsonObject;
  /** Which fields, or only drops for all but these; `all` for what was asked. Required fields cannot be left out. */
  readonly fields?: readonly FieldTerm[] | 'all';
  readonly duration?: GrantDuration;
  readonly write?: Partial<Omit<WriteTerms, 'fields'>> & { readonly fields?: readonly string[] | 'all' };
};

const NARROWING_MEMBERS = ['filter', 'fields', 'duration', 'write'] as const satisfies readonly (keyof Narrowing)[];
const WRITE_MEMBERS = ['operations', 'fields', 'policy', 'perDay'] as const satisfies readonly (keyof WriteTerms)[];

/**
 * Narrows asked terms: `current` is what is given so far, and what the narrowing does not name.
 *
 * Errors: BAD_REQUEST with what does not fit the request, BAD_FILTER, UNKNOWN_SCHEMA.
 */
export async function narrow(
  asked: GrantTerms,
  current: GrantTerms,
  narrowing: Narrowing,
  loadSchema: LoadSchema,
): Promise<GrantTerms> {
  assertMembers(narrowing, NARROWING_MEMBERS, 'A narrowing');
  if (narrowing.write) assertMembers(narrowing.write, WRITE_MEMBERS, 'write');
  const { fields: _fields, write: _write, ...rest } = current;
  const fields = fieldsOf(asked, current, narrowing.fields, await loadSchema(asked.schema));
  const write = writeOf(asked, current, narrowing.write);
  const item = {
    ...rest,
    filter: narrowing.filter === undefined ? current.filter : addedFilter(asked.filter, objectOf(narrowing.filter)),
    duration: narrowing.duration ?? current.duration,
    ...(fields ? { fields } : {}),
    ...(write ? { write } : {}),
  };
  const terms = await toTerms(item, loadSchema);
  const wrong = wrongNarrowing(asked, terms);
  if (wrong) throw new SluiceError('BAD_REQUEST', `This does not fit what was asked: ${wrong}`);
  return terms;
}

/** Narrows the items of a request, by one narrowing for all of them or one for each. Errors: as `narrow`. */
export async function narrowItems(
  items: readonly (GrantTerms | UnknownItem)[],
  narrowing: Narrowing | readonly Narrowing[],
  loadSchema: LoadSchema,
): Promise<readonly (GrantTerms | UnknownItem)[]> {
  const each = isList(narrowing) ? narrowing : shareOut(items, narrowing);
  if (each.length !== items.length)
    throw new SluiceError(
      'BAD_REQUEST',
      `The request holds ${items.length} items; allowed are as many narrowings, or one for all, and not ${each.length}`,
    );
  return Promise.all(
    items.map((item, i) => (isUnknown(item) ? item : narrow(item, item, each[i] as Narrowing, loadSchema))),
  );
}

const isList = (narrowing: Narrowing | readonly Narrowing[]): narrowing is readonly Narrowing[] =>
  Array.isArray(narrowing);

/** One narrowing for items of several schemas: each takes of it what speaks of it, and nothing of it may be left over. */
function shareOut(items: readonly (GrantTerms | UnknownItem)[], narrowing: Narrowing): readonly Narrowing[] {
  const { fields, write, ...rest } = narrowing;
  if (items.length === 1 || (!write && (!fields || fields === 'all'))) return items.map(() => narrowing);
  const known = items.filter((item) => !isUnknown(item)) as readonly GrantTerms[];
  if (write && !known.some((item) => item.write)) throw nothingToWrite();
  const list = fields === 'all' ? [] : (fields ?? []);
  const stray = list.find((term) => !known.some((item) => speaksOf(item, term)));
  if (stray !== undefined)
    throw new SluiceError('BAD_REQUEST', `This does not fit what was asked: ${pathOf(stray)} was not asked for`);
  return items.map((item) => {
    if (isUnknown(item)) return rest;
    const mine = list.filter((term) => speaksOf(item, term));
    const untouched = item.access === 'write' || (mine.length === 0 && list.every(isDrop));
    return {
      ...rest,
      ...(fields === undefined || untouched ? {} : { fields: fields === 'all' ? fields : mine }),
      ...(write && item.write ? { write } : {}),
    };
  });
}

function speaksOf(item: GrantTerms, term: FieldTerm): boolean {
  if (item.access === 'write') return false;
  const shown = (item.fields ?? []).filter((f) => !isDrop(f)).map(pathOf);
  return (
    shown.length === 0 ||
    shown.some((path) => liesIn(pathOf(term), path) || (isDrop(term) && liesIn(path, pathOf(term))))
  );
}

function writeOf(asked: GrantTerms, current: GrantTerms, narrowing: Narrowing['write']): GrantTerms['write'] {
  if (!narrowing) return current.write;
  if (!asked.write || !current.write) throw nothingToWrite();
  const { fields: given, ...rest } = current.write;
  const { fields: chosen, ...changed } = narrowing;
  const fields = chosen === 'all' ? asked.write.fields : (chosen ?? given);
  return { ...rest, ...changed, ...(fields ? { fields } : {}) };
}

function fieldsOf(
  asked: GrantTerms,
  current: GrantTerms,
  chosen: Narrowing['fields'],
  schema: LoadedSchema,
): readonly FieldTerm[] | undefined {
  if (chosen === undefined) return current.fields;
  if (asked.access === 'write')
    throw new SluiceError('BAD_REQUEST', 'The request reads nothing, so it has no fields to narrow');
  if (chosen === 'all') return asked.fields;
  if (chosen.length === 0) throw nothingLeft();
  const list = parseFields(chosen, schema.formats);
  if (!list.ok) throw new SluiceError('BAD_REQUEST', `The fields to give cannot be used: ${list.error}`);
  return narrowFields(asked.fields ?? [], list.value);
}

/** The asked fields as far as they were chosen: changed as asked, and without what was left out inside of them. */
function narrowFields(asked: readonly FieldTerm[], chosen: readonly FieldTerm[]): readonly FieldTerm[] {
  const shown = asked.filter((term) => !isDrop(term));
  const wanted = chosen.filter((term) => !isDrop(term));
  const dropped = [...chosen, ...asked].filter(isDrop);
  if (shown.length === 0) return [...wanted, ...outermost(dropped)];
  const given =
    wanted.length > 0
      ? wanted.map((term) => asAsked(shown, term))
      : shown.filter((term) => !dropped.some((d) => liesIn(pathOf(term), pathOf(d))));
  const [required] = shown.filter((term) => !isOptional(term));
  if (given.length === 0)
    throw required === undefined
      ? nothingLeft()
      : new SluiceError('BAD_REQUEST', `${pathOf(required)} is required, it cannot be taken away`);
  // Whoever gives a field without naming what was to be changed inside of it has not agreed to the changed value either.
  const unnamed = shown
    .filter((term) => transformOf(term) && !given.some((g) => pathOf(g) === pathOf(term)))
    .map((term): FieldTerm => ({ path: pathOf(term), transform: 'drop' }));
  const inside = outermost([...dropped, ...unnamed]).filter((d) => given.some((g) => liesIn(pathOf(d), pathOf(g))));
  return [...given, ...inside];
}

/** Nothing may stand inside of what is dropped. */
const outermost = (drops: readonly FieldTerm[]): readonly FieldTerm[] =>
  drops.filter((d) => !drops.some((other) => pathOf(other) !== pathOf(d) && liesIn(pathOf(d), pathOf(other))));

function asAsked(shown: readonly FieldTerm[], term: FieldTerm): FieldTerm {
  const same = shown.find((other) => pathOf(other) === pathOf(term));
  const transform = transformOf(term) ?? (same && transformOf(same));
  const optional = same ? isOptional(same) : true;
  return { path: pathOf(term), ...(optional ? { optional } : {}), ...(transform ? { transform } : {}) };
}

const nothingLeft = (): SluiceError => new SluiceError('BAD_REQUEST', 'Nothing of the record would be left to reveal');
const nothingToWrite = (): SluiceError =>
  new SluiceError('BAD_REQUEST', 'Writing was not asked for, so there is nothing of it to narrow');

function objectOf(filter: JsonObject): JsonObject {
  if (!isJsonObject(filter))
    throw new SluiceError('BAD_FILTER', `The filter is ${shownValue(filter)}; allowed is an object`);
  return filter;
}
