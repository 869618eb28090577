import fc from 'fast-check';
import { DateTime, Duration } from 'luxon';
import { describe as group, expect, it } from 'vitest';
import {
  compareKeys,
  describe,
  type Filter,
  indexKeys,
  matches,
  nextFlip,
  parseFilter,
  parseSpan,
  planIndex,
  subtractSpan,
} from './index.ts';
import type { IndexKey } from './index.ts';
import { naiveMatches } from './naive.oracle.ts';
import { INDEXES, indexWorlds, probesOf, type World, windowWorlds, worlds } from './world.oracle.ts';

const SEED = 20_260_415;
const RUNS = 3_000;
const DAY_MS = 86_400_000;
const parsing = (world: Pick<World, 'filter' | 'formats'>): Filter => {
  const parsed = parseFilter(world.filter, world.formats);
  if (!parsed.ok) throw new Error(`${parsed.error.type} at ${parsed.error.path} in ${JSON.stringify(world.filter)}`);
  return parsed.value;
};
const run = (check: (world: World) => void, numRuns = RUNS, from = worlds): void =>
  fc.assert(fc.property(from, check), { seed: SEED, numRuns });

group('filters against a naive reading', () => {
  it('[FIL-1] [FIL-3] [FIL-4] [FIL-5] [FIL-6] [FIL-7] [FIL-8] prop: the matcher agrees with the oracle', () => {
    let matched = 0;
    run(({ filter, record, formats, nowMs }) => {
      const expected = naiveMatches(filter, record, formats, nowMs);
      if (expected) matched++;
      expect(matches(parsing({ filter, formats }), record, nowMs)).toBe(expected);
    });
    expect(matched).toBeGreaterThan(RUNS / 5);
    expect(matched).toBeLessThan((RUNS * 4) / 5);
  });

  it('[FIL-4] prop: $not is strict negation', () => {
    run(({ filter, record, formats, nowMs }) => {
      const negated = parsing({ filter: { $not: filter }, formats });
      expect(matches(negated, record, nowMs)).toBe(!matches(parsing({ filter, formats }), record, nowMs));
    }, 1_000);
  });

  it('[FIL-8] prop: one parsed filter gives each instant its own result', () => {
    run(({ filter, record, formats, nowMs }) => {
      const parsed = parsing({ filter, formats });
      for (const at of [nowMs, nowMs + 200 * DAY_MS, nowMs - 1, nowMs])
        expect(matches(parsed, record, at)).toBe(naiveMatches(filter, record, formats, at));
    }, 1_000);
  });

  it('[FIL-9] prop: nothing changes before the next flip, and there the oracle changes its mind too', () => {
    let flips = 0;
    run(
      (world) => {
        const { filter, record, formats, nowMs } = world;
        const oracle = (at: number): boolean => naiveMatches(filter, record, formats, at);
        const current = oracle(nowMs);
        const parsed = parsing(world);
        const flip = nextFlip(parsed, record, nowMs);
        const earlier = probesOf(world).filter((at) => at > nowMs && (flip === undefined || at < flip));
        expect(earlier.find((at) => matches(parsed, record, at) !== current)).toBeUndefined();
        if (flip === undefined) return;
        flips++;
        expect(flip).toBeGreaterThan(nowMs);
        expect([oracle(flip - 1), oracle(flip)]).toEqual([current, !current]);
      },
      900,
      windowWorlds,
    );
    expect(flips).toBeGreaterThan(150);
  });

  it('[FIL-8] prop: calendar subtraction agrees with luxon', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: Date.UTC(1990, 0), max: Date.UTC(2060, 0) }),
        fc.constantFrom('P6M', 'P1M', 'P1Y', 'P18M', 'P3W', 'P1Y2M3DT4H5M', 'PT36H'),
        (at, text) => {
          const span = parseSpan(text);
          if (!span) throw new Error(text);
          expect(subtractSpan(at, span)).toBe(
            DateTime.fromMillis(at, { zone: 'utc' }).minus(Duration.fromISO(text)).toMillis(),
          );
        },
      ),
      { seed: SEED, numRuns: 2_000 },
    );
  });

  it('[FIL-10] prop: a plan offers every record that matches', () => {
    const planned = new Map<string, number>();
    run(
      (world) => {
        const { record, formats, nowMs } = world;
        if (!naiveMatches(world.filter, record, formats, nowMs)) return;
        const parsed = parsing(world);
        for (const index of INDEXES) {
          const plan = planIndex(parsed, [index], nowMs);
          if (!plan) continue;
          planned.set(index.name, (planned.get(index.name) ?? 0) + 1);
          const keys = indexKeys(record, index.fields, formats);
          expect(keys === 'unindexable' || keys.some((key) => inPlan(key, plan))).toBe(true);
        }
      },
      2 * RUNS,
      indexWorlds,
    );
    expect(planned.size).toBe(INDEXES.length);
    expect(Math.min(...planned.values())).toBeGreaterThan(15);
  });

  it('[FIL-2] prop: parsing never throws, whatever comes', () => {
    fc.assert(
      fc.property(
        fc.anything({ withBigInt: true, withNullPrototype: true, withDate: true, withMap: true }),
        (input) => {
          const parsed = parseFilter(input, new Map([['a', 'date']]));
          if (parsed.ok) describe(parsed.value);
          expect(typeof parsed.ok).toBe('boolean');
        },
      ),
      { seed: SEED, numRuns: 2_000 },
    );
  });

  it('[FIL-11] prop: a sentence holds no control, format or bidi character', () => {
    const nasty = fc.string({
      unit: fc.constantFrom('a', '\u202e', '\u0000', '\u200b', '\n', '"', '\u2066', '\\', '\u{E0001}'),
    });
    fc.assert(
      fc.property(nasty, nasty, (x, y) => {
        const name = x.replaceAll(/[.$]/g, '') || 'f';
        const text = describe(parsing({ filter: { [name]: { $eq: y } }, formats: new Map() }));
        expect(text).not.toMatch(/[\p{C}\p{Zl}\p{Zp}]/u);
        expect(text.length).toBeLessThan(400);
      }),
      { seed: SEED, numRuns: 1_000 },
    );
  });
});

function inPlan(key: IndexKey, plan: NonNullable<ReturnType<typeof planIndex>>): boolean {
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
