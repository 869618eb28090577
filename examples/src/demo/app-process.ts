/** An application of the demo in a process of its own: a clinic, a game, an address book or an ad network, by what it is asked to do. */

import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { bytesToBase64url, type JsonObject } from '@sluice/core/base';
import {
  Account,
  type AppSession,
  type DataAnswer,
  type FeedChange,
  type GrantHandle,
  Network,
  openLiveLink,
  readLog,
  type RequestAnswer,
  SluiceError,
  VaultAccount,
} from '@sluice/client';
import { createNodePlatform, openNodeStore, readDevHosts, writeDevHosts } from '@sluice/client/node';
import { publishApp, TEST_ARGON2 } from '@sluice/testkit';
import { serveSteps } from './process-link.ts';
import { createMovableClock } from './shared-clock.ts';

const [store = '', devHosts = '', asOf = '', origin = ''] = process.argv.slice(2);
const clock = createMovableClock(Number(asOf));
const platform = createNodePlatform({ clock, devHosts: () => readDevHosts(devHosts) });
const monotonicMs = (): number => Number(process.hrtime.bigint()) / 1e6;

const { account } = await Account.create({
  platform,
  passphrase: 'a passphrase for the demo',
  argon2: TEST_ARGON2,
  node: 'https://node.sluice.test',
  store: openNodeStore(store),
  appOrigin: origin,
});
const server = createServer((request, response) => publishApp(account, request, response));
await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
await writeDevHosts(devHosts, new URL(origin).host, `127.0.0.1:${(server.address() as AddressInfo).port}`);

const answers = new Map<string, Promise<DataAnswer | RequestAnswer>>();
const grants = new Map<string, GrantHandle>();
const seen: { readonly grantId: string; readonly change: FeedChange; readonly at: number }[] = [];
let connecting: ReturnType<Account['connect']['request']> | undefined;
let session: AppSession | undefined;

const watch = (grant: GrantHandle): void => {
  grants.set(grant.id, grant);
  grant.changes((change) => seen.push({ grantId: grant.id, change, at: monotonicMs() }));
};
const grantOf = (id: string): GrantHandle => {
  const grant = grants.get(id);
  if (!grant) throw new Error('there is no such grant');
  return grant;
};

serveSteps(
  {
    did: async () => account.did,
    /** Sends a record of the application's own, centralized system: a file of records by order number. */
    sendFromSystem: async ({
      to,
      file,
      order,
      message,
    }: {
      to: string;
      file: string;
      order: string;
      message: string;
    }) => {
      const system = JSON.parse(readFileSync(file, 'utf8')) as { readonly [order: string]: JsonObject };
      return account.messaging.send(to, 'inbox/type/dataSend', { data: [system[order] ?? null] }, message);
    },
    sentStatus: async ({ id }: { id: string }) => account.messaging.sentStatus(id),
    request: async ({
      to,
      request,
    }: {
      to: string;
      request: { requestSchema: string; filter?: JsonObject; purpose?: string; expiresInMs?: number };
    }) => {
      const pending = await account.messaging.request(to, { ...request, userSelect: true });
      answers.set(pending.id, pending.answer());
      return pending.id;
    },
    sync: async ({
      to,
      items,
      purpose,
    }: {
      to: string;
      items: { schema: string; filter?: JsonObject; fields?: string[]; duration?: 'once' | 'standing' }[];
      purpose: string;
    }) => {
      const pending = await account.sharing.request(to, { items, purpose });
      answers.set(pending.id, pending.answer());
      return pending.id;
    },
    answer: async ({ id }: { id: string }) => {
      const answer = await answers.get(id);
      if (answer?.status !== 'granted') return answer;
      for (const grant of answer.grants) watch(grant);
      await Promise.all(answer.grants.map((g) => g.upToDate()));
      return { status: 'granted', grants: answer.grants.map((g) => ({ id: g.id, schema: g.terms.schema })) };
    },
    grantRecords: async ({ id }: { id: string }) => grantOf(id).datastore().getMany({}, { limit: 10_000 }),
    grantStatus: async ({ id }: { id: string }) => grantOf(id).status(),
    changes: async ({ id, count, withinMs = 5000 }: { id: string; count: number; withinMs?: number }) => {
      const end = Date.now() + withinMs;
      const mine = () => seen.filter((s) => s.grantId === id);
      while (mine().length < count && Date.now() < end) await new Promise((resolve) => setTimeout(resolve, 1));
      return mine();
    },
    forget: async () => {
      seen.length = 0;
    },
    onlyGrant: async () => [...grants.keys()][0],
    /** Asks the node for the feed once more with the grant's own key, on a fresh connection. */
    tryPull: async ({ id }: { id: string }) => {
      const grant = account.sharing.grants.received().find((g) => g.grantId === id);
      if (!grant) throw new Error('there is no such grant');
      const link = openLiveLink(platform, grant.node, grant.pairwise);
      const outcome = await readLog(link, grant.space, { type: 'stream', stream: grant.feed }, 0, () => undefined);
      link.close();
      return outcome.ok ? { refused: false, detail: 'yes' } : { refused: true, detail: outcome.code };
    },
    reopenGrant: async ({ id }: { id: string }) => {
      const fresh = await account.sharing.grants.open(id);
      return { status: fresh.status() };
    },
    connect: async ({ context }: { context: string }) => {
      const pending = await account.connect.request(context);
      connecting = Promise.resolve(pending);
      return bytesToBase64url(pending.document);
    },
    connected: async () => {
      const outcome = await (await connecting)?.answer();
      if (outcome?.status === 'connected') session = outcome.session;
      return outcome?.status;
    },
    saveInSilo: async ({ context, schema, record }: { context: string; schema: string; record: JsonObject }) => {
      if (!session) throw new Error('not connected');
      const silo = await Network.connect({
        account: new VaultAccount(session, account.schemas),
        context: { name: context },
      });
      await (await silo.openDatastore(schema)).save(record, { force: true });
      await silo.synced().catch((cause: unknown) => {
        if (!(cause instanceof SluiceError)) throw cause;
      });
      return session.status();
    },
    sessionStatus: async () => session?.status(),
    setClock: async ({ atMs }: { atMs: number }) => {
      clock.setAsOf(atMs);
    },
  },
  async () => {
    server.close();
    session?.close();
    await account.close();
  },
);
