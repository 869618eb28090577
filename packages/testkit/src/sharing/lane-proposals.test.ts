/** What a grantee writes on top of its own proposals, while these wait for the owner. */

import type { WriteRecord } from '@sluice/client';
import type { JsonObject } from '@sluice/core/base';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { post, sharePosts, type SharedPosts, until } from '../sharing-fixture.ts';
import { createTestNetwork, type TestNetwork } from '../test-network.ts';

let net: TestNetwork;
beforeEach(async () => {
  net = await createTestNetwork();
});
afterEach(() => net.close());

const WRITE = { operations: ['insert', 'update', 'delete'], policy: 'propose' };
const propose = (): Promise<SharedPosts> => sharePosts(net, { access: 'readwrite', write: WRITE } as never);

/** Writes, and waits until it waits for the owner or was refused. Returns its number. */
async function put({ grant, owner }: SharedPosts, written: Promise<{ readonly n: number | undefined }>) {
  const { n = 0 } = await written;
  const told = grant.settled(n).then(({ code }) => code);
  const waits = until(() => owner.account.sharing.writes.list(grant.id).some((w) => w.n === n)).then(() => 'waiting');
  expect(await Promise.race([told, waits])).toBe('waiting');
  return n;
}
/** Proposes a new post. */
async function proposePost(shared: SharedPosts): Promise<{ readonly n: number; readonly id: string }> {
  const { _id, ...fields } = post(77);
  const made = await shared.grant.datastore().save(fields);
  return { id: made.id, n: await put(shared, Promise.resolve(made)) };
}
/** Proposes a change of what the grantee sees under an id. */
const proposeChange = async (shared: SharedPosts, id: string, more: JsonObject): Promise<number> =>
  put(shared, shared.grant.datastore().save({ ...(await shared.grant.datastore().get(id)), ...more }));

const standing = ({ owner, grant }: SharedPosts): Record<number, WriteRecord['status']> =>
  Object.fromEntries(owner.account.sharing.writes.list(grant.id).map(({ n, status }) => [n, status]));
const found = async ({ posts }: SharedPosts): Promise<unknown> => (await posts.getOne({ name: 'Post 77' }))?.content;
const settled = async (shared: SharedPosts, n: number): Promise<string> =>
  (await shared.grant.settled(n)).code ?? 'yes';

describe('a write on top of a proposal', () => {
  it('[LANE-7] waits with it, and is made when both have their yes', async () => {
    const shared = await propose();
    const { writes } = shared.owner.account.sharing;
    const { id, n } = await proposePost(shared);
    const better = await proposeChange(shared, id, { content: 'better' });
    const gone = await put(shared, shared.grant.datastore().delete(id));
    await writes.accept(shared.grant.id, n);
    await until(async () => (await found(shared)) === 'content 77');
    await writes.accept(shared.grant.id, better);
    await until(async () => (await found(shared)) === 'better');
    await writes.accept(shared.grant.id, gone);
    await until(async () => (await found(shared)) === undefined);
    expect(await Promise.all([n, better, gone].map((number) => settled(shared, number)))).toEqual([
      'yes',
      'yes',
      'yes',
    ]);
  });

  it('[LANE-7] that has its yes first is made once the proposal has its own, and taken back not before', async () => {
    const shared = await propose();
    const { writes } = shared.owner.account.sharing;
    const { id, n } = await proposePost(shared);
    const better = await proposeChange(shared, id, { content: 'better' });
    await writes.accept(shared.grant.id, better);
    // Another write that is decided on after it: the desk has looked at both.
    const [other] = await shared.grant.datastore().getMany({ name: 'Post 5' });
    const later = await put(shared, shared.grant.datastore().save({ ...other, content: 'later' }));
    await writes.accept(shared.grant.id, later);
    expect(await settled(shared, later)).toBe('yes');
    await until(() => standing(shared)[later] === 'applied');
    expect([standing(shared), await found(shared)]).toEqual([
      { [n]: 'waiting', [better]: 'accepted', [later]: 'applied' },
      undefined,
    ]);
    expect(await writes.undo(shared.grant.id)).toEqual({ undone: 1 });
    expect(await shared.posts.count()).toBe(10);
    await writes.accept(shared.grant.id, n);
    await until(async () => (await found(shared)) === 'better');
    expect([await settled(shared, n), await settled(shared, better)]).toEqual(['yes', 'yes']);
  });

  it('[LANE-7] is refused with the proposal, whether it had its yes or not', async () => {
    const shared = await propose();
    const { writes } = shared.owner.account.sharing;
    const { id, n } = await proposePost(shared);
    const open = await proposeChange(shared, id, { content: 'better' });
    const yes = await proposeChange(shared, id, { type: 'other' });
    await writes.accept(shared.grant.id, yes);
    await writes.reject(shared.grant.id, n);
    expect(await Promise.all([n, open, yes].map((number) => settled(shared, number)))).toEqual([
      'DECLINED',
      'NOT_FOUND',
      'NOT_FOUND',
    ]);
    await until(() => Object.values(standing(shared)).every((status) => status === 'rejected'));
    expect([await found(shared), await shared.grant.datastore().get(id)]).toEqual([undefined, undefined]);
    // And what comes after it stands on nothing.
    const late = await shared.grant
      .datastore()
      .save({ _id: id, content: 'late' })
      .catch((cause: Error) => cause.message);
    expect(late).toContain('NOT_FOUND');
  });

  it('[LANE-7] of a record that is there stays when the proposal is refused', async () => {
    const shared = await propose();
    const { writes } = shared.owner.account.sharing;
    const [record] = await shared.grant.datastore().getMany({ name: 'Post 5' });
    const id = String(record?._id);
    const first = await proposeChange(shared, id, { content: 'first' });
    const second = await proposeChange(shared, id, { type: 'other' });
    await writes.reject(shared.grant.id, first);
    expect(await settled(shared, first)).toBe('DECLINED');
    // The same word of the owner's tells of both.
    expect(shared.grant.pending().map((write) => [write.n, write.state])).toEqual([[second, 'waiting']]);
    await writes.accept(shared.grant.id, second);
    expect(await settled(shared, second)).toBe('yes');
    await until(async () => (await shared.posts.get('post-5'))?.type === 'other');
    expect((await shared.posts.get('post-5'))?.content).toBe('content 5');
  });
});
