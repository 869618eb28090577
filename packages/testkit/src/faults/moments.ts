/** Seeded moments to kill a process at: after so many acknowledgements, and a part of a millisecond later. */

import { sha256 } from '@sluice/core/crypto';

export type Moment = { readonly acks: number; readonly delayMs: number };

/** The moment of one point: up to 24 acknowledgements, up to 1 ms. */
export function momentAt(seed: string, point: number): Moment {
  const [acks = 0, high = 0, low = 0] = sha256(new TextEncoder().encode(`${seed}/moment/${point}`));
  return { acks: acks % 25, delayMs: (high * 256 + low) / 65_536 };
}

/** Resolves `delayMs` from now, more exactly than a timer; the event loop goes on meanwhile. */
export function pass(delayMs: number): Promise<void> {
  const end = performance.now() + delayMs;
  return new Promise((resolve) => {
    const look = (): void => {
      if (performance.now() >= end) resolve();
      else setImmediate(look);
    };
    look();
  });
}
