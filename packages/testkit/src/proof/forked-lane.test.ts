/** A grantee and a node that work hand in glove: they show two devices of one owner different writes under one number. */

import { equalBytes, type StreamId } from '@sluice/core/base';
import { writerId } from '@sluice/core/crypto';
import { granteeRecordId } from '@sluice/core/grant';
import { sealHash } from '@sluice/core/stream';
import type { Page, PushPart } from '@sluice/core/wire';
import type { Storage } from '@sluice/node';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { sharePosts, type SharedPosts, until } from '../sharing-fixture.ts';
import { createTestNetwork, type Persona, type TestNetwork } from '../test-network.ts';
import { type LaneScribe, openLaneScribe, update } from './lane-scribe-fixture.ts';

type Sealed = Extract<PushPart, { type: 'sealed' }>;

describe('two writes under one number', () => {
  let net: TestNetwork;
  let shared: SharedPosts;
  let scribe: LaneScribe;
  /** What every device but one is shown in place of the grantee's write. */
  let fooled: { readonly but: Uint8Array; readonly part: Sealed } | undefined;
  /** The key whose pushes are lost once its verdict is in the feed. */
  let silenced: Uint8Array | undefined;
  let isDecided = false;

  const wrapStorage = (storage: Storage): Storage => ({
    ...storage,
    readPage: (query) => {
      const page = storage.readPage(query);
      const isLane = query.log.type === 'stream' && equalBytes(query.log.stream, laneOf());
      return fooled && isLane && !equalBytes(query.except, fooled.but) ? forked(page, fooled.part) : page;
    },
    push: async (job) => {
      if (!silenced || !equalBytes(job.requester, silenced)) return storage.push(job);
      if (isDecided) return new Promise<never>(() => undefined);
      isDecided = job.parts.some((part) => part.type === 'feed');
      return storage.push(job);
    },
  });
  const laneOf = (): StreamId => (shared?.given.lane ?? new Uint8Array(16)) as StreamId;
  const start = async (policy: 'auto' | 'propose'): Promise<void> => {
    net = await createTestNetwork({ wrapStorage });
    shared = await sharePosts(net, { access: 'readwrite', write: { operations: ['update'], policy } } as never);
    const [received] = shared.app.account.sharing.grants.received();
    if (!received) throw new Error('there is no grant');
    scribe = await openLaneScribe(net, received);
  };
  beforeEach(() => {
    fooled = silenced = undefined;
    isDecided = false;
  });
  afterEach(async () => {
    fooled = silenced = undefined;
    scribe.link.close();
    await net.close();
  });
  /** The grantee writes one thing, and seals another under the same number for all devices but the first. */
  const writeTwice = async (): Promise<void> => {
    const id = granteeRecordId(shared.given.secret, 'post-3');
    const part = scribe.part([update(id, { content: 'evil' })]) as Sealed;
    fooled = { but: writerId(shared.owner.account.open.device.publicKey), part };
    expect(await scribe.write(update(id, { content: 'harmless' }))).toBe('stored');
  };
  const contentAt = async (account: Persona['account']): Promise<unknown> =>
    (await (await account.vault.openDatastore('social/post')).get('post-3'))?.content;

  it('[LANE-12] a yes to one is none to the other: what was said yes to is made', async () => {
    await start('propose');
    const { owner, given } = shared;
    const phone = await net.restore(owner, 'phone');
    await phone.synced();
    await writeTwice();
    await until(() => owner.account.sharing.writes.list().length === 1);
    await owner.account.synced();
    await owner.account.close();
    await until(() => phone.sharing.writes.list()[0]?.set.content === 'harmless');
    await phone.sharing.writes.accept(given.grantId, 1);
    await until(async () => (await contentAt(phone)) === 'harmless');
    expect(phone.sharing.writes.list(given.grantId)).toMatchObject([{ n: 1, status: 'applied' }]);
  });

  it('[LANE-12] what was accepted is made as it was decided on, whatever another device is shown', async () => {
    await start('auto');
    const { owner, given } = shared;
    silenced = owner.account.open.device.publicKey;
    await writeTwice();
    await until(() => owner.account.sharing.writes.list(given.grantId)[0]?.status === 'applied');
    await owner.account.close();
    const phone = await net.restore(owner, 'phone');
    await phone.synced();
    await until(() => phone.sharing.feedsUpToDate());
    const posts = await phone.vault.openDatastore('social/post');
    await posts.save({ ...(await posts.get('post-5')), content: 'by the owner' });
    await phone.synced();
    expect(await contentAt(phone)).toBe('content 3');
    silenced = undefined;
    const again = await net.reopen(owner);
    await until(async () => (await contentAt(again)) === 'harmless');
    await until(async () => (await contentAt(phone)) === 'harmless');
  });
});

/** The page with the other write in place of the one that the node was sent. */
function forked(page: Page, { stream, entries, seal }: Sealed): Page {
  if (page.seals.length === 0) return page;
  const hash = sealHash(seal);
  return {
    ...page,
    entries: entries.map((entry, i) => ({ seq: i + 1, stream, header: entry.header, body: entry.body, memo: null })),
    seals: [seal],
    vector: page.vector.map((end) => ({ ...end, hash })),
  };
}
