/** `sluice vault conflicts|resolve`: what lost a concurrent edit on this device. */

import { type Account, type Conflict, type Database, SluiceError } from '@sluice/client';
import type { Command } from 'commander';
import { withAccount } from '../account.ts';
import { findId, withExamples } from '../arguments.ts';
import { plain, schemaName, seconds, short } from '../output.ts';
import type { Settings } from '../settings.ts';

type Found = Conflict & { readonly schema: string };

export function addVaultConflicts(vault: Command, settings: () => Settings): void {
  const list = vault
    .command('conflicts [schema]')
    .description('what lost a concurrent edit here in the last 30 days, and what was kept')
    .action(async (schema: string | undefined) => {
      const s = settings();
      await withAccount(s, 'vault', async (account) => {
        const found = (await databasesOf(account, schema)).map(async (d) => (await d.conflicts()).map(named(d)));
        const conflicts = (await Promise.all(found)).flat();
        s.output.result(conflicts, () =>
          s.output.table(
            ['key', 'lost at', 'record', 'field', 'lost', 'kept'],
            conflicts.map((c) => [
              short(c.key),
              seconds(c.lostAt),
              `${schemaName(c.schema)} ${short(c.id)}`,
              plain(c.field),
              textOf(c.lost),
              textOf(c.kept),
            ]),
            'Nothing was lost.',
          ),
        );
      });
    });
  withExamples(list, 'vault conflicts', 'vault conflicts social/contact --json');

  const resolve = vault
    .command('resolve <key>')
    .description('forget a value that lost, or save it as a new edit')
    .option('--use-lost', 'save the lost value')
    .action(async (given: string, options: { useLost?: boolean }) => {
      const s = settings();
      const how = options.useLost ? 'use-lost' : 'keep';
      await withAccount(s, 'vault', async (account) => {
        const databases = await databasesOf(account, undefined);
        const keys = await Promise.all(databases.map(async (d) => (await d.conflicts()).map(({ key }) => key)));
        const key = findId(keys.flat(), given);
        const database = databases.find((_, i) => key !== undefined && keys[i]?.includes(key));
        if (key === undefined || database === undefined)
          throw new SluiceError(
            'NOT_FOUND',
            `There is no conflict ${plain(given)}. List them with sluice vault conflicts.`,
          );
        await database.resolve(key, how);
        s.output.result({ key, how }, () => (how === 'keep' ? 'Forgotten.' : 'Saved as a new edit.'));
      });
    });
  withExamples(resolve, 'vault resolve 3f2a91c0', 'vault resolve 3f2a91c0 --use-lost');
}

/** The database of a schema, or all there are. */
async function databasesOf(account: Account, schema: string | undefined): Promise<Database[]> {
  if (schema !== undefined) return [await account.vault.openDatastore(schema)];
  return Promise.all(
    account.vault.registry
      .collections()
      .map((c) =>
        c.schema === undefined
          ? account.vault.openDatabase(c.name)
          : account.vault.openDatastore(c.schema, { databaseName: c.name }),
      ),
  );
}

const named =
  (database: Database) =>
  (conflict: Conflict): Found => ({ ...conflict, schema: database.schema?.id ?? database.name });

const textOf = (value: unknown): string => (value === undefined ? '(none)' : plain(JSON.stringify(value)));
