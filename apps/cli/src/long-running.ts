/** Commands that stay: they say `ready`, take clock lines under --dev, and stop cleanly on a signal. */

import { createInterface } from 'node:readline';
import type { Settings } from './settings.ts';

/** Waits for SIGINT or SIGTERM. Under --dev a line `as-of ISO` on the input moves the clock and is answered by `as-of ok ISO`. */
export function untilStopped(settings: Settings): Promise<void> {
  return new Promise((resolve) => {
    const lines = settings.dev && process.stdin.isTTY !== true ? createInterface({ input: process.stdin }) : undefined;
    lines?.on('line', (line) => {
      const at = /^as-of (\S+)$/.exec(line.trim())?.[1];
      if (!at) return;
      settings.setAsOf(at);
      process.stdout.write(`as-of ok ${at}\n`);
    });
    const stop = (): void => {
      lines?.close();
      resolve();
    };
    process.once('SIGINT', stop);
    process.once('SIGTERM', stop);
  });
}
