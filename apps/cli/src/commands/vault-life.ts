/** `sluice vault create|restore|status|watch`: how an account comes to be on this device, and what it is. */

import { Account } from '@sluice/client';
import type { Command } from 'commander';
import { accountOptions, orRelease, sendAll, whileCounting, withAccount } from '../account.ts';
import { withExamples } from '../arguments.ts';
import { readPhrase } from '../ask.ts';
import { untilStopped } from '../long-running.ts';
import { counted, plain, seconds, who } from '../output.ts';
import type { Settings } from '../settings.ts';

const RESTORE_MS = 10 * 60_000;
const DEVICE = 'Command line';

export function addVaultLife(vault: Command, settings: () => Settings): void {
  addCreate(vault, settings);
  addRestore(vault, settings);
  addStatus(vault, settings);
  addWatch(vault, settings);
}

function addCreate(vault: Command, settings: () => Settings): void {
  const create = vault
    .command('create')
    .description('create an account at a node; prints the recovery phrase once')
    .requiredOption('--node <https>', 'address of the node')
    .option('--name <text>', 'name of this device', DEVICE)
    .option('--invite <code>', 'invite code of the node')
    .action(async (options: { node: string; name: string; invite?: string }) => {
      const s = settings();
      const given = await accountOptions(s, 'vault', 'new');
      const { account, phrase } = await orRelease(
        given.store,
        Account.create({
          ...given,
          node: options.node,
          deviceName: options.name,
          ...(options.invite ? { invite: options.invite } : {}),
        }),
      );
      // The words first: whatever happens next, they have been shown.
      s.output.result(
        { did: account.did, phrase },
        () =>
          `${account.did}\n\nRecovery phrase, shown once. Write it down; with the address of the node it brings everything back:\n\n  ${phrase}\n`,
      );
      await sendAll(s, account, given.store);
      await account.close();
      s.output.note('Next: sluice vault import FILE, or sluice vault watch.');
    });
  withExamples(
    create,
    '--dev vault create --node https://node.sluice.test',
    'vault create --node https://node.example --invite CODE --passphrase-file ~/.vault-passphrase',
  );
}

function addRestore(vault: Command, settings: () => Settings): void {
  const restore = vault
    .command('restore')
    .description('join an account as a new device, from its twelve words (on the input, or asked for)')
    .requiredOption('--node <https>', 'address of the node')
    .option('--name <text>', 'name of this device', DEVICE)
    .option('--phrase-file <file>', 'file with the twelve words')
    .action(async (options: { node: string; name: string; phraseFile?: string }) => {
      const s = settings();
      const phrase = await readPhrase(s.io, options.phraseFile);
      const given = await accountOptions(s, 'vault', 'new');
      const records = await whileCounting(s, given.store, 'Restoring', async () => {
        const account = await orRelease(
          given.store,
          Account.restore({ ...given, node: options.node, phrase, deviceName: options.name }),
        );
        try {
          await account.synced(RESTORE_MS);
          return { did: account.did, collections: account.vault.registry.collections().length };
        } finally {
          await account.close();
        }
      });
      s.output.result(
        { did: records.did },
        () =>
          `${records.did}\nis on this device now, with ${counted(records.collections, 'collection')}. To see them: sluice vault records`,
      );
    });
  withExamples(
    restore,
    '--dev --store ./phone vault restore --node https://node.sluice.test',
    'vault restore --node https://node.example --phrase-file words.txt',
  );
}

function addStatus(vault: Command, settings: () => Settings): void {
  const status = vault
    .command('status')
    .description('who this is, its node, devices and silos')
    .action(async () => {
      const s = settings();
      await withAccount(s, 'vault', async (account) => {
        const { node } = account.open.secret;
        const devices = account.open.keychain
          .list('device')
          .map(({ item }) => ({ name: String(item.name), addedAt: String(item.addedAt) }));
        const silos = account.open.contexts().map(({ context }) => context);
        s.output.result({ did: account.did, node: node.url, devices, silos }, () =>
          [
            account.did,
            `node     ${node.url}`,
            ...devices.map((d) => `device   ${plain(d.name)}, since ${seconds(d.addedAt)}`),
            ...silos.map((c) => `silo     ${plain(c.name)} of ${who(c.app)}`),
          ].join('\n'),
        );
      });
    });
  withExamples(status, 'vault status', 'vault status --json');
}

function addWatch(vault: Command, settings: () => Settings): void {
  const watch = vault
    .command('watch')
    .description('stay: keep grants up to date and print what arrives')
    .action(async () => {
      const s = settings();
      await withAccount(s, 'vault', async (account) => {
        const stop = account.messaging.onMessage((item) =>
          s.output.result(
            { event: 'message', id: item.id, type: item.type, from: item.from, message: item.message },
            () => `${item.id}  ${item.type.replace('inbox/type/', '')}  ${who(item.from)}  ${plain(item.message)}`,
          ),
        );
        s.output.result({ ready: true, did: account.did }, () => `ready ${account.did}`);
        s.output.note('Grants are kept up to date while this runs. Ctrl-C ends it.');
        await untilStopped(s);
        stop();
      });
    });
  withExamples(watch, 'vault watch', 'vault watch --json');
}
