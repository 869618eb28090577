/** `sluice app send|sent|request|answer|inbox`: messages of an application, and what became of them. */

import { type Account, type DataAnswer, SluiceError } from '@sluice/client';
import type { Command } from 'commander';
import { withAccount } from '../account.ts';
import { findId, jsonObject, readText, whole, withExamples } from '../arguments.ts';
import { orStopped, stillStands } from '../long-running.ts';
import { plain, plainJson, short, when, who } from '../output.ts';
import type { Settings } from '../settings.ts';
import { DoneInPart } from '../exit-codes.ts';
import { showAnswer } from './app-sync.ts';

export function addAppMessages(app: Command, settings: () => Settings): void {
  addSend(app, settings);
  addSent(app, settings);
  addRequest(app, settings);
  addAnswer(app, settings);
  addInbox(app, settings);
}

function addSend(app: Command, settings: () => Settings): void {
  const command = app
    .command('send <did>')
    .description('send a message, by default records for the person to accept; prints its id')
    .option('--type <type>', 'message type', 'inbox/type/dataSend')
    .requiredOption('--data <file>', 'file with the JSON payload, - for the input')
    .requiredOption('--message <text>', 'what the person reads')
    .action(async (did: string, options: { type: string; data: string; message: string }) => {
      const s = settings();
      const data = jsonObject(readText(s.io, options.data), '--data');
      await withAccount(s, 'app', async (account) => {
        const sent = await account.messaging.send(did, options.type, data, options.message);
        s.output.result(sent, () => sent.id);
        s.output.note(
          sent.queued
            ? 'Kept here; it is sent by a later command, when the person’s node can be reached.'
            : `Sent. What became of it: sluice app sent ${sent.id}`,
        );
      });
    });
  withExamples(
    command,
    "app send DID --data result.json --message 'Your lab result'",
    `app send DID --data - --message 'A note' <<< '{"data":[{"schema":"note","content":"Drink enough"}]}'`,
  );
}

function addSent(app: Command, settings: () => Settings): void {
  const command = app
    .command('sent <id>')
    .description('what became of something sent: queued, waiting, accepted, shared, declined, expired or failed')
    .action(async (id: string) => {
      const s = settings();
      await withAccount(s, 'app', async (account) => {
        const status = account.messaging.sentStatus(id);
        s.output.result({ id, status }, () => status);
      });
    });
  withExamples(command, 'app sent cef57d359aba2b6c380d8ce7f2763012');
}

function addRequest(app: Command, settings: () => Settings): void {
  const command = app
    .command('request <did>')
    .description('ask a person for records and wait for the answer')
    .requiredOption('--schema <id>', 'schema of the records')
    .option('--filter <json>', 'which records fit')
    .option('--limit <n>', 'how many the person may pick', whole(1))
    .requiredOption('--purpose <text>', 'what for')
    .option('--wait <seconds>', 'how long the request stands', whole(1), 600)
    .action(
      async (
        did: string,
        options: { schema: string; filter?: string; limit?: number; purpose: string; wait: number },
      ) => {
        const s = settings();
        const filter = jsonObject(options.filter, '--filter');
        await withAccount(s, 'app', async (account) => {
          const pending = await account.messaging.request(did, {
            requestSchema: options.schema,
            filter,
            userSelect: true,
            purpose: options.purpose,
            expiresInMs: options.wait * 1000,
            ...(options.limit ? { userSelectLimit: options.limit } : {}),
          });
          s.output.note(`Request ${pending.id}; waiting up to ${options.wait} s.`);
          showData(s, await orStopped(s, pending.answer(), stillStands(pending.id)));
        });
      },
    );
  withExamples(
    command,
    "app request DID --schema credential/driving-licence --purpose 'To register you'",
    `app request DID --schema social/contact --filter '{"tags":"family"}' --limit 1 --purpose 'To call them' --wait 3600`,
  );
}

function showData(s: Settings, answer: DataAnswer): void {
  if (answer.status !== 'shared') throw new SluiceError(answer.status === 'declined' ? 'DECLINED' : 'EXPIRED');
  s.output.result(answer, () =>
    [
      ...answer.records.map(plainJson),
      ...answer.rejected.map((r) => `not used: record ${r.index + 1}, ${plain(r.reason)}`),
    ].join('\n'),
  );
  if (answer.rejected.length > 0) throw new DoneInPart();
}

function addAnswer(app: Command, settings: () => Settings): void {
  const command = app
    .command('answer <request>')
    .description('wait for the answer to a data or sync request that was made before')
    .action(async (given: string) => {
      const s = settings();
      await withAccount(s, 'app', async (account) => {
        const id = findId(syncRequestIds(account), given);
        if (id === undefined)
          return showData(s, await orStopped(s, account.messaging.pending(given).answer(), stillStands(given)));
        return showAnswer(s, await orStopped(s, account.sharing.pending(id).answer(), stillStands(id)));
      });
    });
  withExamples(command, 'app answer d15ba5e4734703676d158aec900cbbe1');
}

/** Requests for a stream that this application made. */
const syncRequestIds = (account: Account): string[] =>
  account.open.keychain.list('request').flatMap(({ id, item }) => (item.kind === 'connect' ? [] : [id]));

function addInbox(app: Command, settings: () => Settings): void {
  const command = app
    .command('inbox')
    .description('messages that arrived, newest first')
    .option('--limit <n>', 'at most this many', whole(1), 50)
    .action(async (options: { limit: number }) => {
      const s = settings();
      await withAccount(s, 'app', async (account) => {
        const items = await account.messaging.getMessages({}, { limit: options.limit });
        s.output.result(items, () =>
          s.output.table(
            ['id', 'sent', 'type', 'from', 'message'],
            items.map((i) => [
              short(i.id),
              when(i.sentAt),
              i.type.replace('inbox/type/', ''),
              who(i.from),
              plain(i.message),
            ]),
            'No messages.',
          ),
        );
      });
    });
  withExamples(command, 'app inbox', 'app inbox --json');
}
