/** The life of a grant after consent: pause, change of key, time, end, and what each side holds afterwards. */

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createSystemClock } from '@sluice/core/base';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { FeedChange } from '@sluice/client';
import { createJumpClock, type JumpClock } from '../jump-clock.ts';
import { grantItems, post, sharePosts, type SharedPosts, until } from '../sharing-fixture.ts';
import { createTestNetwork, type TestNetwork } from '../test-network.ts';

const DAY_MS = 86_400_000;
let net: TestNetwork;
let clock: JumpClock;
beforeEach(async () => {
  clock = createJumpClock();
  net = await createTestNetwork({ clock });
});
afterEach(() => net.close());

const statusOf = ({ owner, given }: SharedPosts): string =>
  owner.account.sharing.grants.list().find((g) => g.grantId === given.grantId)?.status ?? 'none';
/** The records that the grantee is told of as wiped, from now on. */
function wipesOf({ grant }: SharedPosts): ReadonlySet<string> {
  const told = new Set<string>();
  grant.changes(({ type, id, reason }: FeedChange) => type === 'delete' && reason === 'wiped' && told.add(id));
  return told;
}
const iso = (ms: number): string => new Date(ms).toISOString();

describe('a paused grant', () => {
  it('[GRANT-41] moves nothing, says so to the grantee, and then moves the difference alone', async () => {
    const shared = await sharePosts(net);
    const { owner, given, grant, posts } = shared;
    await until(() => statusOf(shared) === 'live');
    await owner.account.sharing.pause(given.grantId);
    expect(statusOf(shared)).toBe('paused');
    await until(() => grant.status() === 'paused');
    for (let i = 0; i < 20; i++) await posts.save({ ...(await posts.get('post-1')), content: `edit ${i}` });
    await posts.save(post(20));
    await posts.delete('post-20');
    await owner.account.synced();
    expect(await grant.datastore().count()).toBe(10);
    const changes: FeedChange[] = [];
    grant.changes((c) => changes.push(c));
    await owner.account.sharing.resume(given.grantId);
    clock.jump(5_000);
    await until(() => grant.status() === 'live');
    await until(async () => (await grant.datastore().getOne({ name: 'Post 1' }))?.content === 'edit 19');
    expect(statusOf(shared)).toBe('live');
    const ones = changes.filter((c) => c.record?.name === 'Post 1');
    expect(ones).toHaveLength(1);
  });

  it('[GRANT-41] goes on being live where nothing has changed meanwhile', async () => {
    const shared = await sharePosts(net);
    const { owner, given, grant } = shared;
    await until(() => statusOf(shared) === 'live');
    await owner.account.sharing.pause(given.grantId);
    await until(() => grant.status() === 'paused');
    await owner.account.sharing.resume(given.grantId);
    clock.jump(5_000);
    await until(() => grant.status() === 'live');
    expect(await grant.datastore().count()).toBe(10);
  });

  it('[GRANT-41] is paused on every device, and a revoke at the same time wins', async () => {
    const shared = await sharePosts(net);
    const { owner, given } = shared;
    await until(() => statusOf(shared) === 'live');
    const phone = await net.restore(owner, 'phone');
    await phone.synced();
    await Promise.all([owner.account.sharing.pause(given.grantId), phone.sharing.revoke(given.grantId)]);
    await Promise.all([owner.account.synced(), phone.synced()]);
    await until(() => statusOf(shared) === 'revoked');
    expect(phone.sharing.grants.list()[0]?.status).toBe('revoked');
    await expect(owner.account.sharing.resume(given.grantId)).rejects.toThrow(/revoked/);
    await until(() => shared.grant.status() === 'revoked');
  });
});

describe('a pause that cannot reach the node', () => {
  it('[GRANT-41] is none: the grant goes on when the node is back', async () => {
    const shared = await sharePosts(net);
    const { owner, given, grant, posts } = shared;
    await until(() => statusOf(shared) === 'live');
    await net.stopNode();
    await expect(owner.account.sharing.pause(given.grantId)).rejects.toMatchObject({ code: 'OFFLINE' });
    expect(statusOf(shared)).toBe('live');
    await net.startNode();
    await posts.save(post(20));
    await until(async () => (await grant.datastore().count()) === 11);
  });
});

describe('a grant with an end', () => {
  it('[GRANT-40] ends at its instant on both sides with nobody deciding, and the copy goes', async () => {
    const shared = await sharePosts(net, { duration: { until: iso(clock.nowMs() + DAY_MS) } });
    const { grant, posts } = shared;
    const told = wipesOf(shared);
    expect(await grant.datastore().count()).toBe(10);
    clock.jump(DAY_MS + 1000);
    await until(() => statusOf(shared) === 'expired');
    await until(() => grant.status() === 'expired');
    await posts.save(post(30));
    expect(await grant.datastore().count()).toBe(0);
    expect(told.size).toBe(10);
    await until(() => shared.owner.account.sharing.activity.list().some((e) => e.type === 'attestation'));
    const types = shared.owner.account.sharing.activity.list().map((e) => e.type);
    expect(types.filter((t) => t === 'expiry')).toHaveLength(1);
  });
});

describe('the end of a grant', () => {
  it('[GRANT-42] wipes the grantee’s copy at once, and its signed word of that reaches the owner', async () => {
    const shared = await sharePosts(net);
    await shared.owner.account.sharing.revoke(shared.given.grantId);
    await until(() => shared.grant.status() === 'revoked');
    await until(async () => (await shared.grant.datastore().count()) === 0);
    const attested = await until(() =>
      shared.owner.account.sharing.activity.list().find((e) => e.type === 'attestation'),
    );
    expect(attested).toMatchObject({ wiped: 10, reason: 'revoked', grantee: shared.app.account.did });
  });

  it('[GRANT-42] overwrites the sealed bodies of the copy in the files of the store', async () => {
    const shared = await sharePosts(net);
    const { grant, app } = shared;
    for (let i = 0; i < 40; i++) await shared.posts.save(post(100 + i));
    await until(async () => (await grant.datastore().count()) === 50);
    const rows = app.account.open.store.db.sql('SELECT body FROM feed_row').all();
    const bodies = rows.map(({ body }) => Buffer.from(body as Uint8Array).toString('latin1'));
    const found = (): number => {
      const text = readdirSync(app.store)
        .map((name) => readFileSync(join(app.store, name), 'latin1'))
        .join();
      return bodies.filter((body) => text.includes(body.slice(0, 100))).length;
    };
    expect(found()).toBe(50);
    await shared.owner.account.sharing.revoke(shared.given.grantId);
    await until(() => grant.status() === 'revoked');
    // The last page of a table is not given free, and a page of 4 KiB holds at most four of these.
    expect(found()).toBeLessThanOrEqual(4);
  });

  it('[GRANT-48] tells an application of each record that goes with the copy, pending writes included', async () => {
    const write = { operations: ['insert'], policy: 'propose' };
    const shared = await sharePosts(net, { access: 'readwrite', write } as never);
    const { id } = await shared.grant.datastore().save({ ...post(40), _id: undefined as never });
    const held = (await shared.grant.datastore().getMany({}, { limit: 100 })).map((record) => String(record._id));
    expect(held).toHaveLength(11);
    const told = wipesOf(shared);
    await shared.owner.account.sharing.revoke(shared.given.grantId);
    await until(() => told.size > 0);
    expect([...told].sort()).toEqual(held.sort());
    expect(told.has(id)).toBe(true);
  });

  it('[GRANT-48] tells of what the application wipes itself', async () => {
    const shared = await sharePosts(net);
    const told = wipesOf(shared);
    expect([shared.grant.wipe(), told.size]).toEqual([10, 10]);
  });

  it('[GRANT-48] tells of a record whose window passed, whoever noticed it first', async () => {
    await net.close();
    let commonMs = 0;
    net = await createTestNetwork({ clock: createSystemClock(() => commonMs) });
    const shared = await sharePosts(net, { filter: { createdAt: { $within: 'P1M' } } });
    const { grant, posts } = shared;
    const dated = (i: number, ms: number) => posts.save(post(i, { createdAt: iso(ms) }));
    await dated(50, net.clock.nowMs());
    const leaves = await until(() => grant.datastore().getOne({ name: 'Post 50' }));
    const told: FeedChange[] = [];
    grant.changes((change) => told.push(change));
    commonMs = 40 * DAY_MS;
    // No timer of this clock goes off: the owner's checkpoint says that the window has passed.
    await dated(51, net.clock.nowMs());
    await until(() => told.some(({ type }) => type === 'put'));
    expect(told.filter(({ type }) => type === 'delete')).toEqual([
      { type: 'delete', id: leaves._id, reason: 'expired', origin: 'owner' },
    ]);
  });

  it('[GRANT-49] shows nothing past its retention, also where no timer went off, by the later of both clocks', async () => {
    await net.close();
    let [commonMs, behindMs] = [0, 0];
    net = await createTestNetwork({
      clock: createSystemClock(() => commonMs),
      clockOf: (name) => (name.startsWith('reader') ? createSystemClock(() => commonMs - behindMs) : undefined),
    });
    const shared = await sharePosts(net, { retention: 'P7D' });
    const [first] = await shared.grant.datastore().getMany();
    const seen = async (grant = shared.grant): Promise<unknown[]> => [
      await grant.datastore().count(),
      (await grant.datastore().getMany()).length,
      await grant.datastore().get(String(first?._id)),
    ];
    await shared.owner.account.sharing.revoke(shared.given.grantId);
    await until(() => shared.grant.status() === 'revoked');
    commonMs = 6 * DAY_MS;
    expect(await seen()).toEqual([10, 10, first]);
    commonMs = 7 * DAY_MS + 60_000;
    expect(await seen()).toEqual([0, 0, undefined]);
    // Set back while nobody ran, and heard of from the node.
    commonMs = 6 * DAY_MS;
    await shared.app.account.close();
    behindMs = 5 * DAY_MS;
    commonMs = 8 * DAY_MS;
    const app = await net.reopen(shared.app);
    const grant = await app.sharing.grants.open(shared.given.grantId);
    await until(async () => (await grant.datastore().count()) === 0);
    expect(await seen(grant)).toEqual([0, 0, undefined]);
  });

  it('[GRANT-49] counts the retention from the end that the terms name, though nobody was there', async () => {
    const shared = await sharePosts(net, { retention: 'P7D', duration: { until: iso(clock.nowMs() + DAY_MS) } });
    await shared.app.account.close();
    clock.jump(9 * DAY_MS);
    const app = await net.reopen(shared.app);
    const grant = await app.sharing.grants.open(shared.given.grantId);
    expect([await grant.datastore().count(), grant.status()]).toEqual([0, 'expired']);
  });

  it('[GRANT-42] leaves the copy for as long as the terms let it be retained', async () => {
    const shared = await sharePosts(net, { retention: 'P7D' });
    await shared.owner.account.sharing.revoke(shared.given.grantId);
    await until(() => shared.grant.status() === 'revoked');
    expect(await shared.grant.datastore().count()).toBe(10);
    await shared.app.account.close();
    clock.jump(6 * DAY_MS);
    const app = await net.reopen(shared.app);
    const grant = await app.sharing.grants.open(shared.given.grantId);
    expect(await grant.datastore().count()).toBe(10);
    clock.jump(DAY_MS + 60_000);
    await until(async () => (await grant.datastore().count()) === 0);
  });

  it('[GRANT-46] leaves nothing of its feed after thirty days, neither at the owner nor, of a delivery made once, at the node', async () => {
    const ended = await sharePosts(net);
    const { owner } = ended;
    const once = await grantItems(owner, ended.app, [{ schema: 'social/post', duration: 'once' }]);
    const [given] = once.given;
    await owner.account.sharing.revoke(ended.given.grantId);
    const statuses = (): string[] => owner.account.sharing.grants.list().map((g) => g.status);
    await until(() => statuses().includes('completed') && statuses().includes('revoked'));
    const feed = given?.feed ?? ended.given.feed;
    const { space } = owner.account.open.home.keys;
    const served = () =>
      net.storage.readPage({
        space,
        log: { type: 'stream', stream: feed },
        after: 0,
        except: owner.account.vault.engine.self,
        whole: true,
        nowMs: clock.nowMs(),
      });
    expect(served().entries.length).toBeGreaterThan(10);
    clock.jump(31 * DAY_MS);
    await until(() => statuses().every((status) => status === 'purged'));
    expect(served().entries).toEqual([]);
    const { db } = owner.account.open.store;
    for (const table of ['sent', 'due']) expect(db.sql(`SELECT 1 FROM ${table}`).all()).toEqual([]);
    expect(owner.account.sharing.activity.list().filter((e) => e.type === 'release').length).toBeGreaterThan(0);
  });

  it('[GRANT-43] leaves the owner a certificate: the node’s word, what was released at most, and what the grantee says', async () => {
    const shared = await sharePosts(net);
    const { owner, given, grant } = shared;
    const outcome = await owner.account.sharing.revoke(given.grantId);
    expect(outcome).toMatchObject({
      status: 'revoked',
      certificate: {
        grantId: given.grantId,
        released: { puts: 10, deletes: 0 },
        held: 10,
        acknowledgement: { node: owner.account.open.home.keys.node.did },
      },
    });
    await until(() => grant.status() === 'revoked');
    const full = await until(async () => {
      const certificate = await owner.account.sharing.certificate(given.grantId);
      return certificate?.attestation && certificate;
    });
    expect(full.attestation).toMatchObject({ wiped: 10, reason: 'revoked' });
    const { servedTo, feedHead } = full.acknowledgement;
    expect(servedTo).toBe(feedHead);
  });

  it('[GRANT-45] comes from the grantee, too: it drops the grant, wipes its copy, and the owner’s side ends', async () => {
    const shared = await sharePosts(net);
    await shared.grant.drop();
    expect(shared.grant.status()).toBe('dropped');
    expect(await shared.grant.datastore().count()).toBe(0);
    await until(() => statusOf(shared) === 'revoked');
    await until(() => shared.owner.account.sharing.activity.list().some((e) => e.type === 'drop'));
    await shared.posts.save(post(40));
    await shared.owner.account.synced();
    const { rows } = shared.owner.account.open.home.access;
    await until(() => rows.get(shared.given.grantId)?.status === 'revoked');
  });
});

describe('a grant’s key', () => {
  it('[FEED-26] changes in the feed before its first use, for live readers and for one that starts anew', async () => {
    const shared = await sharePosts(net);
    const { owner, given, grant, posts } = shared;
    await owner.account.sharing.rotateKey(given.grantId);
    await posts.save(post(50));
    await until(async () => (await grant.datastore().count()) === 11);
    await owner.account.sharing.rotateKey(given.grantId);
    await posts.save(post(51));
    await until(async () => (await grant.datastore().count()) === 12);
    const second = await net.restore(shared.app, 'app again');
    await second.synced();
    const anew = await second.sharing.grants.open(given.grantId);
    await anew.upToDate();
    expect(await anew.datastore().count()).toBe(12);
  });

  it('[FEED-26] is known to every device of the owner, whichever changed it', async () => {
    const shared = await sharePosts(net);
    const { owner, given, grant } = shared;
    const phone = await net.restore(owner, 'phone');
    await phone.synced();
    await until(() => phone.sharing.feedsUpToDate());
    await owner.account.sharing.rotateKey(given.grantId);
    await shared.posts.save(post(60));
    await until(async () => (await grant.datastore().count()) === 11);
    await owner.account.synced();
    await owner.account.close();
    const posts = await phone.vault.openDatastore('social/post');
    await posts.save(post(61));
    await until(async () => (await grant.datastore().count()) === 12);
    expect(grant.status()).toBe('live');
  });

  it('[FEED-26] is made once, however often it is asked for before it can be used', async () => {
    const shared = await sharePosts(net);
    const { owner, given, grant, posts } = shared;
    const { keychain } = owner.account.open;
    const keys = (): number =>
      keychain.list('grant-fact').filter(({ id }) => id.startsWith(`${given.grantId}/key/`)).length;
    await net.stopNode();
    for (let i = 0; i < 3; i++) await owner.account.sharing.rotateKey(given.grantId);
    expect(keys()).toBe(1);
    await net.startNode();
    await posts.save(post(62));
    await until(async () => (await grant.datastore().count()) === 11);
    await owner.account.sharing.rotateKey(given.grantId);
    expect(keys()).toBe(2);
  });

  it('[FEED-26] locks the way back, too', async () => {
    const shared = await sharePosts(net, {
      access: 'readwrite',
      write: { operations: ['update'], policy: 'auto' },
    } as never);
    const { owner, given, grant, posts } = shared;
    await owner.account.sharing.rotateKey(given.grantId);
    await posts.save(post(70));
    await until(async () => (await grant.datastore().count()) === 11);
    const record = await until(() => grant.datastore().getOne({ name: 'Post 1' }));
    const { n } = await grant.datastore().save({ ...record, content: 'under the new key' });
    expect(await grant.settled(n ?? 0)).toMatchObject({ accepted: true });
    await until(async () => (await posts.get('post-1'))?.content === 'under the new key');
    expect(grant.status()).toBe('live');
  });
});

describe('time', () => {
  it('[FEED-25] brings a record in that matches only later, with nobody editing it', async () => {
    const at = clock.nowMs() - 8 * 3_600_000;
    const shared = await sharePosts(net, { filter: { $not: { createdAt: { $within: 'P1D' } } } });
    await shared.posts.save(post(80, { createdAt: iso(at) }));
    await shared.owner.account.synced();
    await until(() => shared.owner.account.sharing.feedsUpToDate());
    expect(await shared.grant.datastore().getOne({ name: 'Post 80' })).toBeUndefined();
    clock.jump(DAY_MS);
    await until(() => shared.grant.datastore().getOne({ name: 'Post 80' }));
  });

  it('[FEED-27] lets a grant with a frequency have one batch in so long, with all that came since', async () => {
    const shared = await sharePosts(net, { frequency: 'PT1H' });
    const changes: FeedChange[] = [];
    shared.grant.changes((c) => changes.push(c));
    await shared.posts.save(post(90));
    await shared.posts.save(post(91));
    await shared.owner.account.synced();
    expect(shared.owner.account.sharing.feedsUpToDate()).toBe(false);
    expect(await shared.grant.datastore().count()).toBe(10);
    clock.jump(3_600_000 + 1000);
    await until(async () => (await shared.grant.datastore().count()) === 12);
    expect(changes).toHaveLength(2);
  });
});

describe('a change of terms', () => {
  it('[FEED-28] moves what differs and nothing else', async () => {
    const owner = await net.person('many');
    const app = await net.app('https://many.example');
    const posts = await owner.account.vault.openDatastore('social/post');
    await posts.saveMany(Array.from({ length: 500 }, (_, i) => post(i)));
    const asked = { schema: 'social/post', fields: ['name', { path: 'type', optional: true as const }] };
    const { grants, given } = await grantItems(owner, app, [asked]);
    const [grant] = grants;
    const [{ grantId } = { grantId: '' }] = given;
    const received = (): number => grant?.traffic().received ?? 0;
    expect(received()).toBeGreaterThan(50_000);
    const before = received();
    await owner.account.sharing.change(grantId, { filter: { name: { $nin: ['Post 1', 'Post 2'] } } });
    await until(async () => (await grant?.datastore().count()) === 498);
    await grant?.upToDate();
    expect(received() - before).toBeLessThan(2_000);
    await owner.account.sharing.change(grantId, { filter: {} });
    await until(async () => (await grant?.datastore().count()) === 500);
    expect(received() - before).toBeLessThan(4_000);
    // What is left of every record is another record: that much has to move.
    await owner.account.sharing.change(grantId, { fields: ['name'] });
    await until(async () => !('type' in ((await grant?.datastore().getOne({ name: 'Post 7' })) ?? { type: 1 })));
    await grant?.upToDate();
    expect(received() - before).toBeGreaterThan(50_000);
  });
});

describe('a grantee of many owners', () => {
  it('[GRANT-44] has one connection to a node, whoever’s grants it carries', async () => {
    const first = await sharePosts(net);
    const before = net.node.connections();
    for (const name of ['anna', 'ben', 'carl']) {
      const owner = await net.person(name);
      const posts = await owner.account.vault.openDatastore('social/post');
      await posts.save(post(1));
      const { grants } = await grantItems(owner, first.app, [{ schema: 'social/post' }]);
      expect(await grants[0]?.datastore().count()).toBe(1);
    }
    // Each new person has a connection of its own; the grantee needs no more than it had.
    expect(net.node.connections() - before).toBe(3);
  });
});
