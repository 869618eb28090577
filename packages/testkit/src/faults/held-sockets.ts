/** Holds connections back while the node is out of reach: an attempt then waits instead of failing, so no pause between attempts grows. */

import type { Platform, Socket } from '@sluice/client';

export type HeldSockets = {
  readonly openSocket: Platform['openSocket'];
  /** Attempts from now on wait. */
  readonly hold: () => void;
  /** Those that waited are made now. */
  readonly release: () => void;
};

/** Puts a gate before connections; it is open at first. */
export function createHeldSockets(openSocket: Platform['openSocket']): HeldSockets {
  const waiting = new Set<() => void>();
  let held = false;
  return {
    openSocket: (url, events) => {
      if (!held) return openSocket(url, events);
      let socket: Socket | undefined;
      const dial = (): void => {
        socket = openSocket(url, events);
      };
      waiting.add(dial);
      return {
        send: (bytes) => socket?.send(bytes),
        close: () => {
          waiting.delete(dial);
          socket?.close();
        },
      };
    },
    hold: () => {
      held = true;
    },
    release: () => {
      held = false;
      for (const dial of [...waiting]) {
        waiting.delete(dial);
        dial();
      }
    },
  };
}
