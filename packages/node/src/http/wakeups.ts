/** Waiting for news by name, for long polls. Holds no data: whoever wakes looks again. */

import type { Clock } from '@sluice/core/base';

/** Long polls that wait for news, by name. */
export type Wakeups = {
  /** Resolves at `wake(name)`, after `waitMs`, when `signal` aborts, or at `wakeAll`. */
  readonly wait: (name: string, waitMs: number, signal: AbortSignal) => Promise<void>;
  readonly wake: (name: string) => void;
  /** Wakes everybody, and from then on nobody waits. */
  readonly wakeAll: () => void;
};

/** Requests that may wait at once; one more is answered without waiting. */
const MAX_WAITING = 10_000;

/** Creates an empty register. */
export function createWakeups(clock: Pick<Clock, 'timer'>): Wakeups {
  const waiting = new Map<string, Set<() => void>>();
  let count = 0;
  let closed = false;

  const wait = (name: string, waitMs: number, signal: AbortSignal): Promise<void> =>
    new Promise((resolve) => {
      if (closed || signal.aborted || waitMs <= 0 || count >= MAX_WAITING) return resolve();
      const here = waiting.get(name) ?? new Set();
      const done = (): void => {
        if (!here.delete(done)) return;
        count--;
        if (here.size === 0 && waiting.get(name) === here) waiting.delete(name);
        cancel();
        signal.removeEventListener('abort', done);
        resolve();
      };
      waiting.set(name, here.add(done));
      count++;
      const cancel = clock.timer(waitMs, done);
      signal.addEventListener('abort', done);
    });

  const wake = (name: string): void => {
    for (const done of [...(waiting.get(name) ?? [])]) done();
  };
  return {
    wait,
    wake,
    wakeAll: () => {
      closed = true;
      for (const name of [...waiting.keys()]) wake(name);
    },
  };
}
