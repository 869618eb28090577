import fc from 'fast-check';
import { DateTime, Duration } from 'luxon';
import { describe as group, expect, it } from 'vitest';
import type { JsonObject, JsonValue } from '../base/json.ts';
import {
  compareKeys,
  describe,
  type FieldFormat,
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

const SEED = 20_260_415;
const RUNS = 4_000;
const formats: ReadonlyMap<string, FieldFormat> = new Map([
  ['when', 'partial-date'],
  ['deep.at', 'date-time'],
  ['list.day', 'date'],
]);
const NOW = Date.UTC(2026, 2, 31, 22, 15);

const instants = fc.constantFrom(
  '2026',
  '2026-03',
  '2026-02-28',
  '2025-09-30',
  '2025-10-01T00:15:00+02:00',
  '2026-03-31T22:15:00Z',
  '2026-03-31T22:15:00.001Z',
  '2024-02-29',
  'not a date',
  '2031-01-01T00:00:00-05:00',
);
const goodInstants = instants.filter((t) => t !== 'not a date');
const plain = fc.oneof(
  fc.constantFrom('a', 'ab', 'b', '', '\u{1F600}', '\uffff', 'Z'),
  fc.integer({ min: -3, max: 3 }),
  fc.boolean(),
  fc.constant(null),
);
const value: fc.Arbitrary<JsonValue> = fc.oneof(plain, fc.array(plain, { maxLength: 3 }));
const record: fc.Arbitrary<JsonObject> = fc.record(
  {
    a: value,
    b: value,
    when: fc.oneof(instants, fc.array(instants, { maxLength: 3 }), fc.constant(null), fc.integer()),
    deep: fc.record({ at: instants, x: value }, { requiredKeys: [] }),
    list: fc.array(
      fc.record({ day: fc.constantFrom('2026-03-30', '2025-03-30', 'x'), x: plain }, { requiredKeys: [] }),
      { maxLength: 3 },
    ),
  },
  { requiredKeys: [] },
) as fc.Arbitrary<JsonObject>;

const nonNull = plain.filter((v) => v !== null);
const ordered = plain.filter((v) => typeof v === 'string' || typeof v === 'number');
const plainOps = fc.oneof(
  plain.map((v) => ({ $eq: v })),
  plain.map((v) => ({ $ne: v })),
  ordered.map((v) => ({ $gt: v })),
  ordered.map((v) => ({ $lte: v })),
  fc.array(nonNull, { maxLength: 3 }).map((v) => ({ $in: v })),
  fc.array(nonNull, { maxLength: 3 }).map((v) => ({ $nin: v })),
  fc.boolean().map((v) => ({ $exists: v })),
  fc.constantFrom('a', 'Z').map((v) => ({ $beginsWith: v })),
  fc.tuple(ordered, ordered).map(([x, y]) => ({ $gte: x, $lt: y })),
  ordered.map((v) => ({ $not: { $gt: v } })),
);
const timeOps = fc.oneof(
  goodInstants.map((v) => ({ $gte: v })),
  goodInstants.map((v) => ({ $lt: v })),
  goodInstants.map((v) => ({ $eq: v })),
  goodInstants.map((v) => ({ $ne: v })),
  fc.constantFrom('P6M', 'P1M', 'P30D', 'PT36H', 'P1Y', 'P1Y2M3DT4H').map((v) => ({ $within: v })),
  fc.constantFrom('P6M', 'P1D').map((v) => ({ $not: { $within: v } })),
);
const leaf: fc.Arbitrary<JsonObject> = fc.oneof(
  fc
    .tuple(fc.constantFrom('a', 'b', 'deep.x', 'list.x', 'none'), fc.oneof(plainOps, plain))
    .map(([f, op]) => ({ [f]: op as JsonValue })),
  fc
    .tuple(fc.constantFrom('when', 'deep.at', 'list.day'), timeOps)
    .map(([f, op]) => ({ [f]: op as unknown as JsonValue })),
  fc
    .tuple(plainOps, fc.constantFrom('2026-01-01', '2025-01-01'))
    .map(([op, day]) => ({ list: { $elemMatch: { x: op as JsonValue, day: { $gte: day } } } })),
  fc.tuple(ordered, ordered).map(([x, y]) => ({ a: { $elemMatch: { $gte: x, $lt: y } } })),
);
const { filter } = fc.letrec<{ filter: JsonObject }>((tie) => ({
  filter: fc.oneof(
    { maxDepth: 3 },
    leaf,
    fc.array(tie('filter'), { minLength: 1, maxLength: 3 }).map((parts) => ({ $and: parts })),
    fc.array(tie('filter'), { minLength: 1, maxLength: 3 }).map((parts) => ({ $or: parts })),
    tie('filter').map((part) => ({ $not: part })),
  ),
}));

const parse = (source: JsonObject) => {
  const parsed = parseFilter(source, formats);
  if (!parsed.ok) throw new Error(`${parsed.error.type} at ${parsed.error.path} in ${JSON.stringify(source)}`);
  return parsed.value;
};

group('filters against a naive reading', () => {
  it('[FIL-1] prop: the matcher agrees with the oracle', () => {
    fc.assert(
      fc.property(filter, record, (f, r) => matches(parse(f), r, NOW) === naiveMatches(f, r, formats, NOW)),
      { seed: SEED, numRuns: RUNS },
    );
  });

  it('[FIL-4] prop: $not is strict negation', () => {
    fc.assert(
      fc.property(filter, record, (f, r) => matches(parse({ $not: f }), r, NOW) !== matches(parse(f), r, NOW)),
      { seed: SEED, numRuns: 1_000 },
    );
  });

  it('[FIL-9] prop: nothing changes before the next flip, and it does there', () => {
    fc.assert(
      fc.property(
        filter,
        record,
        fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 6 }),
        (f, r, points) => {
          const parsed = parse(f);
          const flip = nextFlip(parsed, r, NOW);
          const current = matches(parsed, r, NOW);
          const end = flip ?? NOW + 40 * 365 * 86_400_000;
          for (const p of points) expect(matches(parsed, r, Math.floor(NOW + p * (end - 1 - NOW)))).toBe(current);
          if (flip === undefined) return;
          expect(matches(parsed, r, flip - 1)).toBe(current);
          expect(matches(parsed, r, flip)).toBe(!current);
        },
      ),
      { seed: SEED, numRuns: RUNS },
    );
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
    const indexes = [
      { name: 'when', fields: ['when'] },
      { name: 'aWhen', fields: ['a', 'when'] },
      { name: 'b', fields: ['b'] },
      { name: 'listDay', fields: ['list.day', 'a'] },
    ];
    let planned = 0;
    fc.assert(
      fc.property(fc.array(fc.oneof(leaf, leaf, filter), { minLength: 1, maxLength: 2 }), record, (all, r) => {
        const parsed = parse({ $and: all });
        const plan = planIndex(parsed, indexes, NOW);
        if (!plan || !matches(parsed, r, NOW)) return;
        planned++;
        const keys = indexKeys(r, indexes.find((i) => i.name === plan.index)?.fields ?? [], formats);
        expect(keys === 'unindexable' || keys.some((key) => inPlan(key, plan))).toBe(true);
      }),
      { seed: SEED, numRuns: 5 * RUNS },
    );
    expect(planned).toBeGreaterThan(200);
  });

  it('[FIL-2] prop: parsing never throws, whatever comes', () => {
    fc.assert(
      fc.property(
        fc.anything({ withBigInt: true, withNullPrototype: true, withDate: true, withMap: true }),
        (input) => {
          const parsed = parseFilter(input, formats);
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
        const text = describe(parse({ [name]: { $eq: y } }));
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
