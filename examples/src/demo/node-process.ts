/** The storage node of the demo, in a process of its own. */

import { join } from 'node:path';
import { systemRandom, toDid } from '@sluice/core/base';
import { createSigningKey } from '@sluice/core/crypto';
import { createNode, openSqliteStorage } from '@sluice/node';
import { openNodeContents } from './node-contents.ts';
import { leakingStorage, stubbornStorage } from './node-doubles.ts';
import { serveSteps } from './process-link.ts';
import { createMovableClock } from './shared-clock.ts';

const [directory = '', asOf = '', double = 'honest'] = process.argv.slice(2);
const clock = createMovableClock(Number(asOf));
const real = openSqliteStorage({ path: join(directory, 'node.db') });
const storage =
  double === 'leaks'
    ? leakingStorage(real, join(directory, 'node.log'))
    : double === 'serves-after-revoke'
      ? stubbornStorage(real)
      : real;
const node = await createNode({
  storage,
  clock,
  random: systemRandom,
  identity: { did: toDid('did:web:node.sluice.test'), key: createSigningKey(systemRandom) },
  publicUrl: 'https://node.sluice.test',
  policy: { type: 'open' },
  listen: { port: 0 },
});

const look = openNodeContents(directory);
serveSteps(
  {
    port: async () => node.port,
    contents: async () => look(),
    setClock: async ({ atMs }: { atMs: number }) => {
      clock.setAsOf(atMs);
    },
  },
  node.close,
);
