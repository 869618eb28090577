/** Lanes: what a grantee writes back, what the owner decides on it, and what each side then holds. */

import type { StreamId } from '@sluice/core/base';
import type { Storage } from '@sluice/node';
import { MAX_WAITING_WRITES } from '@sluice/core/grant';
import { decodeClientFrame, encodePush, formatLogName } from '@sluice/core/wire';
import type { FeedChange, Platform, WriteVerdict } from '@sluice/client';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { reopenOn } from '../messaging/messaging-fixture.ts';
import { grantItems, post, type SharedPosts, until } from '../sharing-fixture.ts';
import { createTestNetwork, type Persona, type TestNetwork } from '../test-network.ts';
import { change, contentOf, entriesInLane, find, shareBoth as shareOn, WRITE } from './lane-fixture.ts';

let net: TestNetwork;
/** Whether the node refuses to store a part of a push for now. */
let refuses: (part: Part) => boolean;
/** How many writes to a lane the node stores and calls a fork all the same, as when its first answer was lost. */
let forks: number;
type Part = Parameters<Storage['push']>[0]['parts'][number];
const wrapStorage = (storage: Storage): Storage => ({
  ...storage,
  push: async (job) => {
    if (job.parts.some((part) => refuses(part))) return { ok: false, code: 'RATE_LIMITED' };
    const answer = await storage.push(job);
    if (forks === 0 || !job.parts.some((part) => part.type === 'sealed' && part.kind === 'lane')) return answer;
    forks--;
    return { ok: false, code: 'FORK' };
  },
});
beforeEach(async () => {
  refuses = () => false;
  forks = 0;
  net = await createTestNetwork({ wrapStorage });
});
afterEach(() => net.close());

const shareBoth = (more: object = {}, write: object = {}, owner?: Persona): Promise<SharedPosts> =>
  shareOn(net, more, write, owner);

describe('a write of a grantee', () => {
  it('[LANE-4] shows at once, takes effect at the owner, and is told to the grantee as accepted', async () => {
    const shared = await shareBoth();
    const { grant } = shared;
    const record = await find(shared, 'Post 3');
    const n = await change(shared, 'Post 3', 'by the app');
    expect((await grant.datastore().get(String(record._id)))?.content).toBe('by the app');
    expect(await grant.settled(n)).toMatchObject({ n, accepted: true });
    await until(async () => (await contentOf(shared, 'post-3')) === 'by the app');
    await until(() => grant.pending().length === 0);
    expect((await grant.datastore().get(String(record._id)))?.content).toBe('by the app');
    expect(grant.status()).toBe('live');
  });

  it('[LANE-4] makes a record under an id that the grantee chose, and deletes one', async () => {
    const shared = await shareBoth();
    const { grant, posts } = shared;
    const { _id, ...document } = post(77);
    const made = await grant.datastore().save(document);
    expect(await grant.settled(made.n ?? 0)).toMatchObject({ accepted: true });
    const mine = await until(() => posts.getOne({ name: 'Post 77' }));
    expect(mine._id).toBe(`${shared.given.grantId}.${made.id}`);
    await until(() => grant.pending().length === 0);
    expect(await grant.datastore().count()).toBe(11);
    const gone = await grant.datastore().delete(made.id);
    expect(await grant.datastore().get(made.id)).toBeUndefined();
    expect(await grant.settled(gone.n)).toMatchObject({ accepted: true });
    await until(async () => (await posts.getOne({ name: 'Post 77' })) === undefined);
    await until(() => grant.pending().length === 0);
    expect(await grant.datastore().count()).toBe(10);
  });

  it('[LANE-5] that the owner cannot take is refused with its reason, changes nothing, and is not shown any more', async () => {
    const shared = await shareBoth();
    const { grant } = shared;
    const id = String((await find(shared, 'Post 3'))._id);
    await net.stopNode();
    await shared.posts.delete('post-3');
    const n = await change(shared, 'Post 3', 'of what is gone');
    expect((await grant.datastore().get(id))?.content).toBe('of what is gone');
    await net.startNode();
    expect(await grant.settled(n)).toMatchObject({ accepted: false, code: 'NOT_FOUND' });
    await until(() => grant.pending().length === 0);
    await until(async () => (await grant.datastore().get(id)) === undefined);
    const next = await change(shared, 'Post 5', 'within');
    expect(await grant.settled(next)).toMatchObject({ accepted: true });
    await until(async () => (await contentOf(shared, 'post-5')) === 'within');
    expect(await shared.posts.get('post-3')).toBeUndefined();
  });

  it('[LANE-20] that the owner would refuse for certain is refused at once, and takes no number', async () => {
    const shared = await shareBoth(
      { filter: { type: 'odd' } },
      { fields: ['content', 'type'], operations: ['insert', 'update'], perDay: 2 },
    );
    const { grant } = shared;
    const record = await find(shared, 'Post 3');
    const store = grant.datastore();
    const { _id, _rev, ...whole } = post(7);
    await net.stopNode();
    await expect(store.save({ ...record, name: 'Another' })).rejects.toMatchObject({
      code: 'FIELD_NOT_ALLOWED',
      message: expect.stringContaining('do not let set name; allowed are content, type'),
    });
    const { name: __, ...nameless } = record;
    await expect(store.save(nameless)).rejects.toMatchObject({
      code: 'FIELD_NOT_ALLOWED',
      message: expect.stringContaining('do not let remove name, which this record leaves out; allowed are content'),
    });
    await expect(store.save({ ...record, type: 'even' })).rejects.toMatchObject({
      code: 'OUTSIDE_FILTER',
      message: expect.stringContaining('is for records where type is "odd"'),
    });
    await expect(store.save({ ...record, content: 7 })).rejects.toMatchObject({
      code: 'INVALID_RECORD',
      issues: [{ path: '/content', message: expect.any(String) }],
    });
    await expect(store.save({ ...record, content: 'x'.repeat(1_000_000) })).rejects.toMatchObject({
      code: 'INVALID_RECORD',
    });
    await expect(store.save(whole)).rejects.toMatchObject({ code: 'FIELD_NOT_ALLOWED' });
    await expect(store.delete(String(record._id))).rejects.toMatchObject({
      code: 'OPERATION_NOT_ALLOWED',
      message: expect.stringContaining('do not let delete; allowed are insert, update'),
    });
    expect(grant.pending()).toEqual([]);
    expect(await change(shared, 'Post 3', 'one')).toBe(1);
    expect(await change(shared, 'Post 5', 'two')).toBe(2);
    await expect(change(shared, 'Post 7', 'three')).rejects.toMatchObject({ code: 'OVER_QUOTA' });
    await net.startNode();
    expect(await grant.settled(2)).toMatchObject({ accepted: true });
    await expect(change(shared, 'Post 7', 'three')).rejects.toMatchObject({ code: 'OVER_QUOTA' });
    await shared.app.account.close();
    const again = await (await net.reopen(shared.app)).sharing.grants.open(grant.id);
    await expect(change({ ...shared, grant: again }, 'Post 7', 'three')).rejects.toMatchObject({ code: 'OVER_QUOTA' });
  });

  it('[LANE-5] takes effect once, though two devices of the owner decide', async () => {
    const shared = await shareBoth();
    const phone = await net.restore(shared.owner, 'phone');
    await phone.synced();
    await until(() => phone.sharing.feedsUpToDate());
    const verdicts: WriteVerdict[] = [];
    shared.grant.onVerdict((v) => verdicts.push(v));
    for (let i = 0; i < 10; i++) await change(shared, `Post ${i}`, `changed ${i}`);
    await until(() => verdicts.length === 10 && shared.grant.pending().length === 0);
    expect(verdicts.map((v) => v.n)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    expect(verdicts.every((v) => v.accepted)).toBe(true);
    await shared.owner.account.synced();
    await phone.synced();
    const mine = await shared.posts.getMany({}, { sort: [{ name: 'asc' }] });
    const theirs = await (await phone.vault.openDatastore('social/post')).getMany({}, { sort: [{ name: 'asc' }] });
    expect(mine).toEqual(theirs);
    expect(mine.map((p) => p.content)).toEqual(Array.from({ length: 10 }, (_, i) => `changed ${i}`));
  });

  it('[LANE-5] is decided at one desk, also where a grant and its acceptance are heard of at once', async () => {
    const owner = await net.person('poster');
    const phone = await net.restore(owner, 'phone');
    await phone.synced();
    await phone.close();
    const shared = await shareBoth({}, {}, owner);
    await owner.account.synced();
    const log = formatLogName({ type: 'stream', stream: shared.given.lane as StreamId });
    const desks = new Set<number>();
    const openSocket: Platform['openSocket'] = (url, events) => {
      const socket = net.platform.openSocket(url, events);
      const send = (bytes: Uint8Array): void => {
        const frame = decodeClientFrame(bytes);
        if (frame.ok && frame.value.type === 'sub' && frame.value.log === log) desks.add(frame.value.id);
        if (frame.ok && frame.value.type === 'unsub') desks.delete(frame.value.id);
        socket.send(bytes);
      };
      return { ...socket, send };
    };
    const again = await reopenOn(net, { ...owner, store: join(net.directory, 'phone') }, { openSocket });
    try {
      await again.synced();
      await until(() => again.sharing.feedsUpToDate() && desks.size > 0);
      expect(desks.size).toBe(1);
    } finally {
      await again.close();
    }
  });

  it('[LANE-7] to a grant that proposes waits for the owner, who takes one and refuses another', async () => {
    const shared = await shareBoth({}, { policy: 'propose' });
    const { grant, owner, given } = shared;
    const first = await change(shared, 'Post 1', 'please');
    const second = await change(shared, 'Post 2', 'this too');
    await until(() => owner.account.sharing.writes.list().length === 2);
    await until(() => grant.pending().every((w) => w.state === 'waiting'));
    expect(await contentOf(shared, 'post-1')).toBe('content 1');
    expect((await find(shared, 'Post 1')).content).toBe('please');
    await owner.account.sharing.writes.accept(given.grantId, first);
    await owner.account.sharing.writes.reject(given.grantId, second);
    expect(await grant.settled(first)).toMatchObject({ accepted: true });
    expect(await grant.settled(second)).toMatchObject({ accepted: false, code: 'DECLINED' });
    await until(async () => (await contentOf(shared, 'post-1')) === 'please');
    await until(() => grant.pending().length === 0);
    expect((await find(shared, 'Post 2')).content).toBe('content 2');
    expect(owner.account.sharing.writes.list(given.grantId).map((w) => w.status)).toEqual(['applied', 'rejected']);
    await expect(owner.account.sharing.writes.accept(given.grantId, first)).rejects.toThrow(/answered/);
  });

  it('[LANE-7] waits for nobody any more when the grant has ended, and is not shown any more', async () => {
    const shared = await shareBoth({}, { policy: 'propose' });
    const { grant, given } = shared;
    const { sharing } = shared.owner.account;
    const n = await change(shared, 'Post 3', 'proposed');
    await until(() => sharing.writes.list().length === 1);
    await sharing.revoke(given.grantId);
    expect(sharing.writes.list()).toEqual([]);
    await expect(sharing.writes.accept(given.grantId, n)).rejects.toMatchObject({ code: 'REVOKED' });
    expect(sharing.writes.list(given.grantId)).toMatchObject([{ n, status: 'waiting' }]);
    await until(() => grant.status() === 'revoked');
    expect([grant.pending(), await grant.datastore().getMany()]).toEqual([[], []]);
    await expect(grant.settled(n)).rejects.toMatchObject({ code: 'REVOKED' });
    await expect(grant.upToDate()).rejects.toMatchObject({ code: 'REVOKED' });
  });

  it('[LANE-18] that waits leaves the lane, and a device that comes later decides on it', async () => {
    const shared = await shareBoth({}, { policy: 'propose' });
    const { grant, owner, given } = shared;
    const inLane = () => entriesInLane(net, shared);
    const first = await change(shared, 'Post 1', 'please');
    const second = await change(shared, 'Post 2', 'this too');
    const { id, n: third } = await grant.datastore().save({ ...post(77), _id: undefined } as never);
    await shared.posts.save({ ...(await shared.posts.get('post-4')), tags: ['kept', 'gone'] });
    const tagged = await until(() => grant.datastore().getOne({ tags: 'gone' }));
    // What the app has not seen, though it was there before, is not the app's to take away.
    refuses = (part) => part.type === 'feed';
    await shared.posts.save({ ...(await shared.posts.get('post-4')), tags: ['kept', 'gone', 'unseen'] });
    const savedMs = net.clock.nowMs();
    await until(() => net.clock.nowMs() > savedMs + 1);
    const fourth = (await grant.datastore().save({ ...tagged, tags: ['kept', 'by the app'] })).n ?? 0;
    refuses = () => false;
    await until(() => owner.account.sharing.writes.list().length === 4);
    await until(() => inLane() === 0);
    await owner.account.synced();
    await owner.account.close();
    const phone = await net.restore(owner, 'phone');
    await phone.synced();
    const { writes } = phone.sharing;
    expect(writes.list().map(({ n, status }) => [n, status])).toEqual(
      [first, second, third, fourth].map((n) => [n, 'waiting']),
    );
    await writes.accept(given.grantId, first);
    await writes.reject(given.grantId, second);
    await writes.accept(given.grantId, third ?? 0);
    await writes.accept(given.grantId, fourth);
    expect(await grant.settled(first)).toMatchObject({ accepted: true });
    expect(await grant.settled(second)).toMatchObject({ accepted: false, code: 'DECLINED' });
    expect(await grant.settled(third ?? 0)).toMatchObject({ accepted: true });
    const posts = await phone.vault.openDatastore('social/post');
    await until(async () => (await posts.get('post-1'))?.content === 'please');
    await until(async () => (await posts.get(`${given.grantId}.${id}`))?.name === 'Post 77');
    const tagsOf = async (id: string): Promise<string[]> => String((await posts.get(id))?.tags).split(',');
    await until(async () => (await tagsOf('post-4')).includes('by the app'));
    expect((await tagsOf('post-4')).sort()).toEqual(['by the app', 'kept', 'unseen']);
    expect((await posts.get('post-2'))?.content).toBe('content 2');
    await until(() => grant.pending().length === 0);
    expect(grant.status()).toBe('live');
  });

  it('[LANE-18] that waits stays in the lane until the node has what the owner keeps of it', async () => {
    const shared = await shareBoth({}, { policy: 'propose' });
    const { grant, owner } = shared;
    refuses = (part) => part.type === 'sealed' && part.kind === 'own';
    const isWaiting = (count: number) => () => grant.pending().filter((w) => w.state === 'waiting').length === count;
    await change(shared, 'Post 1', 'please');
    await until(isWaiting(1));
    await until(() => owner.account.sharing.writes.list().length === 1);
    // The owner's device keeps it, and the node has not taken that yet: a trim that is not held back would be here by now.
    await owner.account.open.link.push(owner.account.open.home.keys.space, encodePush([]));
    expect(entriesInLane(net, shared)).toBe(1);
    refuses = () => false;
    await until(() => entriesInLane(net, shared) === 0);
  });

  it('[LANE-19] beside a thousand that wait is refused, until some of them are answered', async () => {
    const shared = await shareBoth({}, { policy: 'propose' });
    const { grant, owner, given } = shared;
    const { writes } = owner.account.sharing;
    const waiting = new Set<number>();
    writes.onWaiting(({ n }) => waiting.add(n));
    const record = await find(shared, 'Post 3');
    await net.stopNode();
    for (let i = 0; i < MAX_WAITING_WRITES; i++) await grant.datastore().save({ ...record, content: `proposal ${i}` });
    const tooMany = await change(shared, 'Post 4', 'one too many');
    const taken = new Promise((resolve) => writes.onWaiting(({ n }) => n === tooMany && resolve('it waits')));
    await net.startNode();
    expect(await Promise.race([grant.settled(tooMany), taken])).toMatchObject({
      accepted: false,
      code: 'TOO_MANY_WAITING',
    });
    await until(() => waiting.size === MAX_WAITING_WRITES);
    await writes.reject(given.grantId, 1);
    expect(await grant.settled(1)).toMatchObject({ accepted: false, code: 'DECLINED' });
    const again = await change(shared, 'Post 4', 'again');
    await until(() => waiting.has(again));
    expect(writes.list()).toHaveLength(MAX_WAITING_WRITES);
    // With the two refused before these are more than are told at once (LANE-12).
    await Promise.all(writes.list().map(({ n }) => writes.reject(given.grantId, n)));
    expect(await grant.settled(again)).toMatchObject({ accepted: false, code: 'DECLINED' });
  }, 60_000);

  it('[LANE-8] made with nobody online survives a restart, and is sent when the node is back', async () => {
    const shared = await shareBoth();
    const record = await find(shared, 'Post 5');
    await net.stopNode();
    await change(shared, 'Post 5', 'offline');
    await shared.app.account.close();
    const app = await net.reopen(shared.app);
    const grant = await app.sharing.grants.open(shared.given.grantId);
    expect(grant.pending()).toMatchObject([{ n: 1, state: 'queued', set: { content: 'offline' } }]);
    expect((await grant.datastore().get(String(record._id)))?.content).toBe('offline');
    await net.startNode();
    expect(await grant.settled(1)).toMatchObject({ accepted: true });
    await until(async () => (await contentOf(shared, 'post-5')) === 'offline');
  });

  it('[LANE-9] an owner takes back all that one grantee wrote, and nothing that others wrote since', async () => {
    const shared = await shareBoth();
    const { grant, owner, given, posts } = shared;
    await change(shared, 'Post 1', 'app 1');
    await change(shared, 'Post 1', 'app 1 again');
    await change(shared, 'Post 2', 'app 2');
    const { _id, ...document } = post(77);
    await grant.datastore().save(document);
    const gone = await find(shared, 'Post 4');
    await grant.datastore().delete(String(gone._id));
    await until(() => grant.pending().length === 0);
    const two = await posts.get('post-2');
    await posts.save({ ...two, content: 'owner 2' });
    // Post 2 is as the owner left it.
    expect(await owner.account.sharing.writes.undo(given.grantId)).toEqual({ undone: 3 });
    expect(await contentOf(shared, 'post-1')).toBe('content 1');
    expect(await contentOf(shared, 'post-2')).toBe('owner 2');
    expect(await contentOf(shared, 'post-4')).toBe('content 4');
    expect(await posts.getOne({ name: 'Post 77' })).toBeUndefined();
    await until(async () => (await grant.datastore().count()) === 10);
    expect(await owner.account.sharing.writes.undo(given.grantId)).toEqual({ undone: 0 });
  });

  it('[LANE-11] adds to a set what it added, though the owner added to it meanwhile', async () => {
    const owner = await net.person('writer');
    const app = await net.app('https://notes.example');
    const notes = await owner.account.vault.openDatastore('note');
    await notes.save({ _id: 'n', title: 'List', body: 'x', tags: ['a', 'b'] });
    const { grants } = await grantItems(owner, app, [{ schema: 'note', access: 'readwrite', write: WRITE }]);
    const [grant] = grants;
    const note = await until(() => grant?.datastore().getOne());
    await net.stopNode();
    await notes.save({ ...(await notes.get('n')), tags: ['a', 'b', 'owner'] });
    await grant?.datastore().save({ ...note, tags: ['a', 'app'] });
    await net.startNode();
    await until(() => grant?.pending().length === 0);
    const tags = (await notes.get('n'))?.tags as string[] | undefined;
    expect([...(tags ?? [])].sort()).toEqual(['a', 'app', 'owner']);
  });

  it('[LANE-17] of a second device of the grantee gets the next number, and the verdict is its own', async () => {
    const shared = await shareBoth();
    const second = await net.restore(shared.app, 'second');
    await second.synced();
    const other = await second.sharing.grants.open(shared.given.grantId);
    await other.upToDate();
    const first = await change(shared, 'Post 1', 'by the first');
    expect(await shared.grant.settled(first)).toMatchObject({ n: 1, accepted: true });
    const again = await change({ ...shared, grant: other }, 'Post 2', 'by the second');
    expect(await other.settled(again)).toMatchObject({ n: 2, accepted: true });
    await until(async () => (await contentOf(shared, 'post-2')) === 'by the second');
    expect(await contentOf(shared, 'post-1')).toBe('by the first');
    // Under the number that it was given first, too, by another process.
    await second.close();
    const reopened = await net.reopen({ ...shared.app, store: join(net.directory, 'second') });
    const same = await reopened.sharing.grants.open(shared.given.grantId);
    expect(await same.settled(again)).toMatchObject({ n: 2, accepted: true });
  });

  it('[LANE-17] is told of and pending no more, though the node’s word that it has it was lost', async () => {
    const shared = await shareBoth();
    await change(shared, 'Post 1', 'first');
    await until(() => shared.grant.pending().length === 0);
    forks = 1;
    const n = await change(shared, 'Post 2', 'second');
    await until(async () => (await contentOf(shared, 'post-2')) === 'second');
    expect(await shared.grant.settled(n)).toMatchObject({ accepted: true });
    await until(() => shared.grant.pending().length === 0);
    expect(shared.grant.status()).toBe('live');
  });

  it('[LANE-11] [LANE-12] that is refused is told so, also when a thousand are refused while the grantee is away, and for good', async () => {
    const shared = await shareBoth();
    const { grant, owner } = shared;
    const record = await find(shared, 'Post 3');
    await net.stopNode();
    const verdicts: WriteVerdict[] = [];
    grant.onVerdict((v) => verdicts.push(v));
    await shared.posts.delete('post-3');
    for (let i = 0; i < 1_100; i++) await grant.datastore().save({ ...record, content: `write ${i}` });
    const last = await change(shared, 'Post 4', 'the last, and a good one');
    await net.startNode();
    expect(await grant.settled(last)).toMatchObject({ accepted: true });
    const refused = verdicts.filter((v) => v.n <= 1_100 && v.code === 'NOT_FOUND');
    expect(refused).toHaveLength(1_100);
    // What told the owner which refusals were seen is no write, neither here nor there.
    await until(() => grant.pending().length === 0);
    expect(verdicts).toHaveLength(1_101);
    expect(owner.account.sharing.writes.list(grant.id)).toHaveLength(1_101);
    // The owner had to forget the first ones before it could say the last.
    const first = { n: 1, accepted: false, code: 'NOT_FOUND' };
    expect(await grant.settled(1)).toMatchObject(first);
    await shared.app.account.close();
    const again = await (await net.reopen(shared.app)).sharing.grants.open(grant.id);
    expect(await again.settled(1)).toMatchObject(first);
  }, 60_000);

  it('[LANE-13] that says nothing new writes nothing', async () => {
    const shared = await shareBoth();
    const record = await find(shared, 'Post 3');
    expect(await shared.grant.datastore().save(record)).toEqual({ id: record._id, n: undefined });
    expect(shared.grant.pending()).toEqual([]);
  });

  it('[LANE-14] never comes back as somebody else’s change', async () => {
    const shared = await shareBoth();
    const changes: FeedChange[] = [];
    shared.grant.changes((c) => changes.push(c));
    const n = await change(shared, 'Post 3', 'mine');
    await shared.grant.settled(n);
    await until(() => shared.grant.pending().length === 0);
    await shared.posts.save({ ...(await shared.posts.get('post-4')), content: 'theirs' });
    await until(() => changes.some((c) => c.record?.content === 'theirs'));
    expect(changes.filter((c) => c.record?.content === 'mine').every((c) => c.origin === 'self')).toBe(true);
    expect(changes.filter((c) => c.origin === 'owner').map((c) => c.record?.name)).toEqual(['Post 4']);
  });

  it('[LANE-15] a field that goes to and fro between two writers pauses the grant', async () => {
    const shared = await shareBoth();
    const { posts, owner, grant } = shared;
    const isPaused = (): boolean => owner.account.sharing.grants.list()[0]?.status === 'paused';
    for (let i = 0; i < 8 && !isPaused(); i++) {
      await change(shared, 'Post 1', `app ${i}`);
      await until(async () => isPaused() || (await contentOf(shared, 'post-1')) === `app ${i}`);
      await posts.save({ ...(await posts.get('post-1')), content: `owner ${i}` });
      await until(async () => isPaused() || (await find(shared, 'Post 1')).content === `owner ${i}`);
    }
    await until(() => owner.account.sharing.grants.list()[0]?.status === 'paused');
    await until(() => grant.status() === 'paused');
    await until(() => owner.account.sharing.activity.list().some((e) => e.type === 'pause'));
    expect(isPaused()).toBe(true);
  });

  it('[LANE-16] a grantee with write access alone sees none of the owner’s records, and what it made itself only as pending', async () => {
    const shared = await shareBoth({ access: 'write' });
    const { grant, posts } = shared;
    expect(await grant.datastore().count()).toBe(0);
    const { _id, ...document } = post(88);
    const made = await grant.datastore().save(document);
    expect(await grant.settled(made.n ?? 0)).toMatchObject({ accepted: true });
    await until(() => posts.getOne({ name: 'Post 88' }));
    await until(() => grant.pending().length === 0);
    expect(await grant.datastore().count()).toBe(0);
    const again = await grant.datastore().save({ ...document, _id: made.id, content: 'changed' });
    expect(await grant.settled(again.n ?? 0)).toMatchObject({ accepted: true });
    await until(async () => (await posts.getOne({ name: 'Post 88' }))?.content === 'changed');
    const blind = await grant.datastore().save({ _id: `w${'x'.repeat(22)}`, content: 'guess' });
    expect(await grant.settled(blind.n ?? 0)).toMatchObject({ accepted: false, code: 'NOT_FOUND' });
    const guess = grant.datastore().save({ _id: 'x'.repeat(22), content: 'guess' });
    await expect(guess).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });
});
