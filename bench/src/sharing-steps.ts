/** The steps of a client process that the figures of synchronization are made of. */

import type { JsonObject } from '@sluice/core/base';
import { Account, type RequestItem } from '@sluice/client';
import { followAll, nowMs, pause, type Session, type Steps, waitFor } from './client-session.ts';
import { SCHEMA } from './records.ts';

/** Nothing that a step waits for takes longer, in ms. */
const LONGEST_MS = 300_000;

/** Steps of owners and grantees over one session. */
export function createSharingSteps(session: Session): Steps {
  const ended: { readonly id: string; readonly at: number }[] = [];
  const { seen } = session;
  const datastore = () => session.account.vault.openDatastore(SCHEMA);

  return {
    /** Asks `count` times for the same: a grant each, with keys of its own. */
    askFor: async ({ owner = '', count = '1', item = '{}' }) => {
      const asked = { schema: SCHEMA, ...(JSON.parse(item) as Partial<RequestItem>) };
      const ids: string[] = [];
      for (let i = 0; i < Number(count); i++)
        ids.push((await session.account.sharing.request(owner, { items: [asked], purpose: 'bench' })).id);
      return ids;
    },
    /** Answers every request that is there. `at` is the press of the first. */
    consentToAll: async ({ count = '1' }) => {
      const { sharing } = session.account;
      while ((await sharing.requests()).length < Number(count)) await pause(5);
      const at = nowMs();
      const given: string[] = [];
      for (const { id } of await sharing.requests()) given.push(...(await sharing.consent(id)).map((g) => g.grantId));
      return { at, ms: nowMs() - at, given };
    },
    /** Waits for the answers; `at` is when the last of the grants had its first verified checkpoint. */
    receiveAll: async ({ ids = '[]', expect = '0' }) => {
      const answers = await Promise.all(
        (JSON.parse(ids) as string[]).map((id) => session.account.sharing.pending(id).answer()),
      );
      session.grants = answers.flatMap((a) => (a.status === 'granted' ? [...a.grants] : []));
      await Promise.all(session.grants.map((g) => g.upToDate(LONGEST_MS)));
      const at = nowMs();
      for (const grant of session.grants) {
        const count = await grant.datastore().count();
        if (count !== Number(expect)) throw new Error(`expected ${expect} records in each feed, found ${count}`);
        grant.onStatus((status) => {
          if (status === 'revoked') ended.push({ id: grant.id, at: nowMs() });
        });
      }
      followAll(session);
      return { at, ids: session.grants.map((g) => g.id) };
    },
    goOffline: async () => {
      await session.account.close();
      return null;
    },
    /** Opens the account again and one of its grants: time and every byte of the grant's connection up to its next checkpoint. */
    resume: async ({ store = '', id = '' }) => {
      const { base, openStore } = session;
      session.account = await Account.open({ ...base, store: openStore(store) });
      await session.account.synced();
      const bytes = session.countBytes();
      const start = nowMs();
      const grant = await session.account.sharing.grants.open(id);
      let changed = 0;
      grant.changes(() => changed++);
      await grant.upToDate();
      const { received, sent } = grant.traffic();
      return { ms: nowMs() - start, bytes: bytes(), ofGrant: received + sent, changed };
    },
    /** Waits until every feed says what the records are, and the node has it. */
    settle: async () => {
      while (!session.account.sharing.feedsUpToDate()) await pause(2);
      await session.account.synced();
      return null;
    },
    /** Saves records that match no grant, one at a time: what a write costs that nobody is to hear of. */
    unmatched: async ({ count = '0' }) => {
      const store = await datastore();
      const cpu = process.cpuUsage();
      for (let i = 0; i < Number(count); i++) {
        await store.save(
          { _id: 'unmatched', date: '2026-09-01T00:00:00Z', type: 'nobody', version: i },
          { force: true },
        );
        while (!session.account.sharing.feedsUpToDate()) await pause(1);
        await session.account.synced();
      }
      const used = process.cpuUsage(cpu);
      return { cpuMs: (used.user + used.system) / 1000 };
    },
    cpu: async () => {
      const { user, system } = process.cpuUsage();
      return { cpuMs: (user + system) / 1000, rss: process.memoryUsage.rss() };
    },
    revoke: async ({ id = '' }) => {
      const at = nowMs();
      const outcome = await session.account.sharing.revoke(id);
      if ('pending' in outcome) throw new Error('the node was not reached');
      return { at, ms: nowMs() - at };
    },
    /** When the grants ended here, once `count` of them have. */
    ended: async ({ count = '0' }) => waitFor(() => (ended.length >= Number(count) ? ended : undefined)),
    /** What came so far. */
    seenSoFar: async () => seen,
    saveTyped: async ({ count = '0', type = '' }) => {
      const records = Array.from(
        { length: Number(count) },
        (_, i): JsonObject => ({ _id: `${type}-${i}`, date: '2026-09-01T00:00:00Z', type, version: 0, value: i }),
      );
      await (await datastore()).saveMany(records);
      return records.map((r) => r._id);
    },
    /** Writes back at a steady rate, record after record, and waits for every verdict. */
    laneWrites: async ({ count = '0', perMinute = '5000' }) => {
      const [grant] = session.grants;
      if (!grant) throw new Error('there is no grant');
      const store = grant.datastore();
      const records = await store.getMany({}, { limit: 1000 });
      const sent = new Map<number, number>();
      const latencies: number[] = [];
      let refused = 0;
      const stop = grant.onVerdict(({ n, accepted }) => {
        if (!accepted) refused++;
        latencies.push(nowMs() - (sent.get(n) ?? Number.NaN));
      });
      const start = nowMs();
      for (let i = 0; i < Number(count); i++) {
        const wait = start + (i * 60_000) / Number(perMinute) - nowMs();
        if (wait > 0) await pause(wait);
        const at = nowMs();
        const { n } = await store.save({ ...(records[i % records.length] as JsonObject), version: i + 1 });
        if (n !== undefined) sent.set(n, at);
      }
      const writtenMs = nowMs() - start;
      await waitFor(() => (latencies.length >= sent.size ? true : undefined));
      stop();
      return { writes: sent.size, writtenMs, ms: nowMs() - start, refused, latencies };
    },
  };
}
