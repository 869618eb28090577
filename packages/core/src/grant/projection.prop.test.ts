import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fill } from '../base/second-writer.oracle.ts';
import type { JsonObject, JsonValue } from '../base/json.ts';
import { toGrantSecret } from '../crypto/keys.ts';
import { type FieldTerm, parseFields, pathOf, transformOf } from './field-term.ts';
import { naiveLeaves, type Leaf } from './projection.oracle.ts';
import { project } from './projection.ts';

const SEED = 20_260_415;
const secret = toGrantSecret(fill(32, 3));
const NAMES = ['a', 'b', 'c', 'constructor'];
const FORMATS = new Map(
  ['a', 'b', 'a.a', 'a.b', 'b.a', 'b.b', 'c.a', 'a.a.b'].map((path) => [path, 'partial-date'] as const),
);

const scalar: fc.Arbitrary<JsonValue> = fc.oneof(
  fc.constantFrom(null, true, '', 'x', '2020', '2020-02', '2020-02-30', '1999-12-31T23:00:00Z'),
  fc.integer({ min: -50, max: 50 }),
  fc.double({ min: -9, max: 9, noNaN: true }),
);
const { value } = fc.letrec<{ value: JsonValue }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    { weight: 3, arbitrary: scalar },
    { weight: 2, arbitrary: fc.array(tie('value'), { maxLength: 3 }) },
    { weight: 4, arbitrary: fc.dictionary(fc.constantFrom(...NAMES), tie('value'), { maxKeys: 4 }) },
  ),
}));
const records = fc
  .dictionary(fc.constantFrom(...NAMES), value, { minKeys: 1, maxKeys: 4 })
  .map((rest): JsonObject => ({ _id: 'r', _rev: '1', schema: 's', ...rest }));
const transforms = fc.constantFrom<FieldTerm | undefined>(
  undefined,
  { path: '', transform: 'drop' },
  { path: '', transform: 'year' },
  { path: '', transform: 'pseudonym' },
  { path: '', transform: { round: 5 } },
  { path: '', transform: { round: 0.1 } },
);
const term = fc
  .tuple(fc.array(fc.constantFrom(...NAMES), { minLength: 1, maxLength: 3 }), transforms, fc.boolean())
  .map(([steps, change, optional]) => {
    const transform = change && transformOf(change);
    const path = steps.join('.');
    return { path, ...(transform ? { transform } : {}), ...(optional && transform !== 'drop' ? { optional } : {}) };
  });
const lists = fc
  .array(term, { minLength: 1, maxLength: 5 })
  .map((list) => parseFields(list, FORMATS))
  .filter((read) => read.ok)
  .map((read) => read.value);

/** Every value of a document with the names that lead to it; lists stand for their items, and an empty object or list says nothing. */
function leavesOf(value: JsonValue, path: readonly string[] = []): Leaf[] {
  if (Array.isArray(value)) return value.flatMap((item: JsonValue) => leavesOf(item, path));
  if (typeof value === 'object' && value !== null)
    return Object.entries(value).flatMap(([name, inner]) => leavesOf(inner as JsonValue, [...path, name]));
  return [{ path: path.join('.'), value }];
}
const written = (leaves: readonly Leaf[]): string[] => leaves.map((leaf) => JSON.stringify(leaf)).sort();
/** A null among the items of a list only keeps their places. */
const said = (leaves: readonly Leaf[]): Leaf[] => leaves.filter(({ value }) => value !== null);

describe('what is revealed of a record', () => {
  it('[FEED-3] [FEED-4] [FEED-22] [FEED-23] prop: each value that is allowed, as it is allowed, and nothing else', () => {
    let [less, changed] = [0, 0];
    fc.assert(
      fc.property(records, lists, (record, fields) => {
        const { _id, schema, ...revealed } = project(record, fields, 'ID', secret);
        expect([_id, schema]).toEqual(['ID', 's']);
        const allowed = naiveLeaves(record, fields, secret);
        expect(written(said(leavesOf(revealed)))).toEqual(written(said(allowed)));
        const { _id: id, _rev, schema: own, ...whole } = record;
        if (said(allowed).length < said(leavesOf(whole)).length) less++;
        if (allowed.length > 0 && fields.some((f) => transformOf(f) !== undefined)) changed++;
      }),
      { seed: SEED, numRuns: 3_000 },
    );
    // The random worlds are worth something only if they reach the cases.
    expect(less).toBeGreaterThan(1_000);
    expect(changed).toBeGreaterThan(500);
  });

  it('[FEED-3] prop: no name appears that is on no path of the terms', () => {
    fc.assert(
      fc.property(records, lists, (record, fields) => {
        const shown = fields.filter((f) => transformOf(f) !== 'drop').map(pathOf);
        if (shown.length === 0) return;
        const onPath = (path: string): boolean =>
          shown.some((s) => s === path || s.startsWith(`${path}.`) || path.startsWith(`${s}.`));
        const names = (value: JsonValue, path: string): string[] => {
          if (Array.isArray(value)) return value.flatMap((item: JsonValue) => names(item, path));
          if (typeof value !== 'object' || value === null) return [];
          return Object.entries(value).flatMap(([name, inner]) => {
            const here = path === '' ? name : `${path}.${name}`;
            return [here, ...names(inner as JsonValue, here)];
          });
        };
        const { _id, schema, ...revealed } = project(record, fields, 'ID', secret);
        expect(names(revealed, '').filter((path) => !onPath(path))).toEqual([]);
      }),
      { seed: SEED, numRuns: 1_000 },
    );
  });

  it('[FEED-22] the same value has another pseudonym under another path and in another grant', () => {
    const fields: FieldTerm[] = ['a', 'b'].map((path) => ({ path, transform: 'pseudonym' }));
    const one = project({ a: 'x', b: 'x' }, fields, 'ID', secret);
    const other = project({ a: 'x', b: 'x' }, fields, 'ID', toGrantSecret(fill(32, 4)));
    expect(new Set([one.a, one.b, other.a, other.b]).size).toBe(4);
    expect(project({ a: 'x' }, fields, 'ID', secret).a).toBe(one.a);
  });
});
