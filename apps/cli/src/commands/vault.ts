/** `sluice vault ...`: a person's account, records and inbox. */

import { readFileSync } from 'node:fs';
import type { JsonObject } from '@sluice/core/base';
import { Account, type InboxItem, readFhirBundle, readJsonLines, SluiceError } from '@sluice/client';
import { type Command, Option } from 'commander';
import { accountOptions, withAccount } from '../account.ts';
import { UsageError } from '../exit-codes.ts';
import { plain, table } from '../output.ts';
import type { Settings } from '../settings.ts';

type Get = () => Settings;
export const jsonOption = (text: string | undefined, what: string): JsonObject => {
  try {
    return text === undefined ? {} : (JSON.parse(text) as JsonObject);
  } catch {
    throw new UsageError(`${what} is not JSON.`);
  }
};
export const when = (ms: number): string => new Date(ms).toISOString();

export function addVaultCommands(vault: Command, settings: Get): void {
  addLife(vault, settings);
  addRecords(vault, settings);
  addInbox(vault, settings);
}

function addLife(vault: Command, settings: Get): void {
  vault
    .command('create')
    .description('create an account at a node; prints the recovery phrase once')
    .requiredOption('--node <https>', 'address of the node')
    .option('--name <text>', 'name of this device', 'Command line')
    .option('--invite <code>', 'invite code of the node')
    .action(async (options: { node: string; name: string; invite?: string }) => {
      const s = settings();
      const { account, phrase } = await Account.create({
        ...(await accountOptions(s, 'vault')),
        node: options.node,
        deviceName: options.name,
        ...(options.invite ? { invite: options.invite } : {}),
      });
      await account.synced(15_000).catch(() => undefined);
      s.output.result(
        { did: account.did, phrase },
        () => `${account.did}\n\nRecovery phrase, shown once. Write it down:\n\n  ${phrase}\n`,
      );
      await account.close();
    });
  vault
    .command('restore')
    .description('join an account as a new device, from twelve words (on the input, or asked for)')
    .requiredOption('--node <https>', 'address of the node')
    .option('--name <text>', 'name of this device', 'Command line')
    .option('--phrase-file <file>', 'file with the twelve words')
    .action(async (options: { node: string; name: string; phraseFile?: string }) => {
      const s = settings();
      const phrase = await readPhrase(options.phraseFile);
      const account = await Account.restore({
        ...(await accountOptions(s, 'vault')),
        node: options.node,
        phrase,
        deviceName: options.name,
      });
      await account.synced(60_000);
      s.output.result({ did: account.did }, () => `${account.did} is on this device now.`);
      await account.close();
    });
  vault
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
            ...devices.map((d) => `device   ${plain(d.name)}, since ${d.addedAt}`),
            ...silos.map((c) => `silo     ${plain(c.name)} of ${c.app}`),
          ].join('\n'),
        );
      });
    });
}

async function readPhrase(file: string | undefined): Promise<string> {
  if (file !== undefined) return readFileSync(file, 'utf8');
  if (process.stdin.isTTY !== true) return readFileSync(0, 'utf8');
  const { text, isCancel } = await import('@clack/prompts');
  const answer = await text({ message: 'The twelve words' });
  if (isCancel(answer)) throw new UsageError('Cancelled.');
  return answer;
}

function addRecords(vault: Command, settings: Get): void {
  vault
    .command('import <file>')
    .description('import records; importing the same file again updates')
    .addOption(
      new Option('--format <kind>', 'fhir: a FHIR R4 bundle; jsonl: a record a line')
        .choices(['fhir', 'jsonl'])
        .default('fhir'),
    )
    .option('--schema <id>', 'schema of the records, for jsonl')
    .action(async (file: string, options: { format: string; schema?: string }) => {
      const s = settings();
      const { bySchema, problems } = readImport(readFileSync(file, 'utf8'), options);
      await withAccount(s, 'vault', async (account) => {
        const total = [...bySchema.values()].reduce((sum, list) => sum + list.length, 0);
        const bar = await s.output.progress('Importing', total);
        const counts: { [schema: string]: number } = {};
        const rejected: { schema: string; reason: string }[] = [];
        let done = 0;
        for (const [schema, records] of bySchema) {
          const datastore = await account.vault.openDatastore(schema);
          for (let at = 0; at < records.length; at += 200) {
            const step = records.slice(at, at + 200);
            counts[schema] =
              (counts[schema] ?? 0) + (await saveGood(datastore, step, (reason) => rejected.push({ schema, reason })));
            done += step.length;
            bar.to(done);
          }
        }
        bar.end();
        s.output.result({ imported: counts, broken: problems, rejected }, () =>
          [
            ...Object.entries(counts).map(([schema, n]) => `${String(n).padStart(6)}  ${schema}`),
            ...problems.map((p) => `broken  ${p}`),
            ...rejected.map((r) => `invalid ${r.schema}: ${plain(r.reason)}`),
          ].join('\n'),
        );
      });
    });
  vault
    .command('records [schema]')
    .description('list records, or the collections when no schema is given')
    .option('--filter <json>', 'e.g. \'{"occurrenceDateTime":{"$within":"P6M"}}\'')
    .option('--limit <n>', 'at most this many', '20')
    .option('--sort <field>', 'sort by a field; -field for descending')
    .action(async (schema: string | undefined, options: { filter?: string; limit: string; sort?: string }) => {
      const s = settings();
      await withAccount(s, 'vault', async (account) => {
        if (schema === undefined) {
          const collections = account.vault.registry.collections();
          return s.output.result(collections, () => table(collections.map((c) => [c.name, c.schema ?? ''])));
        }
        const datastore = await account.vault.openDatastore(schema);
        const sort =
          options.sort === undefined
            ? {}
            : {
                sort: [
                  {
                    [options.sort.replace(/^-/, '')]: options.sort.startsWith('-')
                      ? ('desc' as const)
                      : ('asc' as const),
                  },
                ],
              };
        const records = await datastore.getMany(jsonOption(options.filter, '--filter'), {
          limit: Number(options.limit),
          ...sort,
        });
        return s.output.result(records, () => records.map((r) => JSON.stringify(r)).join('\n') || 'No records.');
      });
    });
  vault
    .command('save <schema>')
    .description('save one record, given as JSON on the input')
    .option('--force', 'save over whatever is there')
    .action(async (schema: string, options: { force?: boolean }) => {
      const s = settings();
      const record = jsonOption(readFileSync(0, 'utf8'), 'The input');
      await withAccount(s, 'vault', async (account) => {
        const saved = await (await account.vault.openDatastore(schema)).save(record, { force: options.force ?? false });
        s.output.result(saved, () => `${saved.id} ${saved.rev}`);
      });
    });
}

type Import = { readonly bySchema: Map<string, JsonObject[]>; readonly problems: readonly string[] };

function readImport(text: string, options: { format: string; schema?: string }): Import {
  const bySchema = new Map<string, JsonObject[]>();
  const add = (schema: string, record: JsonObject): void => {
    const list = bySchema.get(schema) ?? [];
    if (list.length === 0) bySchema.set(schema, list);
    list.push(record);
  };
  if (options.format === 'jsonl') {
    if (!options.schema) throw new UsageError('--schema says what the records of a jsonl file are.');
    const read = readJsonLines(text);
    for (const record of read.records) add(options.schema, record);
    return { bySchema, problems: read.problems.map((p) => `line ${p.line}: ${p.reason}`) };
  }
  const bundle = readFhirBundle(text);
  if (!bundle.ok) throw new SluiceError('BAD_BUNDLE', `The file cannot be imported: ${bundle.error.type}`);
  for (const { schema, record } of bundle.value.records) add(schema, record);
  return { bySchema, problems: bundle.value.problems.map((p) => `entry ${p.index}: ${p.reason}`) };
}

/** Saves what is valid of a step; one bad record must not keep the others out. */
async function saveGood(
  datastore: Awaited<ReturnType<Account['vault']['openDatastore']>>,
  records: readonly JsonObject[],
  rejected: (reason: string) => void,
): Promise<number> {
  try {
    return (await datastore.saveMany(records, { force: true })).length;
  } catch (cause) {
    if (!(cause instanceof SluiceError) || cause.code !== 'INVALID_RECORD') throw cause;
    if (records.length === 1) {
      rejected(cause.message);
      return 0;
    }
    let saved = 0;
    for (const record of records) saved += await saveGood(datastore, [record], rejected);
    return saved;
  }
}

const itemLine = (item: InboxItem): string =>
  `${item.id}  ${when(item.sentAt)}  ${item.status ?? (item.read ? 'read' : 'new')}  ${item.type.replace('inbox/type/', '')}  ${item.from}  ${plain(item.message)}`;

function addInbox(vault: Command, settings: Get): void {
  vault
    .command('inbox [id]')
    .description('list messages, newest first, or show one whole')
    .option('--limit <n>', 'at most this many', '20')
    .action(async (id: string | undefined, options: { limit: string }) => {
      const s = settings();
      await withAccount(s, 'vault', async (account) => {
        if (id === undefined) {
          const items = await account.messaging.getMessages({}, { limit: Number(options.limit) });
          return s.output.result(items, () => items.map(itemLine).join('\n') || 'The inbox is empty.');
        }
        const item = account.mailbox.get(id);
        if (!item) throw new SluiceError('NOT_FOUND', 'There is no such message');
        account.mailbox.update(id, { read: true });
        return s.output.result(item, () => `${itemLine(item)}\n${JSON.stringify(item.data, null, 2)}`);
      });
    });
  vault
    .command('accept <id>')
    .description('accept records that were sent: they are saved into your datastores')
    .action(async (id: string) => {
      const s = settings();
      await withAccount(s, 'vault', async (account) => {
        const done = await account.messaging.accept(id);
        s.output.result(
          done,
          () =>
            `Saved ${done.saved.length}${done.failed.map((f) => `\nnot saved: record ${f.index}, ${plain(f.reason)}`).join('')}`,
        );
      });
    });
  vault
    .command('decline <id-or-file>')
    .description('decline a message, a data or sync request, or a connect request (a file)')
    .action(async (target: string) => {
      const s = settings();
      await withAccount(s, 'vault', async (account) => {
        const item = account.mailbox.get(target);
        if (item?.type === 'inbox/type/syncRequest') await account.sharing.decline(target);
        else if (item) await account.messaging.decline(target);
        else await account.connect.decline(readRequest(target));
        s.output.result({ declined: target }, () => 'Declined.');
      });
    });
}

/** A connect request: a file, or the text itself in base64url. */
export function readRequest(target: string): Uint8Array {
  let text = target;
  try {
    text = readFileSync(target, 'utf8').trim();
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'ENOENT' && (cause as NodeJS.ErrnoException).code !== 'ENAMETOOLONG')
      throw cause;
  }
  if (!/^[A-Za-z0-9_-]{64,}$/.test(text)) throw new UsageError('This is neither a message id nor a connect request.');
  return new Uint8Array(Buffer.from(text, 'base64url'));
}
