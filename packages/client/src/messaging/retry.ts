/** Tries something again later, with growing pauses, until the account is closed. At most one attempt waits at a time. */

import type { OpenAccount } from '../account/account.ts';
import type { LiveLink } from '../link/live-link.ts';
import type { Platform } from '../platform.ts';

/** What of an account a retry needs. */
export type RetryAccount = Pick<OpenAccount, 'closed'> & {
  readonly platform: Pick<Platform, 'clock' | 'random'>;
  readonly link: Pick<LiveLink, 'onState'>;
};

/** Attempts at one thing, with growing pauses. */
export type Retry = {
  /** Arranges one more attempt, unless one is arranged already. */
  readonly later: () => void;
  /** All went well: nothing is arranged, and the next pause is the first again. */
  readonly done: () => void;
};

const FIRST_MS = 1_000;
const LAST_MS = 300_000;

/**
 * Creates a retry of `attempt`, whose pauses double from a second to five minutes, each cut by up to a quarter at random: many that
 * failed together are not to come back together.
 */
export function createRetry(account: RetryAccount, attempt: () => void): Retry {
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
      const { clock, random } = account.platform;
      const cut = ((random(1)[0] as number) / 256) * 0.25;
      cancel = clock.timer(pauseMs * (1 - cut), () => {
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
