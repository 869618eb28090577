/** `sluice vault records|save|delete`: records of the Vault. */

import { isJsonObject, type JsonObject } from '@sluice/core/base';
import { SluiceError } from '@sluice/client';
import type { Command } from 'commander';
import { withAccount } from '../account.ts';
import { findId, jsonObject, needId, whole, withExamples } from '../arguments.ts';
import { confirmed } from '../ask.ts';
import { escaped, plain, plainJson, schemaName, seconds, short } from '../output.ts';
import type { Settings } from '../settings.ts';

type ListOptions = {
  readonly filter?: string;
  readonly limit: number;
  readonly sort?: string;
  readonly full?: boolean;
};

const ALL = 1_000_000;

export function addVaultRecords(vault: Command, settings: () => Settings): void {
  addRecords(vault, settings);
  addSave(vault, settings);
  addDelete(vault, settings);
}

function addRecords(vault: Command, settings: () => Settings): void {
  const command = vault
    .command('records [schema] [id]')
    .description('list collections; records of a schema; or show one record whole')
    .option('--filter <json>', 'which records, in the filter language')
    .option('--limit <n>', 'at most this many', whole(1), 20)
    .option('--sort <field>', 'sort by a field; -field for descending')
    .option('--full', 'whole records, one a line')
    .action(async (schema: string | undefined, id: string | undefined, options: ListOptions) => {
      const s = settings();
      const filter = jsonObject(options.filter, '--filter');
      await withAccount(s, 'vault', async (account) => {
        if (schema === undefined) {
          const collections = await Promise.all(
            account.vault.registry.collections().map(async (c) => ({
              ...c,
              records: await (c.schema === undefined
                ? account.vault.openDatabase(c.name)
                : account.vault.openDatastore(c.schema)
              ).then((d) => d.count()),
            })),
          );
          return s.output.result(collections, () =>
            s.output.table(
              ['records', 'schema'],
              collections.map((c) => [
                String(c.records),
                c.schema === undefined ? plain(c.name) : schemaName(c.schema),
              ]),
              'No records yet. To bring some: sluice vault import FILE',
            ),
          );
        }
        const datastore = await account.vault.openDatastore(schema);
        if (id !== undefined) {
          const ids = (await datastore.getMany({}, { limit: ALL })).map((r) => String(r._id));
          const found = needId(ids, id, 'record', `List them with sluice vault records ${schema}.`);
          const record = await datastore.get(found);
          return s.output.result(record, () => escaped(JSON.stringify(record, null, 2)));
        }
        const sort = sortOf(options.sort);
        const records = await datastore.getMany(filter, { limit: options.limit, ...sort });
        const matching = await datastore.count(filter);
        s.output.result(records, () =>
          options.full
            ? records.map(plainJson).join('\n')
            : s.output.table(
                ['id', 'modified', 'what'],
                records.map((r) => [short(String(r._id)), seconds(String(r.modifiedAt)), summary(r)]),
                options.filter === undefined ? 'No records of this schema yet.' : 'No record matches the filter.',
              ),
        );
        if (matching > records.length)
          s.output.note(
            `${records.length} of ${matching} shown; --limit shows more, an id after the schema one whole.`,
          );
      });
    });
  withExamples(
    command,
    'vault records',
    'vault records fhir/immunization --filter \'{"occurrenceDateTime":{"$within":"P6M"}}\' --sort -occurrenceDateTime',
    'vault records fhir/immunization 794c66ed',
    'vault records note --full --limit 1000 > notes.jsonl',
  );
}

const sortOf = (field: string | undefined) =>
  field === undefined
    ? {}
    : { sort: [{ [field.replace(/^-/, '')]: field.startsWith('-') ? ('desc' as const) : ('asc' as const) }] };

/** Where records say what they are, in the order in which people would look. */
const TEXTS = ['name', 'title', 'content', 'licenceNumber', 'firstName', 'resourceType'];
const CODES = ['vaccineCode', 'code', 'type', 'class'];
const DATES = /(^|[a-z])(DateTime|createdAt|issued|birthDate|expiresOn)$/;

/** One line of what a record says of itself. */
function summary(record: JsonObject): string {
  const date = Object.keys(record).find((name) => DATES.test(name) && typeof record[name] === 'string');
  const code = CODES.map((name) => codeText(record[name])).find((text) => text !== undefined);
  const text =
    code ??
    personName(record.name) ??
    TEXTS.map((name) => record[name]).find((value) => typeof value === 'string' && value !== '');
  return plain(
    [date === undefined ? '' : String(record[date]), String(text ?? '')].filter((part) => part !== '').join('  '),
  );
}

/** FHIR's name of a person. */
function personName(value: unknown): string | undefined {
  const name = Array.isArray(value) ? value[0] : undefined;
  if (!isJsonObject(name)) return undefined;
  const given = Array.isArray(name.given) ? name.given : [];
  return [...given, name.family].filter((part) => typeof part === 'string').join(' ');
}

function codeText(value: unknown): string | undefined {
  const code = Array.isArray(value) ? value[0] : value;
  return isJsonObject(code) && typeof code.text === 'string' ? code.text : undefined;
}

function addSave(vault: Command, settings: () => Settings): void {
  const command = vault
    .command('save <schema>')
    .description('save one record, given as JSON on the input')
    .option('--force', 'save over whatever is there, whatever its _rev')
    .action(async (schema: string, options: { force?: boolean }) => {
      const s = settings();
      const record = jsonObject(s.io.input(), 'The input');
      await withAccount(s, 'vault', async (account) => {
        const saved = await (await account.vault.openDatastore(schema)).save(record, { force: options.force ?? false });
        s.output.result(saved, () => `${saved.id} ${saved.rev}`);
      });
    });
  withExamples(command, `vault save note <<< '{"name":"Today","content":"Sun"}'`);
}

function addDelete(vault: Command, settings: () => Settings): void {
  const command = vault
    .command('delete <schema> <id...>')
    .description('delete records, here and at every app that reads them by a grant')
    .option('--yes', 'do not ask')
    .action(async (schema: string, given: string[], options: { yes?: boolean }) => {
      const s = settings();
      await withAccount(s, 'vault', async (account) => {
        const datastore = await account.vault.openDatastore(schema);
        const all = (await datastore.getMany({}, { limit: ALL })).map((r) => String(r._id));
        const ids = given.map((id) => findId(all, id));
        const missing = given.filter((_, i) => ids[i] === undefined);
        if (missing.length > 0)
          throw new SluiceError('NOT_FOUND', `There is no record ${missing.join(', ')}; nothing was deleted.`);
        await confirmed(s.io, `Delete ${ids.length} of ${schemaName(schema)}? This cannot be undone.`, options.yes);
        for (const id of ids) await datastore.delete(String(id));
        s.output.result({ deleted: ids }, () => `Deleted ${ids.length}.`);
      });
    });
  withExamples(command, 'vault delete note 41b3 77aa --yes');
}
