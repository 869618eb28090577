/** One explicit clock for all processes of the demo: the system's, shifted so that the bundle's last day is yesterday. */

import { type Clock, createSystemClock } from '@sluice/core/base';

export type MovableClock = Clock & { readonly setAsOf: (atMs: number) => void };

/** A running clock whose offset can be moved while it runs. Timers set before a move keep their real delay. */
export function createMovableClock(asOfMs: number): MovableClock {
  let offsetMs = asOfMs - Date.now();
  const system = createSystemClock(() => offsetMs);
  const armed = new Set<{ readonly dueMs: number; readonly run: () => void }>();
  const check = (): void => {
    for (const timer of [...armed]) {
      if (timer.dueMs > system.nowMs()) continue;
      armed.delete(timer);
      timer.run();
    }
  };
  return {
    ...system,
    timer: (delayMs, run) => {
      const timer = { dueMs: system.nowMs() + delayMs, run };
      armed.add(timer);
      const cancel = system.timer(delayMs, () => {
        if (armed.delete(timer)) run();
      });
      return () => {
        armed.delete(timer);
        cancel();
      };
    },
    setAsOf: (atMs) => {
      offsetMs = atMs - Date.now();
      check();
    },
  };
}
