/** Which parts of a record a grant reveals, and how: each a path, perhaps one that may be left away, perhaps one that is changed first. */

import { isJsonObject } from '../base/json.ts';
import type { FieldFormats } from '../filter/index.ts';

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
/** Whether a text can be the path of a field. */
export const isFieldPath = (path: unknown): path is string =>
  typeof path === 'string' && FIELD.test(path) && !RESERVED.has(path) && !path.split('.').includes('__proto__');

/**
 * Reads untrusted field terms into their normal form: sorted by path, no repeats, the plain ones as text.
 *
 * Result: undefined when they are not well formed. Source: spec/grant.md GRANT-21.
 */
export function parseFields(input: unknown, formats: FieldFormats): readonly FieldTerm[] | undefined {
  if (!Array.isArray(input) || input.length === 0 || input.length > MAX_FIELDS) return undefined;
  const byPath = new Map<string, FieldTerm>();
  for (const item of input) {
    const term = parseField(item, formats);
    if (!term) return undefined;
    const before = byPath.get(pathOf(term));
    if (before && !sameTerm(before, term)) return undefined;
    byPath.set(pathOf(term), term);
  }
  const changed = [...byPath.values()].filter((term) => transformOf(term) !== undefined).map(pathOf);
  // What is dropped or has a pseudonym in its place has nothing left inside that a term could speak of.
  if ([...byPath.keys()].some((path) => changed.some((other) => other !== path && liesIn(path, other))))
    return undefined;
  return [...byPath.values()].sort((a, b) => (pathOf(a) < pathOf(b) ? -1 : 1));
}

function parseField(item: unknown, formats: FieldFormats): FieldTerm | undefined {
  if (typeof item === 'string') return isFieldPath(item) ? item : undefined;
  // A member that is not understood may be one that reveals less.
  if (!isJsonObject(item) || Object.keys(item).some((name) => !['path', 'optional', 'transform'].includes(name)))
    return undefined;
  const { path, optional } = item;
  if (!isFieldPath(path) || (optional !== undefined && optional !== true)) return undefined;
  const transform = item.transform === undefined ? undefined : parseTransform(item.transform);
  if (item.transform !== undefined && !transform) return undefined;
  if (transform === 'drop' && optional) return undefined;
  if (transform === 'year' && !formats.has(path)) return undefined;
  if (!optional && !transform) return path;
  return { path, ...(optional ? { optional } : {}), ...(transform ? { transform } : {}) };
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
