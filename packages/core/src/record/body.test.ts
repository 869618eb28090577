import { describe, expect, it } from 'vitest';
import { bytesToUtf8, utf8ToBytes } from '../base/bytes.ts';
import type { JsonObject, JsonValue } from '../base/json.ts';
import { decodeBody, encodeBody, MAX_RECORD_BYTES } from './body.ts';
import { mergeStates } from './merge.ts';
import { applyDelete, applySave } from './save.ts';
import type { Stamp } from './stamp.ts';
import { createState, isDeleted, type MergeRules, type RecordState, toDocument } from './state.ts';

const SETS: MergeRules = new Map([['tags', 'set']]);
const [A, B] = ['a', 'b'].map((c) => c.repeat(32)) as [string, string];
const at = (ms: number, writer = A, counter = 0): Stamp => ({ ms, counter, writer });
const create = (document: JsonObject, stamp = at(1000)): RecordState =>
  createState(document, stamp, { id: 'r1', merges: SETS });
const textOf = (state: RecordState, header: Stamp): string => bytesToUtf8(encodeBody(state, header));
const decodeText = (text: string, header = at(1000)) => decodeBody(utf8ToBytes(text), header);
const MALFORMED = { ok: false, error: { type: 'malformed' } };
const nested = (levels: number): string => '['.repeat(levels) + ']'.repeat(levels);

describe('encodeBody', () => {
  it('[REC-18] [REC-19] writes nothing but id, schema and fields for a new record under its own header', () => {
    const state = createState({ b: 1, a: 'é' }, at(1000), { id: 'r1', schema: 'note' });
    expect(textOf(state, at(1000))).toBe('{"v":1,"i":"r1","s":"note","f":{"a":"é","b":1}}');
    expect(textOf(state, at(2000))).toBe('{"v":1,"i":"r1","s":"note","a":1000,"t":[[1000,0]],"f":{"a":"é","b":1}}');
    expect(textOf(state, at(1000, B))).toBe(`{"v":1,"i":"r1","s":"note","t":[[1000,0,"${A}"]],"f":{"a":"é","b":1}}`);
  });

  it('[REC-18] [REC-19] names other stamps by index, and the delete', () => {
    const first = create({ x: 1, y: 1, z: 1 }, at(1000, B, 5));
    const next = applySave(first, { x: 2, y: 1 }, at(2000), SETS);
    expect(textOf(next, at(2000))).toBe(
      `{"v":1,"i":"r1","a":1000,"m":2,"t":[0,[1000,5,"${B}"]],"f":{"x":2,"y":1},"o":{"y":1},"r":["z"]}`,
    );
    expect(textOf(applyDelete(next, at(3000)), at(3000))).toBe(
      `{"v":1,"i":"r1","a":1000,"m":3,"t":[0,[1000,5,"${B}"]],"f":{},"d":0}`,
    );
  });

  it('[REC-20] writes elements with their additions once they differ from the field', () => {
    const first = create({ tags: ['x', 'y'] });
    expect(textOf(first, at(1000))).toBe('{"v":1,"i":"r1","f":{"tags":["x","y"]}}');
    const next = applySave(first, { tags: ['n', 'y'] }, at(2000), SETS);
    const expected = '"m":2,"t":[0,[1000,0]],"f":{"tags":[]},"o":{"tags":1},"e":{"tags":[["y",1],["n",0]]}}';
    expect(textOf(next, at(2000))).toBe(`{"v":1,"i":"r1","a":1000,${expected}`);
    const both = mergeStates(applySave(first, {}, at(3000), SETS), next, SETS).state;
    expect(textOf(both, at(3000))).toContain('"f":{}');
  });

  it('costs a 1 KB record with one stamp under 80 bytes', () => {
    const document = Object.fromEntries(Array.from({ length: 10 }, (_, i) => [`field${i}`, 'v'.repeat(90)]));
    const state = createState(document, at(1_763_970_000_000), { id: 'x'.repeat(36) });
    const plain = JSON.stringify({ _id: state.id, ...document }).length;
    expect(encodeBody(state, at(1_763_970_000_000)).length - plain).toBeLessThan(20);
    const header = at(1_763_970_000_001, B);
    expect(encodeBody(state, header).length - plain).toBeLessThan(100);
  });

  it('[REC-10] brings a state whose stamps were exchanged into its one form', () => {
    const first = create({ x: 1, y: 1 }, at(1000, B));
    const next = applySave(first, { x: 2, y: 1 }, at(9000), SETS);
    const header = at(500);
    const restamped = { ...next, stamps: next.stamps.map((s) => (s.ms === 9000 ? header : s)) };
    const decoded = decodeBody(encodeBody(restamped, header), header);
    expect(decoded.ok && decoded.value.stamps).toEqual([at(1000, B), header]);
    expect(decoded.ok && decoded.value.stampOf).toEqual({ x: 1 });
    expect(decoded.ok && decoded.value.fields).toEqual({ x: 2, y: 1 });
  });

  it('[REC-21] throws on what nobody could read', () => {
    const state = create({ x: 'x'.repeat(MAX_RECORD_BYTES) });
    expect(() => encodeBody(state, at(1000))).toThrow(RangeError);
    const fits = create({ x: 'x'.repeat(MAX_RECORD_BYTES - '{"v":1,"i":"r1","f":{"x":""}}'.length) });
    expect(decodeBody(encodeBody(fits, at(1000)), at(1000)).ok).toBe(true);
  });
});

describe('decodeBody', () => {
  const stamp = `[1,0,"${A}"]`;
  const refused: readonly (readonly [string, string])[] = [
    ['no JSON', '{"v":1'],
    ['no object', '[]'],
    ['null', 'null'],
    ['another version', '{"v":2,"i":"r","f":{}}'],
    ['no version', '{"i":"r","f":{}}'],
    ['an unknown member', '{"v":1,"i":"r","f":{},"x":1}'],
    ['an unknown member named __proto__', '{"v":1,"i":"r","f":{},"__proto__":{}}'],
    ['no id', '{"v":1,"f":{}}'],
    ['an empty id', '{"v":1,"i":"","f":{}}'],
    ['an id with half a character', '{"v":1,"i":"\\ud800","f":{}}'],
    ['no fields', '{"v":1,"i":"r"}'],
    ['fields in a list', '{"v":1,"i":"r","f":[]}'],
    ['a schema that is no text', '{"v":1,"i":"r","s":1,"f":{}}'],
    ['a time that is no whole number', '{"v":1,"i":"r","a":1.5,"f":{}}'],
    ['a time beyond dates', '{"v":1,"i":"r","a":8640000000000001,"f":{}}'],
    ['no merges', '{"v":1,"i":"r","m":0,"f":{}}'],
    ['merges beyond 32 bits', '{"v":1,"i":"r","m":4294967296,"f":{}}'],
    ['a base field', '{"v":1,"i":"r","f":{"_id":"q"}}'],
    ['another base field', '{"v":1,"i":"r","f":{"modifiedAt":"q"}}'],
    ['a removed base field', '{"v":1,"i":"r","f":{},"r":["_rev"]}'],
    ['a base field as a set', '{"v":1,"i":"r","f":{},"e":{"schema":[["x",0]]}}'],
    ['no stamps', '{"v":1,"i":"r","f":{},"t":[]}'],
    ['a null in place of stamps', '{"v":1,"i":"r","f":{},"t":null}'],
    ['a stamp of one part', '{"v":1,"i":"r","f":{},"t":[[1]]}'],
    ['a stamp of four parts', `{"v":1,"i":"r","f":{},"t":[[1,0,"${A}",1]]}`],
    ['a stamp before 1970', '{"v":1,"i":"r","f":{},"t":[[-1,0]]}'],
    ['a stamp beyond 48 bits', '{"v":1,"i":"r","f":{},"t":[[281474976710656,0]]}'],
    ['a counter beyond 16 bits', '{"v":1,"i":"r","f":{},"t":[[1,65536]]}'],
    ['a writer in capitals', `{"v":1,"i":"r","f":{},"t":[[1,0,"${A.toUpperCase()}"]]}`],
    ['a short writer', '{"v":1,"i":"r","f":{},"t":[[1,0,"aa"]]}'],
    ['an index without a stamp', `{"v":1,"i":"r","f":{"x":1},"t":[${stamp}],"o":{"x":1}}`],
    ['an index below 0', `{"v":1,"i":"r","f":{"x":1},"t":[${stamp}],"o":{"x":-1}}`],
    ['an index that is a text', `{"v":1,"i":"r","f":{"x":1},"t":[${stamp}],"o":{"x":"0"}}`],
    ['an index of a field that is not there', '{"v":1,"i":"r","f":{},"o":{"x":0}}'],
    ['a delete without a stamp', '{"v":1,"i":"r","f":{},"d":1}'],
    ['a delete that is null', '{"v":1,"i":"r","f":{},"d":null}'],
    ['a field both there and removed', '{"v":1,"i":"r","f":{"x":1},"r":["x"]}'],
    ['a field removed twice', '{"v":1,"i":"r","f":{},"r":["x","x"]}'],
    ['a removed field that is no text', '{"v":1,"i":"r","f":{},"r":[1]}'],
    ['an element without additions', '{"v":1,"i":"r","f":{"t":[]},"e":{"t":[["x"]]}}'],
    ['an element that is no list', '{"v":1,"i":"r","f":{"t":[]},"e":{"t":["x"]}}'],
    ['an element with an unknown stamp', '{"v":1,"i":"r","f":{"t":[]},"e":{"t":[["x",1]]}}'],
    ['an element twice', '{"v":1,"i":"r","f":{"t":[]},"e":{"t":[["x",0],["x",0]]}}'],
    ['a number beyond doubles', '{"v":1,"i":"r","f":{"x":1e999}}'],
    ['a nested number beyond doubles', '{"v":1,"i":"r","f":{"x":[1e999]}}'],
    ['65 levels', `{"v":1,"i":"r","f":{"x":${nested(64)}}}`],
    ['65 levels in an element', `{"v":1,"i":"r","f":{"t":[]},"e":{"t":[[${nested(63)},0]]}}`],
  ];

  it.each(refused)('[REC-21] refuses %s', (_, text) => {
    expect(decodeText(text)).toEqual(MALFORMED);
  });

  it('[REC-21] takes 64 levels and 4,096 fields, and refuses more, also as a bomb', () => {
    const deep = decodeText(`{"v":1,"i":"r","f":{"x":${nested(63)}}}`);
    expect(deep.ok && encodeBody(deep.value, at(1000)).length).toBe(`{"v":1,"i":"r","f":{"x":${nested(63)}}}`.length);
    expect(decodeText(`{"v":1,"i":"r","f":{"t":[]},"e":{"t":[[${nested(62)},0]]}}`).ok).toBe(true);
    expect(decodeText(nested(500_000))).toEqual(MALFORMED);
    const wide = (n: number): string =>
      JSON.stringify({ v: 1, i: 'r', f: Object.fromEntries(Array.from({ length: n }, (_, i) => [`f${i}`, 1])) });
    expect(decodeText(wide(4096)).ok).toBe(true);
    expect(decodeText(wide(4097))).toEqual(MALFORMED);
    const removed = Array.from({ length: 4097 }, (_, i) => `f${i}`);
    expect(decodeText(JSON.stringify({ v: 1, i: 'r', f: {}, r: removed }))).toEqual(MALFORMED);
  });

  it('[REC-21] refuses over 1 MiB and bytes that are no UTF-8', () => {
    const text = `{"v":1,"i":"r","f":{"x":"${'x'.repeat(MAX_RECORD_BYTES)}"}}`;
    expect(decodeText(text)).toEqual(MALFORMED);
    expect(decodeBody(Uint8Array.of(0x7b, 0xff, 0x7d), at(1))).toEqual(MALFORMED);
    expect(decodeBody(new Uint8Array(0), at(1))).toEqual(MALFORMED);
    expect(decodeText('﻿{"v":1,"i":"r","f":{}}')).toEqual(MALFORMED);
  });

  it('[REC-21] leaves out members named __proto__, at every level and however they are spelled', () => {
    const decoded = decodeText(
      '{"v":1,"i":"r","f":{"__proto__":{"bad":1},"a":{"\\u005f_proto__":{"bad":1},"b":[{"__proto__":1}]}},"e":{"t":[[{"__proto__":1,"k":1},0]]}}',
    );
    expect(decoded.ok).toBe(true);
    const document: { [name: string]: JsonValue } = decoded.ok ? { ...toDocument(decoded.value) } : {};
    expect(JSON.stringify([document.a, document.t])).toBe('[{"b":[{}]},[{"k":1}]]');
    expect(Object.getPrototypeOf(decoded.ok && decoded.value.fields)).toBe(Object.prototype);
    expect(document.bad).toBeUndefined();
  });

  it('[REC-18] reads fields in any order into the one order', () => {
    const decoded = decodeText('{"f":{"b":1,"a":2},"i":"r","v":1}');
    expect(decoded.ok && Object.keys(decoded.value.fields)).toEqual(['a', 'b']);
    expect(decoded.ok && decoded.value).toEqual(createState({ a: 2, b: 1 }, at(1000), { id: 'r' }));
  });

  it('[REC-7] [REC-11] drops what a delete covers and stamps that say nothing', () => {
    const stamps = `[[9,0,"${A}"],[8,0,"${B}"],[7,0,"${B}"],[6,0,"${A}"]]`;
    const decoded = decodeText(`{"v":1,"i":"r","t":${stamps},"f":{"x":1,"y":2},"o":{"x":3},"r":["z"],"d":1}`);
    expect(decoded.ok && decoded.value.fields).toEqual({ y: 2 });
    expect(decoded.ok && decoded.value.stamps).toEqual([at(9), at(8, B)]);
    expect(decoded.ok && isDeleted(decoded.value)).toBe(false);
  });
});
