/** Commands that stay: they say `ready`, take clock lines under --dev, and stop cleanly on a signal. */

import { Interrupted } from './exit-codes.ts';
import type { Settings } from './settings.ts';

/** Waits for SIGINT or SIGTERM. Under --dev a line `as-of ISO` on the input moves the clock and is answered by `as-of ok ISO`. */
export function untilStopped({ io, dev, setAsOf }: Settings): Promise<void> {
  return new Promise((resolve) => {
    const stopLines = dev
      ? io.lines((line) => {
          const at = /^as-of (\S+)$/.exec(line.trim())?.[1];
          if (!at) return;
          setAsOf(at);
          io.out(`as-of ok ${at}\n`);
        })
      : () => undefined;
    io.onStop(() => {
      stopLines();
      resolve();
    });
  });
}

/** Waits for an answer that may take long; a signal ends the waiting with a word on how to go on. */
export async function orStopped<T>({ io }: Settings, answer: Promise<T>, message: string): Promise<T> {
  let forget = (): void => undefined;
  const stopped = new Promise<never>((_, reject) => {
    forget = io.onStop(() => reject(new Interrupted(message)));
  });
  try {
    return await Promise.race([answer, stopped]);
  } finally {
    forget();
  }
}

/** What somebody is told who stops waiting. */
export const stillStands = (id: string): string =>
  `Stopped waiting; the request stands. To take up the answer later: sluice app answer ${id}`;
