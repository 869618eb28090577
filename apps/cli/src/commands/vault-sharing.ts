/** `sluice vault ...`: what is asked of a person, what was granted, and how it ends. */

import { type Account, SluiceError } from '@sluice/client';
import type { Command } from 'commander';
import { withAccount } from '../account.ts';
import { UsageError } from '../exit-codes.ts';
import { untilStopped } from '../long-running.ts';
import { plain, table } from '../output.ts';
import type { Settings } from '../settings.ts';
import { jsonOption, readRequest, when } from './vault.ts';

type Get = () => Settings;
type Narrow = { readonly filter?: string; readonly fields?: string; readonly once?: boolean };

export function addVaultSharingCommands(vault: Command, settings: Get): void {
  addRequests(vault, settings);
  addGrants(vault, settings);
}

function addRequests(vault: Command, settings: Get): void {
  vault
    .command('requests')
    .description('what is asked of you, with exactly what would be revealed')
    .action(async () => {
      const s = settings();
      await withAccount(s, 'vault', async (account) => {
        const open = await describeRequests(account);
        s.output.result(
          open,
          () =>
            open
              .map((r) =>
                [`${r.id}  ${r.from}`, `  for: ${plain(r.purpose)}`, ...r.lines.map((l) => `  ${plain(l)}`)].join('\n'),
              )
              .join('\n\n') || 'Nobody asks for anything.',
        );
      });
    });
  vault
    .command('approve <id-or-file>')
    .description('agree to a sync request (an id) or let an app connect (a request in a file)')
    .option('--filter <json>', 'narrow a sync request: only records that match this too')
    .option('--fields <list>', 'narrow it to these fields, separated by commas')
    .option('--once', 'narrow it to one delivery')
    .action(async (target: string, options: Narrow) => {
      const s = settings();
      await withAccount(s, 'vault', async (account) => {
        if (account.mailbox.get(target)) return approveSync(s, account, target, options);
        const document = readRequest(target);
        const request = await account.connect.inspect(document);
        const session = await account.connect.approve(document);
        return s.output.result(
          { ...session, origin: request.origin },
          () =>
            `${request.origin} is let into its silo “${plain(request.context)}” until ${when(session.expiresAtMs)}.\nTo end it: sluice vault revoke ${request.app}`,
        );
      });
    });
  vault
    .command('share <id>')
    .description('answer a data request with records that fit')
    .option('--record <id...>', 'the records to share')
    .option('--all', 'share all that fit')
    .action(async (id: string, options: { record?: string[]; all?: boolean }) => {
      const s = settings();
      await withAccount(s, 'vault', async (account) => {
        const fitting = await account.messaging.matching(id);
        const chosen = options.all ? fitting.map((r) => String(r._id)) : (options.record ?? []);
        if (chosen.length === 0)
          throw new UsageError(
            `Choose with --record or --all. ${fitting.length} fit: ${fitting.map((r) => String(r._id)).join(', ')}`,
          );
        await account.messaging.share(id, chosen);
        s.output.result({ shared: chosen }, () => `Shared ${chosen.length}.`);
      });
    });
}

async function approveSync(s: Settings, account: Account, id: string, options: Narrow): Promise<void> {
  const narrowing = {
    ...(options.filter === undefined ? {} : { filter: jsonOption(options.filter, '--filter') }),
    ...(options.fields === undefined ? {} : { fields: options.fields.split(',').map((f) => f.trim()) }),
    ...(options.once ? { duration: 'once' as const } : {}),
  };
  const preview = await account.sharing.preview(id, narrowing);
  const given = await account.sharing.consent(id, narrowing);
  while (!account.sharing.feedsUpToDate()) await new Promise((resolve) => setTimeout(resolve, 10));
  s.output.result(
    given.map((g) => ({ grantId: g.grantId, schema: g.terms.schema })),
    () =>
      [
        ...preview.items.map((i) => `${plain(i.sentence)} ${i.matching} now.`),
        ...given.map((g) => `To end it: sluice vault revoke ${g.grantId}`),
      ].join('\n'),
  );
}

type Described = {
  readonly id: string;
  readonly from: string;
  readonly purpose: string;
  readonly kind: 'data' | 'sync';
  readonly lines: readonly string[];
};

async function describeRequests(account: Account): Promise<Described[]> {
  const open: Described[] = [];
  for (const item of await account.sharing.requests()) {
    const preview = await account.sharing.preview(item.id).catch((cause: unknown) => {
      if (cause instanceof SluiceError) return undefined;
      throw cause;
    });
    if (!preview) continue;
    const lines = preview.items.flatMap((p) => [
      p.sentence,
      `${p.matching} of ${p.total} records match now${p.span ? `, from ${p.span.from} to ${p.span.to}` : ''}`,
      ...p.sample.map((r) => JSON.stringify(r)),
    ]);
    open.push({ id: item.id, from: item.from, purpose: preview.purpose, kind: 'sync', lines });
  }
  for (const item of account.mailbox.list({ type: 'inbox/type/dataRequest' })) {
    if (item.status) continue;
    const fitting = await account.messaging.matching(item.id);
    open.push({
      id: item.id,
      from: item.from,
      purpose: item.message,
      kind: 'data',
      lines: [
        `wants ${String(item.data.requestSchema)}`,
        ...fitting.map((r) => `fits: ${String(r._id)} ${JSON.stringify(r.name ?? '')}`),
      ],
    });
  }
  return open;
}

function addGrants(vault: Command, settings: Get): void {
  vault
    .command('grants')
    .description('what you granted')
    .action(async () => {
      const s = settings();
      await withAccount(s, 'vault', async (account) => {
        const grants = account.sharing.grants.list().map((g) => ({
          grantId: g.grantId,
          grantee: g.grantee,
          schema: g.terms.schema,
          filter: g.terms.filter,
          fields: g.terms.fields ?? 'all',
          duration: g.terms.duration,
          status: g.status,
          given: when(g.givenAtMs),
        }));
        s.output.result(grants, () =>
          table([
            ['grant', 'to', 'status', 'given', 'what'],
            ...grants.map((g) => [g.grantId, g.grantee, g.status, g.given, `${g.schema} ${JSON.stringify(g.filter)}`]),
          ]),
        );
      });
    });
  vault
    .command('sessions')
    .description('apps that are let into their silos')
    .action(async () => {
      const s = settings();
      await withAccount(s, 'vault', async (account) => {
        const sessions = account.connect.given();
        s.output.result(sessions, () =>
          table([
            ['session', 'app', 'silo', 'status', 'until'],
            ...sessions.map((x) => [x.id, x.app, plain(x.context), x.status, when(x.expiresAtMs)]),
          ]),
        );
      });
    });
  vault
    .command('revoke <grant-or-app-or-session>')
    .description('end a grant, a session, or every session and grant of an app')
    .action(async (target: string) => {
      const s = settings();
      await withAccount(s, 'vault', async (account) => {
        const ended = await revoke(account, target);
        if (ended === 0) throw new SluiceError('NOT_FOUND', 'There is no such grant, session or app');
        s.output.result({ ended }, () => `Ended ${ended}. What was delivered before stays delivered.`);
      });
    });
  vault
    .command('watch')
    .description('stay: keep grants up to date and print what happens')
    .action(async () => {
      const s = settings();
      await withAccount(s, 'vault', async (account) => {
        account.messaging.onMessage((item) =>
          s.output.result(
            { event: 'message', id: item.id, type: item.type, from: item.from, message: item.message },
            () => `message ${item.id} ${item.type} from ${item.from}: ${plain(item.message)}`,
          ),
        );
        s.output.result({ ready: true, did: account.did }, () => `ready ${account.did}`);
        await untilStopped(s);
      });
    });
}

async function revoke(account: Account, target: string): Promise<number> {
  if (account.connect.given().some((x) => x.id === target)) {
    await account.connect.closeSession(target);
    return 1;
  }
  const grants = account.sharing.grants
    .list()
    .filter((g) => g.status === 'active' && (g.grantId === target || g.grantee === target));
  for (const grant of grants) await account.sharing.revoke(grant.grantId);
  return grants.length + (target.startsWith('did:') ? await account.connect.revokeApp(target) : 0);
}
