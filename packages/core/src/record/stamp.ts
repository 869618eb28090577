/** Stamps: who changed something, and when. */

import { compareHlc, hlcAfter, MAX_HLC_COUNTER, MAX_HLC_MS, writeHlc } from './hlc.ts';

/** An instant of one writer; `writer` is the writer id in lower-case hex, 32 characters. */
export type Stamp = { readonly ms: number; readonly counter: number; readonly writer: string };

/** Bytes of a stamp in a hash. */
export const STAMP_BYTES = 24;
const WRITER = /^[0-9a-f]{32}$/;

/** The total order of stamps: ms, counter, writer. */
export const compareStamps = (a: Stamp, b: Stamp): number =>
  a.ms - b.ms || a.counter - b.counter || (a.writer < b.writer ? -1 : a.writer > b.writer ? 1 : 0);

/** The larger of two stamps. */
export const laterStamp = (a: Stamp | undefined, b: Stamp | undefined): Stamp | undefined =>
  a === undefined ? b : b === undefined || compareStamps(a, b) >= 0 ? a : b;

/**
 * The stamp of a change made on top of `newest`: `stamp` itself, unless its writer's clock is behind; then the next instant
 * after `newest`. So nobody's change loses against what they changed.
 */
export function stampAfter(newest: Stamp, stamp: Stamp): Stamp {
  if (compareStamps(stamp, newest) > 0) return stamp;
  return { ...hlcAfter(newest), writer: stamp.writer };
}

/** Reads a stamp's parts from untrusted JSON. */
export function parseStamp(ms: unknown, counter: unknown, writer: unknown): Stamp | undefined {
  if (!isUint(ms, MAX_HLC_MS) || !isUint(counter, MAX_HLC_COUNTER)) return undefined;
  return typeof writer === 'string' && WRITER.test(writer) ? { ms, counter, writer } : undefined;
}

/** Tells whether a value is a whole number from 0 to `max`. */
export const isUint = (value: unknown, max: number): value is number =>
  typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= max;

/** Writes instant[8] || writer[16] at an offset. */
export function writeStamp(out: Uint8Array, at: number, stamp: Stamp): void {
  writeHlc(out, at, stamp);
  const { writer } = stamp;
  for (let i = 0; i < 16; i++) {
    out[at + 8 + i] = (nibble(writer.charCodeAt(2 * i)) << 4) | nibble(writer.charCodeAt(2 * i + 1));
  }
}

/** The value of a lower-case hex digit. */
const nibble = (code: number): number => (code < 0x3a ? code - 0x30 : code - 0x57);

/** Tells whether `stamps` hold the instant's writer at or after it: a record keeps the latest stamp of each writer. */
export function hasSeen(stamps: readonly Stamp[], stamp: Stamp): boolean {
  for (const known of stamps) if (known.writer === stamp.writer) return compareHlc(known, stamp) >= 0;
  return false;
}
