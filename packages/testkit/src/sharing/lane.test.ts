/** Lanes: what a grantee writes back, what the owner decides on it, and what each side then holds. */

import type { JsonObject } from '@sluice/core/base';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { post, sharePosts, type SharedPosts, until } from '../sharing-fixture.ts';
import { createTestNetwork, type TestNetwork } from '../test-network.ts';

let net: TestNetwork;
beforeEach(async () => {
  net = await createTestNetwork();
});
afterEach(() => net.close());

const WRITE = { operations: ['insert', 'update', 'delete'], policy: 'auto' } as const;
/** Ten posts that the app reads and writes. */
const shareBoth = (more: object = {}, write: object = {}): Promise<SharedPosts> =>
  sharePosts(net, { access: 'readwrite', write: { ...WRITE, ...write }, ...more } as never);

/** The record under a name, as the grantee sees it. */
async function find({ grant }: SharedPosts, name: string): Promise<JsonObject> {
  return until(() => grant.datastore().getOne({ name }));
}

describe('a write of a grantee', () => {
  it('[LANE-4] shows at once, takes effect at the owner, and is told to the grantee as accepted', async () => {
    const shared = await shareBoth();
    const { grant, posts } = shared;
    const record = await find(shared, 'Post 3');
    const { n } = await grant.datastore().save({ ...record, content: 'by the app' });
    expect((await grant.datastore().get(String(record._id)))?.content).toBe('by the app');
    expect(await grant.settled(n ?? 0)).toMatchObject({ n, accepted: true });
    await until(async () => (await posts.get('post-3'))?.content === 'by the app');
    await until(() => grant.pending().length === 0);
    expect((await grant.datastore().get(String(record._id)))?.content).toBe('by the app');
    expect(grant.status()).toBe('live');
  });

  it('[LANE-4] makes a record under an id that the grantee chose, and deletes one', async () => {
    const shared = await shareBoth();
    const { grant, posts } = shared;
    const made = await grant.datastore().save(post(77, { _id: undefined as never }));
    expect(await grant.settled(made.n ?? 0)).toMatchObject({ accepted: true });
    const mine = await until(() => posts.getOne({ name: 'Post 77' }));
    expect(mine._id).toBe(`${shared.given.grantId}.${made.id}`);
    await until(() => grant.pending().length === 0);
    expect(await grant.datastore().count()).toBe(11);
    const gone = await grant.datastore().delete(made.id);
    expect(await grant.datastore().get(made.id)).toBeUndefined();
    expect(await grant.settled(gone.n)).toMatchObject({ accepted: true });
    await until(async () => (await posts.getOne({ name: 'Post 77' })) === undefined);
    await until(() => grant.pending().length === 0);
    expect(await grant.datastore().count()).toBe(10);
  });
});
