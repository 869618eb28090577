/** What goes into one part of a push each: more than a push takes could never be sent. */

import { type Entry, MAX_BATCH_ENTRIES, MAX_PUSH_BYTES } from '@sluice/core/wire';

/** Half a push, so that there is room for what goes along. */
export const BATCH_BYTES = MAX_PUSH_BYTES / 2;

/** The size of an entry in a push, but for a few bytes around it. */
export const entryBytes = ({ header, body }: Entry): number => header.length + body.length;

/** Cuts a list into runs of at most 500 items and `BATCH_BYTES`. A larger item is a run of its own. */
export function batchesOf<T>(items: readonly T[], bytesOf: (item: T) => number): readonly (readonly T[])[] {
  const batches: T[][] = [];
  let size = 0;
  for (const item of items) {
    const last = batches.at(-1);
    size += bytesOf(item);
    if (last && last.length < MAX_BATCH_ENTRIES && size <= BATCH_BYTES) last.push(item);
    else {
      batches.push([item]);
      size = bytesOf(item);
    }
  }
  return batches;
}
