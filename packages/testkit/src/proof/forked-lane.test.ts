/** A grantee and a node that work hand in glove: they show two devices of one owner different writes under one number. */

import { equalBytes, type JsonValue, type StreamId } from '@sluice/core/base';
import { writerId } from '@sluice/core/crypto';
import { granteeRecordId } from '@sluice/core/grant';
import { sealHash } from '@sluice/core/stream';
import { encodePush, type Page, type PushPart } from '@sluice/core/wire';
import type { Storage } from '@sluice/node';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { sharePosts, type SharedPosts, until } from '../sharing-fixture.ts';
import { createTestNetwork, type Persona, type TestNetwork } from '../test-network.ts';
import { type LaneScribe, openLaneScribe, update } from './lane-scribe-fixture.ts';

type Sealed = Extract<PushPart, { type: 'sealed' }>;
type PushJob = Parameters<Storage['push']>[0];

describe('two writes under one number', () => {
  let net: TestNetwork;
  let shared: SharedPosts;
  let scribe: LaneScribe;
  /** What every device but one is shown in place of the grantee's write. */
  let fooled: { readonly but: Uint8Array; readonly part: Sealed } | undefined;
  /** The key whose pushes are lost once its verdict is in the feed. */
  let silenced: Uint8Array | undefined;
  let isDecided = false;
  /** Whether the node refuses a push for now. */
  let refuses: (job: PushJob) => boolean = () => false;
  /** How often others were shown the other write. */
  let forksShown = 0;

  const wrapStorage = (storage: Storage): Storage => ({
    ...storage,
    readPage: (query) => {
      const page = storage.readPage(query);
      const isLane = query.log.type === 'stream' && equalBytes(query.log.stream, laneOf());
      if (!fooled || !isLane || equalBytes(query.except, fooled.but)) return page;
      forksShown += page.seals.length;
      return forked(page, fooled.part);
    },
    push: async (job) => {
      if (refuses(job)) return { ok: false, code: 'RATE_LIMITED' };
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
    refuses = () => false;
    forksShown = 0;
  });
  afterEach(async () => {
    fooled = silenced = undefined;
    scribe.link.close();
    await net.close();
  });
  /** The grantee writes one thing, and seals another under the same number for all devices but the first. */
  const writeTwice = async (other: JsonValue = 'evil'): Promise<void> => {
    const id = granteeRecordId(shared.given.secret, 'post-3');
    const part = scribe.part([update(id, { content: other })]) as Sealed;
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

  it('[LANE-12] a yes to one is judged by it, and not by what another device holds under its number', async () => {
    await start('propose');
    const { owner, given } = shared;
    const phone = await net.restore(owner, 'phone');
    await phone.synced();
    const phoneKey = phone.open.device.publicKey;
    // The other write stays on the phone for as long as the phone has something that the node lacks.
    refuses = ({ requester, parts }) =>
      parts.some((part) => part.type === 'trim') ||
      (equalBytes(requester, phoneKey) && parts.some((part) => part.type === 'sealed'));
    await (await phone.vault.openDatabase('notes')).save({ _id: 'a', text: 'unsent' });
    await writeTwice(7);
    await until(() => phone.sharing.writes.list()[0]?.set.content === 'harmless' && forksShown > 0);
    await phone.open.link.push(phone.open.home.keys.space, encodePush([]));
    await owner.account.synced();
    await owner.account.close();
    refuses = () => false;
    await phone.sharing.writes.accept(given.grantId, 1);
    await until(() => phone.sharing.writes.list(given.grantId)[0]?.status !== 'accepted');
    expect(phone.sharing.writes.list(given.grantId)).toMatchObject([{ n: 1, status: 'applied' }]);
    expect(await contentAt(phone)).toBe('harmless');
  });

  it('[LANE-12] what waits is shown as it was decided on, whatever another device is shown', async () => {
    await start('propose');
    const { owner, given } = shared;
    const phone = await net.restore(owner, 'phone');
    await phone.synced();
    await until(() => phone.sharing.feedsUpToDate());
    silenced = owner.account.open.device.publicKey;
    await writeTwice();
    await until(() => isDecided && forksShown > 0);
    // To append to the feed the phone reads there what waits, and the record that says so never came.
    const posts = await phone.vault.openDatastore('social/post');
    await posts.save({ ...(await posts.get('post-5')), content: 'by the owner' });
    await until(async () => (await shared.grant.datastore().getMany({ content: 'by the owner' })).length === 1);
    await phone.synced();
    expect(phone.sharing.writes.list(given.grantId)).toEqual([]);
    await owner.account.close();
    silenced = undefined;
    await net.reopen(owner);
    await until(() => phone.sharing.writes.list(given.grantId)[0]?.set.content === 'harmless');
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
