import { describe, expect, it } from 'vitest';
import type { JsonObject, JsonValue } from '../base/json.ts';
import { decodeBody, encodeBody } from './body.ts';
import { type Merged, mergeStates } from './merge.ts';
import { applyDelete, applySave } from './save.ts';
import type { Stamp } from './stamp.ts';
import { createState, type MergeRule, type MergeRules, type RecordState } from './state.ts';

const RULES: MergeRules = new Map<string, MergeRule>([
  ['n', 'counter'],
  ['hi', 'max'],
  ['lo', 'min'],
  ['seen', 'max date-time'],
  ['first', 'immutable'],
]);
const [A, B, C] = ['a', 'b', 'c'].map((c) => c.repeat(32)) as [string, string, string];
const at = (ms: number, writer = A): Stamp => ({ ms, counter: 0, writer });
const create = (document: JsonObject, stamp = at(1000)): RecordState =>
  createState(document, stamp, { id: 'r1', merges: RULES });
const save = (state: RecordState, document: JsonObject, stamp: Stamp): RecordState =>
  applySave(state, document, stamp, RULES);
const merge = (a: RecordState, b: RecordState): Merged => mergeStates(a, b, RULES);
const join = (a: RecordState, b: RecordState): RecordState => merge(a, b).state;

describe('counters', () => {
  const base = create({ n: 10 });

  it('[REC-24] concurrent changes all count, each once', () => {
    const a = save(save(base, { n: 11 }, at(2000, A)), { n: 13 }, at(3000, A));
    const b = save(base, { n: 6 }, at(2500, B));
    expect(join(a, b).fields.n).toBe(9);
    expect(join(join(join(a, b), b), a)).toEqual(join(b, a));
    expect(merge(a, b).losers).toEqual([]);
    const c = save(join(a, b), { n: 0 }, at(4000, C));
    expect([c, a, b, base].reduce(join).fields.n).toBe(0);
  });

  it('[REC-24] holds whole numbers alone', () => {
    for (const n of [0.5, '1', null, 2 ** 53] as JsonValue[]) {
      expect(() => create({ n })).toThrow(TypeError);
      expect(() => save(base, { n }, at(2000))).toThrow(TypeError);
    }
    const most = Number.MAX_SAFE_INTEGER;
    const full = join(save(base, { n: most }, at(2000, A)), save(base, { n: 20 - most }, at(2000, B)));
    expect(full.fields.n).toBe(10);
    expect(() => save(full, { n: most }, at(3000, A))).toThrow(RangeError);
  });

  it('[REC-24] [REC-7] a delete ends what was counted before it, and counting goes on from nothing', () => {
    const counted = join(save(base, { n: 11 }, at(2000, A)), save(base, { n: 12 }, at(2500, B)));
    const deleted = applyDelete(counted, at(3000, A));
    const back = save(deleted, { n: 2 }, at(4000, B));
    expect(join(back, counted).fields.n).toBe(2);
    const removed = save(counted, {}, at(3000, A));
    expect(join(removed, counted).fields).toEqual({});
    expect(join(save(removed, { n: 1 }, at(4000, A)), counted).fields.n).toBe(1);
  });

  it('[REC-28] a counter is in `w` once it has two writers, and reads the same again', () => {
    const both = join(save(base, { n: 11 }, at(2000, A)), save(base, { n: 12 }, at(2500, B)));
    const text = new TextDecoder().decode(encodeBody(both, at(2500, B)));
    expect(JSON.parse(text)).toMatchObject({ f: {}, w: { n: ['counter', -1, [2, 0], [11, 1]] } });
    expect(decodeBody(encodeBody(both, at(9, C)), at(9, C))).toEqual({ ok: true, value: both });
    expect(new TextDecoder().decode(encodeBody(base, at(1000)))).not.toContain('"w"');
  });
});

describe('extremes', () => {
  it('[REC-25] the larger or smaller value stays, whatever the stamp, and a save cannot undo it', () => {
    const base = create({ hi: 5, lo: 5 });
    const a = save(base, { hi: 9, lo: 4 }, at(2000, A));
    const b = save(base, { hi: 7, lo: 1 }, at(3000, B));
    expect(join(a, b).fields).toEqual({ hi: 9, lo: 1 });
    expect(merge(a, b).losers).toEqual([]);
    expect(save(a, { hi: 8, lo: 6 }, at(4000, A))).toBe(a);
    expect(save(a, { hi: 8, lo: 2 }, at(4000, A)).fields).toEqual({ hi: 9, lo: 2 });
  });

  it('[REC-25] instants of the format over numbers over texts by code point over all else', () => {
    const order: JsonValue[] = [
      null,
      'a',
      '\uffff',
      '\u{10000}',
      -1,
      2,
      '2026-01-01T01:00:00+02:00',
      '2026-01-01T00:00:00Z',
    ];
    for (const [i, low] of order.entries()) {
      for (const high of order.slice(i + 1)) {
        const [a, b] = [create({ seen: high }, at(1000)), create({ seen: low }, at(2000, B))];
        expect(join(a, b).fields.seen).toBe(high);
        expect(save(a, { seen: low }, at(3000)).fields.seen).toBe(high);
        expect(save(b, { seen: high }, at(3000)).fields.seen).toBe(high);
      }
    }
    const texts = [create({ hi: '2026-01-01T01:00:00+02:00' }), create({ hi: '2026-01-01T00:00:00Z' }, at(2000, B))];
    expect(texts.reduce(join).fields.hi).toBe('2026-01-01T01:00:00+02:00');
  });

  it('[REC-25] [REC-27] [REC-7] what a delete or a removal ends does not come back, in whatever order they meet', () => {
    const high = create({ hi: 9 }, at(1000, A));
    const later = create({ hi: 5 }, at(3000, B));
    const deleted = applyDelete(create({ x: 1 }, at(500, C)), at(2000, C));
    for (const [a, b, c] of [
      [high, later, deleted],
      [deleted, high, later],
      [later, deleted, high],
    ] as const) {
      expect(join(join(a, b), c).fields).toEqual({ hi: 5 });
    }
    expect(merge(deleted, high).losers).toEqual([{ field: 'hi', value: 9, stamp: at(1000, A) }]);
    const removed = save(high, {}, at(2000, A));
    expect(join(save(removed, { hi: 1 }, at(4000, A)), high).fields).toEqual({ hi: 1 });
    expect(merge(removed, later)).toMatchObject({
      state: { fields: { hi: 5 } },
      losers: [{ field: 'hi', stamp: at(2000, A) }],
    });
  });
});

describe('immutable fields', () => {
  it('[REC-26] [REC-27] the first value stays, and the later one is reported', () => {
    const [a, b] = [create({ first: 'a' }, at(1000, A)), create({ first: 'b' }, at(2000, B))];
    expect(join(b, a).fields).toEqual({ first: 'a' });
    expect(merge(a, b).losers).toEqual([{ field: 'first', value: 'b', stamp: at(2000, B) }]);
    expect(merge(join(a, b), b).losers).toEqual([]);
  });

  it('[REC-26] saving another value or none is refused; after a delete the field is free', () => {
    const base = create({ first: { x: 1, y: 2 }, t: 1 });
    expect(save(base, { first: { y: 2, x: 1 }, t: 2 }, at(2000)).fields.t).toBe(2);
    expect(() => save(base, { first: 1, t: 2 }, at(2000))).toThrow(/first.*immutable/);
    expect(() => save(base, { t: 2 }, at(2000))).toThrow(TypeError);
    expect(save(applyDelete(base, at(2000)), { first: 1 }, at(3000)).fields).toEqual({ first: 1 });
    expect(save(create({}), { first: 1 }, at(3000)).fields).toEqual({ first: 1 });
  });
});

describe('bodies of typed fields', () => {
  const read = (w: JsonValue, more: JsonObject = {}): boolean =>
    decodeBody(new TextEncoder().encode(JSON.stringify({ v: 1, i: 'r', f: {}, ...more, w })), at(1000)).ok;

  it('[REC-28] refuses what is not of the shape, and a field that is elsewhere too', () => {
    expect(read({ n: ['counter', -1, [1, 0]] })).toBe(true);
    const wrong: JsonValue[] = [
      ...[[], { n: [] }, { n: ['counter', -1] }, { n: ['sum', -1, [1, 0]] }, { n: ['max time', -1, [1, 0]] }],
      ...[{ n: ['max', 1, [1, 0]] }, { n: ['max', -1, [1, 1]] }, { n: ['max', -1, [1]] }, { n: ['max', -1, 1] }],
      ...[{ _id: ['max', -1, [1, 0]] }, { n: ['lww', -1, [1, 0]] }, { n: ['max', null, [1, 0]] }],
    ];
    for (const w of wrong) expect(read(w), JSON.stringify(w)).toBe(false);
    const field: JsonValue = { n: ['counter', -1, [1, 0]] };
    for (const more of [{ f: { n: 1 } }, { r: ['n'] }, { o: { n: 0 } }, { e: { n: [[1, 0]] } }] as JsonObject[])
      expect(read(field, more), JSON.stringify(more)).toBe(false);
  });
});
