/** `sluice vault writes|accept-write|reject-write|undo-writes`: what grantees wrote, and the owner's say in it. */

import type { WriteRecord } from '@sluice/client';
import type { Command } from 'commander';
import { withAccount } from '../account.ts';
import { whole, withExamples } from '../arguments.ts';
import { confirmed } from '../ask.ts';
import { counted, plain, plainJson, short, when, who } from '../output.ts';
import type { Settings } from '../settings.ts';
import { grantOf } from './vault-standing.ts';

export function addVaultWrites(vault: Command, settings: () => Settings): void {
  addList(vault, settings);
  addDecision(vault, settings, 'accept-write', 'let a write that waits take effect', 'takes effect');
  addDecision(vault, settings, 'reject-write', 'refuse a write that waits', 'is refused');
  addUndo(vault, settings);
}

function addList(vault: Command, settings: () => Settings): void {
  const command = vault
    .command('writes [grant]')
    .description('what apps wrote and waits for you; with a grant, all that came through it')
    .action(async (given: string | undefined) => {
      const s = settings();
      await withAccount(s, 'vault', async (account) => {
        const id = given === undefined ? undefined : grantOf(account, given).grantId;
        const grantees = new Map(account.sharing.grants.list().map((g) => [g.grantId, g.grantee]));
        const writes = account.sharing.writes.list(id);
        s.output.result(writes, () =>
          s.output.table(
            ['grant', 'number', 'from', 'when', 'status', 'record', 'what'],
            writes.map((w) => [
              short(w.grantId),
              String(w.n),
              who(grantees.get(w.grantId) ?? ''),
              when(w.at.ms),
              w.code ? `${w.status}: ${w.code}` : w.status,
              plain(short(w.recordId)),
              whatOf(w),
            ]),
            id === undefined ? 'Nothing waits for you.' : 'Nothing was written through this grant.',
          ),
        );
      });
    });
  withExamples(command, 'vault writes', 'vault writes 2ef1c1 --json');
}

const whatOf = ({ operation, set, remove }: WriteRecord): string =>
  operation === 'delete'
    ? 'delete'
    : `${operation} ${plainJson(set)}${remove.length > 0 ? ` without ${plain(remove.join(', '))}` : ''}`;

function addDecision(
  vault: Command,
  settings: () => Settings,
  name: 'accept-write' | 'reject-write',
  description: string,
  done: string,
): void {
  const command = vault
    .command(`${name} <grant> <number>`)
    .description(description)
    .action(async (given: string, number: string) => {
      const s = settings();
      await withAccount(s, 'vault', async (account) => {
        const { grantId } = grantOf(account, given);
        const n = whole(1)(number);
        const { writes } = account.sharing;
        await (name === 'accept-write' ? writes.accept(grantId, n) : writes.reject(grantId, n));
        await account.synced();
        s.output.result({ grantId, n, done: name }, () => `Write ${n} of grant ${short(grantId)} ${done}.`);
      });
    });
  withExamples(command, `vault ${name} 2ef1c1 7`);
}

function addUndo(vault: Command, settings: () => Settings): void {
  const command = vault
    .command('undo-writes <grant>')
    .description('take back all that an app wrote through a grant, as far as nobody changed it since')
    .option('--yes', 'do not ask')
    .action(async (given: string, options: { yes?: boolean }) => {
      const s = settings();
      await withAccount(s, 'vault', async (account) => {
        const grant = grantOf(account, given);
        await confirmed(s.io, `Take back all that ${who(grant.grantee)} wrote through this grant?`, options.yes);
        const { undone } = await account.sharing.writes.undo(grant.grantId);
        s.output.result({ undone }, () => `${counted(undone, 'record')} as before.`);
      });
    });
  withExamples(command, 'vault undo-writes 2ef1c1');
}
