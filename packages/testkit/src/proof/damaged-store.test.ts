/** A device whose store was damaged on disk: it says so and what to do, and everything that was sent comes back from the node. */

import { closeSync, fstatSync, openSync, readdirSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { systemRandom } from '@sluice/core/base';
import { afterEach, describe, expect, it } from 'vitest';
import { post, sharePosts } from '../sharing-fixture.ts';
import { createTestNetwork, type TestNetwork } from '../test-network.ts';

const PAGE_BYTES = 4096;
const CORRUPT = {
  code: 'STORE_CORRUPT',
  message: expect.stringMatching(
    /store is damaged.*restore the account from its recovery phrase into a new store/i,
  ) as string,
};

describe('a damaged store', () => {
  let net: TestNetwork;
  afterEach(() => net.close());

  it.each([
    ['from its first byte', 0],
    ['behind its first page', PAGE_BYTES],
  ])('[FLT-8] overwritten %s says so, and a restore brings back what was sent', async (_, from) => {
    net = await createTestNetwork();
    const owner = await net.person('owner');
    const notes = await owner.account.vault.openDatabase('notes');
    await notes.saveMany(Array.from({ length: 50 }, (_, i) => ({ _id: `note-${i}`, text: `text ${i}` })));
    await owner.account.synced();
    await owner.account.close();
    overwrite(owner.store, from);

    const use = async (): Promise<unknown> => (await (await net.reopen(owner)).vault.openDatabase('notes')).getMany();
    await expect(use()).rejects.toMatchObject(CORRUPT);

    const again = await net.restore(owner, 'new store');
    await again.synced();
    expect(await (await again.vault.openDatabase('notes')).count()).toBe(50);
  });

  it('[FLT-8] of a grantee is filled again with what its grant reveals now', async () => {
    net = await createTestNetwork();
    const { app, posts } = await sharePosts(net, { filter: { type: 'odd' } });
    await app.account.synced();
    await app.account.close();
    overwrite(app.store, 0);
    await posts.save(post(21, { type: 'odd' }));
    await expect(net.reopen(app)).rejects.toMatchObject(CORRUPT);

    const again = await net.restore(app, 'new store');
    await again.synced();
    const [received] = again.sharing.grants.received();
    const grant = await again.sharing.grants.open(received?.grantId ?? '');
    await grant.upToDate();
    expect((await grant.datastore().getMany({}, { limit: 100 })).map((record) => record.name)).toContain('Post 21');
    expect(await grant.datastore().count()).toBe(6);
  });
});

/** Noise in place of every byte from one on, in each file of the database. */
function overwrite(store: string, from: number): void {
  for (const name of readdirSync(store).filter((file) => file.startsWith('store.db'))) {
    const file = openSync(join(store, name), 'r+');
    const { size } = fstatSync(file);
    if (size > from) writeSync(file, systemRandom(size - from), 0, size - from, from);
    closeSync(file);
  }
}
