/** Runs a filter over a collection: by an index where one fits, else over every record. Must not know storage or keys. */

import type { JsonObject } from '@sluice/core/base';
import { bindFilter, compareBySort, type FieldFormats, type Filter, planIndex, type Sort } from '@sluice/core/filter';
import type { CollectionIndex } from './collection-index.ts';

/** Which of the records found are returned, and in what order; all of them unless given. */
export type QueryOptions = { readonly limit?: number; readonly skip?: number; readonly sort?: Sort };
/** How a query was answered: the index, the records examined, those that matched. */
export type Explained = { readonly index?: string; readonly examined: number; readonly matched: number };

/** Finds records. `read` gives what a pseudonym of the index stands for now. */
export function runQuery(
  index: CollectionIndex,
  filter: Filter,
  nowMs: number,
  { limit, skip = 0, sort }: QueryOptions,
  shape: {
    readonly indexes: readonly { readonly name: string; readonly fields: readonly string[] }[];
    readonly formats: FieldFormats;
  },
  read: (name: string) => JsonObject | undefined,
): { records: JsonObject[]; explained: Explained } {
  const plan = planIndex(filter, shape.indexes, nowMs);
  const test = bindFilter(filter, nowMs);
  const found: JsonObject[] = [];
  const enough = sort || limit === undefined ? Number.POSITIVE_INFINITY : skip + limit;
  let examined = 0;
  for (const name of plan ? index.candidates(plan) : index.all()) {
    if (found.length >= enough) break;
    const record = read(name);
    examined++;
    if (record && test(record)) found.push(record);
  }
  if (sort) found.sort(compareBySort(sort, shape.formats));
  const records = found.slice(skip, limit === undefined ? undefined : skip + limit);
  return { records, explained: { ...(plan ? { index: plan.index } : {}), examined, matched: found.length } };
}
