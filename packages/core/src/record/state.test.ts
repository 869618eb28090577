import { describe, expect, it } from 'vitest';
import { bytesToHex, concatBytes, hexToBytes } from '../base/bytes.ts';
import type { JsonObject, JsonValue } from '../base/json.ts';
import { sha256 } from '../crypto/hash.ts';
import { decodeBody, encodeBody } from './body.ts';
import { encodeHlc } from './hlc-fixture.ts';
import { mergeStates } from './merge.ts';
import { applyDelete, applySave } from './save.ts';
import type { Stamp } from './stamp.ts';
import { createState, isDeleted, type MergeRules, type RecordState, revOf, toDocument } from './state.ts';

const LWW: MergeRules = new Map();
const SETS: MergeRules = new Map([['tags', 'set']]);
const [A, B, C] = ['a', 'b', 'c'].map((c) => c.repeat(32)) as [string, string, string];
const at = (ms: number, writer = A): Stamp => ({ ms, counter: 0, writer });
const create = (document: JsonObject, stamp = at(1000), rules = LWW): RecordState =>
  createState(document, stamp, { id: 'r1', merges: rules });
const join = (a: RecordState, b: RecordState, rules = LWW): RecordState => mergeStates(a, b, rules).state;

describe('createState and toDocument', () => {
  it('[REC-17] shows the base fields beside the document, and stores none of them as fields', () => {
    const saved = {
      _id: 'other',
      _rev: '9-x',
      schema: 'note',
      modifiedAt: 'never',
      insertedAt: '2020-01-01T00:00:00Z',
      b: 1,
      a: [],
    };
    const state = createState(saved, at(1000), { id: 'r1' });
    expect(Object.keys(state.fields)).toEqual(['a', 'b']);
    expect(toDocument(state)).toEqual({
      _id: 'r1',
      _rev: revOf(state),
      schema: 'note',
      a: [],
      b: 1,
      insertedAt: '2020-01-01T00:00:00.000Z',
      modifiedAt: '1970-01-01T00:00:01.000Z',
    });
  });

  it('[REC-17] takes the time of the first stamp where the document names no instant', () => {
    for (const insertedAt of ['2020', 'yesterday', '2020-13-01T00:00:00Z', 5, null]) {
      expect(create({ insertedAt }).insertedAt).toBe(1000);
    }
  });

  it('[REC-17] the options name the schema before the document does, and it stays', () => {
    const state = createState({ schema: 'b' }, at(1), { id: 'r1', schema: 'a' });
    expect(state.schema).toBe('a');
    expect(applySave(state, { schema: 'c', x: 1 }, at(2), LWW).schema).toBe('a');
    const bare = create({});
    expect(toDocument(bare)).not.toHaveProperty('schema');
    const late = applySave(bare, { schema: 'c' }, at(2000), LWW);
    expect([late.schema, late.merges]).toEqual(['c', 2]);
    expect(
      join(createState({}, at(1), { id: 'r1', schema: 'b' }), createState({}, at(2), { id: 'r1', schema: 'a' })).schema,
    ).toBe('a');
    expect(join(bare, late).schema).toBe('c');
    expect(join(late, bare).schema).toBe('c');
  });

  it('keeps a copy, so that changing the document afterwards changes nothing', () => {
    const saved = { list: [{ n: 1 }] };
    const state = create(saved);
    const again = applySave(state, { list: [{ n: 2 }] }, at(2000), LWW);
    (saved.list[0] as { n: number }).n = 7;
    expect([state.fields, again.fields]).toEqual([{ list: [{ n: 1 }] }, { list: [{ n: 2 }] }]);
  });

  it('leaves out what JSON would, and throws on what JSON cannot carry', () => {
    const state = create({ a: undefined, b: { c: undefined, d: -0 } } as unknown as JsonObject);
    expect(state.fields).toStrictEqual({ b: { d: 0 } });
    for (const value of [Number.NaN, 1n, () => 1, [undefined], new Date(0), new Map()]) {
      expect(() => create({ value } as unknown as JsonObject)).toThrow(TypeError);
      expect(() => applySave(state, { value } as unknown as JsonObject, at(2), LWW)).toThrow(TypeError);
    }
  });

  it('[REC-22] refuses the 1,025th field', () => {
    const wide = (n: number): JsonObject => Object.fromEntries(Array.from({ length: n }, (_, i) => [`f${i}`, i]));
    expect(Object.keys(create(wide(1024)).fields)).toHaveLength(1024);
    expect(() => create(wide(1025))).toThrow(RangeError);
    expect(() => applySave(create({}), wide(1025), at(2), LWW)).toThrow(RangeError);
    expect(create({ ...wide(1024), _id: 'x', schema: 'y' }).schema).toBe('y');
  });
});

describe('applySave', () => {
  it('[REC-5] stamps what changed, keeps the stamp of what did not, and stamps what is gone', () => {
    const first = create({ same: { x: 1, y: [2] }, changed: 1, gone: 1 });
    const next = applySave(first, { same: { y: [2], x: 1 }, changed: 2, fresh: 3 }, at(2000), LWW);
    expect(next.stamps).toEqual([at(2000), at(1000)]);
    expect(next.stampOf).toEqual({ same: 1 });
    expect(next.removed).toEqual(['gone']);
    expect(next.fields).toEqual({ changed: 2, fresh: 3, same: { x: 1, y: [2] } });
  });

  it('[REC-5] a removal wins over the value it removed, and a value saved later over the removal', () => {
    const first = create({ x: 1, y: 1 });
    const gone = applySave(first, { y: 1 }, at(2000), LWW);
    expect(join(first, gone).fields).toEqual({ y: 1 });
    const back = applySave(gone, { x: 1, y: 1 }, at(3000), LWW);
    expect(join(gone, back).fields).toEqual({ x: 1, y: 1 });
  });

  it('[REC-6] an equal document gives the very state, whatever its base fields say', () => {
    const state = create({ a: { b: 1, c: 2 } });
    expect(applySave(state, { ...toDocument(state), _rev: 'x', modifiedAt: 'x' }, at(2000), LWW)).toBe(state);
    expect(applySave(state, { a: { c: 2, b: 1 } }, at(2000), LWW)).toBe(state);
    expect(applySave(state, { a: { c: 2, b: 1, d: undefined } } as unknown as JsonObject, at(2000), LWW)).toBe(state);
  });

  it('[REC-4] a writer whose clock is behind still outdoes what it changed', () => {
    const ahead = create({ x: 1, y: 1 }, at(9_000_000, B));
    const saved = applySave(ahead, { x: 2, y: 1 }, at(1000, A), LWW);
    expect(saved.stamps[0]).toEqual({ ms: 9_000_000, counter: 1, writer: A });
    expect(join(ahead, saved).fields).toEqual({ x: 2, y: 1 });
    const deleted = applyDelete(ahead, at(1000, A));
    expect(isDeleted(join(ahead, deleted))).toBe(true);
  });

  it('[REC-17] an earlier insertedAt is taken over, a later one is not', () => {
    const state = create({ x: 1, insertedAt: '2020-01-02T00:00:00.000Z' }, at(Date.UTC(2021, 0)));
    expect(applySave(state, { x: 1, insertedAt: '2020-06-01T00:00:00.000Z' }, at(Date.UTC(2022, 0)), LWW)).toBe(state);
    const earlier = applySave(state, { x: 1, insertedAt: '2020-01-01T00:00:00.000Z' }, at(Date.UTC(2022, 0)), LWW);
    expect(toDocument(earlier).insertedAt).toBe('2020-01-01T00:00:00.000Z');
    expect(join(state, earlier)).toEqual(earlier);
  });

  it('is not misled by names that objects inherit', () => {
    const names = ['constructor', 'toString', 'hasOwnProperty', 'valueOf'];
    let state = create({ x: 1 });
    for (const [i, name] of names.entries())
      state = applySave(state, { ...state.fields, [name]: name }, at(2000 + i), LWW);
    expect(Object.keys(state.fields)).toEqual(['constructor', 'hasOwnProperty', 'toString', 'valueOf', 'x']);
    expect(state.stampOf).toEqual({ x: 4, constructor: 3, toString: 2, hasOwnProperty: 1 });
    const hidden = JSON.parse('{"__proto__":{"polluted":1},"a":{"__proto__":{"polluted":1},"b":1}}') as JsonObject;
    const clean = create(hidden);
    expect(JSON.stringify(clean.fields)).toBe('{"a":{"b":1}}');
    expect(({} as JsonObject).polluted).toBeUndefined();
  });

  it('[REC-22] a record used as a dictionary forgets its removals in the end', () => {
    let state = create({});
    const page = (from: number): JsonObject =>
      Object.fromEntries(Array.from({ length: 1000 }, (_, i) => [`f${from + i}`, i]));
    for (let i = 0; i < 4; i++) state = applySave(state, page(1000 * i), at(2000 + i), LWW);
    const before = state;
    expect(before.removed).toHaveLength(3000);
    state = applySave(state, page(4000), at(3000), LWW);
    expect([Object.keys(state.fields).length, state.removed.length, isDeleted(state)]).toEqual([1000, 1000, false]);
    expect(join(before, state)).toEqual(state);
    expect(decodeBody(encodeBody(state, at(3000)), at(3000))).toEqual({ ok: true, value: state });
  });
});

describe('applyDelete', () => {
  it('[REC-7] wins over smaller stamps, also those it never saw, and leaves larger ones', () => {
    const first = create({ x: 1, y: 1 });
    const deleted = applyDelete(first, at(3000, A));
    const before = applySave(first, { x: 2, y: 1 }, at(2000, B), LWW);
    const after = applySave(first, { x: 3, y: 1 }, at(4000, B), LWW);
    expect(deleted.fields).toEqual({});
    expect([isDeleted(join(deleted, before)), join(deleted, before).fields]).toEqual([true, {}]);
    expect([isDeleted(join(deleted, after)), join(deleted, after).fields]).toEqual([false, { x: 3 }]);
  });

  it('[REC-8] a save brings back its own fields alone, also an empty document', () => {
    const first = create({ x: 1, y: 1 });
    const deleted = applyDelete(first, at(2000));
    const revived = applySave(deleted, { x: 5 }, at(3000), LWW);
    expect([isDeleted(revived), join(first, revived).fields]).toEqual([false, { x: 5 }]);
    const empty = applySave(deleted, {}, at(3000), LWW);
    expect([isDeleted(empty), isDeleted(join(deleted, empty)), empty.fields]).toEqual([false, false, {}]);
    expect(isDeleted(create({}))).toBe(false);
  });

  it('[REC-6] deleting what is deleted changes nothing', () => {
    const deleted = applyDelete(create({ x: 1 }), at(2000));
    expect(applyDelete(deleted, at(3000))).toBe(deleted);
    expect(deleted.merges).toBe(2);
  });
});

describe('mergeStates', () => {
  it('[REC-9] takes each field from the side with the larger stamp', () => {
    const first = create({ x: 1, y: 1, z: 1 });
    const a = applySave(first, { x: 2, y: 2, z: 1 }, at(2000, A), LWW);
    const b = applySave(first, { x: 1, y: 3, z: 3 }, at(3000, B), LWW);
    expect(join(a, b).fields).toEqual({ x: 2, y: 3, z: 3 });
    expect(join(a, b)).toEqual(join(b, a));
  });

  it('[REC-9] settles equal stamps by value, so that a broken writer cannot split devices', () => {
    const states = [{ x: 1 }, { x: 'b' }, { x: 'a' }].map((document) => create(document));
    for (const a of states) for (const b of states) expect(join(a, b)).toEqual(join(b, a));
    const removed = { ...create({}), removed: ['x'] };
    expect(join(removed, create({ x: 1 })).fields).toEqual({ x: 1 });
  });

  it('gives the first state itself where the second adds nothing', () => {
    const first = create({ x: 1, tags: ['a'] }, at(1000), SETS);
    const next = applySave(first, { x: 1, tags: ['a', 'b'] }, at(2000), SETS);
    expect(join(next, first, SETS)).toBe(next);
    expect(join(first, next, SETS)).not.toBe(first);
  });

  it('[REC-12] reports the loser of a true conflict, and not an older value the winner had seen', () => {
    const first = create({ x: 1, y: 1 });
    const a = applySave(first, { x: 'a', y: 1 }, at(2000, A), LWW);
    const b = applySave(first, { x: 'b', y: 2 }, at(3000, B), LWW);
    const losers = [{ field: 'x', value: 'a', stamp: at(2000, A) }];
    expect(mergeStates(a, b, LWW).losers).toEqual(losers);
    expect(mergeStates(b, a, LWW).losers).toEqual(losers);
    expect(mergeStates(first, b, LWW).losers).toEqual([]);
    const equal = applySave(first, { x: 'a', y: 1 }, at(3000, B), LWW);
    expect(mergeStates(a, equal, LWW).losers).toEqual([]);
  });

  it('[REC-12] reports a value that a delete ends unseen, and a removal that is undone', () => {
    const first = create({ x: 1, y: 1 });
    const saved = applySave(first, { x: 2, y: 1 }, at(2000, B), LWW);
    const deleted = applyDelete(first, at(3000, A));
    const losers = [{ field: 'x', value: 2, stamp: at(2000, B) }];
    expect(mergeStates(deleted, saved, LWW).losers).toEqual(losers);
    expect(mergeStates(saved, deleted, LWW).losers).toEqual(losers);
    expect(mergeStates(saved, applyDelete(saved, at(3000, A)), LWW).losers).toEqual([]);
    const removed = applySave(first, { y: 1 }, at(2000, B), LWW);
    const kept = applySave(first, { x: 3, y: 1 }, at(3000, C), LWW);
    expect(mergeStates(removed, kept, LWW).losers).toEqual([{ field: 'x', value: undefined, stamp: at(2000, B) }]);
  });

  it('throws on states of two records', () => {
    const other = createState({}, at(1), { id: 'r2' });
    expect(() => mergeStates(create({}), other, LWW)).toThrow(TypeError);
  });
});

describe('set fields', () => {
  const base = create({ tags: ['x', 'y'] }, at(1000), SETS);
  const tagged = (from: RecordState, tags: JsonValue, stamp: Stamp): RecordState =>
    applySave(from, { tags }, stamp, SETS);

  it('[REC-13] additions of both sides stay, and so do removals of what was seen', () => {
    const a = tagged(base, ['x', 'y', 'a'], at(2000, A));
    const b = tagged(base, ['y', 'b'], at(3000, B));
    expect(join(a, b, SETS).fields.tags).toEqual(['y', 'a', 'b']);
    expect(join(b, a, SETS)).toEqual(join(a, b, SETS));
  });

  it('[REC-13] adding wins over a concurrent removal, even one with a larger stamp', () => {
    const without = tagged(base, ['y'], at(2000, A));
    const readded = tagged(tagged(base, ['y'], at(2000, B)), ['x', 'y'], at(2500, B));
    const removedLater = tagged(tagged(without, ['y', 'z'], at(2600, A)), ['y'], at(9000, A));
    expect(join(readded, removedLater, SETS).fields.tags).toEqual(['y', 'x']);
  });

  it('[REC-13] a removal removes every addition it has seen', () => {
    const a = tagged(base, ['x', 'y', 'n'], at(2000, A));
    const b = tagged(base, ['x', 'y', 'n'], at(3000, B));
    const both = join(a, b, SETS);
    const gone = tagged(both, ['x', 'y'], at(4000, C));
    expect([a, b, both].reduce((sum, s) => join(sum, s, SETS), gone).fields.tags).toEqual(['x', 'y']);
    const goneAtA = tagged(a, ['x', 'y'], at(4000, A));
    expect(join(goneAtA, b, SETS).fields.tags).toEqual(['x', 'y', 'n']);
  });

  it('[REC-14] order, repeats and the order of keys mean nothing', () => {
    const state = create({ tags: ['b', { q: 1, p: 2 }, 'a', 'b', { p: 2, q: 1 }] }, at(1000), SETS);
    expect(state.fields.tags).toEqual(['a', 'b', { p: 2, q: 1 }]);
    expect(JSON.stringify(state.fields.tags)).toBe('["a","b",{"p":2,"q":1}]');
    expect(tagged(state, [{ q: 1, p: 2 }, 'b', 'a', 'a'], at(2000))).toBe(state);
  });

  it('[REC-15] removing the field removes the elements seen, and an element added meanwhile brings it back', () => {
    const removed = applySave(base, {}, at(5000, A), SETS);
    expect([removed.fields, removed.removed]).toEqual([{}, ['tags']]);
    expect(join(base, removed, SETS).fields).toEqual({});
    const added = tagged(base, ['x', 'y', 'n'], at(2000, B));
    const both = join(removed, added, SETS);
    expect(both.fields).toEqual({ tags: ['n'] });
    expect(tagged(both, [], at(6000, C)).fields).toEqual({ tags: [] });
    const gone = tagged(added, ['x', 'y'], at(6000, B));
    expect(join(both, gone, SETS).fields).toEqual({});
  });

  it('[REC-15] another value over a set holds until an element is left that it has not seen', () => {
    const plain = tagged(base, 'none', at(5000, A));
    expect(join(base, plain, SETS).fields.tags).toBe('none');
    const added = tagged(base, ['x', 'n'], at(2000, B));
    expect(join(plain, added, SETS).fields.tags).toEqual(['n']);
    expect(join(join(plain, added, SETS), tagged(added, [], at(2100, B)), SETS).fields.tags).toBe('none');
    expect(join(plain, tagged(plain, ['new'], at(6000, B)), SETS).fields.tags).toEqual(['new']);
  });

  it('[REC-7] a delete ends elements with smaller stamps, and larger ones bring the field back', () => {
    const deleted = applyDelete(base, at(3000, A));
    expect(join(deleted, tagged(base, ['x', 'y', 'n'], at(2000, B)), SETS).fields).toEqual({});
    expect(join(deleted, tagged(base, ['x', 'y', 'n'], at(4000, B)), SETS).fields).toEqual({ tags: ['n'] });
  });

  it('an array of a field not declared a set keeps order and repeats, and is one value', () => {
    const state = create({ tags: ['b', 'a', 'b'] });
    expect(state.fields.tags).toEqual(['b', 'a', 'b']);
    expect(applySave(state, { tags: ['a', 'b'] }, at(2000), LWW).fields.tags).toEqual(['a', 'b']);
  });
});

describe('revOf', () => {
  it('[REC-16] is the number of merges and a hash of the stamps, largest first', () => {
    const first = create({ x: 1, y: 1 }, { ms: 1000, counter: 3, writer: A });
    const next = applySave(first, { x: 2, y: 1 }, at(2000, B), LWW);
    const hashed = concatBytes(
      ...[encodeHlc({ ms: 2000, counter: 0 }), hexToBytes(B), encodeHlc({ ms: 1000, counter: 3 }), hexToBytes(A)],
    );
    expect(revOf(next)).toBe(`2-${bytesToHex(sha256(hashed)).slice(0, 24)}`);
    expect(revOf(first)).toMatch(/^1-[0-9a-f]{24}$/);
  });

  it('[REC-16] counts the longest line of saves, not the joins', () => {
    const first = create({ x: 1 });
    const a = applySave(applySave(first, { x: 2 }, at(2000, A), LWW), { x: 3 }, at(2001, A), LWW);
    const b = applySave(first, { x: 4 }, at(3000, B), LWW);
    expect([a.merges, b.merges, join(a, b).merges]).toEqual([3, 2, 3]);
    expect(new Set([a, b, join(a, b)].map(revOf)).size).toBe(3);
  });
});
