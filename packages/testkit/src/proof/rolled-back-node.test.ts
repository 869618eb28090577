/** A node that an operator restored from an old backup: what was revoked meanwhile must not come back to life. */

import { copyFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Alarm } from '@sluice/client';
import { access } from '@sluice/core/stream';
import { afterEach, describe, expect, it } from 'vitest';
import { post, sharePosts, until } from '../sharing-fixture.ts';
import { createTestNetwork, type TestNetwork } from '../test-network.ts';

describe('a node restored from a backup', () => {
  let net: TestNetwork;
  afterEach(() => net.close());

  /** Takes a backup, lets things happen, and starts the node from the backup. */
  const restartFrom = async (backup: string, happen: () => Promise<void>): Promise<void> => {
    await net.stopNode();
    copyFileSync(join(net.directory, 'node.db'), join(net.directory, backup));
    await net.startNode();
    await happen();
    await net.stopNode();
    await net.startNode(backup);
  };

  it('[CTL-9] the owner’s device raises an alarm and pushes the forgotten revoke back', async () => {
    net = await createTestNetwork();
    const { owner, grant, given } = await sharePosts(net);
    const { home } = owner.account.open;
    await owner.account.synced();
    const alarms: Alarm[] = [];
    owner.account.open.onAlarm((alarm) => alarms.push(alarm));

    await restartFrom('backup.db', async () => {
      await owner.account.synced();
      await owner.account.sharing.revoke(given.grantId);
      await until(() => grant.status() === 'revoked');
    });

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

  it('[PULL-8] [FEED-10] a second device and a grantee miss the records that they have seen, and keep them', async () => {
    net = await createTestNetwork();
    const { owner, posts, grant } = await sharePosts(net);
    const phone = await net.restore(owner, 'phone');
    await phone.synced();
    const seen = { phone: [] as unknown[], grantee: [] as unknown[] };
    phone.open.onAlarm((alarm) => seen.phone.push(alarm));
    grant.onAlarm((alarm) => seen.grantee.push(alarm));

    await restartFrom('backup.db', async () => {
      await posts.save(post(70));
      await until(async () => (await grant.datastore().count()) === 11);
      await phone.synced();
    });
    await until(() => seen.phone.length > 0 && seen.grantee.length > 0);
    expect(seen.phone).toContainEqual({ type: 'tampered', what: 'rollback' });
    expect(seen.grantee).toEqual([{ type: 'tampered', what: 'rollback' }]);
    expect(await (await phone.vault.openDatastore('social/post')).get('post-70')).toBeDefined();
    expect(await grant.datastore().count()).toBe(11);
  });
});
