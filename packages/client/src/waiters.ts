/** Those who wait for a state to come. Whoever changes the state wakes them; a clock and an end give them up. */

import type { Clock } from '@sluice/core/base';
import { SluiceError } from './errors.ts';

/** What a look at the state says: reached, not yet, or never. */
export type Look = () => boolean | SluiceError;

/** Those who wait for something to become true. */
export type Waiters = {
  /** Resolves once `look` is true; rejects with the error it returns, with OFFLINE after `timeoutMs`, with CLOSED at the end. */
  readonly until: (look: Look, timeoutMs: number) => Promise<void>;
  /** Has everybody look again. */
  readonly wake: () => void;
  /** Nothing changes any more. */
  readonly end: () => void;
};

/** Creates an empty set of waiters on one clock. */
export function createWaiters(clock: Clock): Waiters {
  const waiting = new Set<() => void>();
  let ended = false;
  const wake = (): void => {
    for (const check of [...waiting]) check();
  };
  return {
    until: (look, timeoutMs) =>
      new Promise((resolve, reject) => {
        const finish = (settle: () => void): void => {
          waiting.delete(check);
          cancel();
          settle();
        };
        const check = (): void => {
          const seen = ended ? new SluiceError('CLOSED') : look();
          if (seen instanceof SluiceError) finish(() => reject(seen));
          else if (seen) finish(resolve);
        };
        const cancel = clock.timer(timeoutMs, () => finish(() => reject(new SluiceError('OFFLINE'))));
        waiting.add(check);
        check();
      }),
    wake,
    end: () => {
      ended = true;
      wake();
    },
  };
}
