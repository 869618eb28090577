import { describe as group, expect, it } from 'vitest';
import type { JsonObject } from '../base/json.ts';
import {
  compareBySort,
  describe,
  type FieldFormat,
  fieldFormats,
  fieldLists,
  listNegations,
  matches,
  nextFlip,
  parseFilter,
  parseInstant,
  parseSpan,
} from './index.ts';

const formats: ReadonlyMap<string, FieldFormat> = new Map([
  ['date', 'partial-date'],
  ['day', 'date'],
]);
const NOW = Date.UTC(2026, 3, 15, 12);
const run = (filter: JsonObject, record: JsonObject, now = NOW): boolean => {
  const parsed = parseFilter(filter, formats);
  if (!parsed.ok) throw new Error(parsed.error.type);
  return matches(parsed.value, record, now);
};
const failure = (filter: unknown) => {
  const parsed = parseFilter(filter, formats);
  return parsed.ok ? 'ok' : `${parsed.error.type} at ${parsed.error.path}`;
};

group('filters', () => {
  it('[FIL-1] an empty filter matches all, fields and operators add up', () => {
    expect(run({}, {})).toBe(true);
    expect(run({ a: 1, b: { $gt: 1, $lt: 3 } }, { a: 1, b: 2 })).toBe(true);
    expect(run({ a: 1, b: { $gt: 1, $lt: 3 } }, { a: 1, b: 3 })).toBe(false);
  });

  it('[FIL-2] limits and unknown things are refused with their place', () => {
    expect(failure({ a: { $where: 'x' } })).toBe('unknown-operator at a.$where');
    expect(failure({ $nor: [] })).toBe('unknown-operator at $nor');
    expect(failure({ a: { b: 1 } })).toBe('nested-object at a.b');
    expect(failure({ a: {} })).toBe('nested-object at a');
    expect(failure({ $and: [] })).toBe('empty at $and');
    expect(failure({ a: { $in: 5 } })).toBe('bad-operand at a.$in');
    expect(failure({ a: { $in: Array(257).fill(1) } })).toBe('too-many at a.$in');
    expect(failure({ a: 'x'.repeat(1025) })).toBe('too-long at a');
    expect(failure({ a: 'x'.repeat(20_000) })).toBe('too-long at ');
    expect(failure(JSON.parse(`${'{"$not":'.repeat(9)}{"a":1}${'}'.repeat(9)}`))).toMatch(/^too-deep/);
    expect(failure(Object.fromEntries(Array.from({ length: 130 }, (_, i) => [`f${i}`, 1])))).toMatch(/^too-many/);
    expect(failure([])).toBe('not-an-object at ');
    expect(failure({ 'a..b': 1 })).toBe('bad-path at a..b');
    expect(failure({ a: { $within: 'P6M' } })).toBe('not-an-instant at a.$within');
    expect(failure({ date: { $gte: 'yesterday' } })).toBe('not-an-instant at date.$gte');
  });

  it('[FIL-3] a missing path makes every atom false but $exists: false', () => {
    for (const atom of [{ $eq: null }, { $ne: 1 }, { $nin: [1] }, { $gt: 0 }, { $beginsWith: 'a' }, { $exists: true }])
      expect(run({ a: atom }, {})).toBe(false);
    expect(run({ a: { $exists: false } }, {})).toBe(true);
    expect(run({ a: null }, { a: null })).toBe(true);
    expect(run({ a: { $exists: true } }, { a: null })).toBe(true);
    expect(failure({ a: { $gt: null } })).toBe('bad-operand at a.$gt');
    expect(failure({ a: { $in: [null] } })).toBe('bad-operand at a.$in.0');
  });

  it('[FIL-4] $not gives the complement, missing fields included', () => {
    expect(run({ a: { $not: { $eq: 1 } } }, {})).toBe(true);
    expect(run({ $not: { a: { $ne: 1 } } }, {})).toBe(true);
    expect(run({ a: { $not: { $gt: 1 } } }, { a: 2 })).toBe(false);
  });

  it('[FIL-5] a path goes through arrays; $elemMatch asks one element for all', () => {
    const record = {
      codes: [
        { s: 'x', v: 1 },
        { s: 'y', v: 2 },
      ],
      tags: ['a', 'b'],
    };
    expect(run({ 'codes.s': 'x', 'codes.v': 2 }, record)).toBe(true);
    expect(run({ codes: { $elemMatch: { s: 'x', v: 2 } } }, record)).toBe(false);
    expect(run({ codes: { $elemMatch: { s: 'y', v: 2 } } }, record)).toBe(true);
    expect(run({ tags: 'b' }, record)).toBe(true);
    expect(run({ tags: { $ne: 'b' } }, record)).toBe(true);
    expect(run({ n: { $elemMatch: { $gte: 3, $lt: 5 } } }, { n: [1, 9] })).toBe(false);
    expect(run({ n: { $elemMatch: { $gte: 3, $lt: 5 } } }, { n: [1, 4] })).toBe(true);
  });

  it('[FIL-6] dates compare as instants', () => {
    expect(run({ date: { $gte: '2026-03-01T00:00:00+01:00' } }, { date: '2026-02-28T23:00:00Z' })).toBe(true);
    expect(run({ date: '2026-03' }, { date: '2026-03-01T00:00:00Z' })).toBe(true);
    expect(run({ date: { $ne: '2026' } }, { date: 'soon' })).toBe(false);
    expect(parseInstant('2026', 'partial-date')).toBe(Date.UTC(2026, 0));
    expect(parseInstant('2026', 'date')).toBeUndefined();
    expect(parseInstant('2026-02-30', 'date')).toBeUndefined();
    expect(parseInstant('2026-02-03T10:00:00-05:00', 'date-time')).toBe(Date.UTC(2026, 1, 3, 15));
    expect(
      fieldFormats({
        allOf: [{ properties: { d: { format: 'date' } } }],
        properties: {
          l: { type: 'array', items: { properties: { at: { format: 'date-time' } } } },
          e: { format: 'email' },
        },
      }),
    ).toEqual(
      new Map([
        ['l.at', 'date-time'],
        ['d', 'date'],
      ]),
    );
  });

  it('[FIL-6] the same text is an instant to one field and none to another', () => {
    const record = { date: '2026-03', day: '2026-03' };
    expect(run({ date: { $gte: '2026-03-01' } }, record)).toBe(true);
    expect(run({ day: { $gte: '2026-03-01' } }, record)).toBe(false);
    expect(run({ date: { $gte: '2026-03-01' } }, record)).toBe(true);
  });

  it('[FIL-7] text compares by code point and kinds do not mix', () => {
    expect(run({ a: { $gt: '\uffff' } }, { a: '\u{1F600}' })).toBe(true);
    expect(run({ a: { $gt: 1 } }, { a: '2' })).toBe(false);
    expect(run({ a: 1 }, { a: true })).toBe(false);
  });

  it('[FIL-8] a window is open towards the future, and months end where they end', () => {
    const at = (iso: string): number => Date.parse(iso);
    expect(run({ date: { $within: 'P6M' } }, { date: '2025-10-15T12:00:00Z' })).toBe(true);
    expect(run({ date: { $within: 'P6M' } }, { date: '2025-10-15T11:59:59.999Z' })).toBe(false);
    expect(run({ date: { $within: 'P6M' } }, { date: '2099' })).toBe(true);
    expect(run({ date: { $within: 'P1M' } }, { date: '2026-02-28' }, at('2026-03-31T00:00:00Z'))).toBe(true);
    expect(parseSpan('P0D')).toBeUndefined();
    expect(parseSpan('P101Y')).toBeUndefined();
    expect(parseSpan('-P1D')).toBeUndefined();
  });

  it('[FIL-9] the flip is found even where clamping steps back', () => {
    const parsed = parseFilter({ date: { $within: 'P1M' } }, formats);
    if (!parsed.ok) throw new Error();
    const record = { date: '2026-02-28T12:00:00Z' };
    const first = nextFlip(parsed.value, record, Date.parse('2026-03-28T00:00:00Z'));
    expect(first).toBe(Date.parse('2026-03-28T12:00:00.001Z'));
    const back = nextFlip(parsed.value, record, first as number);
    expect(back).toBe(Date.parse('2026-03-29T00:00:00Z'));
    expect(nextFlip(parsed.value, { date: '2020' }, NOW)).toBeUndefined();
  });

  it('a flip is found among as many dates as a record holds', () => {
    const many = new Map<string, FieldFormat>([
      ['dates', 'date-time'],
      ['items.date', 'date-time'],
    ]);
    const parsed = parseFilter(
      { dates: { $within: 'P1M' }, items: { $elemMatch: { date: { $within: 'P1M' } } } },
      many,
    );
    if (!parsed.ok) throw new Error(parsed.error.type);
    const dates = Array.from({ length: 20_000 }, (_, i) => new Date(NOW - i * 1_000).toISOString());
    // The one that counts comes last.
    const recordOf = (all: readonly string[]) => ({
      dates: all.toReversed(),
      items: all.toReversed().map((date) => ({ date })),
    });
    const flip = nextFlip(parsed.value, recordOf(dates), NOW);
    expect(flip).toBe(nextFlip(parsed.value, recordOf(dates.slice(0, 1)), NOW));
    expect(flip).toBeGreaterThan(NOW);
  });

  it('[FIL-11] a name of more than a word is quoted, and cannot pass for a condition', () => {
    const say = (filter: JsonObject): string => {
      const parsed = parseFilter(filter, formats);
      return parsed.ok ? describe(parsed.value) : parsed.error.type;
    };
    const trap = 'status is "final" and nothing';
    const shown = '"status is \\u{22}final\\u{22} and nothing"';
    expect(say({ [trap]: { $exists: false } })).toBe(`${shown} is not given`);
    expect(say({ $not: { [trap]: 1 } })).toBe(`not (${shown} is 1)`);
    expect(say({ 'status.is\u3164final': 1 })).toBe('"status.is\u3164final" is 1');
    expect(say({ [trap]: { $elemMatch: { $gt: 1 } } })).toBe(`some item of ${shown} has ${shown} is more than 1`);
    expect(say({ 'código.größe-2': 1 })).toBe('código.größe-2 is 1');
  });

  it('[FIL-11] a sentence reads as one', () => {
    const say = (filter: JsonObject): string => {
      const parsed = parseFilter(filter, formats);
      return parsed.ok ? describe(parsed.value) : parsed.error.type;
    };
    expect(say({})).toBe('all');
    expect(say({ date: { $within: 'P6M' }, status: 'final' })).toBe(
      'date is within the last 6 months and status is "final"',
    );
    expect(say({ $or: [{ a: { $gt: 3 } }, { $not: { b: { $exists: true } } }] })).toBe(
      'a is more than 3 or not (b is given)',
    );
    expect(say({ a: '\u202ereversed' })).toBe('a is "\\u{202e}reversed"');
    expect(say({ date: { $lt: '2026-01-01' } })).toBe('date is before "2026-01-01"');
  });

  it('[FIL-16] of a list a sentence says that one item is enough, and that none is', () => {
    const lists = new Set(['tags', 'parts', 'parts.names', 'dates']);
    const parse = (filter: JsonObject) => {
      const parsed = parseFilter(filter, new Map([['dates', 'date' as const]]));
      if (!parsed.ok) throw new Error(parsed.error.type);
      return parsed.value;
    };
    const say = (filter: JsonObject): string => describe(parse(filter), lists);
    expect(say({ tags: 'a', kind: { $ne: 'b' } })).toBe('some of tags is "a" and kind is not "b"');
    expect(say({ tags: { $ne: 'a' } })).toBe('some of tags is other than "a", whatever the rest is');
    expect(say({ tags: { $nin: ['a', 'b'] } })).toBe('some of tags is none of "a", "b", whatever the rest is');
    expect(say({ $not: { tags: 'a' } })).toBe('none of tags is "a"');
    expect(say({ tags: { $not: { $in: ['a'] } } })).toBe('none of tags is one of "a"');
    expect(say({ tags: { $not: { $ne: 'a' } } })).toBe('none of tags is other than "a"');
    expect(say({ tags: { $exists: false } })).toBe('tags is not given');
    expect(say({ 'parts.size': { $gt: 3 } })).toBe('some of parts.size is more than 3');
    expect(say({ parts: { $elemMatch: { size: 3, names: { $ne: 'a' } } } })).toBe(
      'some item of parts has (parts.size is 3 and some of parts.names is other than "a", whatever the rest is)',
    );
    const found = (filter: JsonObject) => listNegations(parse(filter), lists).map(({ instead }) => instead);
    expect(found({ tags: { $ne: 'a' } })).toEqual([{ $not: { tags: 'a' } }]);
    expect(found({ $or: [{ dates: { $nin: ['2026-01-31'] } }, { kind: { $ne: 'b' } }] })).toEqual([
      { $not: { dates: { $in: ['2026-01-31'] } } },
    ]);
    expect(found({ $not: { tags: 'a' }, parts: { $elemMatch: { size: { $ne: 3 } } } })).toEqual([]);
  });

  it('[FIL-16] lists are found through references and inherited parts', () => {
    const schema = {
      allOf: [{ properties: { tags: { type: 'array' } } }],
      $defs: { part: { properties: { names: { type: ['array', 'null'] }, size: { type: 'number' } } } },
      properties: { parts: { items: { $ref: '#/$defs/part' } }, kind: { type: 'string' } },
    };
    expect([...fieldLists(schema)].sort()).toEqual(['parts', 'parts.names', 'tags']);
  });

  it('[FIL-12] sorting puts missing first, then null, booleans, numbers, text', () => {
    const records = [
      { _id: '1', a: 'x' },
      { _id: '2', a: 2 },
      { _id: '3', a: true },
      { _id: '4', a: null },
      { _id: '5' },
      { _id: '6', a: false },
      { _id: '0', a: 2 },
    ];
    const sorted = [...records].sort(compareBySort([{ a: 'asc' }], formats)).map((r) => r._id);
    expect(sorted).toEqual(['5', '4', '6', '3', '0', '2', '1']);
    expect([...records].sort(compareBySort([{ a: 'desc' }], formats)).map((r) => r._id)).toEqual([
      '1',
      '0',
      '2',
      '3',
      '6',
      '4',
      '5',
    ]);
  });
});
