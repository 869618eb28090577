/** The merged state of one record: its fields, and the stamp of each (spec/record.md). */

import { bytesToHex } from '../base/bytes.ts';
import type { JsonObject, JsonValue } from '../base/json.ts';
import { sha256 } from '../crypto/hash.ts';
import { copyJson } from './json-copy.ts';
import { STAMP_BYTES, type Stamp, writeStamp } from './stamp.ts';
import { toSetValue } from './element-set.ts';
import { isCount, type WriteRule } from './writes.ts';

/** How a field merges: the last writer wins, as an observed-remove set, or by the writes that count. */
export type MergeRule = 'lww' | 'set' | WriteRule;
/** Merges by field. Fields not named are `lww`. */
export type MergeRules = ReadonlyMap<string, MergeRule>;

/** What a set field holds beside the array shown in `fields`, once its elements do not all have the field's own stamp. */
export type SetPart = {
  /** What the field as a whole was last set to: `[]` for a set, some other value, or undefined where it was removed. */
  readonly value: JsonValue | undefined;
  /** For each element of the array, the indexes in `stamps` of its additions, ascending. */
  readonly adds: readonly (readonly number[])[];
};

/** What a field with a typed merge holds beside the value shown in `fields`, once that is not the one write there is. */
export type WritesPart = {
  readonly rule: WriteRule;
  /** Index in `stamps` of the last removal, or -1. */
  readonly cut: number;
  /** The writes that count with the index of each in `stamps`, ascending. */
  readonly list: readonly (readonly [value: JsonValue, stamp: number])[];
};

/**
 * One record, laid out so that a record with one stamp costs no object per field. States are never changed, and there is
 * one state for one content: `fields` and `removed` are sorted by name (UTF-16), `stamps` strictly descends.
 * NOTE: objects keep names that look like indexes first, so the text of `fields` is sorted but for those.
 */
export type RecordState = {
  readonly id: string;
  readonly schema: string | undefined;
  readonly insertedAt: number;
  /** Local saves and deletes on the longest line of them: the number in `_rev`. */
  readonly merges: number;
  /** What the document shows, base fields aside. */
  readonly fields: JsonObject;
  /** Every stamp referred to below, and the latest of each writer even if nothing refers to it. */
  readonly stamps: readonly Stamp[];
  /** Index in `stamps` of each field, shown or removed, that is not at 0 and not in `writes`. Without a prototype. */
  readonly stampOf: { readonly [name: string]: number };
  /** Fields whose removal is stamped. */
  readonly removed: readonly string[];
  /** Index in `stamps` of the last delete, or -1. */
  readonly deleted: number;
  readonly sets: { readonly [name: string]: SetPart } | undefined;
  readonly writes: { readonly [name: string]: WritesPart } | undefined;
};

/** Names that are not ordinary fields. */
const BASE_FIELDS: ReadonlySet<string> = new Set(['_id', '_rev', 'schema', 'insertedAt', 'modifiedAt']);
/** Fields of a document that is saved. */
const MAX_FIELDS = 1_024;
/** Fields of a state, removed ones included: merging may bring more together than one document may have. */
export const MAX_STATE_FIELDS = 4_096;
/** The latest time a Date can show, in ms; the earliest is its negative. */
export const MAX_DATE_MS = 8.64e15;

/** For states without fields. */
export const NO_STAMP_OF: { readonly [name: string]: number } = Object.freeze(Object.create(null));
/** For states without removed fields. */
export const NO_NAMES: readonly string[] = Object.freeze([]);
const REV_HASH_BYTES = 12;
const HALF_CHARACTER = /\p{Surrogate}/u;
const ISO_INSTANT = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)$/;

/**
 * Creates the state of a new record. An `insertedAt` in the document is kept, `_id` and the other base fields are not read;
 * `schema` is that of the options, else of the document.
 *
 * Throws TypeError or RangeError on what a record cannot hold (`copyJson`, more than `MAX_FIELDS` fields, an id that is none).
 */
export function createState(
  document: JsonObject,
  stamp: Stamp,
  options: { readonly id: string; readonly schema?: string; readonly merges?: MergeRules },
): RecordState {
  const { merges } = options;
  if (!isRecordId(options.id)) throw new TypeError('an id is text, and none with half a character');
  const fields: Record<string, JsonValue> = {};
  const names = fieldNames(document).sort();
  for (const name of names) {
    const value = copyJson(document[name] as JsonValue);
    const rule = merges?.get(name);
    if (rule === 'counter') assertCount(name, value);
    fields[name] = rule === 'set' && Array.isArray(value) ? toSetValue(value) : value;
  }
  return {
    id: options.id,
    schema: options.schema ?? schemaOf(document),
    insertedAt: insertedAtOf(document) ?? stamp.ms,
    merges: 1,
    fields,
    stamps: [stamp],
    stampOf: NO_STAMP_OF,
    removed: NO_NAMES,
    deleted: -1,
    sets: undefined,
    writes: undefined,
  };
}

/** Tells whether the record's largest stamp is that of a delete. */
export const isDeleted = (state: RecordState): boolean => state.deleted === 0;

/** The stamp of a field, shown or removed. */
export const stampOfField = (state: RecordState, name: string): Stamp =>
  state.stamps[state.writes?.[name]?.list[0]?.[1] ?? state.stampOf[name] ?? 0] as Stamp;

/** The sum of what a writer has contributed to a counter. */
export function countBy(state: RecordState, name: string, writer: string): number {
  const writes = state.writes?.[name]?.list ?? [[state.fields[name], state.stampOf[name] ?? 0] as const];
  const own = writes.find(([value, stamp]) => state.stamps[stamp]?.writer === writer && isCount(value));
  return own ? Number(own[0]) : 0;
}

/** The elements of a set that one writer has added and nobody else. */
export function addedBy(state: RecordState, name: string, writer: string): readonly JsonValue[] {
  const shown = state.fields[name];
  if (!Array.isArray(shown)) return [];
  const { adds } = state.sets?.[name] ?? {};
  const isOwn = (stamp: number): boolean => state.stamps[stamp]?.writer === writer;
  return shown.filter((_, i) => (adds?.[i] ?? [state.stampOf[name] ?? 0]).every(isOwn));
}

/** The stamp of the last delete, if there was one. */
export const deleteStamp = (state: RecordState): Stamp | undefined => state.stamps[state.deleted];

/**
 * The record's revision: merges, `-` and 24 hex digits, equal wherever the state is equal.
 *
 * Source: spec/record.md REC-16.
 */
export function revOf(state: RecordState): string {
  const { stamps } = state;
  const hashed = new Uint8Array(stamps.length * STAMP_BYTES);
  for (let i = 0; i < stamps.length; i++) writeStamp(hashed, i * STAMP_BYTES, stamps[i] as Stamp);
  return `${state.merges}-${bytesToHex(sha256(hashed).subarray(0, REV_HASH_BYTES))}`;
}

/** The document a state shows. Its values are the state's own: they must not be changed. */
export function toDocument(state: RecordState): JsonObject {
  const document: Record<string, JsonValue> = { _id: state.id, _rev: revOf(state) };
  if (state.schema !== undefined) document.schema = state.schema;
  const { fields } = state;
  for (const name of Object.keys(fields)) document[name] = fields[name] as JsonValue;
  const modifiedMs = (state.stamps[0] as Stamp).ms;
  const modifiedAt = new Date(modifiedMs).toISOString();
  document.insertedAt = state.insertedAt === modifiedMs ? modifiedAt : new Date(state.insertedAt).toISOString();
  document.modifiedAt = modifiedAt;
  return document;
}

/** Names of a document's ordinary fields. Throws RangeError beyond `MAX_FIELDS`. */
export function fieldNames(document: JsonObject): string[] {
  const names: string[] = [];
  for (const name of Object.keys(document)) if (isFieldName(name) && document[name] !== undefined) names.push(name);
  if (names.length > MAX_FIELDS) throw new RangeError(`a record has more than ${MAX_FIELDS} fields`);
  return names;
}

/** Tells whether a text may be a record's id. Texts that differ in half characters alone have one encoding, so that their records would be one. */
export const isRecordId = (id: string): boolean => id !== '' && !HALF_CHARACTER.test(id);

/** Tells whether a name may be that of an ordinary field. */
export const isFieldName = (name: string): boolean => !BASE_FIELDS.has(name) && name !== '__proto__';

/** Throws TypeError on what a counter cannot hold. */
export function assertCount(name: string, value: JsonValue): void {
  if (!isCount(value)) throw new TypeError(`\`${name}\` is a counter: it holds whole numbers`);
}

/** The document's own `schema`, if it is one. */
export const schemaOf = (document: JsonObject): string | undefined =>
  typeof document.schema === 'string' ? document.schema : undefined;

/** The document's own `insertedAt` in ms, if it is an instant. */
export function insertedAtOf(document: JsonObject): number | undefined {
  const { insertedAt } = document;
  if (typeof insertedAt !== 'string' || !ISO_INSTANT.test(insertedAt)) return undefined;
  const ms = Date.parse(insertedAt);
  return Number.isNaN(ms) ? undefined : ms;
}
