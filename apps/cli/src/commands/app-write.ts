/** `sluice app save|remove|pending`: what an application writes back through a grant. */

import { type Account, type GrantHandle, SluiceError } from '@sluice/client';
import type { Command } from 'commander';
import { withAccount } from '../account.ts';
import { jsonObject, readText, whole, withExamples } from '../arguments.ts';
import { plainJson, short, when } from '../output.ts';
import { receivedGrant } from '../received-grant.ts';
import type { Settings } from '../settings.ts';

type Wait = { readonly wait: number };

export function addAppWrite(app: Command, settings: () => Settings): void {
  addSave(app, settings);
  addRemove(app, settings);
  addPending(app, settings);
}

function addSave(app: Command, settings: () => Settings): void {
  const command = app
    .command('save <grant> <file>')
    .description('write a record back: a new one, or one that was read, changed and has its _id (- reads the input)')
    .option('--wait <seconds>', 'how long to wait for the owner’s verdict; 0 does not', whole(0), 15)
    .action(async (given: string, file: string, { wait }: Wait) => {
      const s = settings();
      const document = jsonObject(readText(s.io, file), file);
      await withAccount(s, 'app', async (account) => {
        const grant = await newestGrant(account, s, given);
        const { id, n } = await grant.datastore().save(document);
        await showVerdict(s, grant, id, n, wait);
      });
    });
  withExamples(command, 'app save 2ef1c1 record.json', 'app save 2ef1c1 - --wait 0 < record.json');
}

function addRemove(app: Command, settings: () => Settings): void {
  const command = app
    .command('remove <grant> <id>')
    .description('delete a record of the owner’s')
    .option('--wait <seconds>', 'how long to wait for the owner’s verdict; 0 does not', whole(0), 15)
    .action(async (given: string, id: string, { wait }: Wait) => {
      const s = settings();
      await withAccount(s, 'app', async (account) => {
        const grant = await newestGrant(account, s, given);
        const { n } = await grant.datastore().delete(id);
        await showVerdict(s, grant, id, n, wait);
      });
    });
  withExamples(command, 'app remove 2ef1c1 kTq0b2Y1bq0zPZ3mJvB0Zw');
}

function addPending(app: Command, settings: () => Settings): void {
  const command = app
    .command('pending <grant>')
    .description('what was written back and has no effect at the owner yet')
    .action(async (given: string) => {
      const s = settings();
      await withAccount(s, 'app', async (account) => {
        const grant = await newestGrant(account, s, given);
        const writes = grant.pending();
        s.output.result(writes, () =>
          s.output.table(
            ['number', 'state', 'since', 'record', 'what'],
            writes.map((w) => [String(w.n), w.state, when(w.atMs), short(w.id), `${w.operation} ${plainJson(w.set)}`]),
            'Nothing is pending.',
          ),
        );
      });
    });
  withExamples(command, 'app pending 2ef1c1');
}

/** What was revealed before is enough to write on; the newest is better. */
async function newestGrant(account: Account, s: Settings, given: string): Promise<GrantHandle> {
  const grant = await receivedGrant(account, s, given);
  await grant.upToDate(15_000).catch((cause: unknown) => {
    if (!(cause instanceof SluiceError) || cause.code !== 'OFFLINE') throw cause;
  });
  return grant;
}

async function showVerdict(
  s: Settings,
  grant: GrantHandle,
  id: string,
  n: number | undefined,
  waitS: number,
): Promise<void> {
  if (n === undefined) return s.output.result({ id, unchanged: true }, () => 'Nothing to write: it says that already.');
  const verdict =
    waitS === 0
      ? undefined
      : await grant.settled(n, waitS * 1000).catch((cause: unknown) => {
          if (cause instanceof SluiceError && cause.code === 'OFFLINE') return undefined;
          throw cause;
        });
  if (!verdict)
    return s.output.result(
      { id, n, pending: true },
      () => `Write ${n} is kept and waits for the owner. See sluice app pending ${short(grant.id)}.`,
    );
  s.output.result({ ...verdict, id }, () =>
    verdict.accepted ? `Write ${n} is accepted.` : `Write ${n} is refused: ${verdict.code}.`,
  );
}
