import type { FeedChange, GivenGrant } from '@sluice/client';
import { openLiveLink, readLog } from '@sluice/client';
import { createSystemClock } from '@sluice/core/base';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { grantItems, post, sharePosts, until } from '../sharing-fixture.ts';
import { createTestNetwork, type Persona, type TestNetwork } from '../test-network.ts';

describe('feeds between an owner and a grantee', () => {
  let net: TestNetwork;
  let offsetMs = 0;

  beforeEach(async () => {
    offsetMs = 0;
    net = await createTestNetwork({ clock: createSystemClock(() => offsetMs) });
  });
  afterEach(() => net.close());

  it('[FEED-1] the same record has unrelated ids and bytes in two feeds', async () => {
    const first = await sharePosts(net, { filter: { type: 'odd' } });
    const other = await net.app('https://other.example');
    const second = await grantItems(first.owner, other, [{ schema: 'social/post', filter: { type: 'odd' } }]);
    const a = await first.grant.datastore().getMany({}, { limit: 100 });
    const b = (await second.grants[0]?.datastore().getMany({}, { limit: 100 })) ?? [];
    expect(a.map((r) => r.content).sort()).toEqual(b.map((r) => r.content).sort());
    const ids = new Set([...a, ...b].map((r) => r._id));
    expect(ids.size).toBe(10);
    expect(first.given.feed).not.toEqual(second.given[0]?.feed);
  });

  it('[FEED-3] a grant of chosen fields reveals _id, schema and these', async () => {
    const { grant } = await sharePosts(net, { fields: ['content'] });
    const records = await grant.datastore().getMany({}, { limit: 100 });
    expect(records).toHaveLength(10);
    expect(new Set(records.flatMap((r) => Object.keys(r)))).toEqual(new Set(['_id', 'schema', 'content']));
  });

  it('[DS-3] a grant gives 20 records unless told otherwise, as its owner’s datastore does', async () => {
    const { grant, posts } = await sharePosts(net);
    await posts.saveMany(Array.from({ length: 15 }, (_, i) => post(20 + i)));
    const revealed = grant.datastore();
    await until(async () => (await revealed.count()) === 25);
    expect([await posts.getMany(), await revealed.getMany()].map((records) => records.length)).toEqual([20, 20]);
    expect(await revealed.getMany({}, { limit: 25 })).toHaveLength(25);
  });

  it('[FEED-4] a grant of whole records reveals all but _rev, under the grant’s own ids', async () => {
    const { grant, posts } = await sharePosts(net);
    const [revealed] = await grant.datastore().getMany({ name: 'Post 3' });
    const own = await posts.get('post-3');
    expect(revealed).toBeDefined();
    const { _id, _rev, ...rest } = own ?? {};
    expect(revealed).toMatchObject(rest);
    expect(revealed?._id).not.toBe(_id);
    expect(revealed).not.toHaveProperty('_rev');
    expect(_rev).toBeDefined();
  });

  it('finds revealed records by id, those that came later too, and none that left', async () => {
    const { grant, posts } = await sharePosts(net, { filter: { type: 'odd' } });
    const store = grant.datastore();
    const [first] = await store.getMany({ name: 'Post 3' });
    const id = String(first?._id);
    expect(await store.get(id)).toEqual(first);
    expect(await store.get('post-3')).toBeUndefined();
    await posts.save(post(11));
    const late = await until(async () => (await store.getMany({ name: 'Post 11' }))[0]);
    expect(await store.get(String(late._id))).toEqual(late);
    await posts.save({ ...(await posts.get('post-3')), type: 'even' });
    await until(async () => (await store.count()) === 5);
    expect(await store.get(id)).toBeUndefined();
    expect(await store.getMany({}, { limit: 2, skip: 1 })).toEqual(
      (await store.getMany({}, { limit: 100 })).slice(1, 3),
    );
  });

  it('[FEED-5] a record that enters or changes arrives; a change in what is not revealed appends nothing', async () => {
    const { grant, posts, owner } = await sharePosts(net, { filter: { type: 'odd' }, fields: ['content'] });
    const changes: FeedChange[] = [];
    grant.changes((c) => changes.push(c));
    await posts.save({ ...(await posts.get('post-2')), type: 'odd' });
    await until(() => changes.length === 1);
    await posts.save({ ...(await posts.get('post-2')), content: 'rewritten' });
    await until(() => changes.length === 2);
    expect(changes.map((c) => c.record?.content)).toEqual(['content 2', 'rewritten']);
    const head = net.storage.head(owner.account.open.home.keys.space, {
      type: 'stream',
      stream: (await firstFeed(owner)).feed,
    });
    await posts.save({ ...(await posts.get('post-2')), summary: 'not revealed' });
    await owner.account.synced();
    expect(
      net.storage.head(owner.account.open.home.keys.space, { type: 'stream', stream: (await firstFeed(owner)).feed }),
    ).toBe(head);
  });

  it('[FEED-6] a record edited out of the filter or deleted is gone at the grantee after the next checkpoint', async () => {
    const { grant, posts } = await sharePosts(net, { filter: { type: 'odd' } });
    expect(await grant.datastore().count()).toBe(5);
    await posts.save({ ...(await posts.get('post-1')), type: 'even' });
    await posts.delete('post-3');
    await until(async () => (await grant.datastore().count()) === 3);
    const left = await grant.datastore().getMany({}, { limit: 100 });
    expect(left.map((r) => r.name).sort()).toEqual(['Post 5', 'Post 7', 'Post 9']);
  });

  it('[FEED-7] a record leaves its window at the instant, with the owner offline', async () => {
    const nowMs = Date.now();
    const owner = await net.person('windowed');
    const posts = await owner.account.vault.openDatastore('social/post');
    await posts.save(post(1, { createdAt: new Date(nowMs - 40 * 86_400_000).toISOString() }));
    await posts.save(post(2, { createdAt: new Date(nowMs - 2 * 86_400_000).toISOString() }));
    const app = await net.app('https://reader.example');
    const { grants } = await grantItems(owner, app, [
      { schema: 'social/post', filter: { createdAt: { $within: 'P7D' } } },
    ]);
    const [grant] = grants;
    expect(await grant?.datastore().count()).toBe(1);
    await owner.account.close();
    offsetMs = 5 * 86_400_000 - 60_000;
    expect(await grant?.datastore().count()).toBe(1);
    offsetMs = 5 * 86_400_000 + 60_000;
    expect(await grant?.datastore().count()).toBe(0);
    expect(await grant?.datastore().getMany()).toEqual([]);
  });

  it('[FEED-11] two devices of the owner reveal each change once', async () => {
    const { grant, owner, posts } = await sharePosts(net, { filter: { type: 'odd' } });
    const phone = await net.restore(owner, 'phone');
    await phone.synced();
    const changes: FeedChange[] = [];
    grant.changes((c) => changes.push(c));
    const phonePosts = await phone.vault.openDatastore('social/post');
    await Promise.all([phonePosts.save(post(101, { type: 'odd' })), posts.save(post(103, { type: 'odd' }))]);
    await Promise.all([phone.synced(), owner.account.synced()]);
    await until(async () => (await grant.datastore().count()) === 7);
    await phonePosts.save({ ...(await phonePosts.get('post-103')), content: 'by phone' });
    await until(() => changes.some((c) => c.record?.content === 'by phone'));
    await Promise.all([phone.synced(), owner.account.synced()]);
    expect(changes.map((c) => c.record?.content).sort()).toEqual(['by phone', 'content 101', 'content 103']);
    expect(grant.status()).toBe('live');
  });

  it('[FEED-12] a once-off grant is evaluated once and then complete', async () => {
    const { grant, posts, owner } = await sharePosts(net, { duration: 'once' });
    await until(() => grant.status() === 'completed');
    await until(() => owner.account.sharing.grants.list()[0]?.status === 'completed');
    await posts.save(post(50));
    await owner.account.synced();
    expect(await grant.datastore().count()).toBe(10);
    const { change, previewChange } = owner.account.sharing;
    for (const asked of [change, previewChange])
      await expect(asked(grant.id, { filter: { type: 'odd' } })).rejects.toMatchObject({ code: 'COMPLETED' });
  });

  it('[FEED-13] from the revoke on the node serves nothing, and the owner’s own writes go on', async () => {
    const { grant, posts, owner, app, given } = await sharePosts(net);
    await owner.account.sharing.revoke(given.grantId);
    await until(() => grant.status() === 'revoked');
    await posts.save(post(50));
    await owner.account.synced();
    expect(await posts.count()).toBe(11);
    const received = app.account.sharing.grants.received()[0];
    if (!received) throw new Error('the grant is gone');
    const link = openLiveLink(net.platform, received.node, received.pairwise);
    const outcome = await readLog(link, received.space, { type: 'stream', stream: received.feed }, 0, () => undefined);
    link.close();
    expect(outcome).toEqual({ ok: false, code: 'REVOKED' });
  });

  it('[FEED-14] [LIVE-4] a grantee that was away catches up to the same records', async () => {
    const { posts, owner, app, grant } = await sharePosts(net, { filter: { type: 'odd' } });
    await app.account.close();
    await posts.delete('post-1');
    await posts.save({ ...(await posts.get('post-3')), content: 'while you were away' });
    await posts.save(post(51));
    await owner.account.synced();
    const again = await net.reopen(app);
    const handle = await again.sharing.grants.open(grant.id);
    await handle.upToDate();
    await until(async () => (await handle.datastore().getMany({ content: 'while you were away' })).length === 1);
    const names = (await handle.datastore().getMany({}, { limit: 100 })).map((r) => r.name).sort();
    expect(names).toEqual(['Post 3', 'Post 5', 'Post 51', 'Post 7', 'Post 9']);
  });

  it('[FEED-14] a grantee that comes back and finds nothing new is up to date at once', async () => {
    const { app, grant } = await sharePosts(net, { filter: { type: 'odd' } });
    await app.account.close();
    const again = await net.reopen(app);
    const handle = await again.sharing.grants.open(grant.id);
    await handle.upToDate(5000);
    expect([handle.status(), await handle.datastore().count()]).toEqual(['live', 5]);
  });

  it('[FEED-15] a late subscriber gets no expired body from the node, and the checkpoint still verifies', async () => {
    const nowMs = Date.now();
    const owner = await net.person('windowed');
    const posts = await owner.account.vault.openDatastore('social/post');
    await posts.save(post(1, { createdAt: new Date(nowMs - 2 * 86_400_000).toISOString() }));
    await posts.save(post(2, { createdAt: new Date(nowMs - 86_400_000).toISOString() }));
    const app = await net.app('https://reader.example');
    const pending = await app.account.sharing.request(owner.account.did, {
      schema: 'social/post',
      filter: { createdAt: { $within: 'P7D' } },
      purpose: 'x',
    });
    await until(() => owner.account.mailbox.get(pending.id));
    await owner.account.sharing.consent(pending.id);
    await until(() => owner.account.sharing.feedsUpToDate());
    await owner.account.synced();
    offsetMs = 5.5 * 86_400_000;
    const answer = await pending.answer();
    const grant = answer.status === 'granted' ? answer.grants[0] : undefined;
    await grant?.upToDate();
    expect(grant?.status()).toBe('live');
    expect((await grant?.datastore().getMany())?.map((r) => r.name)).toEqual(['Post 2']);
    const [received] = app.account.sharing.grants.received();
    if (!received) throw new Error('the grant is gone');
    const link = openLiveLink(net.platform, received.node, received.pairwise);
    const bodies: boolean[] = [];
    await readLog(link, received.space, { type: 'stream', stream: received.feed }, 0, (page) => {
      for (const entry of page.entries) if (entry.memo) bodies.push(entry.body !== null);
    });
    link.close();
    expect(bodies.sort()).toEqual([false, true]);
  });
});

async function firstFeed(owner: Persona): Promise<GivenGrant> {
  const [grant] = owner.account.sharing.grants.list();
  if (!grant) throw new Error('there is no grant');
  return grant;
}
