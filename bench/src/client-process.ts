/** A client in a process of its own: runs one named step at a time for the benchmarks and answers with what it measured. */

import type { JsonObject } from '@sluice/core/base';
import { Account } from '@sluice/client';
import { type Args, createSession, followAll, nowMs, publish, type Steps, waitFor } from './client-session.ts';
import { benchRecord, SCHEMA } from './records.ts';
import { createSharingSteps } from './sharing-steps.ts';

const [hostsFile = '', synchronous = 'FULL'] = process.argv.slice(2);
const NODE = 'https://node.sluice.test';
const session = createSession(hostsFile, synchronous);
const { base, openStore, seen } = session;

const steps: Steps = {
  ...createSharingSteps(session),
  person: async ({ store = '' }) => {
    const made = await Account.create({ ...base, node: NODE, store: openStore(store) });
    session.account = made.account;
    return { did: made.account.did, phrase: made.phrase };
  },
  app: async ({ store = '', origin = '' }) => {
    session.account = (
      await Account.create({ ...base, node: NODE, store: openStore(store), appOrigin: origin })
    ).account;
    return { did: session.account.did, port: await publish(session.account) };
  },
  ingest: async ({ count = '0', from = '0' }) => {
    const records = Array.from({ length: Number(count) }, (_, i) => benchRecord(Number(from) + i));
    const datastore = await session.account.vault.openDatastore(SCHEMA);
    const cpu = process.cpuUsage();
    const start = nowMs();
    await datastore.saveMany(records);
    const localMs = nowMs() - start;
    await session.account.synced();
    const used = process.cpuUsage(cpu);
    return {
      ms: nowMs() - start,
      localMs,
      cpuUs: used.user + used.system,
      sent: session.account.open.link.traffic().sent,
    };
  },
  restore: async ({ store = '', phrase = '', last = '' }) => {
    const start = nowMs();
    session.account = await Account.restore({ ...base, node: NODE, store: openStore(store), phrase });
    const datastore = await session.account.vault.openDatastore(SCHEMA);
    const record = await datastore.get(last);
    if (!record) throw new Error('the last record is not readable');
    return { ms: nowMs() - start, received: session.account.open.link.traffic().received };
  },
  reopen: async ({ store = '' }) => {
    await session.account.close();
    const start = nowMs();
    session.account = await Account.open({ ...base, store: openStore(store) });
    const openMs = nowMs() - start;
    const datastore = await session.account.vault.openDatastore(SCHEMA);
    const found = await datastore.getMany(
      { type: 'bloodPressure', date: { $gte: '2026-06-01T00:00:00Z' } },
      { limit: 20 },
    );
    return { ms: nowMs() - start, openMs, found: found.length };
  },
  ask: async ({ owner = '', count = '1', filter = '{}' }) => {
    const ids: string[] = [];
    for (let i = 0; i < Number(count); i++) {
      const pending = await session.account.sharing.request(owner, {
        schema: SCHEMA,
        filter: JSON.parse(filter) as JsonObject,
        purpose: 'bench',
      });
      ids.push(pending.id);
    }
    return ids;
  },
  consent: async ({ count = '1' }) => {
    while ((await session.account.sharing.requests()).length < Number(count))
      await new Promise((resolve) => setTimeout(resolve, 5));
    const start = nowMs();
    for (const item of await session.account.sharing.requests()) await session.account.sharing.consent(item.id);
    while (!session.account.sharing.feedsUpToDate()) await new Promise((resolve) => setTimeout(resolve, 2));
    await session.account.synced();
    return { ms: nowMs() - start };
  },
  /** Opens the grants of answered requests: from here to the last match durable is the figure. */
  receive: async ({ ids = '[]', expect = '0' }) => {
    const answers = [];
    for (const id of JSON.parse(ids) as string[]) answers.push(await session.account.sharing.pending(id).answer());
    const start = nowMs();
    session.grants = answers.flatMap((a) => (a.status === 'granted' ? [...a.grants] : []));
    await Promise.all(session.grants.map((g) => g.upToDate()));
    const counts = await Promise.all(session.grants.map((g) => g.datastore().count()));
    if (counts.some((c) => c !== Number(expect)))
      throw new Error(`expected ${expect} records in each feed, found ${counts.join(', ')}`);
    followAll(session);
    return { ms: nowMs() - start };
  },
  /** The first grant from its answer on: from opening the feed to the last match durable here. */
  subscribe: async ({ expect = '0' }) => {
    const item = await waitFor(() => session.account.mailbox.list({ type: 'inbox/type/syncGrant' })[0]);
    const start = nowMs();
    const answer = await session.account.sharing.pending(String(item.data.replyId)).answer();
    if (answer.status !== 'granted') throw new Error(answer.status);
    const [handle] = answer.grants;
    if (!handle) throw new Error('there is no grant');
    await handle.upToDate();
    const ms = nowMs() - start;
    const count = await handle.datastore().count();
    if (count !== Number(expect)) throw new Error(`expected ${expect}, found ${count}`);
    session.grants = [handle];
    return { ms, received: handle.traffic().received + handle.traffic().sent };
  },
  watch: async () => {
    followAll(session);
    return null;
  },
  fanOut: async ({ version = '0' }) => {
    const datastore = await session.account.vault.openDatastore(SCHEMA);
    const known = await datastore.get('fan-out');
    const at = nowMs();
    await datastore.save(
      { ...(known ?? { _id: 'fan-out', date: '2026-09-01T00:00:00Z' }), type: 'fanOut', version: Number(version) },
      { force: true },
    );
    return { at };
  },
  update: async ({ id = '', version = '0' }) => {
    const datastore = await session.account.vault.openDatastore(SCHEMA);
    const record = await datastore.get(id);
    const start = nowMs();
    await datastore.save({ ...record, version: Number(version) });
    return { at: start };
  },
  updates: async ({ count = '0', perSecond = '50', ids = '[]' }) => {
    const datastore = await session.account.vault.openDatastore(SCHEMA);
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
    await session.account.synced();
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
    await session.account.mailbox.sendMany(items);
    return { ms: nowMs() - start };
  },
  pauseInbox: async () => {
    await session.account.synced();
    session.account.open.link.close();
    return null;
  },
  drainMessages: async ({ store = '', count = '0' }) => {
    await session.account.close();
    const start = nowMs();
    session.account = await Account.open({ ...base, store: openStore(store) });
    let arrived = session.account.mailbox.list({ type: 'inbox/type/message' }, { limit: 100_000 }).length;
    const stop = session.account.mailbox.on('inbox/type/message', () => {
      arrived++;
    });
    while (arrived < Number(count)) await new Promise((resolve) => setTimeout(resolve, 2));
    stop();
    return { ms: nowMs() - start };
  },
  close: async () => {
    await session.account.close();
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
