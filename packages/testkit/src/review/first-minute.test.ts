/** The first minute of an account: what stands at the node when its words are handed out. */

import { join } from 'node:path';
import { Account } from '@sluice/client';
import { openNodeStore } from '@sluice/client/node';
import type { Storage } from '@sluice/node';
import { afterEach, describe, expect, it } from 'vitest';
import { codeOf } from '../messaging/messaging-fixture.ts';
import { until } from '../sharing-fixture.ts';
import { createTestNetwork, NODE_ORIGIN, TEST_ARGON2, type TestNetwork } from '../test-network.ts';

describe('a new account', () => {
  let net: TestNetwork;
  afterEach(() => net.close());

  it('[ACC-1] is given its words when they open it, and not before', async () => {
    let refused = 0;
    let isBusy = true;
    const wrapStorage = (storage: Storage): Storage => ({
      ...storage,
      push: (job) => {
        if (!isBusy) return storage.push(job);
        refused++;
        return Promise.resolve({ ok: false, code: 'UNAVAILABLE' });
      },
    });
    net = await createTestNetwork({ wrapStorage });
    const base = { platform: net.platform, node: NODE_ORIGIN, passphrase: 'x y z', argon2: TEST_ARGON2 };
    const storeOf = (name: string) => openNodeStore(join(net.directory, name));
    let isCreated = false;
    const creation = Account.create({ ...base, store: storeOf('first') }).finally(() => {
      isCreated = true;
    });
    // Tried twice: time enough for an account that would not wait.
    await until(() => refused > 1);
    expect(isCreated).toBe(false);
    isBusy = false;
    const { account, phrase } = await creation;
    await account.close();
    const second = Account.restore({ ...base, phrase, store: storeOf('second') });
    expect(await codeOf(second)).toBe('done');
    await (await second).close();
  });
});
