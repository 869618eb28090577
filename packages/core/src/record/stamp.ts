/** Stamps: who changed a field, when. */

export type Stamp = { readonly ms: number; readonly counter: number; readonly writer: string };

/** A total order: time, counter, writer. */
export const compareStamps = (a: Stamp, b: Stamp): number =>
  a.ms - b.ms || a.counter - b.counter || (a.writer < b.writer ? -1 : a.writer > b.writer ? 1 : 0);
