import { expect, it, onTestFinished } from 'vitest';
import { until } from '../sharing-fixture.ts';
import { createTestNetwork, type TestNetwork } from '../test-network.ts';

async function network(): Promise<TestNetwork> {
  const net = await createTestNetwork({ synchronous: 'NORMAL' });
  onTestFinished(() => net.close());
  return net;
}

it('an agreement in the keychain is what was last written, here or on another device', async () => {
  const net = await network();
  const here = await net.person('keeper');
  const { keychain } = here.account.open;
  expect(keychain.list('received')).toEqual([]);
  keychain.put('received', 'a', { session: true, term: 1 });
  expect(keychain.get('received', 'a')).toEqual({ session: true, term: 1 });
  here.account.open.home.nudge();
  await here.account.synced();

  const there = await net.restore(here, 'second');
  const other = there.open.keychain;
  expect(other.list('received')).toEqual([{ id: 'a', item: { session: true, term: 1 } }]);
  keychain.put('received', 'a', { session: true, term: 2 });
  here.account.open.home.nudge();
  await until(() => other.get('received', 'a')?.term === 2);
  other.remove('received', 'a');
  there.open.home.nudge();
  await until(() => keychain.get('received', 'a') === undefined);
  expect(keychain.list('received')).toEqual([]);
});

it('an agreement whose transaction was undone is not held', async () => {
  const net = await network();
  const { account } = await net.person('keeper');
  const { keychain, store } = account.open;
  keychain.put('received', 'a', { term: 1 });
  expect(keychain.list('received')).toHaveLength(1);
  const undone = new Error('undone');
  expect(() =>
    store.db.transact(() => {
      keychain.put('received', 'a', { term: 2 });
      keychain.put('received', 'b', { term: 1 });
      throw undone;
    }),
  ).toThrow(undone);
  expect(keychain.get('received', 'a')).toEqual({ term: 1 });
  expect(keychain.get('received', 'b')).toBeUndefined();
  expect(keychain.list('received')).toEqual([{ id: 'a', item: { term: 1 } }]);
});
