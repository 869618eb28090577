/** Hybrid logical clock: wall time that never goes back, with a counter inside each millisecond (spec/record.md). */

import type { Clock } from '../base/clock.ts';

/** An instant. Units: `ms` since the Unix epoch, 48 bits; `counter` 16 bits. */
export type Hlc = { readonly ms: number; readonly counter: number };

/** A clock of one writer. */
export type HlcClock = {
  /** The next instant, later than every earlier one. */
  readonly tick: () => Hlc;
  /** Takes note of another's instant, so that the next tick is later. One beyond `MAX_DRIFT_MS` is passed over. */
  readonly observe: (remote: Hlc) => void;
  /** The latest instant known. */
  readonly last: () => Hlc;
  /** The present in ms, as the next tick would say it; asking takes no instant. */
  readonly now: () => number;
  /** Goes on from the true time after a node refused this clock as too far ahead. */
  readonly reset: (trueMs: number) => void;
};

/** A remote instant further ahead than this does not move the clock. In ms. */
export const MAX_DRIFT_MS = 120_000;
/** The latest millisecond of an instant, 48 bits. */
export const MAX_HLC_MS = 2 ** 48 - 1;
/** The largest counter of an instant, 16 bits. */
export const MAX_HLC_COUNTER = 2 ** 16 - 1;

/** Creates a clock that goes on after `start`. */
export function createHlc(clock: Pick<Clock, 'nowMs'>, start: Hlc = { ms: 0, counter: 0 }): HlcClock {
  let last = start;
  let correctionMs = 0;
  const nowMs = (): number => Math.trunc(clock.nowMs()) + correctionMs;
  return {
    tick: () => {
      const now = nowMs();
      last = now > last.ms ? { ms: now, counter: 0 } : hlcAfter(last);
      return last;
    },
    observe: ({ ms, counter }) => {
      // Where a wall clock tells parts of a millisecond, what was read off it is an instant only without them.
      const remote = { ms: Math.trunc(ms), counter };
      if (remote.ms <= nowMs() + MAX_DRIFT_MS && compareHlc(remote, last) > 0) last = remote;
    },
    last: () => last,
    now: () => Math.max(nowMs(), last.ms),
    reset: (toldMs) => {
      const trueMs = Math.trunc(toldMs);
      correctionMs = Math.min(0, trueMs - Math.trunc(clock.nowMs()));
      // A node may hold anything of ours up to the limit, and a writer's stamps must not fall below those it has published.
      if (last.ms > trueMs + MAX_DRIFT_MS) last = { ms: trueMs + MAX_DRIFT_MS, counter: 0 };
    },
  };
}

/** The smallest instant after `hlc`, or `hlc` itself at the end of time. */
export function hlcAfter(hlc: Hlc): Hlc {
  if (hlc.counter < MAX_HLC_COUNTER) return { ms: hlc.ms, counter: hlc.counter + 1 };
  return hlc.ms < MAX_HLC_MS ? { ms: hlc.ms + 1, counter: 0 } : hlc;
}

/** Orders instants: negative, zero or positive. */
export const compareHlc = (a: Hlc, b: Hlc): number => a.ms - b.ms || a.counter - b.counter;

/** Writes the 8 bytes of an instant at an offset: ms[6] || counter[2], big-endian, so that byte order is time order. */
export function writeHlc(out: Uint8Array, at: number, { ms, counter }: Hlc): void {
  const high = Math.floor(ms / 2 ** 32);
  out[at] = high >>> 8;
  out[at + 1] = high;
  out[at + 2] = ms >>> 24;
  out[at + 3] = ms >>> 16;
  out[at + 4] = ms >>> 8;
  out[at + 5] = ms;
  out[at + 6] = counter >>> 8;
  out[at + 7] = counter;
}
