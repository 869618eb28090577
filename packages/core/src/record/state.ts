/** The merged state of a record: fields with stamps; joins that commute (spec/record.md). */

import type { JsonObject, JsonValue } from '../base/json.ts';
import { bytesToHex, utf8ToBytes } from '../base/bytes.ts';
import { sha256 } from '../crypto/hash.ts';
import { jsonEquals } from '../base/canonical-json.ts';
import { compareStamps, type Stamp } from './stamp.ts';

export type MergeRules = ReadonlyMap<string, 'lww' | 'set'>;
export type RecordState = {
  readonly id: string;
  readonly schema?: string;
  readonly insertedAt: number;
  readonly merges: number;
  readonly fields: { readonly [name: string]: JsonValue };
  readonly stamps: readonly Stamp[];
  /** Index into `stamps` for every field that is not at 0, removed ones included. */
  readonly stampOf: { readonly [name: string]: number };
  readonly removed: readonly string[];
  readonly deleted?: number;
};

const RESERVED = new Set(['_id', '_rev', 'schema', 'insertedAt', 'modifiedAt']);

type Draft = { value: JsonValue | undefined; stamp: Stamp };

const stampFor = (s: RecordState, name: string): Stamp => s.stamps[s.stampOf[name] ?? 0] as Stamp;

function drafts(s: RecordState): Map<string, Draft> {
  const out = new Map<string, Draft>();
  for (const [name, value] of Object.entries(s.fields)) out.set(name, { value, stamp: stampFor(s, name) });
  for (const name of s.removed) out.set(name, { value: undefined, stamp: stampFor(s, name) });
  return out;
}

function build(
  base: Pick<RecordState, 'id' | 'insertedAt' | 'merges'> & { schema?: string | undefined },
  all: Map<string, Draft>,
  deleted: Stamp | undefined,
): RecordState {
  const unique = new Map<string, Stamp>();
  const key = (s: Stamp): string => `${s.ms}.${s.counter}.${s.writer}`;
  for (const { stamp } of all.values()) unique.set(key(stamp), stamp);
  if (deleted) unique.set(key(deleted), deleted);
  const stamps = [...unique.values()].sort((a, b) => compareStamps(b, a));
  const at = new Map(stamps.map((s, i) => [key(s), i]));
  const fields: Record<string, JsonValue> = {};
  const stampOf: Record<string, number> = {};
  const removed: string[] = [];
  for (const name of [...all.keys()].sort()) {
    const draft = all.get(name) as Draft;
    if (draft.value === undefined) removed.push(name);
    else fields[name] = draft.value;
    const i = at.get(key(draft.stamp)) as number;
    if (i !== 0) stampOf[name] = i;
  }
  return {
    id: base.id,
    insertedAt: base.insertedAt,
    merges: base.merges,
    fields,
    stamps,
    stampOf,
    removed,
    ...(base.schema === undefined ? {} : { schema: base.schema }),
    ...(deleted ? { deleted: at.get(key(deleted)) as number } : {}),
  };
}

const deletedStamp = (s: RecordState): Stamp | undefined => (s.deleted === undefined ? undefined : s.stamps[s.deleted]);

export function createState(
  record: JsonObject,
  stamp: Stamp,
  options: { readonly id: string; readonly schema?: string; readonly merges?: MergeRules },
): RecordState {
  const all = new Map<string, Draft>();
  for (const [name, value] of Object.entries(record)) if (!RESERVED.has(name)) all.set(name, { value, stamp });
  const asked = typeof record.insertedAt === 'string' ? Date.parse(record.insertedAt) : Number.NaN;
  const state = build(
    {
      id: options.id,
      insertedAt: Number.isNaN(asked) ? stamp.ms : asked,
      merges: 1,
      schema: options.schema ?? (typeof record.schema === 'string' ? record.schema : undefined),
    },
    all,
    undefined,
  );
  return state.stamps.length > 0 ? state : { ...state, stamps: [stamp] };
}

export const isDeleted = (s: RecordState): boolean => s.deleted !== undefined && Object.keys(s.fields).length === 0;

export function applySave(previous: RecordState, document: JsonObject, stamp: Stamp, _merges: MergeRules): RecordState {
  const all = drafts(previous);
  let changed = false;
  for (const [name, value] of Object.entries(document)) {
    if (RESERVED.has(name)) continue;
    const old = all.get(name);
    if (old?.value !== undefined && jsonEquals(old.value, value)) continue;
    all.set(name, { value, stamp });
    changed = true;
  }
  for (const [name, draft] of all) {
    if (draft.value !== undefined && !Object.hasOwn(document, name)) {
      all.set(name, { value: undefined, stamp });
      changed = true;
    }
  }
  if (!changed) return previous;
  return build({ ...previous, merges: previous.merges + 1 }, all, deletedStamp(previous));
}

export function applyDelete(previous: RecordState, stamp: Stamp): RecordState {
  return build({ ...previous, merges: previous.merges + 1 }, new Map(), stamp);
}

export function mergeStates(a: RecordState, b: RecordState, _merges: MergeRules): { readonly state: RecordState } {
  const da = deletedStamp(a);
  const db = deletedStamp(b);
  const deleted = da && db ? (compareStamps(da, db) >= 0 ? da : db) : (da ?? db);
  const all = drafts(a);
  for (const [name, draft] of drafts(b)) {
    const mine = all.get(name);
    if (!mine || compareStamps(draft.stamp, mine.stamp) > 0) all.set(name, draft);
  }
  if (deleted) for (const [name, draft] of all) if (compareStamps(draft.stamp, deleted) <= 0) all.delete(name);
  const schema = a.schema ?? b.schema;
  const state = build(
    { id: a.id, insertedAt: Math.min(a.insertedAt, b.insertedAt), merges: Math.max(a.merges, b.merges), schema },
    all,
    deleted,
  );
  return { state };
}

export function revOf(s: RecordState): string {
  const text = JSON.stringify([
    s.stamps.map((t) => [t.ms, t.counter, t.writer]),
    Object.keys(s.fields)
      .sort()
      .map((n) => [n, s.stampOf[n] ?? 0]),
    [...s.removed].sort(),
    s.deleted ?? null,
  ]);
  return `${s.merges}-${bytesToHex(sha256(utf8ToBytes(text))).slice(0, 24)}`;
}

export function toDocument(s: RecordState): JsonObject {
  const modified = s.stamps.reduce((max, t) => Math.max(max, t.ms), 0);
  return {
    _id: s.id,
    _rev: revOf(s),
    ...(s.schema === undefined ? {} : { schema: s.schema }),
    ...s.fields,
    insertedAt: new Date(s.insertedAt).toISOString(),
    modifiedAt: new Date(modified).toISOString(),
  };
}
