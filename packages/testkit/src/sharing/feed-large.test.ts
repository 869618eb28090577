/** Records that are larger or deeper as they are revealed than as they were saved. */

import type { JsonValue } from '@sluice/core/base';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { grantItems, post, sharePosts, until } from '../sharing-fixture.ts';
import { createTestNetwork, type TestNetwork } from '../test-network.ts';

let net: TestNetwork;
beforeEach(async () => {
  net = await createTestNetwork();
});
afterEach(() => net.close());

const SYNC_MS = 5_000;

it('[FEED-30] a record that takes more than an entry once it is changed is left out, and keeps back nothing else', async () => {
  const { owner, posts, grant } = await sharePosts(net, {
    fields: ['name', { path: 'note', transform: 'pseudonym' }],
  });
  const shown = async (): Promise<readonly unknown[]> =>
    (await grant.datastore().getMany({}, { limit: 100 })).map(({ name }) => name).sort();
  const all = await shown();
  await posts.save(post(3, { note: Array.from({ length: 60_000 }, () => 'a') }), { force: true });
  await posts.save(post(10), { force: true });
  await owner.account.synced(SYNC_MS);
  await until(async () => (await shown()).includes('Post 10'));
  await grant.upToDate();
  expect(await shown()).toEqual([...all.filter((name) => name !== 'Post 3'), 'Post 10'].sort());

  await posts.save(post(3, { note: ['a'] }), { force: true });
  await until(async () => (await shown()).length === 11);
});

it('[FEED-30] a record of 64 levels is revealed like any other', async () => {
  const { owner, posts, grant } = await sharePosts(net);
  const alarms: unknown[] = [];
  grant.onAlarm((alarm) => alarms.push(alarm));
  let note: JsonValue = 'deep';
  for (let level = 2; level <= 64; level++) note = [note];
  await posts.save(post(3, { note }), { force: true });
  await owner.account.synced(SYNC_MS);
  await until(
    async () =>
      alarms.length > 0 ||
      (await grant.datastore().getMany({ name: 'Post 3' })).some((record) => record.note !== undefined),
  );
  expect(alarms).toEqual([]);
  const [record] = await grant.datastore().getMany({ name: 'Post 3' });
  expect(record?.note).toEqual(note);
});

it('[PUSH-2] feeds that together have more to say than a push takes say it in several', async () => {
  const owner = await net.person('owner');
  const app = await net.app('https://reader.example');
  const posts = await owner.account.vault.openDatastore('social/post');
  await posts.save(post(0));
  const items = ['a', 'b', 'c', 'd'].map((name) => ({ schema: 'social/post', filter: { content: { $ne: name } } }));
  const { grants } = await grantItems(owner, app, items);
  expect(grants).toHaveLength(4);
  // The node ends a connection that brings a frame over its limit.
  const states: string[] = [];
  owner.account.open.link.onState((state) => states.push(state));
  await posts.saveMany(
    Array.from({ length: 12 }, (_, i) => post(i, { note: 'x'.repeat(150_000) })),
    { force: true },
  );
  await owner.account.synced(SYNC_MS);
  for (const grant of grants) await until(async () => (await grant.datastore().count()) === 12);
  expect(states).toEqual([]);
});
