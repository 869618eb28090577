/** Verdicts on what a grantee wrote: each is heard, once, and is the one that was given. */

import { SluiceError } from '@sluice/client';
import { bytesToHex, type StreamId } from '@sluice/core/base';
import { ENTRY_KIND } from '@sluice/core/wire';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { deviceOn } from '../messaging/messaging-fixture.ts';
import { post, type SharedPosts, until } from '../sharing-fixture.ts';
import { createTestNetwork, type TestNetwork } from '../test-network.ts';
import { createWay } from '../way-fixture.ts';
import { change, contentOf, entriesInLane, shareBoth as shareOn } from './lane-fixture.ts';

let net: TestNetwork;
beforeEach(async () => {
  net = await createTestNetwork();
});
afterEach(() => net.close());

const shareBoth = (more: object = {}, write: object = {}): Promise<SharedPosts> => shareOn(net, more, write);

/** A second device of the grantee writes three times without the node, under numbers of which another has taken the first meanwhile. */
async function writeApart(shared: SharedPosts) {
  const second = await net.restore(shared.app, 'second');
  await second.synced();
  const other = await second.sharing.grants.open(shared.given.grantId);
  await other.upToDate();
  await other.settled(await change({ ...shared, grant: other }, 'Post 9', 'the first of the second device'));
  await second.close();
  await shared.grant.settled(await change(shared, 'Post 0', 'takes the number that the second device goes on with'));
  await net.stopNode();
  const again = await net.reopen({ ...shared.app, store: join(net.directory, 'second') });
  const same = await again.sharing.grants.open(shared.given.grantId);
  const numbers: number[] = [];
  for (const name of ['Post 1', 'Post 2', 'Post 3'])
    numbers.push(await change({ ...shared, grant: same }, name, `${name} by the second device`));
  return { again, same, numbers };
}

describe('a write of a grantee', () => {
  it('[LANE-5] to a grant that is told of changes once in a while is decided with the next batch', async () => {
    const shared = await shareBoth({ frequency: 'PT1S' });
    // The second comes right after the batch that told of the first, and nothing else asks for another.
    for (const content of ['one', 'two']) {
      const n = await change(shared, 'Post 3', content);
      expect(await shared.grant.settled(n)).toMatchObject({ accepted: true });
    }
  });

  it('[LANE-5] that was made stays so, though a device that has not heard of it declines it later', async () => {
    const shared = await shareBoth({}, { policy: 'propose' });
    const { owner, grant } = shared;
    const way = createWay(net);
    const phone = await deviceOn(net, owner, 'phone', { openSocket: way.openSocket });
    try {
      const n = await change(shared, 'Post 3', 'please');
      await until(() => [owner.account, phone].every((device) => device.sharing.writes.list().length === 1));
      way.close();
      await owner.account.sharing.writes.accept(grant.id, n);
      expect(await grant.settled(n)).toMatchObject({ accepted: true });
      await until(() => owner.account.sharing.writes.list(grant.id)[0]?.status === 'applied');
      await owner.account.synced();
      await phone.sharing.writes.reject(grant.id, n);
      way.open();
      await phone.synced();
      await owner.account.synced();
      const standings = [owner.account, phone].map((device) => device.sharing.writes.list(grant.id)[0]?.status);
      expect([standings, await contentOf(shared, 'post-3')]).toEqual([['applied', 'applied'], 'please']);
    } finally {
      await phone.close();
    }
  });

  it('[LANE-11] that waited is known to be refused, though the grantee was away and wrote on before', async () => {
    const shared = await shareBoth({}, { policy: 'propose' });
    const { owner, grant } = shared;
    const waiting = (n: number): Promise<unknown> =>
      until(() => grant.pending().some((w) => w.n === n && w.state === 'waiting'));
    await waiting(await change(shared, 'Post 2', 'two'));
    await waiting(await change(shared, 'Post 4', 'four'));
    await shared.app.account.close();
    const refuse = async (n: number): Promise<void> => {
      await owner.account.sharing.writes.reject(grant.id, n);
      await until(() => owner.account.sharing.writes.list(grant.id).some((w) => w.n === n && w.status === 'rejected'));
    };
    await refuse(1);
    await refuse(2);
    const app = await net.reopen(shared.app);
    const again = await app.sharing.grants.open(grant.id);
    const [one, two] = [await again.settled(1), await again.settled(2)];
    expect([one, two]).toMatchObject([
      { n: 1, accepted: false, code: 'DECLINED' },
      { n: 2, accepted: false, code: 'DECLINED' },
    ]);
  });

  it('[LANE-8] whose answer was lost is settled, though the verdict came before and the node has forgotten the write', async () => {
    await net.close();
    let holding = false;
    let written = 0;
    net = await createTestNetwork({
      wrapStorage: (storage) => ({
        ...storage,
        push: async (job) => {
          const outcome = await storage.push(job);
          if (!holding || !job.parts.some((part) => part.type === 'sealed' && part.kind === 'lane')) return outcome;
          written++;
          return new Promise(() => undefined);
        },
      }),
    });
    const shared = await shareBoth();
    // Of two that are decided, the node remembers no more than that they were.
    await shared.grant.settled(await change(shared, 'Post 4', 'heard'));
    await until(() => entriesInLane(net, shared) === 0);
    holding = true;
    await change(shared, 'Post 5', 'unheard');
    await until(() => written === 1);
    await until(async () => (await contentOf(shared, 'post-5')) === 'unheard');
    // What comes later in the feed says that the verdict came before it.
    await shared.posts.save({ ...post(11), _id: 'after' });
    await until(() => shared.grant.datastore().getOne({ name: 'Post 11' }));
    await until(() => entriesInLane(net, shared) === 0);
    await net.stopNode();
    holding = false;
    await net.startNode();
    await until(() => shared.grant.pending().length === 0);
    expect(await contentOf(shared, 'post-5')).toBe('unheard');
  });

  it('[LANE-17] that moved by one, as did the one before it, is told its own verdict and no other', async () => {
    const shared = await shareBoth();
    const { same, numbers } = await writeApart(shared);
    await shared.posts.delete('post-3');
    await net.startNode();
    const verdicts = await Promise.all(numbers.map((n) => same.settled(n)));
    expect(verdicts.map(({ accepted }) => accepted)).toEqual([true, true, false]);
    expect(verdicts.map(({ n }) => n)).toEqual(numbers.map((n) => n + 1));
  });

  it('[LANE-17] that could not be given another number on a full disk is given it when there is room', async () => {
    const shared = await shareBoth();
    const { again, same, numbers } = await writeApart(shared);
    const { db } = again.open.store;
    const { transact } = db;
    let refusals = 0;
    const full = <T>(body: () => T): T =>
      transact(() => {
        const result = body();
        const moves = db.sql("SELECT 1 FROM meta WHERE key LIKE 'lane-moved/%'").get();
        if (moves && refusals++ < 1) throw new SluiceError('STORE_FULL');
        return result;
      });
    Object.assign(db, { transact: full });
    await net.startNode();
    const verdicts = await Promise.all(numbers.map((n) => same.settled(n)));
    expect(verdicts).toMatchObject(numbers.map((n) => ({ n: n + 1, accepted: true })));
    expect(refusals).toBeGreaterThan(1);
    for (const i of [1, 2, 3])
      await until(async () => (await contentOf(shared, `post-${i}`)) === `Post ${i} by the second device`);
    // Of what was undone nothing is left behind.
    const rows = 'SELECT count(*) AS n FROM entry WHERE stream = (SELECT id FROM stream WHERE stream = ?)';
    await until(() => Number(db.sql(rows).get(shared.given.lane as StreamId)?.n) === 0);
  });

  it('[LANE-5] that was accepted by a device that is gone is made by one that hears of the verdict before the write', async () => {
    await net.close();
    let said = 0;
    let hidden: string | undefined;
    net = await createTestNetwork({
      wrapStorage: (storage) => ({
        ...storage,
        push: async (job) => {
          const outcome = await storage.push(job);
          const isVerdict = job.parts.some(
            (p) => p.type === 'feed' && p.headers.some((h) => h.kind === ENTRY_KIND.VERDICT),
          );
          if (!isVerdict || hidden !== undefined) return outcome;
          said++;
          return new Promise(() => undefined);
        },
        readPage: (query) => {
          const page = storage.readPage(query);
          const isHidden = query.log.type === 'stream' && bytesToHex(query.log.stream) === hidden;
          return isHidden
            ? {
                ...page,
                entries: [],
                seals: [],
                dead: [],
                holes: [],
                vector: [],
                more: false,
                head: query.after,
                cursor: query.after,
              }
            : page;
        },
      }),
    });
    const shared = await shareBoth();
    const { owner, given } = shared;
    const n = await change(shared, 'Post 3', 'by the app');
    await until(() => said === 1);
    await owner.account.close();
    hidden = bytesToHex(given.lane as StreamId);
    const phone = await net.restore(owner, 'phone');
    await until(() => phone.sharing.grants.list()[0]?.status === 'live');
    hidden = '';
    await net.stopNode();
    await net.startNode();
    const posts = await phone.vault.openDatastore('social/post');
    await until(async () => (await posts.get('post-3'))?.content === 'by the app');
    expect(await shared.grant.settled(n)).toMatchObject({ accepted: true });
    await until(() => shared.grant.pending().length === 0);
  });
});
