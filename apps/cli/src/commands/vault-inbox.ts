/** `sluice vault inbox|accept|decline`: messages that arrived, and the answers to them. */

import { readFileSync } from 'node:fs';
import { base64urlToBytes } from '@sluice/core/base';
import { type Account, type InboxItem, SluiceError } from '@sluice/client';
import type { Command } from 'commander';
import { withAccount } from '../account.ts';
import { findId, needId, whole, withExamples } from '../arguments.ts';
import { DoneInPart } from '../exit-codes.ts';
import { escaped, plain, schemaName, short, when, who } from '../output.ts';
import type { Settings } from '../settings.ts';

/** How a connect request travels as a link; what follows is base64url. It holds nothing secret. */
export const CONNECT_LINK = 'sluice:connect#';
const ALL = 100_000;
const LISTED = 'List them with sluice vault inbox.';

export function addVaultInbox(vault: Command, settings: () => Settings): void {
  addInbox(vault, settings);
  addAccept(vault, settings);
  addDecline(vault, settings);
}

/** Ids of all messages, of a type if one is given. */
export const messageIds = (account: Account, type?: string): string[] =>
  account.mailbox.list(type === undefined ? {} : { type }, { limit: ALL }).map((item) => item.id);

/** The message that was meant, and that it is of the type a verb answers; otherwise says which verb does. */
export function messageFor(account: Account, given: string, type: string): InboxItem {
  const id = needId(messageIds(account), given, 'message', LISTED);
  const item = account.mailbox.get(id);
  if (!item) throw new SluiceError('NOT_FOUND');
  if (item.type !== type) throw new SluiceError('BAD_REQUEST', `${nextStep(item)} answers this ${kindOf(item)}.`);
  return item;
}

const kindOf = (item: InboxItem): string => item.type.replace('inbox/type/', '');

const VERBS: { readonly [type: string]: string } = {
  'inbox/type/dataSend': 'accept',
  'inbox/type/dataRequest': 'share',
  'inbox/type/syncRequest': 'approve',
  'inbox/type/datastoreSync': 'approve',
};
const SYNC_REQUESTS: readonly string[] = ['inbox/type/syncRequest', 'inbox/type/datastoreSync'];
const nextStep = (item: InboxItem): string => `sluice vault ${VERBS[item.type] ?? 'accept'} ${short(item.id)}`;

function addInbox(vault: Command, settings: () => Settings): void {
  const command = vault
    .command('inbox [id]')
    .description('list messages, newest first, or show one whole')
    .option('--limit <n>', 'at most this many', whole(1), 20)
    .action(async (given: string | undefined, options: { limit: number }) => {
      const s = settings();
      await withAccount(s, 'vault', async (account) => {
        if (given === undefined) {
          const items = await account.messaging.getMessages({}, { limit: options.limit });
          s.output.result(items, () =>
            s.output.table(
              ['id', 'sent', 'status', 'type', 'from', 'message'],
              items.map((i) => [short(i.id), when(i.sentAt), statusOf(i), kindOf(i), who(i.from), plain(i.message)]),
              'The inbox is empty. Senders need your DID: sluice vault status',
            ),
          );
          if (items.length === options.limit) s.output.note(`The newest ${items.length}; --limit shows more.`);
          return;
        }
        const id = needId(messageIds(account), given, 'message', LISTED);
        account.mailbox.update(id, { read: true });
        const item = account.mailbox.get(id) as InboxItem;
        s.output.result(item, () =>
          [
            `${kindOf(item)} from ${item.from}, ${when(item.sentAt)}, ${statusOf(item)}`,
            s.output.wrap(plain(item.message)),
            escaped(JSON.stringify(item.data, null, 2)),
            ...(item.status === undefined && VERBS[item.type] !== undefined
              ? [`To answer: ${nextStep(item)}, or sluice vault decline ${short(item.id)}`]
              : []),
          ].join('\n'),
        );
      });
    });
  withExamples(command, 'vault inbox', 'vault inbox cef57d', 'vault inbox --json --limit 100');
}

const statusOf = (item: InboxItem): string => item.status ?? (item.read ? 'read' : 'new');

function addAccept(vault: Command, settings: () => Settings): void {
  const command = vault
    .command('accept <id>')
    .description('accept records that were sent: they are saved into your datastores, and the sender is told')
    .action(async (given: string) => {
      const s = settings();
      await withAccount(s, 'vault', async (account) => {
        const id = needId(messageIds(account), given, 'message', LISTED);
        const item = account.mailbox.get(id);
        if (item && VERBS[item.type] !== undefined && VERBS[item.type] !== 'accept')
          messageFor(account, id, 'inbox/type/dataSend');
        const done = await account.messaging.accept(id);
        s.output.result(done, () =>
          [
            done.saved.length === 0 ? 'Accepted.' : 'Accepted and saved:',
            ...done.saved.map((r) => `  ${schemaName(r.schema)} ${short(r.id)}`),
            ...done.failed.map((f) => `  not saved: record ${f.index + 1}, ${plain(f.reason)}`),
          ].join('\n'),
        );
        if (done.failed.length > 0) throw new DoneInPart();
      });
    });
  withExamples(command, 'vault accept cef57d');
}

function addDecline(vault: Command, settings: () => Settings): void {
  const command = vault
    .command('decline <request>')
    .description('decline a message, a data or sync request (an id), or a connect request (a link or a file)')
    .action(async (target: string) => {
      const s = settings();
      await withAccount(s, 'vault', async (account) => {
        const id = findId(messageIds(account), target);
        const item = id === undefined ? undefined : account.mailbox.get(id);
        if (item && SYNC_REQUESTS.includes(item.type)) await account.sharing.decline(item.id);
        else if (item) await account.messaging.decline(item.id);
        else await account.connect.decline(readRequest(target));
        s.output.result({ declined: item?.id ?? 'connect' }, () => 'Declined; whoever asked is told.');
      });
    });
  withExamples(command, 'vault decline d15ba5', 'vault decline request.txt');
}

/** A connect request: a link, its text alone, or a file with either. */
export function readRequest(target: string): Uint8Array {
  const text = target.startsWith(CONNECT_LINK) ? target : (fileText(target) ?? target);
  const encoded = text.startsWith(CONNECT_LINK) ? text.slice(CONNECT_LINK.length) : text;
  const bytes = encoded.length < 64 ? undefined : base64urlToBytes(encoded);
  if (!bytes)
    throw new SluiceError(
      'NOT_FOUND',
      `${short(target)} is no message, file or connect link. Requests are listed by sluice vault requests; a link begins with ${CONNECT_LINK}`,
    );
  return bytes;
}

function fileText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENAMETOOLONG') return undefined;
    throw cause;
  }
}
