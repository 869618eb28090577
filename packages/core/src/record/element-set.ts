/** Set fields: arrays as observed-remove sets. Elements are equal if their canonical JSON is. */

import { canonicalJson } from '../base/canonical-json.ts';
import type { JsonValue } from '../base/json.ts';
import { compareStamps, hasSeen, type Stamp } from './stamp.ts';

/** An element with the stamps of its additions, largest first. There is at least one. */
export type Element = { readonly value: JsonValue; readonly adds: readonly Stamp[] };
/** Elements by canonical JSON. */
export type Elements = ReadonlyMap<string, Element>;

/** A set without elements. */
export const NO_ELEMENTS: Elements = new Map();

/** An array as the elements of a set that were all added by one stamp. */
export function toElements(array: readonly JsonValue[], stamp: Stamp): Elements {
  const adds = [stamp];
  return new Map(array.map((item) => toElement(item, adds)));
}

/** One element under its key, its value in canonical form, so that it reads the same whoever added it. */
export function toElement(value: JsonValue, adds: readonly Stamp[]): readonly [string, Element] {
  const key = canonicalJson(value);
  return [key, { value: typeof value === 'object' && value !== null ? (JSON.parse(key) as JsonValue) : value, adds }];
}

/** An array as a set shows it when all its elements were added at once: without repeats, by canonical JSON. */
export function toSetValue(array: readonly JsonValue[]): readonly JsonValue[] {
  const byKey = new Map(array.map((item) => toElement(item, [])));
  return [...byKey.keys()].sort().map((key) => (byKey.get(key) as Element).value);
}

/** Tells whether two arrays hold the same elements. */
export function sameElements(a: readonly JsonValue[], b: readonly JsonValue[]): boolean {
  const keys = new Set(a.map(canonicalJson));
  const others = new Set(b.map(canonicalJson));
  return keys.size === others.size && [...keys].every((key) => others.has(key));
}

/** What a save makes of a set: elements that stay keep their additions, new ones get `stamp`. */
export function replaceElements(previous: Elements, array: readonly JsonValue[], stamp: Stamp): Elements {
  const next = new Map<string, Element>();
  for (const [key, element] of toElements(array, stamp)) next.set(key, previous.get(key) ?? element);
  return next;
}

/**
 * Joins two sets. An addition that one side lacks stays unless that side has seen it, and so has removed it.
 */
export function joinElements(
  a: { readonly elements: Elements; readonly seen: readonly Stamp[] },
  b: { readonly elements: Elements; readonly seen: readonly Stamp[] },
): Elements {
  const joined = new Map<string, Element>();
  for (const key of new Set([...a.elements.keys(), ...b.elements.keys()])) {
    const mine = a.elements.get(key);
    const theirs = b.elements.get(key);
    const adds = [
      ...(mine?.adds ?? []).filter((s) => hasStamp(theirs?.adds, s) || !hasSeen(b.seen, s)),
      ...(theirs?.adds ?? []).filter((s) => !hasStamp(mine?.adds, s) && !hasSeen(a.seen, s)),
    ].sort((x, y) => compareStamps(y, x));
    if (adds.length > 0) joined.set(key, { value: ((mine ?? theirs) as Element).value, adds });
  }
  return joined;
}

/** The elements with additions after a delete: those added first come first, then by canonical JSON. */
export function liveElements(elements: Elements, deleted: Stamp | undefined): Element[] {
  const live: { key: string; value: JsonValue; adds: readonly Stamp[] }[] = [];
  for (const [key, { value, adds }] of elements) {
    const after = deleted === undefined ? adds : adds.filter((s) => compareStamps(s, deleted) > 0);
    if (after.length > 0) live.push({ key, value, adds: after });
  }
  return live.sort((a, b) => compareStamps(firstAdd(a), firstAdd(b)) || (a.key < b.key ? -1 : 1));
}

const firstAdd = (element: Element): Stamp => element.adds[element.adds.length - 1] as Stamp;

const hasStamp = (stamps: readonly Stamp[] | undefined, stamp: Stamp): boolean =>
  stamps?.some((s) => compareStamps(s, stamp) === 0) ?? false;
