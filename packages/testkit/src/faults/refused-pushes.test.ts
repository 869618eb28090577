/** Pushes that a node refuses for a while, and what is made of them here. */

import { SluiceError } from '@sluice/client';
import { type Clock, createSystemClock } from '@sluice/core/base';
import { afterEach, expect, it } from 'vitest';
import { until } from '../sharing-fixture.ts';
import { createTestNetwork, type TestNetwork } from '../test-network.ts';
import { note } from './full-disk.ts';

let net: TestNetwork;
afterEach(() => net.close());

it('[DS-12] entries that a full disk kept from being made anew are made anew when there is space', async () => {
  let wrongMs = 0;
  net = await createTestNetwork({
    clockOf: (name) => (name === 'owner' ? createSystemClock(() => wrongMs) : undefined),
  });
  const { account } = await net.person('owner');
  const notes = await account.vault.openDatabase('notes');
  await notes.save(note('a', 10));
  await account.synced();
  wrongMs = 3_600_000;
  await notes.save(note('b', 10));
  // The node refuses the push for its clock; the disk is full when its entries are made anew.
  const { db } = account.open.store;
  const { transact } = db;
  let refused = 0;
  Object.assign(db, {
    transact: <T>(body: () => T): T => {
      if (refused > 0) return transact(body);
      refused++;
      throw new SluiceError('STORE_FULL');
    },
  });
  await until(() => refused > 0);
  await account.synced(5_000);
  expect(account.open.home.store.outboxSize()).toBe(0);
});

it('[FLT-6] what is saved while the node refuses is tried again once a second, however much it is', async () => {
  const RETRY_MS = 1_000;
  let waiting = 0;
  const system = createSystemClock();
  const counting: Clock = {
    ...system,
    timer: (delayMs, run) => {
      const step = delayMs === RETRY_MS ? 1 : 0;
      let isOver = false;
      const over = (): void => {
        if (!isOver) waiting -= step;
        isOver = true;
      };
      waiting += step;
      const cancel = system.timer(delayMs, () => {
        over();
        run();
      });
      return () => {
        over();
        cancel();
      };
    },
  };
  let refusals = 0;
  let isFull = false;
  net = await createTestNetwork({
    clockOf: (name) => (name === 'owner' ? counting : undefined),
    wrapStorage: (storage) => ({
      ...storage,
      push: async (job) => {
        if (!isFull) return storage.push(job);
        refusals++;
        return { ok: false, code: 'DISK_FULL' };
      },
    }),
  });
  const { account } = await net.person('owner');
  const notes = await account.vault.openDatabase('notes');
  await account.synced();
  await until(() => waiting === 0);
  isFull = true;
  for (let i = 0; i < 10; i++) {
    const before = refusals;
    await notes.save(note(`n-${i}`, 10));
    await until(() => refusals > before && waiting > 0);
  }
  expect(waiting).toBe(1);
  isFull = false;
  await account.synced();
  await account.close();
  expect(waiting).toBe(0);
});
