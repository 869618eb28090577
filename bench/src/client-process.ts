/** A client in a process of its own: runs one named step at a time for the benchmarks and answers with what it measured. */

import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createSystemClock, type JsonObject } from '@sluice/core/base';
import { Account, type GrantHandle, type Platform } from '@sluice/client';
import { createNodePlatform, openNodeStore } from '@sluice/client/node';
import { publishApp, TEST_ARGON2 } from '@sluice/testkit';
import { benchRecord, SCHEMA } from './records.ts';

const [hostsFile = '', synchronous = 'FULL'] = process.argv.slice(2);
const hosts = (): Map<string, string> => new Map(JSON.parse(readFileSync(hostsFile, 'utf8')) as [string, string][]);
const platform: Platform = createNodePlatform({ clock: createSystemClock(), devHosts: hosts });
const NODE = 'https://node.sluice.test';
/** The system's monotonic clock in ms: the same for every process of the machine. */
const nowMs = (): number => Number(process.hrtime.bigint()) / 1e6;
const openStore = (path: string) => openNodeStore(path, { synchronous: synchronous === 'NORMAL' ? 'NORMAL' : 'FULL' });
const base = { platform, passphrase: 'bench', argon2: TEST_ARGON2 };

let account: Account;
let grants: GrantHandle[] = [];
const seen: { readonly id: string; readonly version: number; readonly at: number }[] = [];

const follow = (grant: GrantHandle): void => {
  grant.changes((change) => {
    if (change.type === 'put') seen.push({ id: grant.id, version: Number(change.record?.version), at: nowMs() });
  });
};

async function waitFor<T>(look: () => T | undefined): Promise<T> {
  for (;;) {
    const value = look();
    if (value !== undefined) return value;
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

type Args = { readonly [name: string]: string };

const steps: { readonly [name: string]: (args: Args) => Promise<unknown> } = {
  person: async ({ store = '' }) => {
    const made = await Account.create({ ...base, node: NODE, store: openStore(store) });
    account = made.account;
    return { did: account.did, phrase: made.phrase };
  },
  app: async ({ store = '', origin = '' }) => {
    account = (await Account.create({ ...base, node: NODE, store: openStore(store), appOrigin: origin })).account;
    const server = createServer((request, response) => publishApp(account, request, response));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    server.unref();
    return { did: account.did, port: (server.address() as AddressInfo).port };
  },
  ingest: async ({ count = '0', from = '0' }) => {
    const records = Array.from({ length: Number(count) }, (_, i) => benchRecord(Number(from) + i));
    const datastore = await account.vault.openDatastore(SCHEMA);
    const cpu = process.cpuUsage();
    const start = nowMs();
    await datastore.saveMany(records);
    const localMs = nowMs() - start;
    await account.synced();
    const used = process.cpuUsage(cpu);
    return { ms: nowMs() - start, localMs, cpuUs: used.user + used.system, sent: account.open.link.traffic().sent };
  },
  restore: async ({ store = '', phrase = '', last = '' }) => {
    const start = nowMs();
    account = await Account.restore({ ...base, node: NODE, store: openStore(store), phrase });
    const datastore = await account.vault.openDatastore(SCHEMA);
    const record = await datastore.get(last);
    if (!record) throw new Error('the last record is not readable');
    return { ms: nowMs() - start, received: account.open.link.traffic().received };
  },
  reopen: async ({ store = '' }) => {
    await account.close();
    const start = nowMs();
    account = await Account.open({ ...base, store: openStore(store) });
    const openMs = nowMs() - start;
    const datastore = await account.vault.openDatastore(SCHEMA);
    const found = await datastore.getMany(
      { type: 'bloodPressure', date: { $gte: '2026-06-01T00:00:00Z' } },
      { limit: 20 },
    );
    return { ms: nowMs() - start, openMs, found: found.length };
  },
  ask: async ({ owner = '', count = '1', filter = '{}' }) => {
    const ids: string[] = [];
    for (let i = 0; i < Number(count); i++) {
      const pending = await account.sharing.request(owner, {
        schema: SCHEMA,
        filter: JSON.parse(filter) as JsonObject,
        purpose: 'bench',
      });
      ids.push(pending.id);
    }
    return ids;
  },
  consent: async ({ count = '1' }) => {
    while ((await account.sharing.requests()).length < Number(count))
      await new Promise((resolve) => setTimeout(resolve, 5));
    const start = nowMs();
    for (const item of await account.sharing.requests()) await account.sharing.consent(item.id);
    while (!account.sharing.feedsUpToDate()) await new Promise((resolve) => setTimeout(resolve, 2));
    await account.synced();
    return { ms: nowMs() - start };
  },
  /** Opens the grants of answered requests: from here to the last match durable is the figure. */
  receive: async ({ ids = '[]', expect = '0' }) => {
    const answers = [];
    for (const id of JSON.parse(ids) as string[]) answers.push(await account.sharing.pending(id).answer());
    const start = nowMs();
    grants = answers.flatMap((a) => (a.status === 'granted' ? [...a.grants] : []));
    await Promise.all(grants.map((g) => g.upToDate()));
    const counts = await Promise.all(grants.map((g) => g.datastore().count()));
    if (counts.some((c) => c !== Number(expect)))
      throw new Error(`expected ${expect} records in each feed, found ${counts.join(', ')}`);
    for (const grant of grants) follow(grant);
    return { ms: nowMs() - start };
  },
  /** The first grant from its answer on: from opening the feed to the last match durable here. */
  subscribe: async ({ expect = '0' }) => {
    const item = await waitFor(() => account.mailbox.list({ type: 'inbox/type/syncGrant' })[0]);
    const start = nowMs();
    const answer = await account.sharing.pending(String(item.data.replyId)).answer();
    if (answer.status !== 'granted') throw new Error(answer.status);
    const [handle] = answer.grants;
    if (!handle) throw new Error('there is no grant');
    await handle.upToDate();
    const ms = nowMs() - start;
    const count = await handle.datastore().count();
    if (count !== Number(expect)) throw new Error(`expected ${expect}, found ${count}`);
    grants = [handle];
    return { ms, received: handle.traffic().received + handle.traffic().sent };
  },
  watch: async () => {
    for (const grant of grants) follow(grant);
    return null;
  },
  fanOut: async ({ version = '0' }) => {
    const datastore = await account.vault.openDatastore(SCHEMA);
    const known = await datastore.get('fan-out');
    const at = nowMs();
    await datastore.save(
      { ...(known ?? { _id: 'fan-out', date: '2026-09-01T00:00:00Z' }), type: 'fanOut', version: Number(version) },
      { force: true },
    );
    return { at };
  },
  update: async ({ id = '', version = '0' }) => {
    const datastore = await account.vault.openDatastore(SCHEMA);
    const record = await datastore.get(id);
    const start = nowMs();
    await datastore.save({ ...record, version: Number(version) });
    return { at: start };
  },
  updates: async ({ count = '0', perSecond = '50', ids = '[]' }) => {
    const datastore = await account.vault.openDatastore(SCHEMA);
    const targets = JSON.parse(ids) as string[];
    const sent: { version: number; at: number }[] = [];
    const start = nowMs();
    for (let i = 0; i < Number(count); i++) {
      const due = start + (i * 1000) / Number(perSecond);
      const wait = due - nowMs();
      if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait));
      const record = await datastore.get(targets[i % targets.length] as string);
      const at = nowMs();
      void datastore.save({ ...record, version: 1000 + i });
      sent.push({ version: 1000 + i, at });
    }
    await account.synced();
    return sent;
  },
  seen: async ({ count = '0' }) => {
    const until = nowMs() + 10_000;
    while (seen.length < Number(count) && nowMs() < until) await new Promise((resolve) => setTimeout(resolve, 5));
    return seen.splice(0);
  },
  sendMessages: async ({ to = '', count = '0' }) => {
    const items = Array.from({ length: Number(count) }, (_, i) => ({
      to: to as Account['did'],
      type: 'inbox/type/message',
      data: { subject: `n ${i}`, message: 'x'.repeat(400) },
      message: 'hello',
    }));
    const start = nowMs();
    await account.mailbox.sendMany(items);
    return { ms: nowMs() - start };
  },
  pauseInbox: async () => {
    await account.synced();
    account.open.link.close();
    return null;
  },
  drainMessages: async ({ store = '', count = '0' }) => {
    await account.close();
    const start = nowMs();
    account = await Account.open({ ...base, store: openStore(store) });
    let arrived = account.mailbox.list({ type: 'inbox/type/message' }, { limit: 100_000 }).length;
    const stop = account.mailbox.on('inbox/type/message', () => {
      arrived++;
    });
    while (arrived < Number(count)) await new Promise((resolve) => setTimeout(resolve, 2));
    stop();
    return { ms: nowMs() - start };
  },
  close: async () => {
    await account.close();
    return { rss: process.memoryUsage.rss() };
  },
};

process.on('message', (message: { readonly step: string; readonly args: Args }) => {
  const step = steps[message.step];
  if (!step) throw new Error(`no step ${message.step}`);
  step(message.args).then(
    (value) => process.send?.({ ok: true, value }),
    (cause: unknown) => process.send?.({ ok: false, error: String((cause as Error).stack ?? cause) }),
  );
});
process.once('disconnect', () => process.exit(0));
process.send?.({ ready: true });
