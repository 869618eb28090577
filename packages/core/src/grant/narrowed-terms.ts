/** Whether terms take only away from those that were asked: what an owner may answer, and what a requester checks (spec/grant.md). */

import { jsonEquals } from '../base/canonical-json.ts';
import type { JsonObject, JsonValue } from '../base/json.ts';
import { shownText, shownValue } from '../base/shown.ts';
import { type FieldTerm, isDrop, isOptional, liesIn, pathOf, sameTransform, transformOf } from './field-term.ts';
import type { GrantDuration, GrantTerms } from './terms.ts';
import type { WriteTerms } from './write-terms.ts';

/**
 * Says in which way given terms are no narrowing of the asked ones; nothing when they are one. Both in normal form.
 *
 * Source: spec/grant.md GRANT-4, GRANT-23.
 */
export function wrongNarrowing(asked: GrantTerms, given: GrantTerms): string | undefined {
  if (asked.schema !== given.schema || asked.schemaHash !== given.schemaHash)
    return 'the schema is another one, by its $id or its hash';
  if (asked.access !== given.access) return isAnother('access', asked.access, given.access);
  if (asked.retention !== given.retention) return isAnother('retention', asked.retention, given.retention);
  if (asked.frequency !== given.frequency) return isAnother('frequency', asked.frequency, given.frequency);
  return (
    wrongFilter(asked.filter, given.filter) ??
    wrongFields(asked.fields ?? [], given.fields ?? []) ??
    wrongDuration(asked.duration, given.duration) ??
    (asked.write && given.write ? wrongWrite(asked.write, given.write) : undefined)
  );
}

const isAnother = (part: string, asked: unknown, given: unknown): string =>
  `the ${part} is another one: asked for was ${asked === undefined ? 'none' : shownValue(asked)}, given is ${given === undefined ? 'none' : shownValue(given)}`;

/** A filter that adds to another is written so that anybody sees it: the first of two that must both hold. */
export const addedFilter = (asked: JsonObject, more: JsonObject): JsonObject => {
  if (isAll(more)) return asked;
  return isAll(asked) ? more : { $and: [asked, more] };
};

const isAll = (filter: JsonObject): boolean => Object.keys(filter).length === 0;

function wrongFilter(asked: JsonObject, given: JsonObject): string | undefined {
  if (isAll(asked) || jsonEquals(asked, given)) return undefined;
  const { $and: parts, ...rest } = given;
  const adds = Array.isArray(parts) && Object.keys(rest).length === 0 && jsonEquals(asked, parts[0] as JsonValue);
  return adds
    ? undefined
    : 'the filter is another one: allowed is what was asked for, or {$and: [what was asked for, more]}';
}

const kind = (duration: GrantDuration): number =>
  ['once', 'until', 'standing'].indexOf(typeof duration === 'object' ? 'until' : duration);

function wrongDuration(asked: GrantDuration, given: GrantDuration): string | undefined {
  const isLonger =
    kind(given) > kind(asked) ||
    (typeof asked === 'object' && typeof given === 'object' && Date.parse(given.until) > Date.parse(asked.until));
  if (!isLonger) return undefined;
  const words = (duration: GrantDuration): string =>
    typeof duration === 'object' ? `until ${shownText(duration.until)}` : `"${duration}"`;
  return `it lasts longer than was asked: asked for was ${words(asked)}, given is ${words(given)}`;
}

function wrongWrite(asked: WriteTerms, given: WriteTerms): string | undefined {
  const operation = given.operations.find((o) => !asked.operations.includes(o));
  if (operation) return `to ${operation} was not asked for, only to ${asked.operations.join(', ')}`;
  if (asked.fields && !given.fields) return `to write all fields was not asked for, only ${asked.fields.join(', ')}`;
  const field = given.fields?.find((f) => asked.fields && !asked.fields.includes(f));
  if (field) return `to write ${field} was not asked for, only ${asked.fields?.join(', ')}`;
  if (asked.policy === 'propose' && given.policy === 'auto')
    return 'the policy "auto" was not asked for, only "propose"';
  return given.perDay > asked.perDay
    ? `${given.perDay} writes a day are more than the ${asked.perDay} that were asked for`
    : undefined;
}

/** Field lists in normal form; an empty one stands for whole records. */
function wrongFields(asked: readonly FieldTerm[], given: readonly FieldTerm[]): string | undefined {
  const shown = asked.filter((term) => !isDrop(term));
  const givenShown = given.filter((term) => !isDrop(term));
  if (shown.length > 0 && givenShown.length === 0) return `whole records were not asked for, only ${listed(shown)}`;
  for (const term of givenShown) {
    const wrong = (shown.length > 0 ? wrongField(shown, term) : undefined) ?? unhidden(asked, given, term);
    if (wrong) return wrong;
  }
  if (givenShown.length === 0) {
    const drop = asked.find((term) => isDrop(term) && !isHidden(pathOf(term), given));
    if (drop) return leftOut(pathOf(drop), drop);
  }
  const missing = shown.find((term) => !isOptional(term) && !isWhole(term, asked, given));
  return missing && `${pathOf(missing)} is required, it cannot be taken away`;
}

const listed = (terms: readonly FieldTerm[]): string => terms.map(pathOf).join(', ');
const leftOut = (path: string, drop: FieldTerm): string =>
  `${path} was not asked for: the request leaves ${pathOf(drop)} out`;

function anotherForm(asked: FieldTerm): string {
  const transform = transformOf(asked);
  const form = typeof transform === 'object' ? `rounded to ${transform.round}` : transform;
  return `${pathOf(asked)} was asked for in another form: ${form === 'drop' ? 'left out' : (form ?? 'as it is')}`;
}

/** A shown field must lie in one that was asked for, and be changed in the same way if that one is changed. */
function wrongField(shown: readonly FieldTerm[], term: FieldTerm): string | undefined {
  const path = pathOf(term);
  if (!shown.some((other) => liesIn(path, pathOf(other)))) return `${path} was not asked for, only ${listed(shown)}`;
  for (const other of shown) {
    if (!transformOf(other) || !liesIn(path, pathOf(other))) continue;
    if (path !== pathOf(other) || !sameTransform(other, term)) return anotherForm(other);
  }
  return undefined;
}

/** What lies changed or dropped inside of a field must stay so when the field is shown, or be dropped. */
function unhidden(asked: readonly FieldTerm[], given: readonly FieldTerm[], term: FieldTerm): string | undefined {
  const path = pathOf(term);
  for (const inner of asked) {
    const innerPath = pathOf(inner);
    if (!transformOf(inner)) continue;
    if (isDrop(inner) && liesIn(path, innerPath)) return leftOut(path, inner);
    if (path === innerPath || !liesIn(innerPath, path)) continue;
    const keeps = given.some((g) => pathOf(g) === innerPath && sameTransform(g, inner));
    if (transformOf(term) || (!keeps && !isHidden(innerPath, given))) return anotherForm(inner);
  }
  return undefined;
}

const isHidden = (path: string, given: readonly FieldTerm[]): boolean =>
  given.some((term) => isDrop(term) && liesIn(path, pathOf(term)));

/** Whether a field is given just as it was asked for, with all that is in it. */
function isWhole(term: FieldTerm, asked: readonly FieldTerm[], given: readonly FieldTerm[]): boolean {
  const path = pathOf(term);
  const isGiven = (g: FieldTerm): boolean => (transformOf(g) ? pathOf(g) === path : liesIn(path, pathOf(g)));
  if (!given.some((g) => isGiven(g) && sameTransform(g, term))) return false;
  return given.every((g) => {
    const touches = liesIn(pathOf(g), path) || liesIn(path, pathOf(g));
    if (!transformOf(g) || !touches) return true;
    return asked.some((a) => pathOf(a) === pathOf(g) && sameTransform(a, g));
  });
}
