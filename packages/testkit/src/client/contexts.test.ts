/** A context is one space, whoever asks for it first. */

import { afterEach, beforeEach, expect, it } from 'vitest';
import { createTestNetwork, type TestNetwork } from '../test-network.ts';

let net: TestNetwork;
beforeEach(async () => {
  net = await createTestNetwork();
});
afterEach(() => net.close());

it('[ACC-6] a context that is opened twice at once is made once', async () => {
  const { account } = await net.person('owner');
  const opened = await Promise.all([1, 2].map(() => account.context('Diary', { create: true })));
  expect(new Set(opened.map((context) => context?.engine)).size).toBe(1);
  expect(account.open.contexts()).toHaveLength(1);
});

it('[ACC-6] a device that comes back opens the context that another made meanwhile', async () => {
  const owner = await net.person('owner');
  const phone = await net.restore(owner, 'phone');
  await phone.close();
  const here = await owner.account.context('Diary', { create: true });
  await (await here?.openDatabase('days'))?.save({ _id: 'monday', text: 'rain' });
  await owner.account.synced();
  const again = await net.reopen({ ...owner, account: phone, store: `${net.directory}/phone` });
  const there = await again.context('Diary', { create: true });
  await there?.synced();
  expect(await (await there?.openDatabase('days'))?.get('monday')).toMatchObject({ text: 'rain' });
  expect(again.open.contexts()).toHaveLength(1);
});
