/** Finds records among those that a grantee sees. Must not know where they are kept. */

import type { JsonObject } from '@sluice/core/base';
import { bindFilter, compareBySort, type FieldFormats, type Filter, type Sort } from '@sluice/core/filter';

/** Which of the records found are returned, and in what order; all of them unless given. */
export type FindRecords = { readonly limit?: number; readonly skip?: number; readonly sort?: Sort };

/** Runs a filter over records at an instant. */
export function findRecords(
  records: Iterable<JsonObject>,
  filter: Filter,
  { limit, skip = 0, sort }: FindRecords,
  formats: FieldFormats,
  nowMs: number,
): JsonObject[] {
  const test = bindFilter(filter, nowMs);
  const last = limit === undefined ? Number.POSITIVE_INFINITY : skip + limit;
  const found: JsonObject[] = [];
  for (const record of records) {
    // Unsorted, the first that are found are the answer.
    if (!sort && found.length >= last) break;
    if (test(record)) found.push(record);
  }
  if (sort) found.sort(compareBySort(sort, formats));
  return found.slice(skip, last);
}
