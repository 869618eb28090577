/** Which parts of a record a grant reveals, and how: each a path, perhaps one that may be left away, perhaps one that is changed first. */

import { isJsonObject } from '../base/json.ts';
import { err, ok, type Result } from '../base/result.ts';
import type { FieldFormats } from '../filter/index.ts';
import { strayMember, wrong } from './wrong-part.ts';

/**
 * What happens to a field before it is revealed. `drop` leaves it out, `year` keeps the year of a date, `pseudonym` puts a name in its place
 * that is the same for equal values in this grant and in no other, `round` goes to the nearest multiple.
 */
export type FieldTransform = 'drop' | 'year' | 'pseudonym' | { readonly round: number };
/** A dot path to reveal. One without `optional` is required: the owner gives it as asked or declines. */
export type FieldTerm =
  | string
  | { readonly path: string; readonly optional?: true; readonly transform?: FieldTransform };

/** Field terms that a grant holds at most. */
export const MAX_FIELDS = 64;
const FIELD = /^[A-Za-z_][A-Za-z0-9_]{0,63}(\.[A-Za-z0-9_]{1,64}){0,7}$/;
/** Fields that name or time a record rather than describe it; they cannot be asked for one by one. */
const RESERVED = new Set(['_id', '_rev', 'schema']);

/** The path of a field term. */
export const pathOf = (term: FieldTerm): string => (typeof term === 'string' ? term : term.path);
/** What is done to the field; undefined when it goes as it is. */
export const transformOf = (term: FieldTerm): FieldTransform | undefined =>
  typeof term === 'string' ? undefined : term.transform;
/** Whether the owner may take the field away. */
export const isOptional = (term: FieldTerm): boolean => typeof term !== 'string' && term.optional === true;
/** Whether a term says what is left out rather than what is revealed. */
export const isDrop = (term: FieldTerm): boolean => transformOf(term) === 'drop';
/** Whether a path is the other one or lies under it. */
export const liesIn = (path: string, other: string): boolean => path === other || path.startsWith(`${other}.`);
/** Whether all of a top-level field is revealed, as it is. Without a list whole records are. */
export function isSeenWhole(fields: readonly FieldTerm[] | undefined, name: string): boolean {
  if (!fields) return true;
  const touching = fields.filter((term) => liesIn(pathOf(term), name));
  if (touching.some((term) => transformOf(term) !== undefined)) return false;
  return fields.every(isDrop) || touching.some((term) => pathOf(term) === name);
}
/** Whether a text can be the path of a field. */
export const isFieldPath = (path: unknown): path is string =>
  typeof path === 'string' && FIELD.test(path) && !RESERVED.has(path) && !path.split('.').includes('__proto__');

/**
 * Reads untrusted field terms into their normal form: sorted by path, no repeats, the plain ones as text.
 *
 * Result: or a sentence on the first that is wrong, which starts with its place. Source: spec/grant.md GRANT-21.
 */
export function parseFields(input: unknown, formats: FieldFormats): Result<readonly FieldTerm[], string> {
  if (!Array.isArray(input) || input.length === 0 || input.length > MAX_FIELDS)
    return wrong('fields', input, `a list of 1 to ${MAX_FIELDS} fields`);
  const byPath = new Map<string, { readonly at: string; readonly term: FieldTerm }>();
  for (const [i, item] of input.entries()) {
    const at = `fields.${i}`;
    const read = parseField(item, at, formats);
    if (!read.ok) return read;
    const path = pathOf(read.value);
    const before = byPath.get(path);
    if (before && !sameTerm(before.term, read.value))
      return err(`${at} names ${path} in another way than ${before.at}; allowed is one way for each path`);
    byPath.set(path, { at, term: read.value });
  }
  const terms = [...byPath.values()];
  for (const { at, term } of terms) {
    // What is dropped or has a pseudonym in its place has nothing left inside that a term could speak of.
    const outer = terms.find((o) => o.term !== term && transformOf(o.term) && liesIn(pathOf(term), pathOf(o.term)));
    if (outer)
      return err(
        `${at} is ${pathOf(term)}, which lies in ${pathOf(outer.term)} of ${outer.at}; allowed is nothing inside of a field with a transform`,
      );
  }
  return ok(terms.map(({ term }) => term).sort((a, b) => (pathOf(a) < pathOf(b) ? -1 : 1)));
}

const PATH_RULE = `a path of up to 8 names of letters, digits and _ with dots between, and none of ${[...RESERVED].join(', ')}`;
const MEMBERS = ['path', 'optional', 'transform'];

function parseField(item: unknown, at: string, formats: FieldFormats): Result<FieldTerm, string> {
  if (typeof item === 'string') return isFieldPath(item) ? ok(item) : wrong(at, item, PATH_RULE);
  if (!isJsonObject(item)) return wrong(at, item, `a path, or an object of ${MEMBERS.join(', ')}`);
  // A member that is not understood may be one that reveals less.
  const stray = Object.keys(item).find((name) => !MEMBERS.includes(name));
  if (stray !== undefined) return strayMember(at, stray, MEMBERS);
  const { path, optional } = item;
  if (!isFieldPath(path)) return wrong(`${at}.path`, path, PATH_RULE);
  if (optional !== undefined && optional !== true) return wrong(`${at}.optional`, optional, 'true, or nothing');
  const transform = item.transform === undefined ? undefined : parseTransform(item.transform);
  if (item.transform !== undefined && !transform)
    return wrong(`${at}.transform`, item.transform, '"drop", "year", "pseudonym" or {round: a number over 0}');
  if (transform === 'drop' && optional) return wrong(`${at}.optional`, optional, 'nothing beside the transform "drop"');
  if (transform === 'year' && !formats.has(path))
    return wrong(`${at}.transform`, transform, `"year" for a date of the schema alone, and ${path} is none`);
  if (!optional && !transform) return ok(path);
  return ok({ path, ...(optional ? { optional } : {}), ...(transform ? { transform } : {}) });
}

function parseTransform(input: unknown): FieldTransform | undefined {
  if (input === 'drop' || input === 'year' || input === 'pseudonym') return input;
  if (!isJsonObject(input) || Object.keys(input).length !== 1) return undefined;
  const { round } = input;
  return typeof round === 'number' && Number.isFinite(round) && round > 0 ? { round } : undefined;
}

const sameTerm = (a: FieldTerm, b: FieldTerm): boolean => sameTransform(a, b) && isOptional(a) === isOptional(b);

/** Whether the same is done to two fields. */
export function sameTransform(a: FieldTerm, b: FieldTerm): boolean {
  const [one, other] = [transformOf(a), transformOf(b)];
  return typeof one === 'object' && typeof other === 'object' ? one.round === other.round : one === other;
}
