/** Cases for other implementations: written here from fixed input, and read back as strangers' bodies. Refresh with `vitest run -u`. */

import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { bytesToUtf8, utf8ToBytes } from '../base/bytes.ts';
import type { JsonObject, JsonValue } from '../base/json.ts';
import { decodeBody, encodeBody } from './body.ts';
import { mergeStates } from './merge.ts';
import { applyDelete, applySave } from './save.ts';
import type { Stamp } from './stamp.ts';
import { createState, isDeleted, type MergeRule, type MergeRules, type RecordState, toDocument } from './state.ts';

const FILE = new URL('../../../../vectors/record.json', import.meta.url);
const RULES: MergeRules = new Map<string, MergeRule>([
  ['tags', 'set'],
  ['count', 'counter'],
  ['top', 'max'],
  ['since', 'min date-time'],
  ['origin', 'immutable'],
]);
const [A, B, C] = ['0a', '0b', '0c'].map((byte) => byte.repeat(16)) as [string, string, string];
const T = Date.UTC(2026, 10, 24, 9);
const at = (seconds: number, writer = A, counter = 0): Stamp => ({ ms: T + seconds * 1000, counter, writer });
/** The header under which every body of the joins is written: nobody's stamp, so each body says all of its own. */
const HEADER = at(0, 'ff'.repeat(16));

const create = (document: JsonObject, stamp: Stamp): RecordState =>
  createState(document, stamp, { id: 'r1', schema: 'https://schemas.example/note', merges: RULES });
const save = (state: RecordState, document: JsonObject, stamp: Stamp): RecordState =>
  applySave(state, document, stamp, RULES);
const join = (a: RecordState, b: RecordState): RecordState => mergeStates(a, b, RULES).state;

const note = create({ title: 'one', text: 'first', size: 1 }, at(1));
const noteA = save(note, { title: 'two', text: 'first', size: 1 }, at(2, A));
const noteB = save(note, { title: 'one', text: 'second', size: 1 }, at(3, B));
const tagged = create({ tags: ['x', 'y'] }, at(1));
const withoutX = save(tagged, { tags: ['y'] }, at(2, A));
const readded = save(save(tagged, { tags: ['y'] }, at(2, B)), { tags: ['x', 'y'] }, at(3, B));
const untagged = save(tagged, {}, at(9, A));
const deleted = applyDelete(note, at(5, A));
const counted = create({ count: 5 }, at(1));

const JOINS: readonly (readonly [string, RecordState, RecordState])[] = [
  ['two fields changed on two devices', noteA, noteB],
  ['the larger stamp wins a field', noteA, save(note, { title: 'three', text: 'first', size: 1 }, at(3, B))],
  [
    'at one ms the larger counter wins',
    save(note, { title: 'c1' }, at(2, B, 1)),
    save(note, { title: 'c2' }, at(2, A, 2)),
  ],
  ['at one instant the larger writer wins', save(note, { title: 'a' }, at(2, A)), save(note, { title: 'b' }, at(2, B))],
  ['a state and one made of it', note, noteB],
  ['a state and itself', noteA, noteA],
  ['a removal against an older value', save(note, { text: 'first', size: 1 }, at(4, B)), noteA],
  [
    'a removal against a newer value',
    save(note, { text: 'first', size: 1 }, at(2, B)),
    save(noteA, { ...noteA.fields, title: 'kept' }, at(6, A)),
  ],
  [
    'a save by a clock that is behind',
    create({ title: 'ahead' }, at(900, B)),
    save(create({ title: 'ahead' }, at(900, B)), { title: 'behind' }, at(1, A)),
  ],
  [
    'two devices that created one record',
    create({ title: 'a', only: 'a' }, at(1, A)),
    create({ title: 'b', text: 'b' }, at(2, B)),
  ],
  [
    'equal stamps with two values',
    create({ title: 'a', list: [1] }, at(1)),
    create({ title: 'b', list: [0, 5] }, at(1)),
  ],
  ['a delete against an older save it had not seen', deleted, noteB],
  ['a delete against a newer save that had not seen it', deleted, save(note, { ...note.fields, size: 2 }, at(6, B))],
  ['a record brought back, against what was there before', save(deleted, { title: 'again' }, at(7, A)), noteB],
  ['a record brought back empty', save(deleted, {}, at(7, A)), deleted],
  ['two deletes', deleted, applyDelete(noteB, at(6, B))],
  [
    'elements added on two devices',
    save(tagged, { tags: ['x', 'y', 'b', 'a'] }, at(2, A)),
    save(tagged, { tags: ['c', 'x', 'y'] }, at(3, B)),
  ],
  [
    'one element added on two devices',
    save(tagged, { tags: ['x', 'y', 'n'] }, at(2, A)),
    save(tagged, { tags: ['x', 'y', 'n'] }, at(3, B)),
  ],
  ['a removal of an element both had', withoutX, save(tagged, { tags: ['x', 'y', 'n'] }, at(3, B))],
  ['adding wins over a concurrent removal', readded, save(withoutX, { tags: [] }, at(9, A))],
  ['an element added to a removed set', untagged, save(tagged, { tags: ['x', 'y', 'n'] }, at(3, B))],
  [
    'an element under a text over the set',
    save(tagged, { tags: 'none' }, at(9, A)),
    save(tagged, { tags: ['x', 'n'] }, at(3, B)),
  ],
  [
    'an element that outlives a delete',
    applyDelete(tagged, at(3, A)),
    save(tagged, { tags: ['x', 'y', 'n'] }, at(4, B)),
  ],
  [
    'objects as elements, and members named like built-ins',
    create({ tags: [{ q: 1, p: [] }], constructor: 1, 10: 'ten', 9: 'nine' }, at(1, A)),
    create({ tags: [{ p: [], q: 1 }, 'é'], toString: 2 }, at(2, B)),
  ],
  ['counters on two devices', save(counted, { count: 6 }, at(2, A)), save(counted, { count: 2 }, at(3, B))],
  [
    'a counter that was deleted and counts again',
    save(applyDelete(counted, at(4, B)), { count: 1 }, at(5, B)),
    save(counted, { count: 9 }, at(2, A)),
  ],
  [
    'a counter removed, set again, and counted meanwhile',
    save(save(counted, {}, at(2, A)), { count: 1 }, at(4, A)),
    save(counted, { count: 7 }, at(3, B)),
  ],
  [
    'extremes with smaller stamps',
    create({ top: 9, since: '2026-01-01T01:00:00+02:00' }, at(1, A)),
    create({ top: 7, since: '2026-01-01T00:00:00Z' }, at(2, B)),
  ],
  [
    'an extreme that a delete ended, and a later one',
    join(create({ top: 9 }, at(1, A)), create({ top: 7 }, at(3, B))),
    applyDelete(create({ text: 'x' }, at(1, C)), at(2, C)),
  ],
  ['two first values', create({ origin: 'a' }, at(1, A)), create({ origin: 'b' }, at(2, B))],
  ['three writers', join(noteA, noteB), save(noteB, { ...noteB.fields, size: 3, more: null }, at(4, C))],
];

const BODIES: readonly (readonly [string, RecordState, Stamp])[] = [
  ['a new record under its own header', note, at(1)],
  ['under a later header of its writer', note, at(2)],
  ['under a header of another writer', note, at(1, B)],
  ['two stamps', noteB, at(3, B)],
  ['a deleted record', deleted, at(5, A)],
  ['a set with additions of its own', join(withoutX, readded), at(3, B)],
  [
    'a counter of two writers',
    join(save(counted, { count: 6 }, at(2, A)), save(counted, { count: 2 }, at(3, B))),
    at(3, B),
  ],
  ['an extreme after its removal', save(save(create({ top: 9 }, at(1)), {}, at(2)), { top: 1 }, at(3)), at(3)],
];

const REFUSED: readonly (readonly [string, string])[] = [
  ['another version', '{"v":2,"i":"r1","f":{}}'],
  ['an unknown member', '{"v":1,"i":"r1","f":{},"x":0}'],
  ['a base field', '{"v":1,"i":"r1","f":{"_id":"r2"}}'],
  ['a stamp that is not there', '{"v":1,"i":"r1","f":{"x":1},"o":{"x":1}}'],
  ['a field both there and removed', '{"v":1,"i":"r1","f":{"x":1},"r":["x"]}'],
  ['a writer in capitals', `{"v":1,"i":"r1","t":[[1,0,"${A.toUpperCase()}"]],"f":{}}`],
  ['an unknown merge rule', '{"v":1,"i":"r1","f":{},"w":{"x":["sum",-1,[1,0]]}}'],
  ['a typed field without writes', '{"v":1,"i":"r1","f":{},"w":{"x":["max",-1]}}'],
  ['65 levels', `{"v":1,"i":"r1","f":{"x":${'['.repeat(64)}${']'.repeat(64)}}}`],
];

const write = (): JsonValue => ({
  about:
    'Cases for spec/record.md. Bodies are JSON text, to be taken as UTF-8. In joins, `tags` is a set, `count` a counter, `top` a max, `since` a min of date-times, `origin` immutable, and every body has the header joinHeader; ' +
    'losers are in no order. Bodies under "refused" must be refused.',
  joinHeader: HEADER,
  joins: JOINS.map(([name, a, b]) => {
    const { state, losers } = mergeStates(a, b, RULES);
    return {
      name,
      a: bytesToUtf8(encodeBody(a, HEADER)),
      b: bytesToUtf8(encodeBody(b, HEADER)),
      joined: bytesToUtf8(encodeBody(state, HEADER)),
      deleted: isDeleted(state),
      document: toDocument(state),
      losers: losers.map(({ field, value, stamp }) =>
        value === undefined ? { field, stamp } : { field, value, stamp },
      ),
    };
  }),
  bodies: BODIES.map(([name, state, header]) => ({
    name,
    header,
    body: bytesToUtf8(encodeBody(state, header)),
    deleted: isDeleted(state),
    document: toDocument(state),
  })),
  refused: REFUSED.map(([why, body]) => ({ why, body })),
});

type Shown = { readonly name: string; readonly deleted: boolean; readonly document: JsonObject };
type Vectors = {
  readonly joinHeader: Stamp;
  readonly joins: readonly (Shown &
    Readonly<Record<'a' | 'b' | 'joined', string>> & { readonly losers: readonly JsonObject[] })[];
  readonly bodies: readonly (Shown & { readonly header: Stamp; readonly body: string })[];
  readonly refused: readonly { readonly why: string; readonly body: string }[];
};

const vectors = JSON.parse(readFileSync(FILE, 'utf8')) as Vectors;
const read = (body: string, header: Stamp): RecordState => {
  const decoded = decodeBody(utf8ToBytes(body), header);
  if (!decoded.ok) throw new Error(`refused ${body}`);
  return decoded.value;
};

describe('vectors/record.json', () => {
  it('is what this code writes', async () => {
    await expect(`${JSON.stringify(write(), null, 2)}\n`).toMatchFileSnapshot(FILE.pathname);
  });

  it.each(vectors.joins)(
    '[REC-9] [REC-10] [REC-12] [REC-13] [REC-16] [REC-24] [REC-25] [REC-26] [REC-27] joins $name',
    ({ a, b, joined, deleted: isGone, document, losers }) => {
      const [x, y] = [a, b].map((body) => read(body, vectors.joinHeader)) as [RecordState, RecordState];
      for (const merged of [mergeStates(x, y, RULES), mergeStates(y, x, RULES)]) {
        expect(bytesToUtf8(encodeBody(merged.state, vectors.joinHeader))).toBe(joined);
        expect(toDocument(merged.state)).toEqual(document);
        expect(isDeleted(merged.state)).toBe(isGone);
        expect(merged.losers).toHaveLength(losers.length);
        expect(merged.losers).toEqual(expect.arrayContaining(losers.map((loser) => expect.objectContaining(loser))));
      }
    },
  );

  it.each(vectors.bodies)(
    '[REC-18] [REC-19] [REC-20] [REC-28] reads and writes $name',
    ({ header, body, deleted: isGone, document }) => {
      const state = read(body, header);
      expect([toDocument(state), isDeleted(state)]).toEqual([document, isGone]);
      expect(bytesToUtf8(encodeBody(state, header))).toBe(body);
    },
  );

  it.each(vectors.refused)('[REC-21] refuses $why', ({ body }) => {
    expect(decodeBody(utf8ToBytes(body), vectors.joinHeader)).toEqual({ ok: false, error: { type: 'malformed' } });
  });

  it('has enough cases', () => {
    expect(vectors.joins.length).toBeGreaterThanOrEqual(15);
  });
});
