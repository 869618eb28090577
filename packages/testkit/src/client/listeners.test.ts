import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { createTestNetwork, type TestNetwork } from '../test-network.ts';

let net: TestNetwork;
beforeEach(async () => {
  net = await createTestNetwork();
});
afterEach(async () => {
  vi.restoreAllMocks();
  await net.close();
});

it('[DS-5] a callback that throws fails no save and keeps nothing from the others', async () => {
  const owner = await net.person('owner');
  const phone = await net.restore(owner, 'phone');
  const thrown: unknown[] = [];
  const later = globalThis.queueMicrotask;
  vi.spyOn(globalThis, 'queueMicrotask').mockImplementation((run) =>
    later(() => {
      try {
        run();
      } catch (cause) {
        thrown.push(cause);
      }
    }),
  );
  const heard: string[] = [];
  for (const account of [owner.account, phone]) {
    const notes = await account.vault.openDatabase('notes');
    notes.changes(() => {
      throw new Error('a bug of the application');
    });
    notes.changes(({ id, origin }) => heard.push(`${id} ${origin}`));
  }
  const notes = await owner.account.vault.openDatabase('notes');
  await expect(notes.saveMany([{ _id: 'a' }, { _id: 'b' }])).resolves.toHaveLength(2);
  await owner.account.synced();
  await phone.synced();
  expect(heard.sort()).toEqual(['a other', 'a self', 'b other', 'b self']);
  expect(thrown).toHaveLength(4);
});
