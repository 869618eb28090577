import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { JsonObject, JsonValue } from '../base/json.ts';
import { applyFields, type FieldsChange } from './apply-fields.ts';
import { decodeBody, encodeBody } from './body.ts';
import { mergeStates } from './merge.ts';
import { RULES } from './replicas.oracle.ts';
import { history, removableNames, savedDocument, statesOf } from './histories.oracle.ts';
import { applyDelete, applySave } from './save.ts';
import type { Stamp } from './stamp.ts';
import { createState, isDeleted, type RecordState, revOf, toDocument } from './state.ts';

const OWN = 'a'.repeat(32);
const GUEST = 'f'.repeat(32);
const at = (ms: number, writer = OWN): Stamp => ({ ms, counter: 0, writer });
const guest = (ms: number): Stamp => at(ms, GUEST);
const create = (document: JsonObject, ms = 1000): RecordState =>
  createState(document, at(ms), { id: 'r', merges: RULES });
const change = (set: JsonObject, remove: readonly string[] = []): FieldsChange => ({ id: 'r', set, remove });
const join = (a: RecordState, b: RecordState): RecordState => mergeStates(a, b, RULES).state;

const instantOf = (lo: JsonValue | undefined): JsonValue =>
  typeof lo === 'string' && lo.length > 1 ? Date.parse(lo) : (lo ?? null);

describe('applyFields', () => {
  it('[REC-23] sets and removes fields under the stamp given, and leaves the others', () => {
    const first = create({ a: 1, b: 1, c: 1 });
    const next = applyFields(first, change({ a: 2, d: 4 }, ['b']), guest(2000), RULES);
    expect(next.fields).toEqual({ a: 2, c: 1, d: 4 });
    expect([next.removed, next.stamps, next.stampOf]).toEqual([['b'], [guest(2000), at(1000)], { c: 1 }]);
    expect([next.merges, next.insertedAt]).toEqual([1, 1000]);
    const state = decodeBody(encodeBody(next, at(9000)), at(9000));
    expect(state).toEqual({ ok: true, value: next });
  });

  it('[REC-23] a field with a larger stamp stays, so the order of changes means nothing', () => {
    const first = create({ a: 1, b: 1 });
    const later = applySave(first, { a: 9, b: 1 }, at(5000), RULES);
    expect(applyFields(later, change({ a: 2, b: 2 }), guest(2000), RULES).fields).toEqual({ a: 9, b: 2 });
    const [one, two] = [change({ a: 2, b: 2 }), change({ a: 3 }, ['b'])];
    const forth = applyFields(applyFields(first, one, guest(2000), RULES), two, guest(3000), RULES);
    const back = applyFields(applyFields(first, two, guest(3000), RULES), one, guest(2000), RULES);
    expect(back).toEqual(forth);
    expect(forth.fields).toEqual({ a: 3 });
  });

  it('[REC-23] what shows nothing new gives the very state', () => {
    const first = create({ a: { x: 1, y: 2 }, tags: ['p', 'q'] });
    expect(applyFields(first, change({ a: { y: 2, x: 1 } }, ['gone']), guest(2000), RULES)).toBe(first);
    expect(applyFields(first, change({ tags: ['q', 'p', 'q'] }), guest(2000), RULES)).toBe(first);
    expect(applyFields(first, change({ a: 2 }), guest(500), RULES)).toBe(first);
    const deleted = applyDelete(first, at(3000));
    expect(applyFields(deleted, change({ a: 2, tags: ['z'] }), guest(2000), RULES)).toBe(deleted);
    expect(applyFields(deleted, { ...change({}), deleted: true }, guest(4000), RULES)).toBe(deleted);
  });

  it('[REC-23] makes a record where there is none, and passes over base fields', () => {
    const made = applyFields(
      undefined,
      { ...change({ a: 1, tags: ['q', 'p'], _id: 'x', insertedAt: '2020-01-01T00:00:00Z' }), schema: 'note' },
      guest(2000),
      RULES,
    );
    expect(toDocument(made)).toMatchObject({
      _id: 'r',
      schema: 'note',
      a: 1,
      tags: ['p', 'q'],
      insertedAt: '1970-01-01T00:00:02.000Z',
    });
    expect(made).toEqual(
      createState({ a: 1, tags: ['p', 'q'] }, guest(2000), { id: 'r', schema: 'note', merges: RULES }),
    );
    expect(() => applyFields(made, { ...change({ a: 2 }), id: 'other' }, guest(3000), RULES)).toThrow(TypeError);
    expect(() => applyFields(made, change({ a: Number.NaN }), guest(3000), RULES)).toThrow(TypeError);
  });

  it('[REC-23] a deletion ends what has smaller stamps, and later fields bring the record back', () => {
    const first = create({ a: 1, tags: ['p'] });
    const deleted = applyFields(first, { ...change({ a: 7 }), deleted: true }, guest(2000), RULES);
    expect([isDeleted(deleted), deleted.fields]).toEqual([true, {}]);
    const edited = applySave(first, { a: 1, b: 2, tags: ['p'] }, at(5000), RULES);
    expect(applyFields(edited, { ...change({}), deleted: true }, guest(2000), RULES).fields).toEqual({ b: 2 });
    const back = applyFields(deleted, change({ a: 3 }), guest(3000), RULES);
    expect([isDeleted(back), back.fields]).toEqual([false, { a: 3 }]);
    expect(isDeleted(applyFields(undefined, { ...change({}), deleted: true }, guest(2000), RULES))).toBe(true);
  });

  it('[REC-23] a set takes the elements of the array, loses the older rest, and keeps what is newer', () => {
    const first = create({ tags: ['p', 'q'] });
    const later = applySave(first, { tags: ['p', 'q', 'new'] }, at(5000), RULES);
    const next = applyFields(later, change({ tags: ['p', 'mine'] }), guest(2000), RULES);
    expect(next.fields.tags).toEqual(['p', 'mine', 'new']);
    expect(join(next, first).fields.tags).toEqual(['p', 'mine', 'new']);
    const withdrawn = applySave(next, { tags: ['p', 'new'] }, at(6000), RULES);
    expect(applyFields(withdrawn, change({ tags: ['p', 'mine'] }), guest(2000), RULES)).toBe(withdrawn);
    expect(applyFields(next, change({}, ['tags']), guest(3000), RULES).fields.tags).toEqual(['new']);
    expect(applyFields(next, change({ tags: 'none' }), guest(7000), RULES).fields.tags).toBe('none');
  });

  it('[REC-23] with what the writer saw, a set loses only what was taken out of it, and a counter takes the difference', () => {
    const first = create({ n: 5, tags: ['p', 'q'] });
    const later = applySave(first, { n: 7, tags: ['p', 'q', 'r'] }, at(1500, 'b'.repeat(32)), RULES);
    const made = { ...change({ n: 6, tags: ['q', 's'] }), base: { n: 5, tags: ['p', 'q'] } };
    const [here, there] = [first, later].map((s) => applyFields(s, made, guest(2000), RULES));
    expect(there?.fields).toEqual({ n: 8, tags: ['q', 'r', 's'] });
    expect(join(here as RecordState, later).fields).toEqual({ n: 8, tags: ['q', 'r', 's'] });
    expect(join(here as RecordState, there as RecordState)).toEqual(there);
    const again = applyFields(there, { ...change({ n: 5 }), base: { n: 8 } }, guest(3000), RULES);
    expect(again.fields.n).toBe(5);
    expect(applyFields(again, made, guest(2000), RULES)).toBe(again);
    expect(applyFields(first, change({ n: 4 }), guest(2000), RULES).fields.n).toBe(4);
    expect(() => applyFields(first, change({ n: 0.5 }), guest(2000), RULES)).toThrow(TypeError);
  });

  it('[REC-23] an extreme takes what outdoes it, and a first value stays, also against an older stamp', () => {
    const first = create({ hi: 5, first: 'p' });
    expect(applyFields(first, change({ hi: 4, first: 'q' }, ['first']), guest(500), RULES)).toBe(first);
    const next = applyFields(first, change({ hi: 6, first: 'q' }), guest(500), RULES);
    expect(next.fields).toEqual({ hi: 6, first: 'p' });
    const cleared = applyFields(next, change({}, ['hi']), guest(700), RULES);
    expect(cleared.fields).toEqual({ hi: 5, first: 'p' });
    expect(applyFields(create({}), change({ hi: 1, first: 'q' }), guest(2000), RULES).fields).toEqual({
      hi: 1,
      first: 'q',
    });
  });

  it('[REC-23] [REC-26] a first value is neither replaced nor removed, whatever the other value and its stamp', () => {
    const first = create({ first: 'p' });
    for (const ms of [500, 2000]) {
      for (const value of ['a', 'z', 7])
        expect(applyFields(first, change({ first: value }), guest(ms), RULES)).toBe(first);
      expect(applyFields(first, change({}, ['first']), guest(ms), RULES)).toBe(first);
    }
  });

  it('[REC-23] two devices that apply one change to a set add the same', () => {
    const first = create({ x: 1, tags: ['p'] });
    const without = applySave(first, { x: 1, tags: [] }, at(1500, 'b'.repeat(32)), RULES);
    const [here, there] = [first, without].map((s) =>
      applyFields(s, change({ x: 2, tags: ['p'] }), guest(2000), RULES),
    );
    expect(join(here as RecordState, there as RecordState).fields).toEqual({ x: 2, tags: ['p'] });
  });

  it('[REC-23] prop: applied twice, or on two devices before or after they meet, it comes out the same', () => {
    const set = savedDocument;
    const stamp = fc.integer({ min: -300_000, max: 300_000 }).map((ms) => guest(1_700_000_000_000 + ms));
    fc.assert(
      fc.property(
        history,
        set,
        fc.subarray(removableNames),
        fc.integer({ min: 0, max: 9 }),
        stamp,
        (steps, set, gone, kind, stamp) => {
          const [a, b] = statesOf(steps);
          fc.pre(a !== undefined && b !== undefined);
          const made: FieldsChange = {
            ...change(
              set,
              gone.filter((name) => !Object.hasOwn(set, name)),
            ),
            deleted: kind === 0,
            base: { n: kind },
          };
          const apply = (state: RecordState): RecordState => applyFields(state, made, stamp, RULES);
          const [here, there] = [apply(a as RecordState), apply(b as RecordState)];
          expect(apply(here)).toBe(here);
          const met = join(here, there);
          expect(apply(met)).toBe(met);
          const late = apply(join(a as RecordState, b as RecordState));
          // Two texts of one instant are as good as each other. A first value stays where there is one, whatever its stamp: nobody replaces it by an older stamp.
          const withoutFirst = ({ fields }: RecordState): JsonObject => ({
            ...fields,
            first: null,
            lo: instantOf(fields.lo),
          });
          expect(withoutFirst(late)).toEqual(withoutFirst(met));
          expect(isDeleted(late)).toBe(isDeleted(met));
          expect(revOf(join(met, late))).toBe(revOf(join(late, met)));
          expect(join(a as RecordState, here)).toEqual(here);
        },
      ),
      { seed: 20261128, numRuns: 1500 },
    );
  });
});
