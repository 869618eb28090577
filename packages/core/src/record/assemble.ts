/** States taken apart into one draft per field, and put together again in their one form. */

import type { JsonValue } from '../base/json.ts';
import { type Element, type Elements, liveElements, NO_ELEMENTS, toElement, toElements } from './element-set.ts';
import { compareStamps, type Stamp } from './stamp.ts';
import { deleteStamp, type RecordState, type SetPart, stampOfField, type WritesPart } from './state.ts';
import { settleWrites, shownOf, type WriteRule, type Writes } from './writes.ts';

/**
 * A field on its own: its value as a whole (undefined: removed), that value's stamp, and its elements if it is a set. With
 * `writes`, these alone count, and `value` is what they show.
 */
export type Draft = {
  readonly value: JsonValue | undefined;
  readonly stamp: Stamp;
  readonly elements?: Elements;
  readonly writes?: Writes;
};
/** A draft of a set field: an array as a whole is `[]`, its content is in `elements`. */
export type SetDraft = Draft & { readonly elements: Elements };
/** What a state is beside its fields and stamps. */
export type RecordHead = Pick<RecordState, 'id' | 'schema' | 'insertedAt' | 'merges'>;

const EMPTY: readonly JsonValue[] = [];

/** Takes a state apart. */
export function draftsOf(state: RecordState): Map<string, Draft> {
  const drafts = new Map<string, Draft>();
  const { fields, stamps, sets, writes } = state;
  for (const name of Object.keys(fields)) {
    const stamp = stampOfField(state, name);
    const kept = writes?.[name];
    const part = sets?.[name];
    if (kept !== undefined) {
      const list = kept.list.map(([value, i]) => ({ value, stamp: stamps[i] as Stamp }));
      drafts.set(name, {
        value: fields[name] as JsonValue,
        stamp,
        writes: { rule: kept.rule, cut: stamps[kept.cut], list },
      });
      continue;
    }
    if (part === undefined) {
      drafts.set(name, { value: fields[name] as JsonValue, stamp });
      continue;
    }
    const shown = fields[name] as readonly JsonValue[];
    const adds = part.adds.map((indexes) => indexes.map((i) => stamps[i] as Stamp));
    const elements = new Map(shown.map((item, i) => toElement(item, adds[i] as Stamp[])));
    drafts.set(name, { value: part.value, stamp, elements });
  }
  for (const name of state.removed) drafts.set(name, { value: undefined, stamp: stampOfField(state, name) });
  return drafts;
}

/** Reads a draft as that of a set: the elements of a plain array were added when the array was written. */
export function asSet({ value, stamp, elements }: Draft): SetDraft {
  if (elements !== undefined) return { value, stamp, elements };
  if (!Array.isArray(value)) return { value, stamp, elements: NO_ELEMENTS };
  return { value: EMPTY, stamp, elements: toElements(value, stamp) };
}

/** Reads a draft as the writes of a field: a plain value is one write, a removal cuts. */
export function asWrites(draft: Draft, rule: WriteRule): Writes {
  if (draft.writes !== undefined) return { ...draft.writes, rule };
  const value = shownValue(draft);
  if (value === undefined) return { rule, cut: draft.stamp, list: [] };
  return { rule, cut: undefined, list: [{ value, stamp: draft.stamp }] };
}

/** What a draft shows. */
export const shownValue = ({ value, elements }: Draft): JsonValue | undefined =>
  elements === undefined || elements.size === 0 ? value : [...elements.values()].map((e) => e.value);

/**
 * Puts a state together: drops what the delete covers, orders names and stamps, and shows the sets.
 *
 * `known` are the stamps of the states that went in; the latest of each writer stays.
 */
export function assemble(
  head: RecordHead,
  drafts: ReadonlyMap<string, Draft>,
  deleted: Stamp | undefined,
  known: readonly Stamp[],
): RecordState {
  const fields: Record<string, JsonValue> = {};
  const removed: string[] = [];
  const stampByName: [string, Stamp][] = [];
  const parts: [string, JsonValue | undefined, readonly Element[]][] = [];
  const typed: [string, Writes][] = [];
  const used = new Set<Stamp>(deleted === undefined ? [] : [deleted]);
  for (const name of [...drafts.keys()].sort()) {
    const draft = drafts.get(name) as Draft;
    let { value, stamp, elements } = draft;
    if (draft.writes !== undefined) {
      const writes = settleWrites(draft.writes, deleted);
      const last = writes.list[0]?.stamp ?? writes.cut;
      const shown = shownOf(writes);
      if (last === undefined) continue;
      used.add(last);
      if (shown === undefined) removed.push(name);
      else fields[name] = shown;
      if (shown === undefined || (writes.list.length === 1 && writes.cut === undefined)) stampByName.push([name, last]);
      else {
        typed.push([name, writes]);
        if (writes.cut !== undefined) used.add(writes.cut);
        for (const write of writes.list) used.add(write.stamp);
      }
      continue;
    }
    const live = elements === undefined ? [] : liveElements(elements, deleted);
    if (deleted !== undefined && compareStamps(stamp, deleted) <= 0) {
      if (live.length === 0) continue;
      // The elements outlived the delete, the field they were added to did not.
      value = undefined;
      stamp = deleted;
    }
    used.add(stamp);
    stampByName.push([name, stamp]);
    if (live.length > 0) {
      fields[name] = live.map((element) => element.value);
      if (!Array.isArray(value) || !live.every((e) => e.adds.length === 1 && isSame(e.adds[0] as Stamp, stamp))) {
        parts.push([name, Array.isArray(value) ? EMPTY : value, live]);
        for (const { adds } of live) for (const add of adds) used.add(add);
      }
    } else if (value === undefined) removed.push(name);
    else fields[name] = value;
  }
  const { stamps, indexOf } = orderStamps(used, known);
  const index = (stamp: Stamp): number => indexOf.get(stamp) as number;
  const stampOf: Record<string, number> = Object.create(null);
  for (const [name, stamp] of stampByName) if (index(stamp) !== 0) stampOf[name] = index(stamp);
  const sets: Record<string, SetPart> = Object.create(null);
  for (const [name, value, live] of parts) {
    // A draft's additions are largest first, so their indexes ascend.
    sets[name] = { value, adds: live.map(({ adds }) => adds.map(index)) };
  }
  const writes: Record<string, WritesPart> = Object.create(null);
  for (const [name, { rule, cut, list }] of typed) {
    writes[name] = {
      rule,
      cut: cut === undefined ? -1 : index(cut),
      list: list.map(({ value, stamp }) => [value, index(stamp)] as const),
    };
  }
  const { id, schema, insertedAt, merges } = head;
  return {
    id,
    schema,
    insertedAt,
    merges,
    fields,
    stamps,
    stampOf,
    removed,
    deleted: deleted === undefined ? -1 : index(deleted),
    sets: parts.length > 0 ? sets : undefined,
    writes: typed.length > 0 ? writes : undefined,
  };
}

/** Brings a state whose stamps were exchanged for others into its one form. */
export const reassemble = (state: RecordState): RecordState =>
  assemble(state, draftsOf(state), deleteStamp(state), state.stamps);

/** The stamps in use and the latest of each writer, descending, and where each of the given objects came to stand. */
function orderStamps(
  used: ReadonlySet<Stamp>,
  known: readonly Stamp[],
): { readonly stamps: Stamp[]; readonly indexOf: Map<Stamp, number> } {
  const all = [...new Set([...used, ...known])].sort((a, b) => compareStamps(b, a));
  const stamps: Stamp[] = [];
  const indexOf = new Map<Stamp, number>();
  const writers = new Set<string>();
  for (let start = 0, end = 0; start < all.length; start = end) {
    const stamp = all[start] as Stamp;
    let isUsed = false;
    for (; end < all.length && isSame(all[end] as Stamp, stamp); end++) {
      indexOf.set(all[end] as Stamp, stamps.length);
      isUsed ||= used.has(all[end] as Stamp);
    }
    if (isUsed || !writers.has(stamp.writer)) stamps.push(stamp);
    writers.add(stamp.writer);
  }
  return { stamps, indexOf };
}

const isSame = (a: Stamp, b: Stamp): boolean => a === b || compareStamps(a, b) === 0;
