/** A storage node in a process of its own, to be killed. It opens its file at the step `listen`, so that a spare one costs nothing. */

import { join } from 'node:path';
import { createSystemClock, systemRandom, toDid } from '@sluice/core/base';
import { sha256, signingKeyFromSeed } from '@sluice/core/crypto';
import { createNode, DEFAULT_LIMITS, openSqliteStorage } from '@sluice/node';
import { NODE_ORIGIN } from '../test-network.ts';
import { serveSteps } from './child-link.ts';

const [directory = '.'] = process.argv.slice(2);
const wide = { perSecond: 1e6, burst: 1e6 };

serveSteps({
  listen: async ({ port }: { readonly port: number }) => {
    const node = await createNode({
      storage: openSqliteStorage({ path: join(directory, 'node.db'), synchronous: 'FULL' }),
      clock: createSystemClock(),
      random: systemRandom,
      identity: {
        did: toDid('did:web:node.sluice.test'),
        key: signingKeyFromSeed(sha256(new TextEncoder().encode('node'))),
      },
      publicUrl: NODE_ORIGIN,
      policy: { type: 'open' },
      listen: { port },
      // A device is restored at every point, which no person does.
      limits: { ...DEFAULT_LIMITS, spaces: wide, messages: wide, requests: wide, sockets: wide },
    });
    return node.port;
  },
  /** Memory in use after garbage was collected, in bytes. */
  memory: async () => {
    for (let i = 0; i < 3; i++) {
      globalThis.gc?.();
      await new Promise((resolve) => setImmediate(resolve));
    }
    const { rss, heapUsed, external } = process.memoryUsage();
    return { rss, heapUsed, external };
  },
});
