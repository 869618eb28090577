/** Two agents of one owner, of which the node keeps one behind: it must not speak for a state that the feed has left behind. */

import { type Clock, createSystemClock, equalBytes } from '@sluice/core/base';
import type { Storage } from '@sluice/node';
import { afterEach, describe, expect, it } from 'vitest';
import { post, sharePosts, until } from '../sharing-fixture.ts';
import { createTestNetwork, type TestNetwork } from '../test-network.ts';

describe('an agent that is refused without a reason', () => {
  let net: TestNetwork;
  let refusals = 0;
  const wrapStorage = (storage: Storage): Storage => ({
    ...storage,
    push: async (job) => {
      const isFeed = (part: (typeof job.parts)[number]): boolean => part.type === 'feed';
      if (refusals === 0 || !job.parts.some(isFeed)) return storage.push(job);
      refusals--;
      const answer = await storage.push({ ...job, parts: job.parts.filter((part) => !isFeed(part)) });
      if (!answer.ok) return answer;
      const rest = [...answer.value.parts];
      const parts = job.parts.map((part) => (isFeed(part) ? STALE : (rest.shift() ?? STALE)));
      return { ok: true, value: { ...answer.value, parts } };
    },
  });
  const STALE = { type: 'refused', code: 'STALE_HEAD' } as const;
  /** Timers of a platform may come a little before their time. */
  const system = createSystemClock();
  const early: Clock = { ...system, timer: (delayMs, run) => system.timer(Math.max(0, delayMs - 5), run) };
  afterEach(() => net.close());

  it('[FEED-11] tries again by itself, also where a timer comes early', async () => {
    net = await createTestNetwork({ wrapStorage, clock: early });
    const { posts, grant } = await sharePosts(net, { filter: { type: 'odd' } });
    refusals = 2;
    await posts.save(post(21, { type: 'odd' }));
    await until(async () => (await grant.datastore().count()) === 6);
    expect(refusals).toBe(0);
    expect(grant.status()).toBe('live');
  });

  it('[FEED-11] pauses between its tries, also where the feed holds nothing yet', async () => {
    net = await createTestNetwork({ wrapStorage });
    const owner = await net.person('poster');
    const app = await net.app('https://reader.example');
    await (await owner.account.vault.openDatastore('social/post')).save(post(1));
    const pending = await app.account.sharing.request(owner.account.did, { schema: 'social/post', purpose: 'a test' });
    await until(() => owner.account.mailbox.get(pending.id));
    const all = 10_000;
    refusals = all;
    const startedMs = performance.now();
    await owner.account.sharing.consent(pending.id);
    await until(() => refusals < all);
    for (let i = 0; i < 20; i++) await owner.account.synced();
    const tries = all - refusals;
    expect(tries).toBeLessThanOrEqual(2 + (performance.now() - startedMs) / 500);
    refusals = 0;
    const answer = await pending.answer();
    await until(async () => answer.status === 'granted' && (await answer.grants[0]?.datastore().count()) === 1);
  });
});

describe('an agent that is kept behind', () => {
  let net: TestNetwork;
  let behind: Uint8Array | undefined;
  const wrapStorage = (storage: Storage): Storage => ({
    ...storage,
    readPage: (query) => {
      const page = storage.readPage(query);
      if (query.log.type !== 'own' || !behind || !equalBytes(query.except, behind)) return page;
      const { after } = query;
      const nothing = { entries: [], seals: [], dead: [], holes: [], vector: [] };
      return { ...page, ...nothing, cursor: after, head: after, more: false, whole: false };
    },
  });
  afterEach(() => net.close());

  it('[FEED-10] appends nothing until it has what the feed reflects, and then all of it', async () => {
    net = await createTestNetwork({ wrapStorage });
    const { owner, posts, grant } = await sharePosts(net, { filter: { type: 'odd' } });
    const phone = await net.restore(owner, 'phone');
    await phone.synced();
    await owner.account.synced();
    const alarms: unknown[] = [];
    grant.onAlarm((alarm) => alarms.push(alarm));

    behind = phone.open.home.self;
    await posts.save(post(21, { type: 'odd' }));
    await until(async () => (await grant.datastore().count()) === 6);
    await owner.account.close();
    const phonePosts = await phone.vault.openDatastore('social/post');
    await phonePosts.save(post(23, { type: 'odd' }));
    await phone.synced();
    expect(await phonePosts.get('post-21')).toBeUndefined();
    expect(await grant.datastore().count()).toBe(6);

    behind = undefined;
    await phone.synced();
    expect(await phonePosts.get('post-21')).toBeDefined();
    await until(async () => alarms.length > 0 || (await grant.datastore().count()) === 7);
    expect(alarms).toEqual([]);
    expect(grant.status()).toBe('live');
  });
});
