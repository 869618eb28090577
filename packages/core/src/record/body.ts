/** The sealed plaintext of an own entry: a record's state as compact JSON (spec/record.md). */

import { bytesToUtf8, utf8ToBytes } from '../base/bytes.ts';
import { isJsonObject, type JsonObject, type JsonValue } from '../base/json.ts';
import { err, ok, type Result } from '../base/result.ts';
import { assemble, type Draft, reassemble } from './assemble.ts';
import { type Element, type Elements, toElement } from './element-set.ts';
import { copyJson, isCleanJson } from './json-copy.ts';
import { MAX_MERGES } from './save.ts';
import { compareStamps, isUint, parseStamp, type Stamp } from './stamp.ts';
import {
  isFieldName,
  isRecordId,
  MAX_DATE_MS,
  MAX_STATE_FIELDS,
  NO_NAMES,
  NO_STAMP_OF,
  type RecordState,
} from './state.ts';
import { isWriteRule, type Write, type Writes } from './writes.ts';

/** Bytes of a body, before padding and sealing. */
export const MAX_RECORD_BYTES = 1024 * 1024;
const VERSION = 1;
const MEMBERS: ReadonlySet<string> = new Set(['v', 'i', 's', 'a', 'm', 't', 'f', 'o', 'r', 'd', 'e', 'w']);
/** The level at which an element of a set stands in the document. */
const ELEMENT_LEVEL = 3;
const NOTHING: JsonObject = {};

/**
 * Encodes a state for an entry whose header holds the stamp `header`.
 *
 * Shape:  UTF-8 JSON {v: 1, i: id, s: schema, a: insertedAt, m: merges, t: stamps, f: fields, o: {field: stamp index},
 *         r: [removed], d: stamp index of the delete, e: {set field: [[element, stamp index, ...], ...]},
 *         w: {typed field: [rule, stamp index of the removal or -1, [value, stamp index], ...]}}; a member that would say the
 *         usual is left out. A stamp is [ms, counter, writer], without the writer if it is the header's,
 *         and 0 if it is the header's stamp.
 * Errors: throws RangeError beyond MAX_RECORD_BYTES or MAX_STATE_FIELDS: nobody could read it.
 * Source: spec/record.md REC-17, REC-18; vectors/record.json.
 */
export function encodeBody(state: RecordState, header: Stamp): Uint8Array {
  const s = isDescending(state.stamps) ? state : reassemble(state);
  // Written piece by piece: the fields' own text is nearly all of it, and takes most of the time.
  let text = `{"v":${VERSION},"i":${JSON.stringify(s.id)}`;
  if (s.schema !== undefined) text += `,"s":${JSON.stringify(s.schema)}`;
  if (s.insertedAt !== header.ms) text += `,"a":${s.insertedAt}`;
  if (s.merges !== 1) text += `,"m":${s.merges}`;
  const isSole = s.stamps.length === 1 && compareStamps(s.stamps[0] as Stamp, header) === 0;
  if (!isSole) text += `,"t":${JSON.stringify(s.stamps.map((stamp) => shortStamp(stamp, header)))}`;
  text += `,"f":${JSON.stringify(wholeValues(s))}`;
  if (s.stamps.length > 1) {
    const stampOf = JSON.stringify(s.stampOf);
    if (stampOf !== '{}') text += `,"o":${stampOf}`;
  }
  if (s.removed.length > 0) text += `,"r":${JSON.stringify(s.removed)}`;
  if (s.deleted !== -1) text += `,"d":${s.deleted}`;
  if (s.sets !== undefined) text += `,"e":${JSON.stringify(elementsOf(s))}`;
  if (s.writes !== undefined) text += `,"w":${JSON.stringify(writesOf(s.writes))}`;
  const bytes = utf8ToBytes(`${text}}`);
  if (bytes.length > MAX_RECORD_BYTES) throw new RangeError(`a record takes more than ${MAX_RECORD_BYTES} bytes`);
  if (bytes.length > MAX_STATE_FIELDS && countFields(s) > MAX_STATE_FIELDS) {
    throw new RangeError(`a record has had more than ${MAX_STATE_FIELDS} fields`);
  }
  return bytes;
}

/**
 * Decodes a body under the stamp of its entry's header, into the one form of a state whatever form it came in.
 *
 * Errors: malformed (not of the shape, an unknown version or member, over a limit).
 * NOTE: members named `__proto__` are left out.
 */
export function decodeBody(bytes: Uint8Array, header: Stamp): Result<RecordState, { readonly type: 'malformed' }> {
  if (bytes.length > MAX_RECORD_BYTES) return MALFORMED;
  let body: JsonValue;
  try {
    body = JSON.parse(bytesToUtf8(bytes)) as JsonValue;
  } catch {
    return MALFORMED;
  }
  const state = isJsonObject(body) ? readState(body, header) : undefined;
  return state === undefined ? MALFORMED : ok(state);
}

const MALFORMED = err({ type: 'malformed' } as const);

function readState(body: JsonObject, header: Stamp): RecordState | undefined {
  for (const name of Object.keys(body)) if (!MEMBERS.has(name)) return undefined;
  const { v, i: id, s: schema, a: insertedAt = header.ms, m: merges = 1, f } = body;
  if (v !== VERSION || typeof id !== 'string' || !isRecordId(id)) return undefined;
  if (schema !== undefined && typeof schema !== 'string') return undefined;
  if (!isUint(merges, MAX_MERGES) || merges === 0) return undefined;
  if (typeof insertedAt !== 'number' || !Number.isInteger(insertedAt) || Math.abs(insertedAt) > MAX_DATE_MS) {
    return undefined;
  }
  const fields = isJsonObject(f) ? readFields(f) : undefined;
  if (fields === undefined) return undefined;
  const isPlain =
    body.t === undefined &&
    body.o === undefined &&
    body.r === undefined &&
    body.d === undefined &&
    body.e === undefined &&
    body.w === undefined;
  if (!isPlain) return readStamped({ id, schema, insertedAt, merges }, body, fields, header);
  const stamps = [header];
  // Written out: spreading costs more than all the checks above.
  return {
    id,
    schema,
    insertedAt,
    merges,
    fields,
    stamps,
    stampOf: NO_STAMP_OF,
    removed: NO_NAMES,
    deleted: -1,
    sets: undefined,
    writes: undefined,
  };
}

/** Checks field names and values; copies only what is out of order or has to be cleaned. */
function readFields(fields: JsonObject): JsonObject | undefined {
  const names = Object.keys(fields);
  if (names.length > MAX_STATE_FIELDS) return undefined;
  let isClean = true;
  let previous = '';
  for (const name of names) {
    if (!isFieldName(name) && name !== '__proto__') return undefined;
    isClean &&= previous <= name && name !== '__proto__' && isCleanJson(fields[name] as JsonValue);
    previous = name;
  }
  if (isClean) return fields;
  const copy: Record<string, JsonValue> = {};
  for (const name of names.sort()) {
    if (name === '__proto__') continue;
    const value = cleanJson(fields[name] as JsonValue);
    if (value === undefined) return undefined;
    copy[name] = value;
  }
  return copy;
}

/** A value as a record may hold it, or undefined if it cannot. */
function cleanJson(value: JsonValue, level?: number): JsonValue | undefined {
  if (isCleanJson(value, level)) return value;
  try {
    return copyJson(value, level);
  } catch {
    return undefined;
  }
}

type Head = Pick<RecordState, 'id' | 'schema' | 'insertedAt' | 'merges'>;

/** Reads a body that has more than the header's stamp. */
function readStamped(head: Head, body: JsonObject, fields: JsonObject, header: Stamp): RecordState | undefined {
  const { t = [0], o = NOTHING, r = NO_NAMES, d, e = NOTHING, w = NOTHING } = body;
  if (!Array.isArray(t) || !isJsonObject(o) || !Array.isArray(r) || !isJsonObject(e) || !isJsonObject(w))
    return undefined;
  const stamps: Stamp[] = [];
  for (const item of t as readonly JsonValue[]) {
    const stamp = item === 0 ? header : readStamp(item, header);
    if (stamp === undefined) return undefined;
    stamps.push(stamp);
  }
  const stampAt = (index: unknown): Stamp | undefined => (typeof index === 'number' ? stamps[index] : undefined);
  const deleted = stampAt(d);
  if (stamps.length === 0 || (d !== undefined && deleted === undefined)) return undefined;

  const drafts = new Map<string, Draft>();
  const add = (name: string, value: JsonValue | undefined, elements?: Elements): boolean => {
    const stamp = stampAt(Object.hasOwn(o, name) ? o[name] : 0);
    if (stamp === undefined) return false;
    drafts.set(name, elements === undefined ? { value, stamp } : { value, stamp, elements });
    return true;
  };
  for (const name of Object.keys(fields)) if (!add(name, fields[name] as JsonValue)) return undefined;
  for (const name of r as readonly JsonValue[]) {
    if (typeof name !== 'string' || !isFieldName(name) || drafts.has(name)) return undefined;
    if (!add(name, undefined)) return undefined;
  }
  for (const name of Object.keys(e)) {
    const elements = isFieldName(name) ? readElements(e[name] as JsonValue, stampAt) : undefined;
    const value = drafts.get(name)?.value;
    if (elements === undefined || !add(name, Array.isArray(value) ? [] : value, elements)) return undefined;
  }
  for (const name of Object.keys(o)) if (!drafts.has(name)) return undefined;
  for (const name of Object.keys(w)) {
    if (!isFieldName(name) || drafts.has(name)) return undefined;
    const writes = readWrites(w[name] as JsonValue, stampAt);
    if (writes === undefined) return undefined;
    drafts.set(name, { value: undefined, stamp: header, writes });
  }
  if (drafts.size > MAX_STATE_FIELDS) return undefined;
  return assemble(head, drafts, deleted, stamps);
}

function readStamp(item: JsonValue, header: Stamp): Stamp | undefined {
  if (!Array.isArray(item) || item.length < 2 || item.length > 3) return undefined;
  return parseStamp(item[0], item[1], item.length === 2 ? header.writer : item[2]);
}

function readElements(
  items: JsonValue,
  stampAt: (index: unknown) => Stamp | undefined,
): Map<string, Element> | undefined {
  if (!Array.isArray(items)) return undefined;
  const elements = new Map<string, Element>();
  for (const item of items as readonly JsonValue[]) {
    if (!Array.isArray(item) || item.length < 2) return undefined;
    const [value, ...indexes] = item as readonly JsonValue[];
    const adds = indexes.map(stampAt).filter((stamp) => stamp !== undefined);
    const clean = adds.length === indexes.length ? cleanJson(value as JsonValue, ELEMENT_LEVEL) : undefined;
    if (clean === undefined) return undefined;
    adds.sort((x, y) => compareStamps(y, x));
    const distinct = adds.filter((add, i) => i === 0 || compareStamps(adds[i - 1] as Stamp, add) !== 0);
    const [key, element] = toElement(clean, distinct);
    if (elements.has(key)) return undefined;
    elements.set(key, element);
  }
  return elements;
}

function readWrites(item: JsonValue, stampAt: (index: unknown) => Stamp | undefined): Writes | undefined {
  if (!Array.isArray(item) || item.length < 3) return undefined;
  const [rule, at, ...rest] = item as readonly JsonValue[];
  const cut = at === -1 ? undefined : stampAt(at);
  if (!isWriteRule(rule) || (at !== -1 && cut === undefined)) return undefined;
  const list: Write[] = [];
  for (const write of rest) {
    if (!Array.isArray(write) || write.length !== 2) return undefined;
    const stamp = stampAt(write[1]);
    const value = cleanJson(write[0] as JsonValue);
    if (stamp === undefined || value === undefined) return undefined;
    list.push({ value, stamp });
  }
  return { rule, cut, list };
}

const shortStamp = (stamp: Stamp, header: Stamp): JsonValue => {
  if (stamp.writer !== header.writer) return [stamp.ms, stamp.counter, stamp.writer];
  return stamp.ms === header.ms && stamp.counter === header.counter ? 0 : [stamp.ms, stamp.counter];
};

/** The fields as last set as a whole: of a set with stamps of its own, what is not among its elements. */
function wholeValues(state: RecordState): JsonObject {
  const { fields, sets, writes } = state;
  if (sets === undefined && writes === undefined) return fields;
  const whole: Record<string, JsonValue> = {};
  for (const name of Object.keys(fields)) {
    if (writes?.[name] !== undefined) continue;
    const part = sets?.[name];
    const value = part === undefined ? fields[name] : part.value;
    if (value !== undefined) whole[name] = value;
  }
  return whole;
}

function elementsOf({ fields, sets = {} }: RecordState): JsonObject {
  const out: Record<string, JsonValue> = {};
  for (const [name, { adds }] of Object.entries(sets)) {
    out[name] = (fields[name] as readonly JsonValue[]).map((value, i) => [value, ...(adds[i] ?? [])]);
  }
  return out;
}

function writesOf(writes: NonNullable<RecordState['writes']>): JsonObject {
  const out: Record<string, JsonValue> = {};
  for (const [name, { rule, cut, list }] of Object.entries(writes)) out[name] = [rule, cut, ...list];
  return out;
}

const countFields = (state: RecordState): number => Object.keys(state.fields).length + state.removed.length;

function isDescending(stamps: readonly Stamp[]): boolean {
  for (let i = 1; i < stamps.length; i++) {
    if (compareStamps(stamps[i - 1] as Stamp, stamps[i] as Stamp) <= 0) return false;
  }
  return true;
}
