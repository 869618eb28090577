import type { Clock } from '@sluice/core/base';
import { describe, expect, it } from 'vitest';
import { SluiceError } from './errors.ts';
import { createWaiters } from './waiters.ts';

/** A clock whose timers fire when the test says so. */
function manualClock(): { readonly clock: Clock; readonly fire: () => void; readonly pending: () => number } {
  const timers = new Set<() => void>();
  const clock: Clock = {
    nowMs: () => 0,
    monotonicMs: () => 0,
    timer: (_ms, action) => {
      timers.add(action);
      return () => void timers.delete(action);
    },
  };
  return {
    clock,
    fire: () => {
      for (const action of [...timers]) action();
    },
    pending: () => timers.size,
  };
}

describe('waiting for a state', () => {
  const codeOf = (work: Promise<void>): Promise<string> =>
    work.then(
      () => 'reached',
      (cause: unknown) => (cause as SluiceError).code,
    );

  it('resolves at once, or when woken after the state came, and leaves no timer behind', async () => {
    const { clock, pending } = manualClock();
    const waiters = createWaiters(clock);
    let isThere = true;
    await expect(waiters.until(() => isThere, 10)).resolves.toBeUndefined();
    isThere = false;
    const later = codeOf(waiters.until(() => isThere, 10));
    waiters.wake();
    expect(pending()).toBe(1);
    isThere = true;
    waiters.wake();
    expect(await later).toBe('reached');
    expect(pending()).toBe(0);
  });

  it('rejects with what makes it impossible, by the clock, and at the end', async () => {
    const { clock, fire } = manualClock();
    const waiters = createWaiters(clock);
    expect(await codeOf(waiters.until(() => new SluiceError('REVOKED'), 10))).toBe('REVOKED');
    const timed = codeOf(waiters.until(() => false, 10));
    fire();
    expect(await timed).toBe('OFFLINE');
    const ended = codeOf(waiters.until(() => false, 10));
    waiters.end();
    expect(await ended).toBe('CLOSED');
    expect(await codeOf(waiters.until(() => true, 10))).toBe('CLOSED');
  });
});
