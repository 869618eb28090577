/** A device that was away for long: what one more save costs does not grow with what waits to be sent. */

import { systemRandom, toStreamId } from '@sluice/core/base';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { createTestNetwork, type TestNetwork } from '../test-network.ts';

let net: TestNetwork;
beforeEach(async () => {
  net = await createTestNetwork();
});
afterEach(() => net.close());

it('[FLT-4] a stream that was named in a transaction that was undone shares its row with no other', async () => {
  const { account } = await net.person('owner');
  const { store } = account.open.home;
  const [one, other] = [1, 2].map(() => toStreamId(Uint8Array.of(1, ...systemRandom(15))));
  if (!one || !other) throw new Error('no streams');
  const undone = (): void => {
    store.streamRow(one);
    throw new Error('undone');
  };
  expect(() => account.open.store.db.transact(undone)).toThrow('undone');
  expect(store.streamRow(other)).not.toBe(store.streamRow(one));
});
