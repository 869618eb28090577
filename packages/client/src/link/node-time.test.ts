import { describe, expect, it } from 'vitest';
import { createNodeTime } from './node-time.ts';

const NODE_MS = 1_000_000_000;
const HOUR_MS = 3_600_000;

/** A node's time over clocks that the test moves; the wall clock here is a minute behind the node. */
function start() {
  const at = { wallMs: NODE_MS - 60_000, monotonicMs: 5_000 };
  const time = createNodeTime({ nowMs: () => at.wallMs, monotonicMs: () => at.monotonicMs });
  const pass = (ms: number): void => {
    at.wallMs += ms;
    at.monotonicMs += ms;
  };
  return { at, time, pass };
}

describe('the time of a node', () => {
  it('is this clock’s while the node has said nothing, and then goes on from its word', () => {
    const { at, time, pass } = start();
    expect([time.nowMs(), time.span()]).toEqual([at.wallMs, undefined]);
    time.hear(NODE_MS, true);
    pass(HOUR_MS);
    expect(time.nowMs()).toBe(NODE_MS + HOUR_MS);
    expect(time.span()).toEqual({ fromMs: NODE_MS + HOUR_MS, toMs: NODE_MS + HOUR_MS });
    expect(time.isDoubtful()).toBe(false);
  });

  it.each([
    ['the wall clock is set ahead, or the machine sleeps', { wallMs: HOUR_MS, monotonicMs: 0 }, 0, HOUR_MS],
    ['the wall clock is set back', { wallMs: -HOUR_MS, monotonicMs: 0 }, -HOUR_MS, 0],
  ])('is one of two when %s, until the node says more', (_, moved, fromMs, toMs) => {
    const { at, time } = start();
    time.hear(NODE_MS, true);
    at.wallMs += moved.wallMs;
    at.monotonicMs += moved.monotonicMs;
    expect(time.isDoubtful()).toBe(true);
    expect(time.span()).toEqual({ fromMs: NODE_MS + fromMs, toMs: NODE_MS + toMs });
    time.hear(NODE_MS + 10, false);
    expect(time.isDoubtful()).toBe(false);
    expect(time.span()).toEqual({ fromMs: NODE_MS + 10, toMs: NODE_MS + 10 });
  });

  it('does not go back for a word that was long under way, but for a new connection’s', () => {
    const { time, pass } = start();
    time.hear(NODE_MS, true);
    pass(1_000);
    time.hear(NODE_MS + 400, false);
    expect(time.nowMs()).toBe(NODE_MS + 1_000);
    time.hear(NODE_MS + 400, true);
    expect(time.nowMs()).toBe(NODE_MS + 400);
  });
});
