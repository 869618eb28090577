/** Feeds that several devices write, with clocks that differ, and a node that makes up what it serves of them to their own agent. */

import { createSystemClock } from '@sluice/core/base';
import type { Page } from '@sluice/core/wire';
import { decodeHeader, encodeHeader, ENTRY_KIND, type EntryKind } from '@sluice/core/wire';
import type { Storage } from '@sluice/node';
import { afterEach, describe, expect, it } from 'vitest';
import { deviceOn } from '../messaging/messaging-fixture.ts';
import { post, sharePosts, until } from '../sharing-fixture.ts';
import { createTestNetwork, type TestNetwork } from '../test-network.ts';

describe('a feed', () => {
  let net: TestNetwork;
  afterEach(() => net.close());

  it('[FEED-10] goes on in time when a device with a slower clock writes after one with a faster clock', async () => {
    net = await createTestNetwork();
    const shared = await sharePosts(net);
    const alarms: unknown[] = [];
    shared.grant.onAlarm((alarm) => alarms.push(alarm));
    const ahead = await deviceOn(net, shared.owner, 'ahead', { clock: createSystemClock(90_000) });
    await ahead.synced();
    await until(() => ahead.sharing.feedsUpToDate());
    const count = async (): Promise<number> => shared.grant.datastore().count();
    await (await ahead.vault.openDatastore('social/post')).save(post(20));
    await until(async () => (await count()) === 11);
    await ahead.close();
    await shared.posts.save(post(21));
    await until(async () => (await count()) === 12 || alarms.length > 0);
    expect(alarms).toEqual([]);
    await shared.grant.upToDate();
  });

  it('[FEED-2] counts nothing that the node made up when its agent reads it back', async () => {
    /** Puts an entry of a kind in front, that names the agent and the highest number there is. */
    let forged: EntryKind | undefined;
    const lie = (page: Page): Page => {
      const [first] = page.entries;
      const header = first && decodeHeader(first.header);
      if (!first || !header?.ok || forged === undefined) return page;
      const made = encodeHeader({ ...header.value, kind: forged, n: Number.MAX_SAFE_INTEGER });
      return { ...page, entries: [{ ...first, header: made }, ...page.entries] };
    };
    const wrapStorage = (storage: Storage): Storage => ({
      ...storage,
      readPage: (query) => {
        const page = storage.readPage(query);
        return query.log.type === 'stream' ? lie(page) : page;
      },
    });
    net = await createTestNetwork({ wrapStorage });
    const shared = await sharePosts(net);
    const posts = shared.owner.account;
    for (const kind of [ENTRY_KIND.PUT, ENTRY_KIND.DEL, ENTRY_KIND.CKPT, ENTRY_KIND.END]) {
      forged = kind;
      // A device that knows nothing of the feed reads it from the start.
      const phone = await net.restore(shared.owner, `phone-${kind}`);
      await phone.synced();
      await until(() => phone.sharing.feedsUpToDate());
      forged = undefined;
      await (await phone.vault.openDatastore('social/post')).save(post(30 + kind));
      await phone.synced();
      expect(phone.sharing.grants.list().map((g) => g.isOpen)).toEqual([true]);
      const name = `Post ${30 + kind}`;
      await until(async () => (await shared.grant.datastore().getMany({ name })).length === 1);
      await phone.close();
    }
    await posts.synced();
    expect(shared.grant.status()).toBe('live');
  }, 30_000);
});
