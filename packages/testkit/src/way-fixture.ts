/** Cuts one device off from its node while all others go on. */

import type { Platform, Socket } from '@sluice/client';
import type { TestNetwork } from './test-network.ts';

/** The way of one device to the node, which can be closed and opened again. */
export function createWay(
  net: TestNetwork,
): Pick<Platform, 'openSocket'> & { readonly close: () => void; readonly open: () => void } {
  const sockets = new Set<Socket>();
  let isOpen = true;
  return {
    openSocket: (url, events) => {
      if (!isOpen) {
        queueMicrotask(events.onClose);
        return { send: () => undefined, close: () => undefined };
      }
      const socket = net.platform.openSocket(url, events);
      sockets.add(socket);
      return socket;
    },
    close: () => {
      isOpen = false;
      for (const socket of sockets) socket.close();
      sockets.clear();
    },
    open: () => {
      isOpen = true;
    },
  };
}
