/** `sluice app ...`: an application's account, and its side of every scenario. */

import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Account, didDocumentOf, type GrantHandle, Network, SluiceError, VaultAccount } from '@sluice/client';
import { writeDevHosts } from '@sluice/client/node';
import type { Command } from 'commander';
import { accountOptions, withAccount } from '../account.ts';
import { untilStopped } from '../long-running.ts';
import { plain, table } from '../output.ts';
import type { Settings } from '../settings.ts';
import { jsonOption, when } from './vault.ts';

type Get = () => Settings;

export function addAppCommands(app: Command, settings: Get): void {
  addLife(app, settings);
  addConnect(app, settings);
  addMessages(app, settings);
  addSync(app, settings);
}

function addLife(app: Command, settings: Get): void {
  app
    .command('init')
    .description('create an application’s account, known by its https origin')
    .requiredOption('--origin <https>', 'e.g. https://clinic.example')
    .requiredOption('--node <https>', 'address of the node')
    .option('--invite <code>', 'invite code of the node')
    .action(async (options: { origin: string; node: string; invite?: string }) => {
      const s = settings();
      const { account, phrase } = await Account.create({
        ...(await accountOptions(s, 'app')),
        node: options.node,
        appOrigin: options.origin,
        ...(options.invite ? { invite: options.invite } : {}),
      });
      await account.synced(15_000).catch(() => undefined);
      const document = didDocumentOf(account);
      s.output.result(
        { did: account.did, phrase, document },
        () =>
          `${account.did}\n\nRecovery phrase, shown once:\n\n  ${phrase}\n\nPublish at ${options.origin}/.well-known/did.json (or run sluice app serve):\n${JSON.stringify(document, null, 2)}`,
      );
      await account.close();
    });
  app
    .command('serve')
    .description('serve the DID document of this application, for your TLS proxy or, with --dev, for the dev hosts')
    .option('--port <n>', 'port (0: any free one)', '0')
    .action(async (options: { port: string }) => {
      const s = settings();
      const account = await Account.open(await accountOptions(s, 'app'));
      const document = JSON.stringify(didDocumentOf(account));
      const host = account.did.slice('did:web:'.length).replace('%3A', ':');
      await account.close();
      const server = createServer((request, response) => {
        if (request.url === '/.well-known/did.json')
          response.writeHead(200, { 'content-type': 'application/did+json' }).end(document);
        else response.writeHead(404).end();
      });
      await new Promise<void>((resolve) => server.listen(Number(options.port), '127.0.0.1', resolve));
      const { port } = server.address() as AddressInfo;
      if (s.dev) await writeDevHosts(s.devHosts, host, `127.0.0.1:${port}`);
      s.output.result(
        { ready: true, did: account.did, port },
        () => `ready ${account.did} at http://127.0.0.1:${port}`,
      );
      await untilStopped(s);
      server.close();
    });
}

function addConnect(app: Command, settings: Get): void {
  app
    .command('connect')
    .description('ask to be let into a silo; prints the request, then waits for the answer')
    .requiredOption('--context <name>', 'name of the silo')
    .action(async (options: { context: string }) => {
      const s = settings();
      await withAccount(s, 'app', async (account) => {
        const pending = await account.connect.request(options.context);
        const request = Buffer.from(pending.document).toString('base64url');
        s.output.result({ request }, () => request);
        s.output.note('Give this to the person: sluice vault approve REQUEST. Waiting up to ten minutes.');
        const outcome = await pending.answer();
        if (outcome.status !== 'connected')
          throw new SluiceError(outcome.status === 'declined' ? 'DECLINED' : 'EXPIRED');
        s.output.result(
          { connected: outcome.session.owner, session: pending.id },
          () => `connected to the silo of ${outcome.session.owner}, session ${pending.id}`,
        );
        outcome.session.close();
      });
    });
  app
    .command('silo <session> <schema>')
    .description('read the silo, or save the JSON record on the input into it')
    .option('--save', 'save instead of reading')
    .action(async (id: string, schema: string, options: { save?: boolean }) => {
      const s = settings();
      await withAccount(s, 'app', async (account) => {
        const session = account.connect.open(id);
        try {
          const silo = await Network.connect({
            account: new VaultAccount(session, account.schemas),
            context: { name: '' },
          });
          const datastore = await silo.openDatastore(schema);
          await silo.synced();
          if (options.save) {
            const saved = await datastore.save(jsonOption(readFileSync(0, 'utf8'), 'The input'), {
              force: true,
              ack: 'node',
            });
            return s.output.result(saved, () => `${saved.id} ${saved.rev}`);
          }
          const records = await datastore.getMany({}, { limit: 1000 });
          return s.output.result(records, () => records.map((r) => JSON.stringify(r)).join('\n'));
        } finally {
          session.close();
        }
      });
    });
}

function addMessages(app: Command, settings: Get): void {
  app
    .command('send <did>')
    .description('send a message; --data is its JSON payload, from a file or - for the input')
    .option('--type <type>', 'message type', 'inbox/type/dataSend')
    .requiredOption('--data <file>', 'file with the payload')
    .requiredOption('--message <text>', 'what the person reads')
    .action(async (did: string, options: { type: string; data: string; message: string }) => {
      const s = settings();
      const data = jsonOption(readFileSync(options.data === '-' ? 0 : options.data, 'utf8'), '--data');
      await withAccount(s, 'app', async (account) => {
        const sent = await account.messaging.send(did, options.type, data, options.message);
        if (sent.queued) s.output.note('the recipient’s node cannot be reached; the message is kept and sent later');
        s.output.result(sent, () => sent.id);
      });
    });
  app
    .command('sent <id>')
    .description('what became of something sent')
    .action(async (id: string) => {
      const s = settings();
      await withAccount(s, 'app', async (account) =>
        s.output.result({ id, status: account.messaging.sentStatus(id) }, () => account.messaging.sentStatus(id)),
      );
    });
  app
    .command('request <did>')
    .description('ask a person for records and wait for the answer')
    .requiredOption('--schema <id>', 'schema of the records')
    .option('--filter <json>', 'which records fit')
    .option('--limit <n>', 'how many the person may pick')
    .requiredOption('--purpose <text>', 'what for')
    .option('--wait <seconds>', 'how long the request stands', '600')
    .action(
      async (
        did: string,
        options: { schema: string; filter?: string; limit?: string; purpose: string; wait: string },
      ) => {
        const s = settings();
        await withAccount(s, 'app', async (account) => {
          const pending = await account.messaging.request(did, {
            requestSchema: options.schema,
            filter: jsonOption(options.filter, '--filter'),
            userSelect: true,
            purpose: options.purpose,
            expiresInMs: Number(options.wait) * 1000,
            ...(options.limit ? { userSelectLimit: Number(options.limit) } : {}),
          });
          s.output.note(`request ${pending.id}, waiting`);
          const answer = await pending.answer();
          if (answer.status !== 'shared') throw new SluiceError(answer.status === 'declined' ? 'DECLINED' : 'EXPIRED');
          s.output.result(answer, () => answer.records.map((r) => JSON.stringify(r)).join('\n'));
        });
      },
    );
  app
    .command('inbox')
    .description('messages that arrived')
    .action(async () => {
      const s = settings();
      await withAccount(s, 'app', async (account) => {
        const items = await account.messaging.getMessages({}, { limit: 50 });
        s.output.result(items, () =>
          items.map((i) => `${i.id}  ${when(i.sentAt)}  ${i.type}  ${i.from}  ${plain(i.message)}`).join('\n'),
        );
      });
    });
}

function addSync(app: Command, settings: Get): void {
  app
    .command('sync <did>')
    .description('ask for a stream of a person’s records, wait for the consent, print what is revealed')
    .requiredOption('--schema <id>', 'schema of the records')
    .option('--filter <json>', 'which records')
    .option('--fields <list>', 'which fields, separated by commas')
    .option('--once', 'one delivery instead of a live stream')
    .requiredOption('--purpose <text>', 'what for')
    .option('--wait <seconds>', 'how long the request stands', '600')
    .option('--follow', 'stay and print every change')
    .action(
      async (
        did: string,
        options: {
          schema: string;
          filter?: string;
          fields?: string;
          once?: boolean;
          purpose: string;
          wait: string;
          follow?: boolean;
        },
      ) => {
        const s = settings();
        await withAccount(s, 'app', async (account) => {
          const pending = await account.sharing.request(did, {
            schema: options.schema,
            filter: jsonOption(options.filter, '--filter'),
            duration: options.once ? 'once' : 'standing',
            purpose: options.purpose,
            expiresInMs: Number(options.wait) * 1000,
            ...(options.fields ? { fields: options.fields.split(',').map((f) => f.trim()) } : {}),
          });
          s.output.note(`request ${pending.id}, waiting`);
          const answer = await pending.answer();
          if (answer.status !== 'granted') throw new SluiceError(answer.status === 'declined' ? 'DECLINED' : 'EXPIRED');
          for (const grant of answer.grants) {
            await grant.upToDate();
            await printGrant(s, grant);
          }
          if (options.follow) await follow(s, answer.grants);
        });
      },
    );
  app
    .command('grants')
    .description('grants received')
    .action(async () => {
      const s = settings();
      await withAccount(s, 'app', async (account) => {
        const grants = account.sharing.grants.received().map((g) => ({
          grantId: g.grantId,
          owner: g.owner,
          schema: g.terms.schema,
          filter: g.terms.filter,
          received: when(g.receivedAtMs),
        }));
        s.output.result(grants, () =>
          table([
            ['grant', 'owner', 'what'],
            ...grants.map((g) => [g.grantId, g.owner, `${g.schema} ${JSON.stringify(g.filter)}`]),
          ]),
        );
      });
    });
  app
    .command('records <grant>')
    .description('what a grant reveals now')
    .option('--follow', 'stay and print every change')
    .action(async (id: string, options: { follow?: boolean }) => {
      const s = settings();
      await withAccount(s, 'app', async (account) => {
        const grant = await account.sharing.grants.open(id);
        await grant.upToDate(15_000).catch((cause: unknown) => {
          if (!(cause instanceof SluiceError)) throw cause;
          s.output.note(cause.message);
        });
        await printGrant(s, grant);
        if (options.follow) await follow(s, [grant]);
      });
    });
}

async function printGrant(s: Settings, grant: GrantHandle): Promise<void> {
  const records = await grant.datastore().getMany({}, { limit: 100_000 });
  s.output.result({ grantId: grant.id, status: grant.status(), records }, () =>
    [`grant ${grant.id}, ${grant.status()}, ${records.length} records`, ...records.map((r) => JSON.stringify(r))].join(
      '\n',
    ),
  );
}

async function follow(s: Settings, grants: readonly GrantHandle[]): Promise<void> {
  for (const grant of grants) {
    grant.changes((change) =>
      s.output.result(
        { event: change.type, grantId: grant.id, id: change.id, record: change.record, reason: change.reason },
        () => `${change.type} ${change.id} ${change.record ? JSON.stringify(change.record) : (change.reason ?? '')}`,
      ),
    );
    grant.onStatus((status) =>
      s.output.result({ event: 'status', grantId: grant.id, status }, () => `grant ${grant.id} is ${status}`),
    );
  }
  s.output.result({ ready: true }, () => 'ready');
  await untilStopped(s);
}
