/** Random schemas, filters, records and instants, made for each other: values lie where the filter's bounds and windows do. */

import fc from 'fast-check';
import { DateTime, Duration } from 'luxon';
import type { JsonObject, JsonValue } from '../base/json.ts';
import type { FieldFormat } from './formats.ts';

export type World = {
  readonly formats: ReadonlyMap<string, FieldFormat>;
  readonly nowMs: number;
  readonly filter: JsonObject;
  readonly record: JsonObject;
};

const SPANS = ['P1M', 'P6M', 'P1Y', 'P30D', 'P7D', 'PT36H', 'P1Y2M3DT4H', 'P1M1D'] as const;
/** `x` and `day` stand both in the record and in elements of `list`, to trap a planner that confuses them. */
const FIELDS = ['a', 'x', 'day', 'when', 'deep.x', 'deep.at', 'list.x', 'list.day'] as const;
const INDEXED = [['when'], ['a', 'when'], ['x'], ['day'], ['deep.at', 'a'], ['list.day', 'a'], ['list.x']] as const;
export const INDEXES = INDEXED.map((fields) => ({ name: fields.join(), fields }));

const DAY_MS = 86_400_000;
const clock = fc.oneof(
  fc.constantFrom(
    ...[
      '2026-03-31T22:15Z',
      '2026-03-28T00:00Z',
      '2026-03-30T18:00Z',
      '2024-02-29T12:00Z',
      '2025-02-28T23:59Z',
      '2026-08-31T00:00Z',
    ].map((t) => Date.parse(t)),
  ),
  fc.integer({ min: Date.UTC(2023, 0), max: Date.UTC(2028, 0) }),
);
const formats = fc
  .tuple(
    ...FIELDS.map(() =>
      fc.constantFrom<FieldFormat | undefined>(undefined, 'date', 'date-time', 'partial-date', 'partial-date'),
    ),
  )
  .map(
    (chosen) => new Map(FIELDS.flatMap((field, i) => (chosen[i] === undefined ? [] : [[field, chosen[i]] as const]))),
  );

/** Texts of instants at and around the bounds that the spans give at this instant. */
function instantTexts(nowMs: number): fc.Arbitrary<string> {
  const near = fc
    .tuple(
      fc.constantFrom(...SPANS, 'PT0S'),
      fc.constantFrom(-DAY_MS, -DAY_MS / 2, -1, 0, 1, DAY_MS / 2, DAY_MS, 3 * DAY_MS),
      fc.constantFrom('utc', 'UTC+2', 'UTC-5', 'day', 'month', 'year'),
    )
    .map(([span, delta, form]) => {
      const at = DateTime.fromMillis(nowMs, { zone: 'utc' }).minus(Duration.fromISO(span)).plus(delta);
      if (form === 'day') return at.toFormat('yyyy-MM-dd');
      if (form === 'month') return at.toFormat('yyyy-MM');
      return form === 'year' ? at.toFormat('yyyy') : (at.setZone(form).toISO() ?? '');
    });
  return fc.oneof(near, fc.constantFrom('2024-02-29', '2031-01-01T00:00:00-05:00', '1999'));
}

const plain = fc.oneof(
  fc.constantFrom('\u{1F600}', '\uffff', 'b'),
  fc.constantFrom('a', 'ab', 'b', '', '\u{1F600}', '\uffff', 'Z'),
  fc.integer({ min: -2, max: 3 }),
  fc.boolean(),
  fc.constant(null),
);

/** `dense`: every field is there, and most are instants. */
function recordOf(nowMs: number, dense: boolean): fc.Arbitrary<JsonObject> {
  const instant: fc.Arbitrary<JsonValue> = instantTexts(nowMs);
  const leaf = fc.oneof(
    plain,
    instant,
    instant,
    fc.constant('soon'),
    ...(dense ? Array<typeof instant>(8).fill(instant) : []),
  );
  const value: fc.Arbitrary<JsonValue> = fc.oneof(
    { arbitrary: leaf, weight: 4 },
    { arbitrary: fc.array(leaf, { maxLength: 3 }), weight: 2 },
    { arbitrary: fc.array(fc.array(leaf, { maxLength: 2 }), { maxLength: 2 }), weight: 1 },
  );
  const inner = fc.record({ x: value, day: leaf, at: leaf }, dense ? {} : { requiredKeys: [] });
  return fc.record(
    {
      a: value,
      x: value,
      day: value,
      when: value,
      deep: fc.oneof(inner, fc.array(inner, { maxLength: 2 })),
      list: fc.oneof(fc.array(inner, { maxLength: 3 }), inner),
    },
    dense ? {} : { requiredKeys: [] },
  ) as fc.Arbitrary<JsonObject>;
}

/** One condition of a field that its format allows. */
function condition(format: FieldFormat | undefined, nowMs: number): fc.Arbitrary<JsonValue> {
  const instant = instantTexts(nowMs);
  const ordered = format
    ? instant
    : fc.oneof(
        instant,
        plain.filter((v) => typeof v === 'string' || typeof v === 'number'),
      );
  const nonNull: fc.Arbitrary<JsonValue> = format
    ? instant
    : fc.oneof(
        instant,
        plain.filter((v) => v !== null),
      );
  const any = fc.oneof(nonNull, fc.constant(null));
  const of = (op: string) => (v: JsonValue) => ({ [op]: v });
  const one: fc.Arbitrary<JsonValue> = fc.oneof(
    any,
    any.map(of('$eq')),
    any.map(of('$ne')),
    ...['$gt', '$gte', '$lt', '$lte'].map((op) => ordered.map(of(op))),
    fc.array(nonNull, { maxLength: 3 }).map(of('$in')),
    fc.array(nonNull, { maxLength: 3 }).map(of('$nin')),
    fc.boolean().map(of('$exists')),
    fc.constantFrom('a', 'Z', '20').map(of('$beginsWith')),
    fc.tuple(ordered, ordered).map(([x, y]) => ({ $gte: x, $lt: y })),
    ...(format ? [1, 2, 3].map(() => fc.constantFrom(...SPANS).map(of('$within'))) : []),
  );
  const isOperators = (c: JsonValue): boolean => typeof c === 'object' && c !== null;
  return fc.oneof(
    { arbitrary: one, weight: 4 },
    { arbitrary: one.filter(isOperators).map((c) => ({ $not: c })), weight: 1 },
  );
}

type Known = ReadonlyMap<string, FieldFormat>;
const fieldOf = (known: Known, nowMs: number, name: string, path = name): fc.Arbitrary<JsonObject> =>
  condition(known.get(path), nowMs).map((c) => ({ [name]: c }));

/** Conditions that one element of `list` has to meet. */
const elementsOf = (known: Known, nowMs: number): fc.Arbitrary<JsonObject> =>
  fc
    .tuple(
      fieldOf(known, nowMs, 'x', 'list.x'),
      fieldOf(known, nowMs, 'day', 'list.day'),
      fc.constantFrom('both', 'or', 'not', 'first'),
    )
    .map(([x, day, how]): JsonObject => {
      const either = how === 'or' ? { $or: [x, day] } : { $and: [{ $not: x }] };
      return { list: { $elemMatch: how === 'both' ? { ...x, ...day } : how === 'first' ? x : either } };
    });

function leafOf(known: Known, nowMs: number): fc.Arbitrary<JsonObject> {
  const scalars = condition(known.get('a'), nowMs)
    .filter((c) => typeof c === 'object' && c !== null)
    .map((c) => ({ a: { $elemMatch: c } }));
  return fc.oneof(
    {
      arbitrary: fc.oneof(...FIELDS.map((name) => fieldOf(known, nowMs, name)), fieldOf(known, nowMs, 'none')),
      weight: 6,
    },
    { arbitrary: elementsOf(known, nowMs), weight: 2 },
    { arbitrary: scalars, weight: 1 },
  );
}

/** Any filter of up to three levels. */
const anyFilter = (known: Known, nowMs: number): fc.Arbitrary<JsonObject> =>
  fc.letrec<{ filter: JsonObject }>((tie) => ({
    filter: fc.oneof(
      { maxDepth: 3 },
      leafOf(known, nowMs),
      fc.array(tie('filter'), { minLength: 1, maxLength: 3 }).map((parts) => ({ $and: parts })),
      fc.array(tie('filter'), { minLength: 1, maxLength: 3 }).map((parts) => ({ $or: parts })),
      tie('filter').map((part) => ({ $not: part })),
    ),
  })).filter;

/** Filters that time alone may change. */
function windowFilter(known: Known, nowMs: number): fc.Arbitrary<JsonObject> {
  const window = fc.constantFrom(...SPANS).map((span) => ({ $within: span }));
  const test = fc.oneof(
    window,
    window,
    window.map((w) => ({ $not: w })),
  );
  const dated = FIELDS.filter((field) => known.has(field));
  const direct = fc.tuple(fc.constantFrom(...dated), test).map(([field, w]): JsonObject => ({ [field]: w }));
  const inElement = test.map((w): JsonObject => ({ list: { $elemMatch: { day: w } } }));
  const atom = known.has('list.day') ? fc.oneof(direct, direct, inElement) : direct;
  return fc.oneof(
    atom,
    fc.tuple(atom, atom).map((parts) => ({ $and: parts })),
    fc.tuple(atom, fc.oneof(atom, leafOf(known, nowMs))).map((parts) => ({ $or: parts })),
    fc.tuple(atom, leafOf(known, nowMs)).map(([w, other]) => ({ $and: [w, { $not: other }] })),
  );
}

/** Conditions on indexed fields, alone, in pairs, and where a planner must not take them. */
function indexFilter(known: Known, nowMs: number): fc.Arbitrary<JsonObject> {
  const fields = [...new Set(INDEXED.flat())];
  const elements = elementsOf(known, nowMs);
  const leaf = fc.oneof(...fields.map((name) => fieldOf(known, nowMs, name)), elements, leafOf(known, nowMs));
  return fc.oneof(
    elements,
    leaf,
    fc.tuple(leaf, leaf).map((parts) => ({ $and: parts })),
    fc.tuple(leaf, leaf, leaf).map(([a, b, c]) => ({ $and: [a, { $or: [b, { $not: c }] }] })),
  );
}

/** A few random schemas and instants, so that the filters of each are set up once. */
function worldsOf(
  filterOf: (known: Known, nowMs: number) => fc.Arbitrary<JsonObject>,
  dense = false,
): fc.Arbitrary<World> {
  const schemas = fc.sample(formats, { seed: 8, numRuns: 24 }).filter((known) => known.size > 0);
  const clocks = fc.sample(clock, { seed: 31, numRuns: schemas.length });
  return fc.oneof(
    ...schemas.map((known, i) => {
      const nowMs = clocks[i] ?? 0;
      return fc.record({
        formats: fc.constant(known),
        nowMs: fc.constant(nowMs),
        filter: filterOf(known, nowMs),
        record: recordOf(nowMs, dense),
      });
    }),
  );
}

/** A schema's formats, an instant, a filter that parses under them, and a record. */
export const worlds = worldsOf(anyFilter);
export const windowWorlds = worldsOf(windowFilter, true);
export const indexWorlds = worldsOf(indexFilter);

/** Instants at which a result could change: each window's end and the days around it, worked out with luxon. */
export function probesOf({ filter, record }: World): readonly number[] {
  const spans = SPANS.filter((span) => JSON.stringify(filter).includes(`"${span}"`));
  const found = new Set<number>();
  for (const text of JSON.stringify(record).match(/"\d{4}[^"]*"/g) ?? []) {
    const at = DateTime.fromISO(text.slice(1, -1), { zone: 'utc' });
    if (!at.isValid) continue;
    for (const span of spans) {
      const end = at.plus(Duration.fromISO(span));
      for (let day = -4; day <= 4; day++) {
        const there = end.plus({ days: day });
        for (const ms of [there.startOf('day').toMillis(), there.toMillis()])
          for (const d of [-1, 0, 1]) found.add(ms + d);
      }
    }
  }
  return [...found].sort((a, b) => a - b);
}
