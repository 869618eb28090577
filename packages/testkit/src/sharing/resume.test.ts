import { expect, it, onTestFinished } from 'vitest';
import { post, sharePosts, until } from '../sharing-fixture.ts';
import { createTestNetwork } from '../test-network.ts';

const RECORDS = 2_000;
/** With the sealed record: what the grant asks of the connection, and one checkpoint. */
const MAX_BYTES = 2_048;

it('[FEED-14] a grantee that was away for one change of thousands receives that change alone, in less than 2 KB', async () => {
  const net = await createTestNetwork({ synchronous: 'NORMAL' });
  onTestFinished(() => net.close());
  const { owner, app, posts, grant } = await sharePosts(net);
  await posts.saveMany(Array.from({ length: RECORDS - 10 }, (_, i) => post(i + 10)));
  await until(async () => (await grant.datastore().count()) === RECORDS);
  await app.account.close();

  const changed = await posts.get('post-700');
  await posts.save({ ...changed, content: 'changed while nobody looked' });
  await until(() => owner.account.sharing.feedsUpToDate());
  await owner.account.synced();

  const again = await net.reopen(app);
  const resumed = await again.sharing.grants.open(grant.id);
  const ids: string[] = [];
  resumed.changes(({ id }) => ids.push(id));
  await resumed.upToDate();
  const [record] = await resumed.datastore().getMany({ content: 'changed while nobody looked' });
  expect(ids).toEqual([record?._id]);
  expect(await resumed.datastore().count()).toBe(RECORDS);
  const { received, sent } = resumed.traffic();
  expect(received + sent).toBeLessThan(MAX_BYTES);
});

it('[FEED-14] a grant that was closed is opened again in the same process, and goes on', async () => {
  const net = await createTestNetwork({ synchronous: 'NORMAL' });
  onTestFinished(() => net.close());
  const { app, posts, grant } = await sharePosts(net);
  grant.close();
  await posts.save(post(10));
  const again = await app.account.sharing.grants.open(grant.id);
  // A second close of the first is none of this one.
  grant.close();
  expect(await app.account.sharing.grants.open(grant.id)).toBe(again);
  await until(async () => (await again.datastore().count()) === 11);
});
