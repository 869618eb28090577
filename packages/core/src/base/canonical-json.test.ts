import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { canonicalJson, jsonEquals } from './canonical-json.ts';
import type { JsonValue } from './json.ts';

/** The value with the members of every object in reverse order. */
function reversed(value: JsonValue): JsonValue {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(reversed);
  const members = Object.entries(value).reverse();
  return Object.fromEntries(members.map(([name, member]) => [name, reversed(member)]));
}

const json = fc.jsonValue({ maxDepth: 4 }) as fc.Arbitrary<JsonValue>;
const run = { seed: 20261124, numRuns: 3000 };

describe('canonicalJson and jsonEquals', () => {
  it('sorts keys by UTF-16 units at every level, and nothing else', () => {
    const value: JsonValue = { b: [2, { d: null, c: 'é' }], '\u{1f600}': 1, '￰': 2, 10: 3, 9: 4 };
    expect(canonicalJson(value)).toBe('{"10":3,"9":4,"b":[2,{"c":"é","d":null}],"\u{1f600}":1,"￰":2}');
    expect(canonicalJson([-0, 1e21, 0.1])).toBe('[0,1e+21,0.1]');
  });

  it('tells arrays from objects, missing members from inherited ones, and null from both', () => {
    const different: [JsonValue, JsonValue][] = [
      [[], {}],
      [null, {}],
      [[1], { 0: 1 }],
      [{ a: null }, { b: null }],
      [{ toString: 1 }, { a: 1 }],
      [
        [1, 2],
        [2, 1],
      ],
      ['1', 1],
    ];
    for (const [a, b] of different) expect([jsonEquals(a, b), jsonEquals(b, a)]).toEqual([false, false]);
    expect(jsonEquals({ constructor: {} }, { a: 1 })).toBe(false);
  });

  it('prop: the order of members alone never matters, and the two agree', () => {
    fc.assert(
      fc.property(json, json, (a, b) => {
        expect(canonicalJson(reversed(a))).toBe(canonicalJson(a));
        expect(jsonEquals(a, reversed(a))).toBe(true);
        expect(jsonEquals(a, b)).toBe(canonicalJson(a) === canonicalJson(b));
        expect(jsonEquals(JSON.parse(canonicalJson(a)) as JsonValue, a)).toBe(true);
      }),
      run,
    );
  });
});
