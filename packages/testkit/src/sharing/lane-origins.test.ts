/** Of what stands in a record the owner can tell which grant wrote it, and by which consent. */

import type { JsonObject } from '@sluice/core/base';
import { bytesToHex } from '@sluice/core/base';
import { sha256 } from '@sluice/core/crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { grantItems, sharePosts, until } from '../sharing-fixture.ts';
import { createTestNetwork, type TestNetwork } from '../test-network.ts';

let net: TestNetwork;
beforeEach(async () => {
  net = await createTestNetwork();
});
afterEach(() => net.close());

const POSTS = {
  schema: 'social/post',
  access: 'readwrite',
  write: { operations: ['update', 'delete'], policy: 'auto' },
} as const;

describe('a field of a record', () => {
  it('[LANE-23] names the write, grant, grantee and receipt that it came by, and none once the owner wrote it', async () => {
    const one = await sharePosts(net, POSTS);
    const { owner, posts, given } = one;
    const other = await net.app('https://other.example');
    const second = await grantItems(owner, other, [POSTS]);
    const [grant] = second.grants;
    if (!grant) throw new Error('no second grant');
    const { sharing } = owner.account;
    const write = async (through: typeof grant, change: JsonObject): Promise<void> => {
      const record = await until(() => through.datastore().getOne({ name: 'Post 3' }));
      const { n = 0 } = await through.datastore().save({ ...record, ...change });
      await through.settled(n);
      await until(() => sharing.writes.list(through.id).some((w) => w.n === n && w.status === 'applied'));
    };
    const origins = () => sharing.writes.origins('social/post', 'post-3');
    expect(await origins()).toEqual({ fields: {} });
    await write(one.grant, { content: 'by the first', summary: 'by the first' });
    await write(grant, { type: 'by the second' });
    const first = { grantId: given.grantId, grantee: given.grantee, n: 1, atMs: expect.any(Number) };
    const receipt = bytesToHex(sha256(given.receipt));
    expect(await origins()).toEqual({
      fields: {
        content: { ...first, receipt },
        summary: { ...first, receipt },
        type: expect.objectContaining({ grantId: grant.id, grantee: other.account.did, n: 1 }),
      },
    });
    expect((await origins()).fields.type?.receipt).not.toBe(receipt);

    await posts.save({ ...(await posts.get('post-3')), content: 'by the owner' });
    await sharing.change(given.grantId, { filter: { name: 'Post 3' } });
    await until(() => one.grant.terms.filter.name === 'Post 3');
    await write(one.grant, { summary: 'by other terms' });
    const { content, summary, type } = (await origins()).fields;
    expect([content, summary?.n, type?.grantId]).toEqual([undefined, 2, grant.id]);
    const overview = await sharing.receipts.export(given.grantId);
    expect([summary?.receipt === receipt, JSON.stringify(overview).includes(String(summary?.receipt))]).toEqual([
      false,
      true,
    ]);

    const record = await until(() => grant.datastore().getOne({ name: 'Post 3' }));
    await grant.datastore().delete(String(record._id));
    await until(async () => (await posts.get('post-3')) === undefined);
    await owner.account.synced();
    const phone = await net.restore(owner, 'phone');
    await phone.synced();
    await until(
      async () => (await phone.sharing.writes.origins('social/post', 'post-3')).deleted?.grantId === grant.id,
    );
    expect(await origins()).toMatchObject({ fields: {}, deleted: { grantId: grant.id, n: 2 } });
  });
});
