/** Hybrid logical clock: physical ms and a counter, never going back (spec/record.md). */

import type { Clock } from '../base/clock.ts';

export type Hlc = { readonly ms: number; readonly counter: number };
export type HlcClock = {
  /** The next instant, greater than every earlier one. */
  readonly tick: () => Hlc;
  /** Takes note of another's instant, if it is not absurdly ahead. */
  readonly observe: (remote: Hlc) => void;
  readonly last: () => Hlc;
  /** Starts again from a corrected time, after a node refused stamps as too far ahead. */
  readonly reset: (ms: number) => void;
};

const MAX_COUNTER = 0xffff;
/** A remote instant further ahead than this, in ms, does not move the clock. */
export const MAX_DRIFT_MS = 120_000;

export function createHlc(clock: Pick<Clock, 'nowMs'>, start: Hlc = { ms: 0, counter: 0 }): HlcClock {
  let last = start;
  let correctionMs = 0;
  return {
    tick: () => {
      const now = Math.trunc(clock.nowMs() + correctionMs);
      if (now > last.ms) last = { ms: now, counter: 0 };
      else if (last.counter < MAX_COUNTER) last = { ms: last.ms, counter: last.counter + 1 };
      else last = { ms: last.ms + 1, counter: 0 };
      return last;
    },
    observe: (remote) => {
      if (remote.ms > clock.nowMs() + correctionMs + MAX_DRIFT_MS) return;
      if (compareHlc(remote, last) > 0) last = remote;
    },
    last: () => last,
    reset: (ms) => {
      correctionMs = Math.min(0, ms - clock.nowMs());
      last = { ms, counter: 0 };
    },
  };
}

export const compareHlc = (a: Hlc, b: Hlc): number => a.ms - b.ms || a.counter - b.counter;
