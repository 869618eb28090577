/** What many grants at once cost: work that grows with their number, and not with its square. */

import { bytesToHex, systemRandom } from '@sluice/core/base';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { sharePosts, until } from '../sharing-fixture.ts';
import { createTestNetwork, type TestNetwork } from '../test-network.ts';

describe('many grants', () => {
  let net: TestNetwork;
  afterEach(() => net.close());

  it('that come to a device together are looked at a few times each', async () => {
    const COUNT = 300;
    net = await createTestNetwork();
    const { owner, given } = await sharePosts(net);
    const { keychain, home } = owner.account.open;
    const phone = await net.restore(owner, 'phone');
    await phone.synced();
    const item = keychain.get('grant', given.grantId);
    // Offered ones, which do not run.
    const grantOf = () => ({ kind: 'grant', item: { ...item, narrowed: true } });
    const looks = vi.spyOn(phone.open.home.access.rows, 'get');
    keychain.collection.save(
      Array.from({ length: COUNT }, () => ({
        id: `grant/${bytesToHex(systemRandom(16))}`,
        document: grantOf(),
        force: true,
      })),
    );
    home.nudge();
    await until(() => phone.open.keychain.list('grant').length > COUNT);
    await phone.synced();
    expect(looks.mock.calls.length).toBeGreaterThan(COUNT);
    expect(looks.mock.calls.length).toBeLessThan(20 * COUNT);
  });
});
