import type { Clock } from '@sluice/core/base';
import { describe, expect, it } from 'vitest';
import type { LinkState } from '../link/live-link.ts';
import { createRetry } from './retry.ts';

/** A clock that holds the one timer set, and an account at which every attempt fails until told otherwise. */
function play(byte: number) {
  const pauses: number[] = [];
  let due: (() => void) | undefined;
  const clock: Clock = {
    nowMs: () => 0,
    monotonicMs: () => 0,
    timer: (delayMs, run) => {
      if (due) throw new Error('two timers at once');
      pauses.push(delayMs);
      due = run;
      return () => {
        due = undefined;
      };
    },
  };
  const states = new Set<(state: LinkState) => void>();
  let closed = false;
  const retry = createRetry(
    {
      closed: () => closed,
      platform: { clock, random: (length) => new Uint8Array(length).fill(byte) },
      link: {
        onState: (listener) => {
          states.add(listener);
          return () => states.delete(listener);
        },
      },
    },
    () => retry.later(),
  );
  const tick = (): void => {
    const run = due;
    due = undefined;
    run?.();
  };
  const close = (): void => {
    closed = true;
    for (const listener of states) listener('closed');
  };
  return { retry, pauses, tick, close, isArmed: () => due !== undefined };
}

describe('trying again later', () => {
  it('begins after a second, doubles, and ends at five minutes', () => {
    const { retry, pauses, tick } = play(0);
    retry.later();
    for (let i = 0; i < 10; i++) tick();
    expect(pauses).toEqual([1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300].map((s) => s * 1000));
  });

  it('comes up to a quarter earlier at random', () => {
    const { retry, pauses, tick } = play(128);
    retry.later();
    tick();
    expect(pauses).toEqual([875, 1750]);
  });

  it('arranges one attempt at a time, begins anew once all went well, and stops with the account', () => {
    const { retry, pauses, tick, close, isArmed } = play(0);
    retry.later();
    retry.later();
    tick();
    retry.done();
    expect(isArmed()).toBe(false);
    retry.later();
    expect(pauses).toEqual([1000, 2000, 1000]);
    close();
    expect(isArmed()).toBe(false);
    retry.later();
    expect(isArmed()).toBe(false);
  });
});
