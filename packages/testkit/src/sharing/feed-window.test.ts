/** What a feed counts of records that leave a window by time, as the checkpoints say it that reach the node. */

import { createSystemClock } from '@sluice/core/base';
import { openCheckpoint } from '@sluice/core/grant';
import { ENTRY_KIND, type Entry, type Header } from '@sluice/core/wire';
import type { Storage } from '@sluice/node';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { post, type SharedPosts, sharePosts, until } from '../sharing-fixture.ts';
import { createTestNetwork, type TestNetwork } from '../test-network.ts';

const DAY_MS = 86_400_000;
/** More than an agent evaluates in one step. */
const RECORDS = 450;

describe('records that leave a window by time', () => {
  let net: TestNetwork;
  let offsetMs = 0;
  let checkpoints: { readonly header: Header; readonly entry: Entry }[] = [];
  const daysAgo = (days: number): string => new Date(Date.now() + offsetMs - days * DAY_MS).toISOString();
  const wrapStorage = (storage: Storage): Storage => ({
    ...storage,
    push: (job) => {
      for (const part of job.parts)
        if (part.type === 'feed')
          for (const [i, { header, body }] of part.entries.entries()) {
            const head = part.headers[i];
            if (head?.kind === ENTRY_KIND.CKPT && body) checkpoints.push({ header: head, entry: { header, body } });
          }
      return storage.push(job);
    },
  });
  /** What the checkpoints since the last look say that the grantee holds. */
  const counts = ({ given: { feed, key } }: SharedPosts): readonly (number | undefined)[] => {
    const found = checkpoints.map(({ header, entry }) => {
      const opened = openCheckpoint({ stream: feed, key }, entry, header);
      return opened.ok ? opened.value.count : undefined;
    });
    checkpoints = [];
    return found;
  };

  beforeEach(async () => {
    offsetMs = 0;
    checkpoints = [];
    net = await createTestNetwork({ wrapStorage, clock: createSystemClock(() => offsetMs) });
  });
  afterEach(() => net.close());

  it('[FEED-20] one that left its window counts again once it is edited back into it', async () => {
    const shared = await sharePosts(net, { filter: { createdAt: { $within: 'P7D' } } });
    const { owner, posts, grant } = shared;
    await posts.saveMany([post(21, { createdAt: daysAgo(6) }), post(22, { createdAt: daysAgo(1) })]);
    await until(async () => (await grant.datastore().count()) === 2);
    offsetMs = 2 * DAY_MS;
    counts(shared);
    // No checkpoint says yet that it has left when it is back.
    await posts.save({ ...(await posts.get('post-21')), createdAt: daysAgo(0), content: 'back' });
    await until(async () => (await grant.datastore().getMany({ content: 'back' })).length === 1);
    await posts.save(post(23, { createdAt: daysAgo(0) }));
    await until(async () => grant.status() === 'alarm' || (await grant.datastore().count()) === 3);
    await owner.account.synced();
    expect(counts(shared)).toEqual([2, 3]);
    expect(grant.status()).toBe('live');
  });

  it('[FEED-20] all that have left since count no more at the next checkpoint, however many', async () => {
    const shared = await sharePosts(net, { filter: { createdAt: { $within: 'P7D' } } });
    const { owner, posts, grant } = shared;
    await posts.saveMany(Array.from({ length: RECORDS }, (_, i) => post(100 + i, { createdAt: daysAgo(6) })));
    await until(async () => (await grant.datastore().count()) === RECORDS);
    offsetMs = 2 * DAY_MS;
    counts(shared);
    await posts.save(post(21, { createdAt: daysAgo(0) }));
    await until(async () => (await grant.datastore().count()) === 1);
    await owner.account.synced();
    expect(counts(shared)).toEqual([1]);
    expect(grant.status()).toBe('live');
  });
});
