/** A subscriber in a process of its own, to be stopped: it says hello and takes pages of a space's own log, as much as it gives credit for. */

import { createSystemClock, hexToBytes, toSpaceId } from '@sluice/core/base';
import { signingKeyFromSeed } from '@sluice/core/crypto';
import { signHello } from '@sluice/core/identity';
import { type ClientFrame, decodeServerFrame, encodeClientFrame } from '@sluice/core/wire';
import type { Socket } from '@sluice/client';
import { createNodePlatform } from '@sluice/client/node';
import { NODE_ORIGIN } from '../test-network.ts';
import { serveSteps } from './child-link.ts';

const [port = '0', seed = '', space = ''] = process.argv.slice(2);
const key = signingKeyFromSeed(hexToBytes(seed));
const hosts = new Map([[new URL(NODE_ORIGIN).host, `127.0.0.1:${port}`]]);
const clock = createSystemClock();
const platform = createNodePlatform({ clock, devHosts: () => hosts });
const seen = { cursor: 0, head: 0, entries: 0, open: false };
let socket: Socket | undefined;

const send = (frame: ClientFrame): void => socket?.send(encodeClientFrame(frame));

serveSteps({
  /** Goes on after what it has seen. Resolves with the first page. */
  subscribe: ({ credit }: { readonly credit: number }) =>
    new Promise<void>((resolve) => {
      seen.open = true;
      socket = platform.openSocket(new URL('/v1/live', NODE_ORIGIN), {
        onOpen: () => undefined,
        onClose: () => {
          seen.open = false;
          resolve();
        },
        onMessage: (bytes) => {
          const frame = decodeServerFrame(bytes);
          if (!frame.ok) throw new Error('the node sent what is no frame');
          if (frame.value.type === 'welcome')
            send({ type: 'hello', proof: signHello(key, frame.value.node, frame.value.nonce, clock.nowMs()) });
          else if (frame.value.type === 'ready')
            send({
              type: 'sub',
              id: 1,
              key: 0,
              space: toSpaceId(hexToBytes(space)),
              log: 'own',
              after: seen.cursor,
              credit,
            });
          else if (frame.value.type === 'page') {
            const { page } = frame.value;
            // What came before is not counted twice.
            seen.entries += page.entries.filter((e) => e.seq > seen.cursor).length;
            seen.cursor = page.cursor;
            seen.head = page.head;
            resolve();
          }
        },
      });
    }),
  credit: async ({ bytes }: { readonly bytes: number }) => send({ type: 'credit', id: 1, bytes }),
  seen: async () => seen,
});
