/** `sluice node`: runs a storage node. */

import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { systemRandom } from '@sluice/core/base';
import { originDid } from '@sluice/core/identity';
import { writeDevHosts } from '@sluice/client/node';
import { createNode, loadOrCreateNodeIdentity, openSqliteStorage } from '@sluice/node';
import type { Command } from 'commander';
import { pino } from 'pino';
import { UsageError } from '../exit-codes.ts';
import { untilStopped } from '../long-running.ts';
import type { Settings } from '../settings.ts';

type NodeOptions = {
  readonly data: string;
  readonly port: string;
  readonly host: string;
  readonly url?: string;
  readonly policy?: string;
  readonly invite?: string[];
  readonly logLevel: string;
};

const DEV_NAME = 'node.sluice.test';

export function addNodeCommand(program: Command, settings: () => Settings): void {
  program
    .command('node')
    .description('run a storage node')
    .option('--data <dir>', 'folder of the database and the node key', './sluice-node')
    .option('--port <n>', 'port to listen on (0: any free one)', '0')
    .option('--host <address>', 'address to listen on', '127.0.0.1')
    .option('--url <https>', 'public address of the node (with --dev: https://node.sluice.test)')
    .option('--policy <kind>', 'who may create spaces: open or invite (default: open with --dev, else invite)')
    .option('--invite <code...>', 'invite codes')
    .option('--log-level <level>', 'silent, error, warn, info', 'info')
    .addHelpText(
      'after',
      '\nExample:\n  sluice --dev node --data ./node\n\nThe node sees sealed entries only. It listens in clear behind your TLS proxy.',
    )
    .action(async (options: NodeOptions) => {
      const s = settings();
      const url = options.url ?? (s.dev ? `https://${DEV_NAME}` : undefined);
      if (!url)
        throw new UsageError('A node needs its public address: --url https://node.example (or --dev to try it out).');
      const policy = options.policy ?? (s.dev ? 'open' : 'invite');
      if (policy !== 'open' && policy !== 'invite') throw new UsageError('--policy is open or invite.');
      const storage = openSqliteStorage({ path: join(ensure(options.data), 'node.db') });
      const node = await createNode({
        storage,
        clock: s.clock,
        random: systemRandom,
        identity: { did: originDid(url), key: loadOrCreateNodeIdentity(join(options.data, 'node.key'), systemRandom) },
        publicUrl: url,
        policy: policy === 'open' ? { type: 'open' } : { type: 'invite', codes: new Set(options.invite ?? []) },
        listen: { host: options.host, port: Number(options.port) },
        logger: pino({ level: options.logLevel }, pino.destination(2)),
      });
      if (s.dev) await writeDevHosts(s.devHosts, new URL(url).host, `127.0.0.1:${node.port}`);
      s.output.result({ ready: true, url, listening: node.url }, () => `ready ${url} at ${node.url}`);
      await untilStopped(s);
      await node.close();
    });
}

function ensure(directory: string): string {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  return directory;
}
