import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fill } from '../base/second-writer.oracle.ts';
import { toGrantSecret } from '../crypto/keys.ts';
import { type FieldTerm, isOptional, liesIn, parseFields, pathOf, transformOf } from './field-term.ts';
import { addedFilter, wrongNarrowing } from './narrowed-terms.ts';
import { naiveLeaves } from './projection.oracle.ts';
import type { GrantTerms } from './terms.ts';

const SEED = 20_260_416;
const secret = toGrantSecret(fill(32, 3));
const BASE: GrantTerms = {
  schema: 's',
  schemaHash: 'ab'.repeat(32),
  access: 'read',
  filter: { kind: 'x' },
  duration: 'standing',
};
const WRITE = { operations: ['insert', 'update'], policy: 'auto', perDay: 100 } as const;
/** Every path of up to three steps of two names leads to a value of its own. */
const RECORD = {
  _id: 'r',
  a: { a: { a: 1, b: 2 }, b: { a: 3, b: 4 } },
  b: { a: { a: 5, b: 6 }, b: { a: 7, b: 8 } },
};

const term = fc
  .tuple(
    fc.array(fc.constantFrom('a', 'b'), { minLength: 1, maxLength: 3 }),
    fc.constantFrom(undefined, undefined, undefined, 'drop' as const, 'pseudonym' as const),
    fc.boolean(),
  )
  .map(([steps, transform, optional]) => ({
    path: steps.join('.'),
    ...(transform ? { transform } : {}),
    ...(optional && transform !== 'drop' ? { optional } : {}),
  }));
const parsed = (list: readonly unknown[]): readonly FieldTerm[] | undefined => {
  const read = parseFields(list, new Map());
  return read.ok ? read.value : undefined;
};
const lists = fc.oneof(
  { weight: 1, arbitrary: fc.constant(undefined) },
  {
    weight: 9,
    arbitrary: fc
      .array(term, { minLength: 1, maxLength: 4 })
      .map((list) => parsed(list))
      .filter((list) => list !== undefined),
  },
);
const withFields = (fields: readonly FieldTerm[] | undefined): GrantTerms => ({
  ...BASE,
  ...(fields ? { fields } : {}),
});
/** Lists near the asked one: random ones are hardly ever a narrowing. */
const pairs = fc
  .tuple(lists, fc.array(fc.boolean(), { minLength: 4, maxLength: 4 }), fc.array(term, { maxLength: 2 }))
  .map(([asked, keep, more]) => {
    const given = parsed([...(asked ?? []).filter((_, i) => keep[i] || keep[3]), ...more]);
    return { asked, given };
  });

describe('narrowed terms', () => {
  it('[GRANT-4] prop: a narrowing shows nothing that was not asked for, and all of what is required', () => {
    let [narrower, required] = [0, 0];
    fc.assert(
      fc.property(pairs, ({ asked, given }) => {
        if (wrongNarrowing(withFields(asked), withFields(given)) !== undefined) return;
        const may = naiveLeaves(RECORD, asked ?? [], secret);
        const shown = naiveLeaves(RECORD, given ?? [], secret);
        const allowed = new Set(may.map((leaf) => JSON.stringify(leaf)));
        for (const leaf of shown) {
          if (allowed.has(JSON.stringify(leaf))) continue;
          // What the owner changes on its own accord must have been his to show as it is.
          expect(given?.some((g) => pathOf(g) === leaf.path && transformOf(g) === 'pseudonym')).toBe(true);
          const whole = naiveLeaves(RECORD, [], secret).filter(({ path }) => liesIn(path, leaf.path));
          expect(whole.every((raw) => allowed.has(JSON.stringify(raw)))).toBe(true);
        }
        const seen = new Set(shown.map((leaf) => JSON.stringify(leaf)));
        for (const t of asked ?? []) {
          if (isOptional(t) || transformOf(t) === 'drop') continue;
          required++;
          for (const leaf of may) if (liesIn(leaf.path, pathOf(t))) expect(seen.has(JSON.stringify(leaf))).toBe(true);
        }
        if (shown.length < may.length) narrower++;
      }),
      { seed: SEED, numRuns: 4_000 },
    );
    expect(narrower).toBeGreaterThan(200);
    expect(required).toBeGreaterThan(500);
  });

  it('[GRANT-4] prop: terms are a narrowing of themselves', () => {
    fc.assert(
      fc.property(lists, (fields) => {
        expect(wrongNarrowing(withFields(fields), withFields(fields))).toBeUndefined();
      }),
      { seed: SEED, numRuns: 1_000 },
    );
  });

  it.each<[string, readonly FieldTerm[] | undefined, readonly FieldTerm[] | undefined, string | undefined]>([
    ['a required field that is taken away', ['a', 'b'], ['a'], 'b is required, it cannot be taken away'],
    ['a required field cut to a part', ['a'], ['a.b'], 'a is required, it cannot be taken away'],
    [
      'a required field that is changed',
      ['a'],
      [{ path: 'a', transform: 'pseudonym' }],
      'a is required, it cannot be taken away',
    ],
    [
      'a part of a required field that is dropped',
      ['a'],
      ['a', { path: 'a.b', transform: 'drop' }],
      'a is required, it cannot be taken away',
    ],
    ['an optional field that is taken away', ['a', { path: 'b', optional: true }], ['a'], undefined],
    ['an optional field cut to a part', [{ path: 'b', optional: true }], ['b.a'], undefined],
    [
      'an optional field that is changed',
      [{ path: 'b', optional: true }],
      [{ path: 'b', transform: 'year' }],
      undefined,
    ],
    [
      'a change that is left out',
      [{ path: 'b', optional: true, transform: 'year' }],
      ['b'],
      'b was asked for in another form: year',
    ],
    [
      'a change inside that is left out',
      ['a', { path: 'a.b', transform: 'year' }],
      ['a'],
      'a.b was asked for in another form: year',
    ],
    [
      'a drop that is left out',
      ['a', { path: 'a.b', transform: 'drop' }],
      ['a'],
      'a.b was asked for in another form: left out',
    ],
    ['the whole record', ['a'], undefined, 'whole records were not asked for, only a'],
    [
      'nothing but drops',
      [{ path: 'a', optional: true }],
      [{ path: 'b', transform: 'drop' }],
      'whole records were not asked for, only a',
    ],
    [
      'the whole record but for a drop',
      [{ path: 'a', transform: 'drop' }],
      undefined,
      'a was not asked for: the request leaves a out',
    ],
    ['a chosen part of the whole record', undefined, ['a', { path: 'b', transform: 'pseudonym' }], undefined],
    [
      'a chosen part under a drop',
      [{ path: 'a', transform: 'drop' }],
      ['a.b'],
      'a.b was not asked for: the request leaves a out',
    ],
    [
      'a pseudonym of what holds a drop',
      [{ path: 'a.b', transform: 'drop' }],
      [{ path: 'a', transform: 'pseudonym' }],
      'a.b was asked for in another form: left out',
    ],
  ])('[GRANT-4] fields: %s', (_name, asked, given, wrong) => {
    expect(wrongNarrowing(withFields(asked), withFields(given))).toBe(wrong);
  });

  const end = (until: string): GrantTerms['duration'] => ({ until: `${until}T00:00:00.000Z` });
  const otherFilter = 'the filter is another one: allowed is what was asked for, or {$and: [what was asked for, more]}';
  const longer = (asked: string, given: string): string =>
    `it lasts longer than was asked: asked for was ${asked}, given is ${given}`;
  const until = (day: string): string => `until ${day}T00:00:00.000Z`;
  it.each<[string, Partial<GrantTerms>, Partial<GrantTerms>, string | undefined]>([
    ['another schema', {}, { schema: 't' }, 'the schema is another one, by its $id or its hash'],
    [
      'another body of the schema',
      {},
      { schemaHash: 'cd'.repeat(32) },
      'the schema is another one, by its $id or its hash',
    ],
    [
      'less access',
      { access: 'readwrite', write: WRITE },
      {},
      'the access is another one: asked for was "readwrite", given is "read"',
    ],
    [
      'another retention',
      { retention: 'P1Y' },
      { retention: 'P2Y' },
      'the retention is another one: asked for was "P1Y", given is "P2Y"',
    ],
    ['another frequency', {}, { frequency: 'P1D' }, 'the frequency is another one: asked for was none, given is "P1D"'],
    ['a filter that adds', {}, { filter: { $and: [BASE.filter, { b: 1 }] } }, undefined],
    ['a filter that adds to none', { filter: {} }, { filter: { b: 1 } }, undefined],
    ['no filter', {}, { filter: {} }, otherFilter],
    ['a filter that adds in another place', {}, { filter: { $and: [{ b: 1 }, BASE.filter] } }, otherFilter],
    ['a filter that adds beside', {}, { filter: { $and: [BASE.filter], $or: [{ b: 1 }] } }, otherFilter],
    ['a filter of either', {}, { filter: { $or: [BASE.filter, { b: 1 }] } }, otherFilter],
    ['once for standing', {}, { duration: 'once' }, undefined],
    ['an end for standing', {}, { duration: end('2030-01-01') }, undefined],
    ['standing for once', { duration: 'once' }, {}, longer('"once"', '"standing"')],
    ['standing for an end', { duration: end('2030-01-01') }, {}, longer(until('2030-01-01'), '"standing"')],
    ['an earlier end', { duration: end('2030-01-01') }, { duration: end('2029-12-31') }, undefined],
    [
      'a later end',
      { duration: end('2030-01-01') },
      { duration: end('2030-01-02') },
      longer(until('2030-01-01'), until('2030-01-02')),
    ],
    ['once for an end', { duration: end('2030-01-01') }, { duration: 'once' }, undefined],
  ])('[GRANT-4] %s', (_name, asked, given, wrong) => {
    expect(wrongNarrowing({ ...BASE, ...asked }, { ...BASE, ...given })).toBe(wrong);
  });

  it.each<[string, object, object, string | undefined]>([
    ['fewer operations', {}, { operations: ['insert'] }, undefined],
    [
      'one more operation',
      {},
      { operations: ['insert', 'delete'] },
      'to delete was not asked for, only to insert, update',
    ],
    ['chosen fields for all', {}, { fields: ['a'] }, undefined],
    ['all fields for some', { fields: ['a'] }, {}, 'to write all fields was not asked for, only a'],
    ['another field', { fields: ['a'] }, { fields: ['a', 'b'] }, 'to write b was not asked for, only a'],
    ['proposing for writing', {}, { policy: 'propose' }, undefined],
    ['writing for proposing', { policy: 'propose' }, {}, 'the policy "auto" was not asked for, only "propose"'],
    ['fewer a day', {}, { perDay: 1 }, undefined],
    ['more a day', {}, { perDay: 101 }, '101 writes a day are more than the 100 that were asked for'],
  ])('[GRANT-4] writing: %s', (_name, asked, given, wrong) => {
    const of = (write: object): GrantTerms => ({ ...BASE, access: 'readwrite', write: { ...WRITE, ...write } });
    expect(wrongNarrowing(of(asked), of(given))).toBe(wrong);
  });

  it('[GRANT-4] what an owner adds to a filter is a narrowing', () => {
    for (const asked of [{}, { a: 1 }, { $or: [{ a: 1 }, { b: 1 }] }])
      for (const more of [{}, { c: 1 }])
        expect(
          wrongNarrowing({ ...BASE, filter: asked }, { ...BASE, filter: addedFilter(asked, more) }),
        ).toBeUndefined();
  });
});
