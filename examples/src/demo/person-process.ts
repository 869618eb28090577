/** The person of the demo, with a Vault in a process of its own. It is the only process that ever holds the person's keys. */

import { readFileSync } from 'node:fs';
import { base64urlToBytes, type JsonObject } from '@sluice/core/base';
import { Account, readFhirBundle } from '@sluice/client';
import { createNodePlatform, openNodeStore, readDevHosts } from '@sluice/client/node';
import { TEST_ARGON2 } from '@sluice/testkit';
import { serveSteps } from './process-link.ts';
import { createMovableClock } from './shared-clock.ts';

const [store = '', devHosts = '', asOf = ''] = process.argv.slice(2);
const clock = createMovableClock(Number(asOf));
const platform = createNodePlatform({ clock, devHosts: () => readDevHosts(devHosts) });
const base = { platform, passphrase: 'a passphrase for the demo', argon2: TEST_ARGON2 };
const NODE = 'https://node.sluice.test';
let account: Account;

const until = async <T>(look: () => Promise<T | undefined> | T | undefined): Promise<T> => {
  const end = Date.now() + 15_000;
  for (;;) {
    const value = await look();
    if (value !== undefined) return value;
    if (Date.now() > end) throw new Error('waited 15 s in vain');
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
};
const monotonicMs = (): number => Number(process.hrtime.bigint()) / 1e6;

serveSteps(
  {
    create: async () => {
      const made = await Account.create({ ...base, node: NODE, store: openNodeStore(store) });
      account = made.account;
      await account.synced();
      return { did: account.did, phrase: made.phrase };
    },
    restore: async ({ phrase }: { phrase: string }) => {
      account = await Account.restore({ ...base, node: NODE, store: openNodeStore(store), phrase });
      await account.synced();
    },
    importBundle: async ({ file }: { file: string }) => {
      const bundle = readFhirBundle(readFileSync(file, 'utf8'));
      if (!bundle.ok) throw new Error(`the bundle cannot be read: ${bundle.error.type}`);
      const bySchema = new Map<string, JsonObject[]>();
      for (const { schema, record } of bundle.value.records)
        bySchema.set(schema, [...(bySchema.get(schema) ?? []), record]);
      for (const [schema, records] of bySchema)
        await (await account.vault.openDatastore(schema)).saveMany(records, { force: true });
      await account.synced();
      return {
        imported: bundle.value.records.length,
        problems: bundle.value.problems.length,
        schemas: [...bySchema].map(([s, r]) => [s, r.length]),
      };
    },
    save: async ({ schema, record }: { schema: string; record: JsonObject }) => {
      const datastore = await account.vault.openDatastore(schema);
      const at = monotonicMs();
      const saved = await datastore.save(record, { force: true });
      return { ...saved, at };
    },
    patch: async ({ schema, id, change }: { schema: string; id: string; change: JsonObject }) => {
      const datastore = await account.vault.openDatastore(schema);
      const record = await datastore.get(id);
      const at = monotonicMs();
      await datastore.save({ ...record, ...change });
      return { at };
    },
    records: async ({ schema, filter = {} }: { schema: string; filter?: JsonObject }) =>
      (await account.vault.openDatastore(schema)).getMany(filter, { limit: 10_000 }),
    count: async ({ schema, filter = {} }: { schema: string; filter?: JsonObject }) =>
      (await account.vault.openDatastore(schema)).count(filter),
    collections: async () => account.vault.registry.collections(),
    silo: async ({ app, name, schema }: { app: string; name: string; schema: string }) => {
      const silo = await account.context(name, { app });
      if (!silo) return null;
      await silo.synced();
      return (await silo.openDatastore(schema)).getMany({}, { limit: 100 });
    },
    message: async ({ id }: { id: string }) => until(() => account.mailbox.get(id)),
    accept: async ({ id }: { id: string }) => account.messaging.accept(id),
    decline: async ({ id }: { id: string }) => account.messaging.decline(id),
    matching: async ({ id }: { id: string }) => account.messaging.matching(id),
    share: async ({ id, records }: { id: string; records: string[] }) => account.messaging.share(id, records),
    inspect: async ({ request }: { request: string }) => {
      const seen = await account.connect.inspect(base64urlToBytes(request));
      return { app: seen.app, origin: seen.origin, context: seen.context };
    },
    approve: async ({ request }: { request: string }) => account.connect.approve(base64urlToBytes(request)),
    revokeApp: async ({ app }: { app: string }) => account.connect.revokeApp(app),
    preview: async ({ id }: { id: string }) => {
      await until(() => account.mailbox.get(id));
      return { ...(await account.sharing.preview(id)), nowMs: clock.nowMs() };
    },
    consent: async ({ id }: { id: string }) => {
      await until(() => account.mailbox.get(id));
      const given = await account.sharing.consent(id);
      await until(() => (account.sharing.feedsUpToDate() ? true : undefined));
      await account.synced();
      return given.map((g) => ({ grantId: g.grantId, schema: g.terms.schema }));
    },
    refuse: async ({ id }: { id: string }) => {
      await until(() => account.mailbox.get(id));
      await account.sharing.decline(id);
    },
    revoke: async ({ grantId }: { grantId: string }) => {
      const at = monotonicMs();
      await account.sharing.revoke(grantId);
      return { at, doneAt: monotonicMs() };
    },
    synced: async () => account.synced(),
    setClock: async ({ atMs }: { atMs: number }) => {
      clock.setAsOf(atMs);
    },
  },
  async () => account?.close(),
);
