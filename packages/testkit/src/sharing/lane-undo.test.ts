/** What a grantee wrote is taken back as one, whatever others wrote in between and whichever device makes it meanwhile. */

import type { GivenGrant, GrantHandle } from '@sluice/client';
import { createSystemClock, type JsonObject } from '@sluice/core/base';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { deviceOn } from '../messaging/messaging-fixture.ts';
import { writeBoatSchema } from '../schema-file.ts';
import { grantItems, post, sharePosts, type SharedPosts, until } from '../sharing-fixture.ts';
import { createTestNetwork, type TestNetwork } from '../test-network.ts';
import { createWay } from '../way-fixture.ts';
import { contentOf, find } from './lane-fixture.ts';

let net: TestNetwork;
beforeEach(async () => {
  net = await createTestNetwork();
});
afterEach(() => net.close());

/** Ten posts that the app reads and writes. */
const shareBoth = (policy: 'auto' | 'propose' = 'auto'): Promise<SharedPosts> =>
  sharePosts(net, { access: 'readwrite', write: { operations: ['insert', 'update', 'delete'], policy, perDay: 100 } });

/** The grantee changes the content of a post, which comes to be in the owner's record. */
async function write(shared: SharedPosts, i: number, content: string): Promise<void> {
  const record = await find(shared, `Post ${i}`);
  await shared.grant.datastore().save({ ...record, content });
  await until(async () => (await contentOf(shared, `post-${i}`)) === content);
}
/** The owner changes it, which comes to be in the grantee's copy. */
async function edit(shared: SharedPosts, i: number, content: string): Promise<void> {
  await shared.posts.save({ ...(await shared.posts.get(`post-${i}`)), content });
  await until(async () => (await find(shared, `Post ${i}`)).content === content);
}
/** The grantee proposes a change of a post, which comes to wait on these devices. Returns its number. */
async function propose(shared: SharedPosts, i: number, content: string): Promise<number> {
  const record = await find(shared, `Post ${i}`);
  const { n } = await shared.grant.datastore().save({ ...record, content });
  await until(() => shared.owner.account.sharing.writes.list().length === 1);
  return n ?? 0;
}

describe('the undo of a grant', () => {
  it('[LANE-9] leaves what another grant of the same request wrote, and takes back what was written over that', async () => {
    const owner = await net.person('owner');
    const app = await net.app('https://reader.example');
    const posts = await owner.account.vault.openDatastore('social/post');
    await posts.saveMany([post(1), post(3)]);
    const write = { operations: ['update'], policy: 'auto' } as const;
    const item = { schema: 'social/post', access: 'readwrite', write } as const;
    const { grants } = await grantItems(owner, app, [item, { ...item, filter: { type: 'odd' } }]);
    const [first, second] = grants;
    if (!first || !second) throw new Error('there are no two grants');
    const contentNow = async (i: number): Promise<unknown> => (await posts.get(`post-${i}`))?.content;
    const writes = async (grant: GrantHandle, i: number, content: string): Promise<void> => {
      const record = await until(() => grant.datastore().getOne({ name: `Post ${i}` }));
      await grant.datastore().save({ ...record, content });
      await until(async () => (await contentNow(i)) === content);
      for (const { datastore } of grants) await until(() => datastore().getOne({ content }));
    };
    await writes(first, 1, 'first');
    await writes(second, 1, 'second');
    await writes(second, 3, 'second first');
    await writes(first, 3, 'first over it');
    expect(await owner.account.sharing.writes.undo(first.id)).toEqual({ undone: 1 });
    expect([await contentNow(1), await contentNow(3)]).toEqual(['second', 'second first']);
    // What was taken back does not come back with what was written over it.
    expect(await owner.account.sharing.writes.undo(second.id)).toEqual({ undone: 2 });
    expect([await contentNow(1), await contentNow(3)]).toEqual(['content 1', 'content 3']);
  });

  it('[LANE-4] knows apart what two grants of one request write at one instant, and so does whoever makes it', async () => {
    const system = createSystemClock();
    const [wallMs, startMs] = [system.nowMs(), system.monotonicMs()];
    // By this clock all happens at one instant.
    const clock = { ...system, nowMs: () => wallMs, monotonicMs: () => startMs };
    await net.close();
    net = await createTestNetwork({ clockOf: (name) => (name.startsWith('reader') ? clock : undefined) });
    const owner = await net.person('owner');
    const posts = await owner.account.vault.openDatastore('social/post');
    await posts.save(post(1));
    const write = { operations: ['update'], policy: 'auto' } as const;
    const item = { schema: 'social/post', access: 'readwrite', write } as const;
    const { grants } = await grantItems(owner, await net.app('https://reader.example'), [item, item]);
    const fields = ['content', 'name'];
    const records = await Promise.all(grants.map(({ datastore }) => until(() => datastore().getOne())));
    const numbers = await Promise.all(
      grants.map(({ datastore }, i) => datastore().save({ ...records[i], [fields[i] as string]: 'written' })),
    );
    for (const [i, { n = 0 }] of numbers.entries())
      expect(await grants[i]?.settled(n)).toMatchObject({ accepted: true });
    await until(async () => (await posts.getOne({ content: 'written', name: 'written' })) !== undefined);
    const { writes } = owner.account.sharing;
    const stamps = grants.flatMap(({ id }) => writes.list(id).map(({ at }) => at));
    expect([stamps.length, stamps[0]]).toEqual([2, stamps[1]]);
    expect(await writes.undo(grants[0]?.id ?? '')).toEqual({ undone: 1 });
    expect(await posts.getOne()).toMatchObject({ content: 'content 1', name: 'written' });
  });

  it('[LANE-9] gives a field back what others last wrote there, not what was there before all', async () => {
    const shared = await shareBoth();
    const { sharing } = shared.owner.account;
    await write(shared, 1, 'app');
    await edit(shared, 1, 'owner');
    await write(shared, 1, 'app again');
    await write(shared, 1, 'app once more');
    expect(await sharing.writes.undo(shared.given.grantId)).toEqual({ undone: 1 });
    expect(await contentOf(shared, 'post-1')).toBe('owner');
    await write(shared, 1, 'app after the undo');
    expect(await sharing.writes.undo(shared.given.grantId)).toEqual({ undone: 1 });
    expect(await contentOf(shared, 'post-1')).toBe('owner');
  });

  it('[LANE-9] brings a deleted record back with what others wrote there, and none that the grantee had made itself', async () => {
    const shared = await shareBoth();
    const { grant, given, owner, posts } = shared;
    await write(shared, 2, 'app');
    await edit(shared, 2, 'owner');
    await write(shared, 3, 'app');
    const { _id, ...document } = post(77);
    await grant.datastore().save(document);
    const made = await until(() => posts.getOne({ name: 'Post 77' }));
    for (const name of ['Post 2', 'Post 3', 'Post 77'])
      await grant.datastore().delete(String((await find(shared, name))._id));
    await until(async () => (await posts.count()) === 8);
    expect(await owner.account.sharing.writes.undo(given.grantId)).toEqual({ undone: 2 });
    expect(await contentOf(shared, 'post-2')).toBe('owner');
    expect(await contentOf(shared, 'post-3')).toBe('content 3');
    expect(await posts.get(String(made._id))).toBeUndefined();
    expect(await posts.count()).toBe(10);
  });

  it('[LANE-9] takes back what was accepted and is not made yet, which never takes effect and is not left unanswered', async () => {
    const shared = await shareBoth('propose');
    const { grant, owner, posts } = shared;
    const { writes, activity } = owner.account.sharing;
    const n = await propose(shared, 3, 'please');
    await net.stopNode();
    await writes.accept(grant.id, n);
    expect(await writes.undo(grant.id)).toEqual({ undone: 1 });
    const seen: unknown[] = [];
    posts.changes(({ record }) => void seen.push(record?.content));
    await net.startNode();
    expect(await grant.settled(n)).toMatchObject({ accepted: true });
    await until(() => grant.pending().length === 0);
    await until(async () => (await find(shared, 'Post 3')).content === 'content 3');
    await owner.account.synced();
    expect([await contentOf(shared, 'post-3'), writes.list(grant.id).map((w) => w.status), seen]).toEqual([
      'content 3',
      ['undone'],
      [],
    ]);
    const told = activity.list().filter(({ type }) => type === 'undo' || type === 'verdict');
    expect(told).toMatchObject([{ type: 'undo' }, { type: 'verdict', n, accepted: true }]);
    const phone = await net.restore(owner, 'phone');
    await phone.synced();
    const again = await phone.vault.openDatastore('social/post');
    expect(await contentOf({ posts: again }, 'post-3')).toBe('content 3');
  });

  it('[LANE-9] takes back what another device makes at the same time', async () => {
    const shared = await shareBoth('propose');
    const { grant, owner } = shared;
    const way = createWay(net);
    const phone = await deviceOn(net, owner, 'phone', { openSocket: way.openSocket });
    try {
      const posts = await phone.vault.openDatastore('social/post');
      const n = await propose(shared, 3, 'please');
      await until(() => phone.sharing.writes.list().length === 1);
      await until(async () => (await contentOf({ posts }, 'post-3')) === 'content 3');
      way.close();
      await phone.sharing.writes.accept(grant.id, n);
      expect(await phone.sharing.writes.undo(grant.id)).toEqual({ undone: 1 });
      await owner.account.sharing.writes.accept(grant.id, n);
      await until(async () => (await contentOf(shared, 'post-3')) === 'please');
      await owner.account.synced();
      way.open();
      await phone.synced();
      await owner.account.synced();
      expect([await contentOf(shared, 'post-3'), await contentOf({ posts }, 'post-3')]).toEqual([
        'content 3',
        'content 3',
      ]);
      const standings = [owner.account, phone].map((device) => device.sharing.writes.list(grant.id)[0]?.status);
      expect(standings).toEqual(['undone', 'undone']);
    } finally {
      await phone.close();
    }
  });

  it('[LANE-9] takes the grantee’s part out of sets and counters, and leaves what others added, removed and counted', async () => {
    const names = { type: 'array', items: { type: 'string' }, merge: 'set' };
    const uri = writeBoatSchema(net.directory, {
      trips: { type: 'integer', merge: 'counter' },
      crew: names,
      flags: names,
    });
    const owner = await net.person('sailor');
    const app = await net.app('https://harbour.example');
    const boats = await owner.account.vault.openDatastore(uri);
    await boats.save({ _id: 'b', name: 'Anna', trips: 3, crew: ['ann', 'bob', 'cas'] });
    const { given, grants } = await grantItems(owner, app, [
      { schema: uri, access: 'readwrite', write: { operations: ['update'], policy: 'auto' } },
    ]);
    const [grant] = grants as [GrantHandle];
    const { grantId } = given[0] as GivenGrant;
    const boat = async (): Promise<unknown[]> => {
      const { trips, crew, flags } = (await boats.get('b')) ?? {};
      return [trips, (crew as string[] | undefined)?.toSorted(), flags];
    };
    const writes = async (change: JsonObject): Promise<void> => {
      const { n } = await grant.datastore().save({ ...(await grant.datastore().getOne()), ...change });
      await grant.settled(n ?? 0);
      await until(() => grant.pending().length === 0);
      await grant.upToDate();
    };
    const undo = () => owner.account.sharing.writes.undo(grantId);
    await writes({ trips: 5, crew: ['ann', 'bob', 'app'], flags: ['red'] });
    const now = await boats.get('b');
    await boats.save({ ...now, trips: 15, crew: ['ann', 'app', 'dot'] });
    await owner.account.synced();
    await grant.upToDate();
    await writes({ trips: 16, crew: ['ann', 'app', 'dot', 'app two'] });
    expect(await boat()).toEqual([16, ['ann', 'app', 'app two', 'dot'], ['red']]);
    expect(await undo()).toEqual({ undone: 1 });
    expect(await boat()).toEqual([13, ['ann', 'cas', 'dot'], undefined]);
    // What was taken back is not taken back again.
    await owner.account.synced();
    await grant.upToDate();
    await writes({ trips: 20, crew: ['ann', 'cas', 'dot', 'app'] });
    expect(await undo()).toEqual({ undone: 1 });
    expect(await boat()).toEqual([13, ['ann', 'cas', 'dot'], undefined]);
  });
});
