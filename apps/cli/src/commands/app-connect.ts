/** `sluice app connect|sessions|silo|disconnect`: the application's side of a silo. */

import { writeFileSync } from 'node:fs';
import { type Account, type AppSession, Network, SluiceError, VaultAccount } from '@sluice/client';
import type { Command } from 'commander';
import { withAccount } from '../account.ts';
import { jsonObject, needId, withExamples } from '../arguments.ts';
import { confirmed } from '../ask.ts';
import { orStopped } from '../long-running.ts';
import { plain, plainJson, short, who } from '../output.ts';
import type { Settings } from '../settings.ts';
import { CONNECT_LINK } from './vault-inbox.ts';

const ALL = 1000;

export function addAppConnect(app: Command, settings: () => Settings): void {
  addConnect(app, settings);
  addSessions(app, settings);
  addSilo(app, settings);
  addDisconnect(app, settings);
}

function addConnect(app: Command, settings: () => Settings): void {
  const command = app
    .command('connect')
    .description('ask to be let into a silo: prints the request as a link, then waits ten minutes for the answer')
    .requiredOption('--context <name>', 'name of the silo')
    .option('--out <file>', 'write the link to this file instead')
    .action(async (options: { context: string; out?: string }) => {
      const s = settings();
      await withAccount(s, 'app', async (account) => {
        const pending = await account.connect.request(options.context);
        const request = Buffer.from(pending.document).toString('base64url');
        const link = `${CONNECT_LINK}${request}`;
        if (options.out === undefined) s.output.result({ request, link }, () => link);
        else {
          writeFileSync(options.out, `${link}\n`);
          s.output.result({ request, link, file: options.out }, () => `The request is in ${options.out}`);
        }
        s.output.note(
          `Give this to the person, who answers with sluice vault approve '${options.out ?? 'LINK'}' (or decline). Waiting up to ten minutes; Ctrl-C gives up.`,
        );
        const outcome = await orStopped(s, pending.answer(), 'Stopped waiting. To ask again: sluice app connect.');
        if (outcome.status !== 'connected')
          throw new SluiceError(outcome.status === 'declined' ? 'DECLINED' : 'EXPIRED');
        s.output.result(
          { connected: outcome.session.owner, session: pending.id },
          () =>
            `connected to the silo of ${outcome.session.owner}\nTo use it: sluice app silo ${short(pending.id)} SCHEMA`,
        );
        outcome.session.close();
      });
    });
  withExamples(command, "app connect --context 'Star Miner'", "app connect --context 'Star Miner' --out request.txt");
}

function addSessions(app: Command, settings: () => Settings): void {
  const command = app
    .command('sessions')
    .description('silos this application is let into')
    .action(async () => {
      const s = settings();
      await withAccount(s, 'app', async (account) => {
        const sessions = account.connect.sessions();
        s.output.result(sessions, () =>
          s.output.table(
            ['session', 'silo', 'owner'],
            sessions.map((x) => [short(x.id), plain(x.context), who(x.owner)]),
            'No sessions. To ask for one: sluice app connect --context NAME',
          ),
        );
      });
    });
  withExamples(command, 'app sessions');
}

/** The session that was meant, closed after the work. */
async function withSession(
  account: Account,
  given: string,
  work: (session: AppSession) => Promise<void>,
): Promise<void> {
  const ids = account.connect.sessions().map((x) => x.id);
  const session = account.connect.open(needId(ids, given, 'session', 'List them with sluice app sessions.'));
  try {
    await work(session);
  } finally {
    session.close();
  }
}

function addSilo(app: Command, settings: () => Settings): void {
  const command = app
    .command('silo <session> <schema>')
    .description('read the silo, or save the JSON record on the input into it')
    .option('--save', 'save instead of reading')
    .action(async (given: string, schema: string, options: { save?: boolean }) => {
      const s = settings();
      const record = options.save ? jsonObject(s.io.input(), 'The input') : undefined;
      await withAccount(s, 'app', (account) =>
        withSession(account, given, async (session) => {
          const silo = await Network.connect({
            account: new VaultAccount(session, account.schemas),
            context: { name: session.context },
          });
          const datastore = await silo.openDatastore(schema);
          await silo.synced();
          if (record) {
            const saved = await datastore.save(record, { force: true, ack: 'node' });
            return s.output.result(saved, () => `${saved.id} ${saved.rev}`);
          }
          const records = await datastore.getMany({}, { limit: ALL });
          return s.output.result(
            records,
            () => records.map(plainJson).join('\n') || 'Nothing of this schema. To save: --save < record.json',
          );
        }),
      );
    });
  withExamples(
    command,
    'app silo 26bf84 game/save',
    `app silo 26bf84 game/save --save <<< '{"name":"Slot 1","level":7}'`,
  );
}

function addDisconnect(app: Command, settings: () => Settings): void {
  const command = app
    .command('disconnect <session>')
    .description(
      'give a session back: this application can no longer reach the silo, whose records stay with the person',
    )
    .option('--yes', 'do not ask')
    .action(async (given: string, options: { yes?: boolean }) => {
      const s = settings();
      await withAccount(s, 'app', (account) =>
        withSession(account, given, async (session) => {
          const { owner } = session;
          await confirmed(
            s.io,
            `Give back the session with ${who(owner)}? To return, it has to ask again.`,
            options.yes,
          );
          session.open(account.schemas);
          await session.disconnect();
          s.output.result({ disconnected: owner }, () => `Disconnected from ${owner}.`);
        }),
      );
    });
  withExamples(command, 'app disconnect 26bf84');
}
