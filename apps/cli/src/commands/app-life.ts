/** `sluice app init|serve`: an application's account, and its DID document where others find it. */

import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Account, didDocumentOf } from '@sluice/client';
import { writeDevHosts } from '@sluice/client/node';
import type { Command } from 'commander';
import { accountOptions, orRelease, sendAll } from '../account.ts';
import { whole, withExamples } from '../arguments.ts';
import { untilStopped } from '../long-running.ts';
import type { Settings } from '../settings.ts';

export function addAppLife(app: Command, settings: () => Settings): void {
  addInit(app, settings);
  addServe(app, settings);
}

function addInit(app: Command, settings: () => Settings): void {
  const command = app
    .command('init')
    .description('create an application’s account, known by its https origin; prints the recovery phrase once')
    .requiredOption('--origin <https>', 'e.g. https://clinic.example')
    .requiredOption('--node <https>', 'address of the node')
    .option('--invite <code>', 'invite code of the node')
    .action(async (options: { origin: string; node: string; invite?: string }) => {
      const s = settings();
      const given = await accountOptions(s, 'app', 'new');
      const { account, phrase } = await orRelease(
        given.store,
        Account.create({
          ...given,
          node: options.node,
          appOrigin: options.origin,
          ...(options.invite ? { invite: options.invite } : {}),
        }),
      );
      const document = didDocumentOf(account);
      s.output.result(
        { did: account.did, phrase, document },
        () =>
          `${account.did}\n\nRecovery phrase, shown once. Write it down:\n\n  ${phrase}\n\nPublish this at ${options.origin}/.well-known/did.json (or run sluice app serve):\n${JSON.stringify(document, null, 2)}`,
      );
      await sendAll(s, account, given.store);
      await account.close();
    });
  withExamples(command, '--dev app init --origin https://clinic.example --node https://node.sluice.test');
}

function addServe(app: Command, settings: () => Settings): void {
  const command = app
    .command('serve')
    .description('serve the DID document of this application, for your TLS proxy or, with --dev, for the dev hosts')
    .option('--port <n>', 'port (0: any free one)', whole(0), 0)
    .action(async (options: { port: number }) => {
      const s = settings();
      const given = await accountOptions(s, 'app', 'open');
      const account = await orRelease(given.store, Account.open(given));
      const document = JSON.stringify(didDocumentOf(account));
      const host = account.did.slice('did:web:'.length).replace('%3A', ':');
      await account.close();
      const server = createServer((request, response) => {
        if (request.url === '/.well-known/did.json')
          response.writeHead(200, { 'content-type': 'application/did+json' }).end(document);
        else response.writeHead(404).end();
      });
      await new Promise<void>((resolve, reject) => {
        server.once('error', reject);
        server.listen(options.port, '127.0.0.1', resolve);
      });
      const { port } = server.address() as AddressInfo;
      if (s.dev) await writeDevHosts(s.devHosts, host, `127.0.0.1:${port}`);
      s.output.result(
        { ready: true, did: account.did, port },
        () => `ready ${account.did} at http://127.0.0.1:${port}`,
      );
      await untilStopped(s);
      server.closeAllConnections();
      server.close();
    });
  withExamples(command, '--dev app serve', 'app serve --port 8090');
}
