/** A clock that runs as the system's does, and jumps ahead when told: what was due in between happens at once. */

import { type Clock, createSystemClock } from '@sluice/core/base';

export type JumpClock = Clock & { readonly jump: (ms: number) => void };

/** Starts at the system's time. */
export function createJumpClock(): JumpClock {
  let offsetMs = 0;
  const system = createSystemClock(() => offsetMs);
  const timers = new Set<{ readonly dueMs: number; cancel: () => void; readonly run: () => void }>();
  return {
    nowMs: system.nowMs,
    monotonicMs: () => system.monotonicMs() + offsetMs,
    timer: (delayMs, run) => {
      const fire = (): void => {
        timers.delete(entry);
        entry.cancel();
        run();
      };
      const entry = { dueMs: system.nowMs() + delayMs, cancel: system.timer(delayMs, fire), run: fire };
      timers.add(entry);
      return () => {
        timers.delete(entry);
        entry.cancel();
      };
    },
    jump: (ms) => {
      offsetMs += ms;
      const nowMs = system.nowMs();
      for (const entry of [...timers].filter((t) => t.dueMs <= nowMs).sort((a, b) => a.dueMs - b.dueMs)) entry.run();
    },
  };
}
