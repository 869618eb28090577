/** A storage node in a process of its own, for the benchmarks: prints its port, answers memory and disk, stops on request. */

import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { createSystemClock, systemRandom, toDid } from '@sluice/core/base';
import { createSigningKey } from '@sluice/core/crypto';
import { createNode, DEFAULT_LIMITS, openSqliteStorage } from '@sluice/node';
import { openDb } from '@sluice/sqlite';

const [directory = '.', synchronous = 'FULL'] = process.argv.slice(2);
const storage = openSqliteStorage({
  path: join(directory, 'node.db'),
  synchronous: synchronous === 'NORMAL' ? 'NORMAL' : 'FULL',
});
const wide = { perSecond: 1e6, burst: 1e6 };
const node = await createNode({
  storage,
  clock: createSystemClock(),
  random: systemRandom,
  identity: { did: toDid('did:web:node.sluice.test'), key: createSigningKey(systemRandom) },
  publicUrl: 'https://node.sluice.test',
  policy: { type: 'open' },
  listen: { port: 0 },
  limits: { ...DEFAULT_LIMITS, spaces: wide, messages: wide },
});
let peakRss = 0;
const sampler = setInterval(() => {
  peakRss = Math.max(peakRss, process.memoryUsage.rss());
}, 20);

/** The write-ahead log is a constant of about 4 MB, not a cost of each record: it is folded in before the file is measured. */
function checkpoint(): void {
  const db = openDb(join(directory, 'node.db'));
  db.exec('PRAGMA wal_checkpoint(TRUNCATE)');
  db.close();
}

process.on('message', (message: { readonly command: string }) => {
  if (message.command === 'usage') {
    checkpoint();
    const disk = readdirSync(directory)
      .filter((f) => f.startsWith('node.db'))
      .reduce((sum, f) => sum + statSync(join(directory, f)).size, 0);
    process.send?.({
      rss: process.memoryUsage.rss(),
      peakRss,
      disk,
      cpuUs: process.cpuUsage().user + process.cpuUsage().system,
    });
  }
  if (message.command === 'cpu') {
    const { user, system } = process.cpuUsage();
    process.send?.({ cpuMs: (user + system) / 1000 });
  }
  if (message.command === 'stop') {
    clearInterval(sampler);
    void node.close().then(() => process.exit(0));
  }
});
process.send?.({ port: node.port });
