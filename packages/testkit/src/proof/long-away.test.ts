/** Devices, agents and grantees that were away for a long time, or for good in the middle of their work. */

import { createSystemClock } from '@sluice/core/base';
import type { Storage } from '@sluice/node';
import { afterEach, describe, expect, it } from 'vitest';
import { deviceOn } from '../messaging/messaging-fixture.ts';
import { post, sharePosts, until } from '../sharing-fixture.ts';
import { createTestNetwork, type TestNetwork } from '../test-network.ts';
import { createWay } from '../way-fixture.ts';

const DAY_MS = 86_400_000;

describe('who was away for long', () => {
  let net: TestNetwork;
  let commonMs = 0;
  let refusesFeeds = false;
  const wrapStorage = (storage: Storage): Storage => ({
    ...storage,
    push: (job) =>
      refusesFeeds
        ? storage.push({ ...job, parts: job.parts.filter((part) => part.type !== 'feed') })
        : storage.push(job),
  });
  const start = async (): Promise<void> => {
    net = await createTestNetwork({ clock: createSystemClock(() => commonMs), wrapStorage });
  };
  afterEach(async () => {
    await net.close();
    commonMs = 0;
    refusesFeeds = false;
  });

  it('[REC-4] [REC-9] a device that was offline for a year with edits loses none, and outdoes no later one', async () => {
    await start();
    const { owner, grant } = await sharePosts(net);
    const laptop = owner.account;
    const way = createWay(net);
    const phone = await deviceOn(net, owner, 'phone', { openSocket: way.openSocket });
    const laptopNotes = await laptop.vault.openDatabase('notes');
    const phoneNotes = await phone.vault.openDatabase('notes');
    await laptopNotes.saveMany([
      { _id: 'both', text: 'at first', mood: 'at first', place: 'at first' },
      { _id: 'deleted early', text: 'at first' },
      { _id: 'deleted late', text: 'at first' },
      { _id: 'deleted meanwhile', text: 'at first' },
    ]);
    await laptop.synced();
    await phone.synced();

    way.close();
    await phoneNotes.save({ ...(await phoneNotes.get('both')), text: 'phone, day 0', place: 'phone, day 0' });
    await phoneNotes.save({ ...(await phoneNotes.get('deleted meanwhile')), text: 'phone, day 0' });
    await phoneNotes.delete('deleted early');
    commonMs = 100 * DAY_MS;
    await laptopNotes.save({ ...(await laptopNotes.get('both')), text: 'laptop, day 100', mood: 'laptop, day 100' });
    await laptopNotes.save({ ...(await laptopNotes.get('deleted early')), text: 'laptop, day 100' });
    await laptopNotes.save({ ...(await laptopNotes.get('deleted late')), text: 'laptop, day 100' });
    await laptopNotes.delete('deleted meanwhile');
    await laptop.synced();
    commonMs = 200 * DAY_MS;
    await phoneNotes.delete('deleted late');
    await (await phone.vault.openDatastore('social/post')).save(post(21));
    commonMs = 365 * DAY_MS;
    const alarms: unknown[] = [];
    for (const account of [phone, laptop]) account.open.onAlarm((alarm) => alarms.push(alarm));
    way.open();
    await phone.synced();
    await laptop.synced();

    for (const notes of [laptopNotes, phoneNotes]) {
      expect(await notes.get('both')).toMatchObject({
        text: 'laptop, day 100',
        mood: 'laptop, day 100',
        place: 'phone, day 0',
      });
      expect(await notes.get('deleted early')).toMatchObject({ text: 'laptop, day 100' });
      expect(await notes.get('deleted late')).toBeUndefined();
      expect(await notes.get('deleted meanwhile')).toBeUndefined();
    }
    await until(async () => (await grant.datastore().getMany({ name: 'Post 21' })).length === 1);
    expect([alarms, grant.status()]).toEqual([[], 'live']);
    await phone.close();
  });

  it('[FEED-14] a grantee that was away for a year ends with the records that a new one gets', async () => {
    await start();
    const { owner, app, posts, grant, given } = await sharePosts(net, { filter: { type: 'odd' } });
    await app.account.close();
    expect(grant.status()).toBe('live');
    for (const day of [1, 100, 364]) {
      commonMs = day * DAY_MS;
      for (const i of [1, 3, 5]) await posts.save({ ...(await posts.get(`post-${i}`)), content: `day ${day}` });
      await posts.save(post(100 + day, { type: 'odd' }));
      await posts.delete(`post-${day === 364 ? 101 : 7}`);
      await owner.account.synced();
    }
    await posts.save({ ...(await posts.get('post-9')), type: 'even' });
    await owner.account.synced();
    commonMs = 365 * DAY_MS;
    const back = await (await net.reopen(app)).sharing.grants.open(given.grantId);
    await back.upToDate();
    const found = (await back.datastore().getMany({}, { limit: 100 })).map(
      ({ name, content }) => `${name}: ${content}`,
    );
    const wanted = [
      'Post 1: day 364',
      'Post 3: day 364',
      'Post 5: day 364',
      'Post 200: content 200',
      'Post 464: content 464',
    ];
    expect(found.sort()).toEqual(wanted.sort());
    expect(back.status()).toBe('live');
  });

  it('[GRANT-27] a grantee that was away while its filter was narrowed keeps nothing of what it may not see any more', async () => {
    await start();
    const { owner, app, posts, given } = await sharePosts(net);
    await app.account.close();
    commonMs = DAY_MS;
    await owner.account.sharing.change(given.grantId, { filter: { type: 'odd' } });
    commonMs = 60 * DAY_MS;
    await posts.save({ ...(await posts.get('post-2')), content: 'not for the app any more' });
    await posts.save({ ...(await posts.get('post-3')), content: 'for the app' });
    await owner.account.synced();
    await until(() => owner.account.sharing.feedsUpToDate());
    const back = await (await net.reopen(app)).sharing.grants.open(given.grantId);
    await until(async () => (await back.datastore().getMany({ content: 'for the app' })).length === 1);
    await back.upToDate();
    const names = (await back.datastore().getMany({}, { limit: 100 })).map((record) => record.name);
    expect(names.sort()).toEqual([1, 3, 5, 7, 9].map((i) => `Post ${i}`));
    expect(back.status()).toBe('live');
  });

  it('[GRANT-14] an agent that was lost between a record and its feed is completed by the next agent', async () => {
    await start();
    const { owner, posts, grant } = await sharePosts(net, { filter: { type: 'odd' } });
    refusesFeeds = true;
    await posts.save(post(21, { type: 'odd' }));
    await posts.delete('post-3');
    await until(() => owner.account.open.home.store.outboxSize() === 0);
    await owner.account.close();
    refusesFeeds = false;
    expect(await grant.datastore().count()).toBe(5);

    const phone = await net.restore(owner, 'phone');
    await phone.synced();
    await until(async () => (await grant.datastore().getMany({ name: 'Post 21' })).length === 1);
    expect(await grant.datastore().getMany({ name: 'Post 3' })).toEqual([]);
    await grant.upToDate();
    expect(grant.status()).toBe('live');
  });
});
