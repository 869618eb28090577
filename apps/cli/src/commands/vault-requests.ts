/** `sluice vault requests|approve|share`: what is asked of a person, with exactly what would be revealed. */

import { type Account, type Narrowing, type RequestPreview, SluiceError } from '@sluice/client';
import { isJsonObject, type JsonObject } from '@sluice/core/base';
import type { Command } from 'commander';
import { withAccount } from '../account.ts';
import { findId, needId, withExamples } from '../arguments.ts';
import { agreed } from '../ask.ts';
import { UsageError } from '../exit-codes.ts';
import { counted, plain, plainJson, schemaName, seconds, short, when, who } from '../output.ts';
import type { Settings } from '../settings.ts';
import { addNarrowingOptions, type TermsOptions, toNarrowing } from '../terms-options.ts';
import { messageFor, messageIds, readRequest } from './vault-inbox.ts';

type Narrow = TermsOptions & { readonly yes?: boolean };

const FEED_MS = 60_000;
const DATASTORE_SYNC = 'inbox/type/datastoreSync';

export function addVaultRequests(vault: Command, settings: () => Settings): void {
  addRequests(vault, settings);
  addApprove(vault, settings);
  addChange(vault, settings);
  addShare(vault, settings);
}

function addRequests(vault: Command, settings: () => Settings): void {
  const command = vault
    .command('requests')
    .description('what is asked of you, with exactly what would be revealed')
    .action(async () => {
      const s = settings();
      await withAccount(s, 'vault', async (account) => {
        const open = [...(await syncRequests(account)), ...(await dataRequests(account, s.clock.nowMs()))];
        s.output.result(
          open,
          () =>
            open
              .map((r) =>
                [
                  `${short(r.id)}  ${r.kind} request of ${who(r.from)}, open until ${r.until}`,
                  s.output.wrap(`for: ${plain(r.purpose)}`, '  '),
                  ...r.lines.map((l) => lineOf(s, l, '  ')),
                  `  To answer: sluice vault ${r.kind === 'sync' ? 'approve' : 'share'} ${short(r.id)}, or decline ${short(r.id)}`,
                ].join('\n'),
              )
              .join('\n\n') || 'Nobody asks for anything.',
        );
      });
    });
  withExamples(command, 'vault requests', 'vault requests --json');
}

type Described = {
  readonly id: string;
  readonly from: string;
  readonly purpose: string;
  readonly kind: 'data' | 'sync';
  readonly until: string;
  readonly lines: readonly string[];
};

async function syncRequests(account: Account): Promise<Described[]> {
  const open: Described[] = [];
  for (const item of await account.sharing.requests()) {
    const common = { id: item.id, from: item.from, kind: 'sync' as const, until: when(item.expiresAt) };
    try {
      const preview = await account.sharing.preview(item.id);
      open.push({ ...common, purpose: preview.purpose, lines: previewLines(preview) });
    } catch (cause) {
      // A request that cannot be shown is shown as such: it must not hide, and cannot be approved.
      if (!(cause instanceof SluiceError)) throw cause;
      open.push({ ...common, purpose: item.message, lines: [`cannot be approved: ${cause.message}`] });
    }
  }
  return open;
}

/** Samples are cut to a line; what the person is asked to agree to is always shown whole. */
const lineOf = ({ output }: Settings, line: string, indent = ''): string =>
  SAMPLE.test(line) ? output.fit(indent + plain(line)) : output.wrap(plain(line), indent);
const SAMPLE = /^(e\.g\.|fits:) /;

const previewLines = (preview: RequestPreview): string[] => [
  ...preview.items.flatMap((p) => [
    p.sentence,
    ...p.warnings.map((warning) => `note: ${warning}`),
    `now: ${p.matching} of ${counted(p.total, 'record')}${p.span ? `, from ${seconds(p.span.from)} to ${seconds(p.span.to)}` : ''}; about ${counted(p.rate.perWeek, 'change')} a week`,
    ...p.sample.map((r) => `e.g. ${plainJson(shown(r))}`),
  ]),
  ...preview.receives.map((g) => `has already: ${g.sentence}`),
  ...(preview.declineOnly ? [preview.declineOnly] : []),
];

/** A record as the other side would see it, without what is the same for all. */
const shown = ({ _id, schema, ...content }: { readonly [name: string]: unknown }): unknown => content;

async function dataRequests(account: Account, nowMs: number): Promise<Described[]> {
  const open: Described[] = [];
  for (const item of account.mailbox.list({ type: 'inbox/type/dataRequest' })) {
    if (item.status || item.expiresAt <= nowMs) continue;
    const common = {
      id: item.id,
      from: item.from,
      purpose: item.message,
      kind: 'data' as const,
      until: when(item.expiresAt),
    };
    try {
      const fitting = await account.messaging.matching(item.id);
      open.push({ ...common, lines: dataLines(item.data, fitting) });
    } catch (cause) {
      if (!(cause instanceof SluiceError)) throw cause;
      open.push({ ...common, lines: [`cannot be answered: ${cause.message}`] });
    }
  }
  return open;
}

function dataLines(asked: JsonObject, fitting: readonly JsonObject[]): string[] {
  const { requestSchema, userSelect, userSelectLimit, fallbackAction } = asked;
  const choice = userSelect === true ? 'those that you choose' : 'all that fit';
  const limit = userSelectLimit === undefined ? '' : `, ${String(userSelectLimit)} at most`;
  return [
    `wants ${schemaName(String(requestSchema))}${isCredential(requestSchema) ? ' (self-attested, not verified)' : ''}: ${choice}${limit}`,
    ...(fitting.length === 0 ? ['none of your records fits'] : []),
    ...(fitting.length === 0 && isJsonObject(fallbackAction)
      ? [`they say where to get one: ${String(fallbackAction.label)}, ${String(fallbackAction.url)}`]
      : []),
    ...fitting.map((r) => `fits: ${short(String(r._id))} ${plainJson(shown(r))}`),
  ];
}

/** Nothing here checks who issued a credential, so none is shown as if somebody had. */
const isCredential = (schema: unknown): boolean => schemaName(String(schema)).startsWith('credential/');

function addApprove(vault: Command, settings: () => Settings): void {
  const command = addNarrowingOptions(vault.command('approve <request>'))
    .description('agree to a sync request (an id), as it is or to less of it, or let an app connect (a link or a file)')
    .option('--yes', 'agree without being asked; needed where nobody can be')
    .action(async (target: string, options: Narrow) => {
      const s = settings();
      const narrowing = toNarrowing(options);
      await withAccount(s, 'vault', async (account) => {
        const id = findId(messageIds(account), target);
        if (id !== undefined) {
          const type = account.mailbox.get(id)?.type;
          messageFor(account, id, type === DATASTORE_SYNC ? DATASTORE_SYNC : 'inbox/type/syncRequest');
          return approveSync(s, account, id, { ...narrowing, ...(options.yes ? { yes: true } : {}) });
        }
        return approveConnect(s, account, readRequest(target), options.yes);
      });
    });
  withExamples(
    command,
    'vault approve d15ba5',
    'vault approve d15ba5 --fields status,occurrenceDateTime --once',
    'vault approve d15ba5 --filter \'{"status":"completed"}\' --yes',
    "vault approve 'sluice:connect#...'",
    'vault approve request.txt',
  );
}

type Approval = Narrowing & { readonly yes?: boolean };

async function approveSync(s: Settings, account: Account, id: string, { yes, ...narrowing }: Approval): Promise<void> {
  const preview = await account.sharing.preview(id, narrowing);
  if (s.io.canAsk && !yes) {
    s.output.note(s.output.wrap(`for: ${plain(preview.purpose)}`));
    for (const line of previewLines(preview)) s.output.note(lineOf(s, line));
  }
  await agreed(s.io, `Reveal this to ${who(preview.from)}?`, yes);
  const given = await account.sharing.consent(id, narrowing);
  if (given.some((g) => g.narrowed))
    s.output.note('This is less than was asked: nothing is sent before it is accepted.');
  if (!(await sendFeeds(s, account)))
    s.output.note('Not all records could be sent yet. Run sluice vault watch to send the rest.');
  s.output.result(
    given.map((g) => ({ grantId: g.grantId, schema: g.terms.schema })),
    () =>
      [
        ...preview.items.map((i) => s.output.wrap(`${plain(i.sentence)} ${counted(i.matching, 'record')} now.`)),
        ...given.map((g) => `To end it: sluice vault revoke ${short(g.grantId)}`),
      ].join('\n'),
  );
  if (given.some((g) => g.terms.duration !== 'once'))
    s.output.note('Later changes are sent while a vault command runs: sluice vault watch keeps on.');
}

function addChange(vault: Command, settings: () => Settings): void {
  const command = addNarrowingOptions(vault.command('change <grant>'))
    .description('give less by a grant, or more again, up to what was asked')
    .option('--yes', 'agree without being asked; needed where nobody can be')
    .action(async (target: string, options: Narrow) => {
      const s = settings();
      const narrowing = toNarrowing(options);
      await withAccount(s, 'vault', async (account) => {
        const ids = account.sharing.grants.list().map((g) => g.grantId);
        const grantId = needId(ids, target, 'grant', 'List them with sluice vault grants.');
        const { after, difference } = await account.sharing.previewChange(grantId, narrowing);
        const { records, fields } = difference;
        for (const line of [after.sentence, ...after.warnings.map((warning) => `note: ${warning}`)])
          s.output.note(s.output.wrap(plain(line)));
        s.output.note(
          `records: ${records.added} more, ${records.removed} fewer, ${records.changed} changed; fields more: ${fields.added.join(', ') || 'none'}, fewer: ${fields.removed.join(', ') || 'none'}`,
        );
        await agreed(s.io, 'Change the grant so?', options.yes);
        const { status } = await account.sharing.change(grantId, narrowing);
        const isSent = (await sendFeeds(s, account)) && status === 'changed';
        s.output.result({ grantId, status, ...difference }, () =>
          isSent ? 'Changed.' : 'Changed here; it is sent when the node can be reached.',
        );
      });
    });
  withExamples(command, 'vault change 2ef1c1 --fields status', 'vault change 2ef1c1 --until 2027-01-01 --yes');
}

/** Whether all that is to be sent was sent in time. */
async function sendFeeds(s: Settings, account: Account): Promise<boolean> {
  const end = s.clock.monotonicMs() + FEED_MS;
  while (!account.sharing.feedsUpToDate() && s.clock.monotonicMs() < end)
    await new Promise((resolve) => setTimeout(resolve, 10));
  return account.sharing.feedsUpToDate();
}

async function approveConnect(s: Settings, account: Account, document: Uint8Array, yes?: boolean): Promise<void> {
  const request = await account.connect.inspect(document);
  await agreed(s.io, `Let ${request.origin} keep its own silo “${plain(request.context)}” with you?`, yes);
  const session = await account.connect.approve(document);
  s.output.result(
    { ...session, origin: request.origin },
    () =>
      `${request.origin} is let into its silo “${plain(request.context)}” until ${when(session.expiresAtMs)}.\nTo end it: sluice vault revoke ${short(session.id)}, or ${request.app} with all its sessions and grants`,
  );
}

function addShare(vault: Command, settings: () => Settings): void {
  const command = vault
    .command('share <request>')
    .description('answer a data request with records that fit')
    .option('--record <id...>', 'the records to share')
    .option('--all', 'share all that fit')
    .action(async (given: string, options: { record?: string[]; all?: boolean }) => {
      const s = settings();
      await withAccount(s, 'vault', async (account) => {
        const { id } = messageFor(account, given, 'inbox/type/dataRequest');
        const fitting = await account.messaging.matching(id);
        const ids = fitting.map((r) => String(r._id));
        if (ids.length === 0)
          throw new SluiceError('NOT_FOUND', `None of your records fits. To say no: sluice vault decline ${short(id)}`);
        const chosen = options.all
          ? ids
          : (options.record ?? []).map((r) => needId(ids, r, 'record that fits', 'See sluice vault requests.'));
        if (chosen.length === 0)
          throw new UsageError(`Choose with --record ID or --all. These fit: ${ids.map(short).join(', ')}`);
        await account.messaging.share(id, chosen);
        s.output.result({ shared: chosen }, () => `Shared ${chosen.length}.`);
      });
    });
  withExamples(command, 'vault share 77a1c0 --record 794c66ed', 'vault share 77a1c0 --all');
}
