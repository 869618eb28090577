/** The one injected clock (DETAILS "Names on loopback, and the clock"). Nothing else in the code asks for the time. */

/**
 * Time as an input.
 *
 * Units: `nowMs` in ms since the Unix epoch (may jump); `monotonicMs` in ms from an arbitrary start (never goes back).
 */
export type Clock = {
  readonly nowMs: () => number;
  readonly monotonicMs: () => number;
  /** Calls `run` once after `delayMs`; delays beyond `MAX_TIMER_MS` are re-armed by the implementation. Returns a cancel function. */
  readonly timer: (delayMs: number, run: () => void) => () => void;
};

/** The longest delay a platform timer carries without overflowing: 24 days in ms. */
const MAX_TIMER_MS = 24 * 24 * 3600 * 1000;

type Timers = {
  setTimeout(run: () => void, ms: number): unknown;
  clearTimeout(handle: never): void;
};

/**
 * Creates the platform's clock, shifted by `offsetMs` (0 unless `--as-of` is used under `--dev`).
 */
export function createSystemClock(offsetMs: number | (() => number) = 0): Clock {
  const timers = globalThis as unknown as Timers;
  const offset = typeof offsetMs === 'function' ? offsetMs : () => offsetMs;
  const arm = (delayMs: number, run: () => void): (() => void) => {
    let handle: unknown;
    let left = delayMs;
    const step = (): void => {
      const slice = Math.min(left, MAX_TIMER_MS);
      left -= slice;
      handle = timers.setTimeout(() => (left > 0 ? step() : run()), slice);
    };
    step();
    return () => timers.clearTimeout(handle as never);
  };
  return { nowMs: () => Date.now() + offset(), monotonicMs: () => performance.now(), timer: arm };
}
