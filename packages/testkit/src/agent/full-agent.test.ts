import { join } from 'node:path';
import { Agent } from '@sluice/client';
import { openNodeStore } from '@sluice/client/node';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createJumpClock, type JumpClock } from '../jump-clock.ts';
import { until } from '../sharing-fixture.ts';
import { createTestNetwork, TEST_ARGON2, type TestNetwork } from '../test-network.ts';

const HOUR_MS = 3_600_000;

describe('an agent whose disk is full', () => {
  let net: TestNetwork;
  let clock: JumpClock;
  beforeEach(async () => {
    clock = createJumpClock();
    net = await createTestNetwork({ clock });
  });
  afterEach(() => net.close());

  it('[FLT-4] goes on, and says again that it is up when there is room', async () => {
    const owner = await net.person('owner');
    const store = openNodeStore(join(net.directory, 'agent'));
    const { platform } = net;
    const agent = await Agent.create({ platform, store, passphrase: 'agent passphrase', argon2: TEST_ARGON2 });
    try {
      const types = ['social/post'];
      const { answer } = await owner.account.agents.add({ request: agent.request, types, name: 'agent' });
      await agent.enrol(answer);
      const seenAtMs = (): number => owner.account.agents.list()[0]?.seenAtMs ?? 0;
      const firstMs = await until(seenAtMs);
      await agent.work()?.synced();
      await net.stopNode();
      store.db.exec('PRAGMA max_page_count = 1');
      // Each time it says so there is less room.
      expect(() => {
        for (let i = 0; i < 60; i++) clock.jump(HOUR_MS + 1_000);
      }).not.toThrow();
      store.db.exec('PRAGMA max_page_count = 1000000');
      await net.startNode();
      clock.jump(HOUR_MS + 1_000);
      await until(() => seenAtMs() > firstMs + 60 * HOUR_MS);
    } finally {
      await agent.close();
    }
  });
});
