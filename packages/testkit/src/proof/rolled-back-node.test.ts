/** A node that an operator restored from an old backup: what was revoked meanwhile must not come back to life. */

import { copyFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Alarm } from '@sluice/client';
import { access } from '@sluice/core/stream';
import { afterEach, describe, expect, it } from 'vitest';
import { sharePosts, until } from '../sharing-fixture.ts';
import { createTestNetwork, type TestNetwork } from '../test-network.ts';

describe('a node restored from a backup', () => {
  let net: TestNetwork;
  afterEach(() => net.close());

  it('[CTL-9] the owner’s device raises an alarm and pushes the forgotten revoke back', async () => {
    net = await createTestNetwork();
    const { owner, grant, given } = await sharePosts(net);
    const { home } = owner.account.open;
    await owner.account.synced();
    const alarms: Alarm[] = [];
    owner.account.open.onAlarm((alarm) => alarms.push(alarm));

    await net.stopNode();
    copyFileSync(join(net.directory, 'node.db'), join(net.directory, 'backup.db'));
    await net.startNode();
    await owner.account.synced();
    await owner.account.sharing.revoke(given.grantId);
    await until(() => grant.status() === 'revoked');
    await net.stopNode();
    await net.startNode('backup.db');

    await until(() => alarms.length > 0);
    expect(alarms).toContainEqual({ type: 'tampered', what: 'rollback' });
    const row = [...home.access.rows.values()].find((r) => r.role === 'grantee');
    const stream = row?.access[0]?.target as Parameters<typeof access>[2]['stream'] & Uint8Array;
    const verdict = (): string => {
      const state = net.storage.accessState(home.keys.space);
      if (!state || !row) return 'unknown';
      return access(state, row.key as Parameters<typeof access>[1], { kind: 'feed', stream }, 'read', Date.now());
    };
    await until(() => verdict() === 'revoked');
    expect(verdict()).toBe('revoked');
  });
});
