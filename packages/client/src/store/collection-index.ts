/**
 * The declared indexes of one collection, in memory: record pseudonyms ordered by their keys. Saved as one sealed snapshot with the
 * local sequence number it reflects, so that opening costs what changed since. Must not know storage or keys.
 */

import { compareKeys, type IndexKey, type IndexPlan } from '@sluice/core/filter';

/** One record as the index sees it: its keys for each index, or undefined where it has too many to index. */
export type IndexedKeys = readonly (readonly IndexKey[] | undefined)[];
type Row = { readonly key: IndexKey; readonly tag: string; readonly ls: number };

/** An index as it is saved, sealed. `upTo` is the local number it reflects. */
export type IndexSnapshot = {
  readonly upTo: number;
  readonly indexes: readonly string[];
  readonly records: readonly (readonly [tag: string, ls: number])[];
  readonly rows: readonly (readonly (readonly [key: IndexKey, tag: string])[])[];
  readonly loose: readonly (readonly string[])[];
};

/** The indexes of one collection, in memory. */
export type CollectionIndex = {
  upTo: number;
  readonly size: () => number;
  /** Rows in memory, those of older states included. */
  readonly held: () => number;
  readonly has: (tag: string) => boolean;
  /** Records or replaces one record. Its older keys are forgotten. */
  readonly put: (tag: string, ls: number, keys: IndexedKeys) => void;
  readonly remove: (tag: string) => void;
  /** Every record, oldest change first. */
  readonly all: () => IterableIterator<string>;
  /** A superset of the records that the plan's filter matches. */
  readonly candidates: (plan: IndexPlan) => Iterable<string>;
  readonly snapshot: () => IndexSnapshot;
};

/** Rows that wait for the next query, beyond as many as there are. */
const MAX_PENDING = 1_000;

const orderRows = (a: Row, b: Row): number => compareKeys(a.key, b.key) || (a.tag < b.tag ? -1 : a.tag > b.tag ? 1 : 0);

/** Creates the indexes, empty or from a snapshot of the same index names. */
export function createCollectionIndex(names: readonly string[], from?: IndexSnapshot): CollectionIndex {
  const usable = from && from.indexes.join('\n') === names.join('\n') ? from : undefined;
  /** The `ls` of a record's latest state: rows that carry another are stale. */
  const current = new Map<string, number>(usable?.records ?? []);
  const sorted: Row[][] = names.map((_, i) =>
    (usable?.rows[i] ?? []).map(([key, tag]) => ({ key, tag, ls: current.get(tag) ?? -1 })),
  );
  const pending: Row[][] = names.map(() => []);
  const loose: Set<string>[] = names.map((_, i) => new Set(usable?.loose[i] ?? []));

  /** Sorts what came in since the last query and merges it; stale rows fall out on the way. */
  const settle = (i: number): Row[] => {
    const fresh = pending[i] as Row[];
    if (fresh.length === 0) return sorted[i] as Row[];
    fresh.sort(orderRows);
    const live = (row: Row): boolean => current.get(row.tag) === row.ls;
    const merged: Row[] = [];
    const old = sorted[i] as Row[];
    let a = 0;
    let b = 0;
    while (a < old.length || b < fresh.length) {
      const takeOld = b >= fresh.length || (a < old.length && orderRows(old[a] as Row, fresh[b] as Row) <= 0);
      const row = (takeOld ? old[a++] : fresh[b++]) as Row;
      if (live(row)) merged.push(row);
    }
    sorted[i] = merged;
    pending[i] = [];
    return merged;
  };

  return {
    upTo: usable?.upTo ?? 0,
    size: () => current.size,
    held: () => [...sorted, ...pending].reduce((sum, rows) => sum + rows.length, 0),
    has: (tag) => current.has(tag),
    put: (tag, ls, keys) => {
      current.delete(tag);
      current.set(tag, ls);
      for (const [i, list] of keys.entries()) {
        if (list) for (const key of list) pending[i]?.push({ key, tag, ls });
        if (list) loose[i]?.delete(tag);
        else loose[i]?.add(tag);
        // An index that no query uses must not grow with every edit.
        if ((pending[i]?.length ?? 0) > MAX_PENDING + (sorted[i]?.length ?? 0)) settle(i);
      }
    },
    remove: (tag) => {
      current.delete(tag);
      for (const set of loose) set.delete(tag);
    },
    all: () => current.keys(),
    candidates: function* (plan) {
      const i = names.indexOf(plan.index);
      const rows = settle(i);
      const seen = new Set<string>();
      for (let at = lowerBound(rows, plan); at < rows.length; at++) {
        const row = rows[at] as Row;
        const place = comparePlan(row.key, plan);
        if (place > 0) break;
        if (place < 0 || current.get(row.tag) !== row.ls || seen.has(row.tag)) continue;
        seen.add(row.tag);
        yield row.tag;
      }
      for (const tag of loose[i] ?? []) if (!seen.has(tag)) yield tag;
    },
    snapshot: function () {
      return {
        upTo: this.upTo,
        indexes: names,
        records: [...current],
        rows: names.map((_, i) =>
          settle(i)
            .filter((r) => current.get(r.tag) === r.ls)
            .map((r) => [r.key, r.tag] as const),
        ),
        loose: loose.map((set) => [...set]),
      };
    },
  };
}

/** Where a key lies relative to the plan's range: before (negative), inside (0), after (positive). */
function comparePlan(key: IndexKey, plan: IndexPlan): number {
  const depth = plan.equals.length;
  const prefix = compareKeys(key.slice(0, depth) as IndexKey, plan.equals as IndexKey);
  if (prefix !== 0 || !plan.range) return prefix;
  const at = key.slice(depth, depth + 1) as IndexKey;
  const { gte, gt, lte, lt } = plan.range;
  if (gte !== undefined && compareKeys(at, [gte] as IndexKey) < 0) return -1;
  if (gt !== undefined && compareKeys(at, [gt] as IndexKey) <= 0) return -1;
  if (lte !== undefined && compareKeys(at, [lte] as IndexKey) > 0) return 1;
  if (lt !== undefined && compareKeys(at, [lt] as IndexKey) >= 0) return 1;
  return 0;
}

function lowerBound(rows: readonly Row[], plan: IndexPlan): number {
  let low = 0;
  let high = rows.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (comparePlan((rows[middle] as Row).key, plan) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}
