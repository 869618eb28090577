/** A grantee saves what it read earlier, while the owner has gone on. */

import type { JsonObject } from '@sluice/core/base';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type SharedPosts, until } from '../sharing-fixture.ts';
import { createTestNetwork, type TestNetwork } from '../test-network.ts';
import { find as findOf, shareBoth as shareOn } from './lane-fixture.ts';

let net: TestNetwork;
beforeEach(async () => {
  net = await createTestNetwork();
});
afterEach(() => net.close());

const shareBoth = (): Promise<SharedPosts> => shareOn(net);
const find = (shared: SharedPosts, name = 'Post 3'): Promise<JsonObject> => findOf(shared, name);
/** Saves through the grant, and waits until the owner has it. */
async function save({ grant }: SharedPosts, document: JsonObject): Promise<void> {
  const { n } = await grant.datastore().save(document);
  expect(await grant.settled(n ?? 0)).toMatchObject({ accepted: true });
  await until(() => grant.pending().length === 0);
}
/** The owner changes a post, and the grantee sees it. */
async function ownerWrites(shared: SharedPosts, content: string): Promise<void> {
  const { grant, posts } = shared;
  await posts.save({ ...(await posts.get('post-3')), content });
  await until(async () => (await find(shared)).content === content);
  expect(grant.pending()).toEqual([]);
}

describe('a document that was read earlier', () => {
  it('[LANE-22] writes the fields that the application changed, and undoes nothing of the owner’s', async () => {
    const shared = await shareBoth();
    const { grant, posts } = shared;
    const heard: JsonObject[] = [];
    grant.changes(({ record }) => void (record && heard.push(record)));
    await ownerWrites(shared, 'first');
    const [seen] = heard;
    expect(seen).toEqual(await find(shared));
    expect(seen?._rev).not.toBe((await posts.get('post-3'))?._rev);
    await ownerWrites(shared, 'newer');
    await save(shared, { ...seen, type: 'other' });
    expect(await posts.get('post-3')).toMatchObject({ content: 'newer', type: 'other' });
    // And again, on what it has written itself by now.
    await save(shared, { ...seen, type: 'third' });
    expect(await posts.get('post-3')).toMatchObject({ content: 'newer', type: 'third' });
    expect(await grant.datastore().save({ ...seen, type: 'third' })).toMatchObject({ n: undefined });
    // Back to what it had read, and no further back than that.
    await save(shared, seen ?? {});
    expect(await posts.get('post-3')).toMatchObject({ content: 'newer', type: 'odd' });
    expect(await grant.datastore().save(seen ?? {})).toMatchObject({ n: undefined });
  });

  it('[LANE-22] is refused where the owner has changed the same field, and sends nothing', async () => {
    const shared = await shareBoth();
    const { grant, posts } = shared;
    const seen = await find(shared);
    await ownerWrites(shared, 'newer');
    const stale = grant.datastore().save({ ...seen, content: 'by the app', type: 'other' });
    await expect(stale).rejects.toMatchObject({ code: 'REV_CONFLICT' });
    expect(grant.pending()).toEqual([]);
    expect(await posts.get('post-3')).toMatchObject({ content: 'newer', type: 'odd' });
    await save(shared, { ...(await find(shared)), content: 'by the app' });
  });

  it('[LANE-22] by an earlier process is taken as long as the record is as it was, and refused after', async () => {
    const shared = await shareBoth();
    const { app, given } = shared;
    const [changed, left] = [await find(shared), await find(shared, 'Post 5')];
    await app.account.close();
    const grant = await (await net.reopen(app)).sharing.grants.open(given.grantId);
    await shared.posts.save({ ...(await shared.posts.get('post-3')), content: 'newer' });
    // What this process reads of the record is the newer version alone.
    await until(() => grant.datastore().getOne({ content: 'newer' }));
    await save({ ...shared, grant }, { ...left, content: 'by the app' });
    const stale = grant.datastore().save({ ...changed, type: 'other' });
    await expect(stale).rejects.toThrow(/not known any more.*Read it again and save on top\. \(REV_CONFLICT\)/);
  });
});
