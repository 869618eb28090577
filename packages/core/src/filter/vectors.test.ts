/** The shared cases of filters: matcher, oracle, planner, sentence and flip search are all held to what was worked out by hand. */

import { readFileSync } from 'node:fs';
import { describe as group, expect, it } from 'vitest';
import type { JsonObject, JsonValue } from '../base/json.ts';
import {
  bindFilter,
  compareKeys,
  describe,
  type FieldFormat,
  type Filter,
  type IndexKey,
  type IndexPlan,
  indexKeys,
  matches,
  nextFlip,
  parseFilter,
  parseInstant,
  planIndex,
} from './index.ts';
import { naiveMatches } from './naive.oracle.ts';

type Case = {
  readonly name: string;
  readonly filter: JsonObject;
  readonly record: JsonObject;
  readonly matches: boolean;
  readonly sentence: string;
  readonly now?: string;
  readonly flips?: readonly string[];
};
type Refused = { readonly name: string; readonly filter: JsonValue; readonly type: string; readonly path: string };
type Vectors = {
  readonly now: string;
  readonly formats: { readonly [path: string]: FieldFormat };
  readonly cases: readonly Case[];
  readonly refused: readonly Refused[];
  readonly instants: readonly {
    readonly text: string;
    readonly format: FieldFormat;
    readonly instant: string | null;
  }[];
};

const vectors = JSON.parse(
  readFileSync(new URL('../../../../vectors/filter.json', import.meta.url), 'utf8'),
) as Vectors;
const formats = new Map(Object.entries(vectors.formats));

const parse = (source: JsonObject): Filter => {
  const parsed = parseFilter(source, formats);
  if (!parsed.ok) throw new Error(`${parsed.error.type} at ${parsed.error.path}`);
  return parsed.value;
};
const DAY_MS = 86_400_000;
const isoOf = (ms: number | undefined): string | undefined =>
  ms === undefined ? undefined : new Date(ms).toISOString();

group('vectors/filter.json', () => {
  it('has cases enough, each with its own name', () => {
    expect(vectors.cases.length).toBeGreaterThanOrEqual(60);
    const names = [...vectors.cases, ...vectors.refused].map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
  });

  it('[FIL-1] [FIL-3] [FIL-4] [FIL-5] [FIL-6] [FIL-7] [FIL-8] [FIL-13] matcher and oracle match what is stated', () => {
    const wrong = vectors.cases.filter((item) => {
      const nowMs = nowOf(item);
      const filter = parse(item.filter);
      const results = [
        matches(filter, item.record, nowMs),
        bindFilter(filter, nowMs)(item.record),
        naiveMatches(item.filter, item.record, formats, nowMs),
        // One more level would take the deepest case over the limit.
        nestingOf(item.filter) < 9 ? !matches(parse({ $not: item.filter }), item.record, nowMs) : item.matches,
      ];
      return results.some((result) => result !== item.matches);
    });
    expect(wrong.map(({ name }) => name)).toEqual([]);
  });

  it('[FIL-9] results flip where stated and nowhere else', () => {
    const seen = vectors.cases.map((item) => ({ name: item.name, flips: flipsOf(item) }));
    expect(seen).toEqual(vectors.cases.map(({ name, flips = [] }) => ({ name, flips })));
    expect(seen.filter(({ flips }) => flips.length > 0).length).toBeGreaterThan(15);
  });

  it('[FIL-9] between flips matcher and oracle stay as they are', () => {
    const wrong = vectors.cases.filter((item) => {
      const filter = parse(item.filter);
      const flips = (item.flips ?? []).map((flip) => Date.parse(flip));
      const starts = [nowOf(item), ...flips];
      return starts.some((start, i) => {
        const end = flips[i] ?? start + 400 * DAY_MS;
        const result = i % 2 === 0 ? item.matches : !item.matches;
        return [start, start + 1, Math.floor((start + end) / 2), end - 1]
          .filter((ms) => ms < end)
          .some(
            (ms) =>
              matches(filter, item.record, ms) !== result ||
              naiveMatches(item.filter, item.record, formats, ms) !== result,
          );
      });
    });
    expect(wrong.map(({ name }) => name)).toEqual([]);
  });

  it('[FIL-10] no index plan misses a record that matches', () => {
    const missed = vectors.cases.filter(({ filter, record, ...item }) =>
      indexesFor(filter).some((fields) => {
        const plan = planIndex(parse(filter), [{ name: 'i', fields }], nowOf(item));
        if (!plan || !item.matches) return false;
        const keys = indexKeys(record, fields, formats);
        return keys !== 'unindexable' && !keys.some((key) => inPlan(key, plan));
      }),
    );
    expect(missed.map(({ name }) => name)).toEqual([]);
  });

  it('[FIL-10] plans are made and leave records out', () => {
    let planned = 0;
    let leftOut = 0;
    for (const { filter, record, now } of vectors.cases) {
      for (const fields of indexesFor(filter)) {
        const plan = planIndex(parse(filter), [{ name: 'i', fields }], nowOf(now === undefined ? {} : { now }));
        if (!plan) continue;
        planned++;
        const keys = indexKeys(record, fields, formats);
        if (keys !== 'unindexable' && !keys.some((key) => inPlan(key, plan))) leftOut++;
      }
    }
    expect(planned).toBeGreaterThan(60);
    expect(leftOut).toBeGreaterThan(15);
  });

  it('[FIL-11] each filter reads as stated, and no sentence shows what could mislead', () => {
    const said = vectors.cases.map(({ name, filter }) => ({ name, sentence: describe(parse(filter)) }));
    expect(said).toEqual(vectors.cases.map(({ name, sentence }) => ({ name, sentence })));
    expect(said.filter(({ sentence }) => /[\p{C}\p{Zl}\p{Zp}]/u.test(sentence))).toEqual([]);
  });

  it('[FIL-2] [FIL-15] each wrong filter is refused with its reason and place', () => {
    const outcomes = vectors.refused.map(({ name, filter }) => {
      const parsed = parseFilter(filter, formats);
      return { name, ...(parsed.ok ? { type: 'parsed', path: '' } : parsed.error) };
    });
    expect(outcomes).toEqual(vectors.refused.map(({ name, type, path }) => ({ name, type, path })));
  });

  it('[FIL-6] [FIL-14] texts are the instants stated, or none', () => {
    const read = vectors.instants.map(({ text, format }) => ({
      text,
      format,
      instant: isoOf(parseInstant(text, format)) ?? null,
    }));
    expect(read).toEqual(vectors.instants);
  });
});

const nowOf = (item: Pick<Case, 'now'>): number => Date.parse(item.now ?? vectors.now);

/** All flips from a case's instant on, and a mark where there are more than any case has. */
function flipsOf(item: Case): (string | undefined)[] {
  const filter = parse(item.filter);
  const flips: (string | undefined)[] = [];
  let at: number | undefined = nowOf(item);
  while (flips.length < 10) {
    at = nextFlip(filter, item.record, at);
    if (at === undefined) break;
    flips.push(isoOf(at));
  }
  return flips;
}

/** The fields at the top of a filter and of its `$and`, one by one and in pairs, and some that it does not name. */
function indexesFor(filter: JsonObject): readonly (readonly string[])[] {
  const fields = new Set<string>(['date', 'n', 'status']);
  const collect = (part: JsonObject): void => {
    for (const [key, value] of Object.entries(part)) {
      if (!key.startsWith('$')) fields.add(key);
      else if (Array.isArray(value)) for (const inner of value as readonly JsonObject[]) collect(inner);
    }
  };
  collect(filter);
  return [...fields].flatMap((a) => [[a], ...[...fields].filter((b) => b !== a).map((b) => [a, b])]);
}

/** Levels of objects and lists; negating a filter must not take it over the limit. */
function nestingOf(value: JsonValue): number {
  if (typeof value !== 'object' || value === null) return 0;
  return 1 + Math.max(0, ...Object.values(value as JsonObject).map(nestingOf));
}

function inPlan(key: IndexKey, plan: IndexPlan): boolean {
  const depth = plan.equals.length;
  if (compareKeys(key.slice(0, depth), plan.equals) !== 0) return false;
  const part = key.slice(depth, depth + 1);
  const { gte, gt, lte, lt } = plan.range ?? {};
  return (
    (gte === undefined || compareKeys(part, [gte]) >= 0) &&
    (gt === undefined || compareKeys(part, [gt]) > 0) &&
    (lte === undefined || compareKeys(part, [lte]) <= 0) &&
    (lt === undefined || compareKeys(part, [lt]) < 0)
  );
}
