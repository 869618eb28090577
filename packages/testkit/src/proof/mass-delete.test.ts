/** Everything at once: a large collection that its owner deletes reaches its grantee in pages, within what the grantee asked for. */

import { MAX_BATCH_ENTRIES, STREAM_KIND } from '@sluice/core/wire';
import type { Storage } from '@sluice/node';
import { afterEach, describe, expect, it } from 'vitest';
import { post, sharePosts, until } from '../sharing-fixture.ts';
import { createTestNetwork, type TestNetwork } from '../test-network.ts';

/** More than two pushes of the largest number of entries. */
const RECORDS = 1_200;

describe('a delete of a whole collection', () => {
  let net: TestNetwork;
  /** Entries of each page of a feed that was served. */
  const pages: number[] = [];
  const wrapStorage = (storage: Storage): Storage => ({
    ...storage,
    readPage: (query) => {
      const page = storage.readPage(query);
      if (query.log.type === 'stream' && query.log.stream[0] === STREAM_KIND.feed) pages.push(page.entries.length);
      return page;
    },
  });
  afterEach(() => net.close());

  it('[FEED-6] [LIVE-2] empties the grantee push by push, and the feed goes on', async () => {
    net = await createTestNetwork({ wrapStorage });
    const { owner, posts, grant } = await sharePosts(net);
    await posts.saveMany(Array.from({ length: RECORDS }, (_, i) => post(100 + i)));
    await until(async () => (await grant.datastore().count()) === RECORDS + 10);
    pages.length = 0;
    let deleted = 0;
    grant.changes((change) => {
      if (change.type === 'delete') deleted++;
    });
    await posts.deleteAll();
    await until(async () => (await grant.datastore().count()) === 0);
    expect(deleted).toBe(RECORDS + 10);
    const served = pages.filter((entries) => entries > 0);
    expect(served.length).toBeGreaterThan(2);
    expect(Math.max(...served)).toBeLessThanOrEqual(MAX_BATCH_ENTRIES + 1);
    await posts.save(post(1, { content: 'after the delete' }));
    await until(async () => (await grant.datastore().getMany({ content: 'after the delete' })).length === 1);
    await owner.account.synced();
    expect(await grant.datastore().count()).toBe(1);
    expect(grant.status()).toBe('live');
  });
});
