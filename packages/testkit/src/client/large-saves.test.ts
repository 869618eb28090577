/** More at once than one push takes. */

import type { JsonObject } from '@sluice/core/base';
import { MAX_PUSH_BYTES } from '@sluice/core/wire';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { post } from '../sharing-fixture.ts';
import { createTestNetwork, type TestNetwork } from '../test-network.ts';

const LARGE = 800_000;

let net: TestNetwork;
beforeEach(async () => {
  net = await createTestNetwork();
});
afterEach(() => net.close());

it('[PUSH-2] what is saved at once and is more than a push takes is sent in several', async () => {
  const owner = await net.person('owner');
  const posts = await owner.account.vault.openDatastore('social/post');
  const records = Array.from({ length: 7 }, (_, i): JsonObject => post(i, { note: 'x'.repeat(LARGE) }));
  expect(records.length * LARGE).toBeGreaterThan(MAX_PUSH_BYTES);
  await posts.saveMany(records);
  await owner.account.synced();
  const phone = await net.restore(owner, 'phone');
  await phone.synced();
  expect(await (await phone.vault.openDatastore('social/post')).count()).toBe(records.length);
});
