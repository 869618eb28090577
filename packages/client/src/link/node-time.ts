/** What time it is at a node, by its last word and this machine's two clocks. Must not know frames. */

import type { Clock } from '@sluice/core/base';

/** The node's time as it is known here. Units: ms since the Unix epoch. */
export type NodeTime = {
  /** Takes what the node said; `anew` where it is the first word of a connection, which counts whatever was thought before. */
  readonly hear: (nowMs: number, anew: boolean) => void;
  /** The likeliest: by the wall clock, off by as much as it was at the node's last word. This clock's while it has said nothing. */
  readonly nowMs: () => number;
  /** Between which instants it is; undefined while the node has said nothing. */
  readonly span: () => NodeSpan | undefined;
  /** Whether the clocks have gone apart since the node's last word: the wall clock was set, or the machine slept. */
  readonly isDoubtful: () => boolean;
};
/** The earliest and the latest that it may be at the node, in ms: the same, but for a moment after a clock was set or the machine slept. */
export type NodeSpan = { readonly fromMs: number; readonly toMs: number };

/** How far the clocks may go apart without a doubt, in ms: a wall clock is corrected a little now and then. */
const DOUBT_MS = 60_000;

/**
 * Creates the time of a node that has said nothing yet. After its word both clocks tell how it goes on: the wall clock unless it is set,
 * the monotonic one unless the machine sleeps. Where they differ, one of them is right and the other is not.
 */
export function createNodeTime(clock: Pick<Clock, 'nowMs' | 'monotonicMs'>): NodeTime {
  /** How far the node is ahead of each clock. */
  let ahead: { readonly wallMs: number; readonly monotonicMs: number } | undefined;
  const guesses = (): readonly [number, number] | undefined =>
    ahead && [clock.nowMs() + ahead.wallMs, clock.monotonicMs() + ahead.monotonicMs];
  const isApart = (): boolean => {
    const [byWall, byMonotonic] = guesses() ?? [0, 0];
    return Math.abs(byWall - byMonotonic) > DOUBT_MS;
  };
  return {
    hear: (nowMs, anew) => {
      const known = guesses();
      // A word takes its time to come here, never the other way round: the latest of one connection is the best.
      const bestMs = known && !anew && !isApart() ? Math.max(nowMs, known[1]) : nowMs;
      ahead = { wallMs: bestMs - clock.nowMs(), monotonicMs: bestMs - clock.monotonicMs() };
    },
    nowMs: () => Math.trunc(guesses()?.[0] ?? clock.nowMs()),
    span: () => {
      const known = guesses();
      return known && { fromMs: Math.trunc(Math.min(...known)), toMs: Math.trunc(Math.max(...known)) };
    },
    isDoubtful: isApart,
  };
}
