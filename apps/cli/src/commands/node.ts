/** `sluice node`: runs a storage node. */

import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { systemRandom } from '@sluice/core/base';
import { originDid } from '@sluice/core/identity';
import { writeDevHosts } from '@sluice/client/node';
import { createNode, loadOrCreateNodeIdentity, openSqliteStorage } from '@sluice/node';
import { type Command, Option } from 'commander';
import { pino } from 'pino';
import { whole, withExamples } from '../arguments.ts';
import { UsageError } from '../exit-codes.ts';
import { lockFolder } from '../folder-lock.ts';
import { untilStopped } from '../long-running.ts';
import type { Settings } from '../settings.ts';

type NodeOptions = {
  readonly data: string;
  readonly port: number;
  readonly host: string;
  readonly url?: string;
  readonly policy?: 'open' | 'invite';
  readonly invite?: string[];
  readonly logLevel: string;
};

const DEV_NAME = 'node.sluice.test';

export function addNodeCommand(program: Command, settings: () => Settings): void {
  const command = program
    .command('node')
    .description('run a storage node')
    .option('--data <dir>', 'folder of the database and the node key', './sluice-node')
    .option('--port <n>', 'port to listen on (0: any free one)', whole(0), 0)
    .option('--host <address>', 'address to listen on', '127.0.0.1')
    .option('--url <https>', 'public address of the node (with --dev: https://node.sluice.test)')
    .addOption(
      new Option('--policy <kind>', 'who may create spaces (default: open with --dev, else invite)').choices([
        'open',
        'invite',
      ]),
    )
    .option('--invite <code...>', 'invite codes')
    .addOption(
      new Option('--log-level <level>', 'what is logged, as JSON lines on the error stream')
        .choices(['silent', 'error', 'warn', 'info'])
        .default('info'),
    )
    .action(async (options: NodeOptions) => {
      const s = settings();
      const url = options.url ?? (s.dev ? `https://${DEV_NAME}` : undefined);
      if (!url)
        throw new UsageError('A node needs its public address: --url https://node.example (or --dev to try it out).');
      const policy = options.policy ?? (s.dev ? 'open' : 'invite');
      const unlock = lockFolder(ensure(options.data));
      const storage = openSqliteStorage({ path: join(options.data, 'node.db') });
      const node = await createNode({
        storage,
        clock: s.clock,
        random: systemRandom,
        identity: { did: originDid(url), key: loadOrCreateNodeIdentity(join(options.data, 'node.key'), systemRandom) },
        publicUrl: url,
        policy: policy === 'open' ? { type: 'open' } : { type: 'invite', codes: new Set(options.invite ?? []) },
        listen: { host: options.host, port: options.port },
        logger: pino({ level: options.logLevel }, pino.destination(2)),
      }).catch(async (cause: unknown) => {
        await storage.close();
        unlock();
        throw cause;
      });
      if (s.dev) await writeDevHosts(s.devHosts, new URL(url).host, `127.0.0.1:${node.port}`);
      s.output.result({ ready: true, url, listening: node.url }, () => `ready ${url} at ${node.url}`);
      await untilStopped(s);
      await node.close();
      unlock();
    });
  withExamples(
    command,
    '--dev node --data ./node',
    'node --data /var/lib/sluice --url https://node.example --port 8080 --policy invite --invite CODE',
  );
  command.addHelpText(
    'after',
    '\nThe node sees sealed entries only. It listens in clear: put your TLS proxy in front.',
  );
}

function ensure(directory: string): string {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  return directory;
}
