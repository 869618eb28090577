/** Tries something again later, with growing pauses, until the account is closed. At most one attempt waits at a time. */

import type { OpenAccount } from '../account/account.ts';

/** Attempts at one thing, with growing pauses. */
export type Retry = {
  /** Arranges one more attempt, unless one is arranged already. */
  readonly later: () => void;
  /** All went well: nothing is arranged, and the next pause is the first again. */
  readonly done: () => void;
};

const FIRST_MS = 30_000;
const LAST_MS = 3_600_000;

/** Creates a retry of `attempt`, whose pauses double from 30 s to an hour. */
export function createRetry(account: OpenAccount, attempt: () => void): Retry {
  let pauseMs = FIRST_MS;
  let cancel: (() => void) | undefined;
  const stop = (): void => {
    cancel?.();
    cancel = undefined;
  };
  account.link.onState((state) => {
    if (state === 'closed') stop();
  });
  return {
    later: () => {
      if (cancel || account.closed()) return;
      cancel = account.platform.clock.timer(pauseMs, () => {
        cancel = undefined;
        if (!account.closed()) attempt();
      });
      pauseMs = Math.min(2 * pauseMs, LAST_MS);
    },
    done: () => {
      stop();
      pauseMs = FIRST_MS;
    },
  };
}

/** Tells whether the local store failed (a full disk), which passes, as against a bug. */
export const isStoreFailure = (cause: unknown): boolean =>
  cause instanceof Error && (cause.name === 'SqliteFailure' || cause.name === 'SluiceError');
