import type { Account, Alarm, GrantHandle } from '@sluice/client';
import { systemRandom, toRowId } from '@sluice/core/base';
import { createSigningKey } from '@sluice/core/crypto';
import type { CtlPublic } from '@sluice/core/stream';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { grantItems, post, until } from '../sharing-fixture.ts';
import { createTestNetwork, type TestNetwork } from '../test-network.ts';
import { fillDisk, freeDisk, idsOf, leavePages, note, saveUntilFull } from './full-disk.ts';

/** A type of our own, whose data may be large. */
const MESSAGE = 'test/large';
const FULL = {
  code: 'STORE_FULL',
  message: expect.stringMatching(/disk is full .*nothing was saved.*free some space and save again/i) as string,
};

describe('a client whose disk is full', () => {
  let net: TestNetwork;
  beforeEach(async () => {
    net = await createTestNetwork();
  });
  afterEach(() => net.close());

  const alarmsOf = (...accounts: readonly Account[]): Alarm[] => {
    const alarms: Alarm[] = [];
    for (const account of accounts) account.open.onAlarm((alarm) => alarms.push(alarm));
    return alarms;
  };

  it('[FLT-4] refuses a save as a whole and says what to do, keeps what had resolved, and saves when there is space', async () => {
    const owner = await net.person('owner');
    const friend = await net.person('friend');
    const notes = await owner.account.vault.openDatabase('notes');
    // Without the node nothing is acknowledged, so nothing makes room.
    await net.stopNode();
    leavePages(owner.account, 100);
    const { saved, cause } = await saveUntilFull(notes, 'first', 400);
    expect(cause).toMatchObject(FULL);
    expect(saved.length).toBeGreaterThan(100);
    const many = Array.from({ length: 500 }, (_, i) => note(`many-${i}`));
    await expect(notes.saveMany(many)).rejects.toMatchObject(FULL);
    expect(await idsOf(notes)).toEqual([...saved].sort());

    await owner.account.close();
    await net.startNode();
    const again = await net.reopen(owner, { maxPages: 1 });
    const same = await again.vault.openDatabase('notes');
    await expect(same.saveMany(many)).rejects.toMatchObject(FULL);
    await until(() => again.open.link.state() === 'ready');
    const data = { text: 'x'.repeat(150_000) };
    await expect(again.messaging.send(friend.account.did, MESSAGE, data, 'x')).rejects.toMatchObject(FULL);
    expect(await idsOf(same)).toEqual([...saved].sort());

    freeDisk(again);
    await same.saveMany(many);
    const all = [...saved, ...many.map((r) => String(r._id))].sort();
    expect(await idsOf(same)).toEqual(all);
    await again.synced();
    await again.close();
    const later = await net.reopen(owner);
    expect(await idsOf(await later.vault.openDatabase('notes'))).toEqual(all);
    const fresh = await net.restore(owner, 'fresh');
    await fresh.synced();
    expect(await idsOf(await fresh.vault.openDatabase('notes'))).toEqual(all);
    await friend.account.synced();
    expect(friend.account.mailbox.list()).toEqual([]);
  });

  /** An owner with two devices, and a collection at each whose saves can stand in a transaction with others. */
  const twoDevices = async () => {
    const { account: first, ...owner } = await net.person('owner');
    const second = await net.restore({ account: first, ...owner }, 'second');
    await first.synced();
    const shape = { indexes: [], formats: new Map(), merges: new Map() };
    const [rows, others] = [first, second].map((a) => a.open.home.collection('test/rows', shape));
    if (!rows || !others) throw new Error('no collection');
    const save = (to: typeof rows, id: string): void => void to.save([{ id, document: { id }, force: true }]);
    return { first, second, rows, others, save };
  };

  it('[FLT-4] what a transaction saved that was undone is not found, and hides nothing that comes after it', async () => {
    const { first, second, rows, others, save } = await twoDevices();
    save(rows, 'a');
    expect(rows.ids()).toEqual(['a']);
    const undone = (): void => {
      save(rows, 'b');
      throw new Error('undone');
    };
    expect(() => first.open.store.db.transact(undone)).toThrow('undone');
    expect([rows.get('b'), rows.ids()]).toEqual([undefined, ['a']]);
    save(others, 'c');
    await second.synced();
    await first.synced();
    expect(rows.ids()).toEqual(['a', 'c']);
  });

  it('[FLT-4] what a transaction wanted sent is not sent when it is undone, and its number is free', async () => {
    const { first, second, rows, others, save } = await twoDevices();
    const alarms = alarmsOf(first, second);
    const undone = (): void => {
      save(rows, 'a');
      first.open.home.nudge();
      throw new Error('undone');
    };
    expect(() => first.open.store.db.transact(undone)).toThrow('undone');
    await first.synced();
    await second.synced();
    expect([others.ids(), alarms]).toEqual([[], []]);

    save(rows, 'b');
    await first.synced();
    await second.synced();
    expect([others.ids(), rows.ids(), alarms]).toEqual([['b'], ['b'], []]);
  });

  it('[FLT-5] pages and messages that arrive meanwhile come again when there is space', async () => {
    const owner = await net.person('owner');
    const friend = await net.person('friend');
    const second = await net.restore(owner, 'second');
    const alarms = alarmsOf(owner.account, second);
    const notes = await owner.account.vault.openDatabase('notes');
    const heard: string[] = [];
    owner.account.mailbox.on(undefined, ({ id }) => heard.push(id));
    await owner.account.synced();
    fillDisk(owner.account);
    const { saved } = await saveUntilFull(notes, 'first');

    // Keys and a device that are new here, records of a stream that is new here, and messages.
    await second.synced();
    await second.open.home.control(Array.from({ length: 40 }, () => ({ public: sessionRow(), sealed: null })));
    const others = await second.vault.openDatabase('others');
    await others.saveMany(
      Array.from({ length: 100 }, (_, i) => note(`other-${i}`)),
      { ack: 'node' },
    );
    const third = await net.restore(owner, 'third');
    await (await third.vault.openDatabase('notes')).save(note('by-third'), { ack: 'node' });
    // They come again and again, also those of a writer whose row could not be stored.
    const { received } = owner.account.open.link.traffic();
    await until(() => owner.account.open.link.traffic().received > received + 400_000);
    const sent: string[] = [];
    for (let i = 0; i < 3; i++)
      sent.push(
        (await friend.account.messaging.send(owner.account.did, MESSAGE, { message: 'm'.repeat(90_000) }, `${i}`)).id,
      );
    await expect(owner.account.synced()).rejects.toMatchObject({ code: 'STORE_FULL' });
    await expect(owner.account.mailbox.fetched()).resolves.toBeUndefined();
    expect(await idsOf(notes)).toEqual([...saved].sort());
    expect(owner.account.mailbox.list()).toEqual([]);

    freeDisk(owner.account);
    await owner.account.synced();
    const expectAll = async (account: Account): Promise<void> => {
      expect(await idsOf(await account.vault.openDatabase('notes'))).toEqual([...saved, 'by-third'].sort());
      expect((await idsOf(await account.vault.openDatabase('others'))).length).toBe(100);
      expect(account.open.home.access.rows.size).toBe(third.open.home.access.rows.size);
      expect(
        account.mailbox
          .list()
          .map(({ id }) => id)
          .sort(),
      ).toEqual([...sent].sort());
    };
    await expectAll(owner.account);
    await until(() => heard.length >= sent.length);
    expect([...heard].sort()).toEqual([...sent].sort());
    await owner.account.close();
    const later = await net.reopen(owner);
    const more = alarmsOf(later);
    await (await third.vault.openDatabase('notes')).delete('by-third');
    await third.synced();
    await later.synced();
    expect((await idsOf(await later.vault.openDatabase('notes'))).length).toBe(saved.length);
    expect([...alarms, ...more]).toEqual([]);
  });

  it('[FLT-5] a feed goes on where it was when its reader has space again', async () => {
    const owner = await net.person('owner');
    const app = await net.app('https://reader.example');
    const posts = await owner.account.vault.openDatastore('social/post');
    await posts.saveMany([0, 1, 2].map((i) => post(i)));
    const { grants } = await grantItems(owner, app, [{ schema: 'social/post' }]);
    const [grant] = grants;
    if (!grant) throw new Error('no grant was given');
    const alarms: unknown[] = [];
    grant.onAlarm((alarm) => alarms.push(alarm));
    const shown = async (): Promise<number> => (await grant.datastore().getMany({}, { limit: 1000 })).length;

    fillDisk(app.account);
    const from = grant.traffic().received;
    await posts.saveMany(
      Array.from({ length: 200 }, (_, i) => post(i, { content: 'c'.repeat(2000) })),
      { force: true },
    );
    await owner.account.synced();
    await until(() => grant.traffic().received > from + 200_000);
    expect(await shown()).toBeLessThan(200);
    freeDisk(app.account);
    await until(async () => (await shown()) === 200);
    await posts.delete('post-7');
    await until(async () => (await shown()) === 199);
    await grant.upToDate();
    expect(alarms).toEqual([]);
  });

  it('[FLT-5] an owner who could not note what two feeds were sent goes on from what is in them', async () => {
    const owner = await net.person('owner');
    const posts = await owner.account.vault.openDatastore('social/post');
    await posts.save(post(0));
    const grants: GrantHandle[] = [];
    const alarms: unknown[] = [];
    for (const origin of ['https://one.example', 'https://two.example'])
      grants.push(...(await grantItems(owner, await net.app(origin), [{ schema: 'social/post' }])).grants);
    for (const grant of grants) grant.onAlarm((alarm) => alarms.push(alarm));
    const shown = (): Promise<number[]> =>
      Promise.all(grants.map(async (g) => (await g.datastore().getMany({}, { limit: 1000 })).length));
    await owner.account.synced();

    const saving = posts.saveMany(
      Array.from({ length: 400 }, (_, i) => post(i)),
      { force: true },
    );
    // Room for what one of them was sent, not for both.
    leavePages(owner.account, 6);
    await saving;
    const noted = (): number => Number(owner.account.open.store.db.sql('SELECT count(*) AS n FROM sent').get()?.n);
    await until(async () => JSON.stringify(await shown()) === '[400,400]');
    expect(noted()).toBeLessThan(800);
    freeDisk(owner.account);
    await until(() => noted() === 800);
    await posts.delete('post-7');
    await until(async () => JSON.stringify(await shown()) === '[399,399]');
    await Promise.all(grants.map((grant) => grant.upToDate()));
    expect(alarms).toEqual([]);
  });
});

/** A row for a key that nobody has. */
const sessionRow = (): CtlPublic => ({
  type: 'row',
  id: toRowId(systemRandom(16)),
  key: createSigningKey(systemRandom).publicKey,
  role: 'session',
  access: [],
  status: 'active',
  expiresMs: 0,
  perDay: 0,
  term: 0,
  statusMs: 0,
});
