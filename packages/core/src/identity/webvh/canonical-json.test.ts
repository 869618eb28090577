import { describe, expect, it } from 'vitest';
import type { JsonValue } from '../../base/json.ts';
import { canonicalJson } from './canonical-json.ts';

describe('canonical JSON', () => {
  it('writes the example of RFC 8785', () => {
    const input = String.raw`{"numbers":[333333333.33333329,1E30,4.50,2e-3,0.000000000000000000000000001],
      "string":"\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/","literals":[null,true,false]}`;
    const expected = String.raw`{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],"string":"€$\u000f\nA'B\"\\\\\"/"}`;
    expect(canonicalJson(JSON.parse(input) as JsonValue)).toBe(expected);
  });

  it('orders keys by UTF-16 units, at every depth', () => {
    const keys = ['\u20ac', '\r', '\ufb33', '1', '\ud83d\ude00', '\u0080', '\u00f6'];
    const ordered = ['\r', '1', '\u0080', '\u00f6', '\u20ac', '\ud83d\ude00', '\ufb33'];
    const of = (list: readonly string[]): JsonValue => [Object.fromEntries(list.map((key) => [key, key]))];
    expect(canonicalJson(of(keys))).toBe(
      JSON.stringify(of(ordered)).replace('"1":"1",', '').replace('"\\r":"\\r"', '"\\r":"\\r","1":"1"'),
    );
  });

  it('refuses a lone surrogate', () => {
    expect(() => canonicalJson({ a: ['\ud800'] })).toThrow(TypeError);
    expect(() => canonicalJson({ '\udc00': 1 })).toThrow(TypeError);
  });
});
