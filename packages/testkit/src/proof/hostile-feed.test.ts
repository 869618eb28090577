/** A node that lies about a feed, to a real grantee: what it is caught at, and what it cannot go on giving after a revoke. */

import { equalBytes, systemRandom } from '@sluice/core/base';
import { createSigningKey, streamTagKey, type TagSecret, toAeadKey } from '@sluice/core/crypto';
import { openCheckpoint, openKeyChange, sealCheckpoint, sealGrantKey, sealKeyChange } from '@sluice/core/grant';
import { decodeHeader, ENTRY_KIND, type EntryKind, type Header, type Page, type PageEntry } from '@sluice/core/wire';
import type { FeedAlarm } from '@sluice/client';
import type { Storage } from '@sluice/node';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { post, type SharedPosts, sharePosts, until } from '../sharing-fixture.ts';
import { createTestNetwork, type TestNetwork } from '../test-network.ts';

type Lie = (page: Page) => Page;
type PushJob = Parameters<Storage['push']>[0];

describe('a grantee against a hostile node', () => {
  let net: TestNetwork;
  let lie: Lie | undefined;
  let isStubborn = false;
  let shared: SharedPosts;
  let alarms: FeedAlarm['what'][];

  const wrapStorage = (storage: Storage): Storage => ({
    ...storage,
    readPage: (query) => {
      const page = storage.readPage(query);
      return lie && query.log.type === 'stream' ? lie(page) : page;
    },
    push: (job) => (isStubborn && job.parts.some(isRevoke) ? pretend(storage, job) : storage.push(job)),
  });

  beforeEach(async () => {
    alarms = [];
    net = await createTestNetwork({ wrapStorage });
    shared = await sharePosts(net, { filter: { type: 'odd' } });
    shared.grant.onAlarm((alarm) => alarms.push(alarm.what));
  });
  afterEach(async () => {
    lie = undefined;
    isStubborn = false;
    await net.close();
  });

  /** Two writes by the owner that only a lying node passes on: the grantee says so and shows nothing of what does not add up. */
  const expectAlarm = async (what: FeedAlarm['what'], dishonest: Lie): Promise<void> => {
    lie = dishonest;
    await shared.posts.save(post(21, { type: 'odd' }));
    await shared.posts.save({ ...(await shared.posts.get('post-3')), content: 'the newest' });
    await until(() => alarms.length > 0);
    expect(alarms).toEqual([what]);
    expect(shared.grant.status()).toBe('alarm');
    await expect(shared.grant.upToDate()).rejects.toMatchObject({ code: 'TAMPERED' });
    expect(await shared.grant.datastore().getMany({ content: 'the newest' })).toEqual([]);
  };
  const mapKind = (page: Page, kind: EntryKind, change: (entry: PageEntry, head: Header) => PageEntry): Page => ({
    ...page,
    entries: page.entries.map((entry) => {
      const head = headOf(entry);
      return head.kind === kind ? change(entry, head) : entry;
    }),
  });

  it('[FEED-2] a changed byte in a record', () =>
    expectAlarm('cannot-open', (page) =>
      mapKind(page, ENTRY_KIND.PUT, (entry) => ({ ...entry, body: entry.body && flip(entry.body) })),
    ));

  it('[FEED-2] a changed byte in what remains of a record', () =>
    expectAlarm('cannot-open', (page) =>
      mapKind(page, ENTRY_KIND.PUT, (entry) => ({ ...entry, memo: entry.memo && flip(entry.memo) })),
    ));

  it('[FEED-2] one record’s bytes under another’s header', async () => {
    const [other] = feedEntries().filter((entry) => headOf(entry).kind === ENTRY_KIND.PUT);
    await expectAlarm('cannot-open', (page) =>
      mapKind(page, ENTRY_KIND.PUT, (entry) => ({ ...entry, body: (other as PageEntry).body })),
    );
  });

  it('[FEED-2] an entry said to be of another stream', () =>
    expectAlarm('swapped', (page) => ({
      ...page,
      entries: page.entries.map((e) => ({ ...e, stream: new Uint8Array(16).fill(4) as typeof e.stream })),
    })));

  it('[FEED-8] a record withheld', () =>
    expectAlarm('count', (page) => ({
      ...page,
      entries: page.entries.filter((entry) => headOf(entry).kind !== ENTRY_KIND.PUT || entry.seq < 7),
    })));

  it('[FEED-8] an older version in place of the newer', async () => {
    const old = feedEntries();
    const olderOf = (head: Header): PageEntry | undefined =>
      old.find((entry) => headOf(entry).kind === ENTRY_KIND.PUT && equalBytes(headOf(entry).tag, head.tag));
    await expectAlarm('digest', (page) =>
      mapKind(page, ENTRY_KIND.PUT, (entry, head) => ({ ...entry, ...olderOf(head), seq: entry.seq })),
    );
  });

  it('[FEED-8] a record of which the node says that it has expired', () =>
    expectAlarm('malformed', (page) => mapKind(page, ENTRY_KIND.PUT, (entry) => ({ ...entry, body: null }))));

  it('[FEED-9] a checkpoint by a key without the owner’s card, though sealed with the grant’s key', () => {
    const keys = { stream: shared.given.feed, key: shared.given.key };
    const thief = createSigningKey(systemRandom);
    return expectAlarm('foreign-signer', (page) =>
      mapKind(page, ENTRY_KIND.CKPT, (entry, head) => {
        const body = entry.body as Uint8Array;
        const genuine = openCheckpoint(keys, { header: entry.header, body }, head);
        if (!genuine.ok) throw new Error(genuine.error.type);
        const { tag, writer, n, hlc, epoch } = head;
        const place = { writer, n, hlc, epoch };
        return { ...entry, ...sealCheckpoint(keys, place, tag, ENTRY_KIND.CKPT, genuine.value, thief, systemRandom) };
      }),
    );
  });

  it.each([
    ['by a key without the owner’s card', 2, false],
    ['of an epoch that is not the next', 3, true],
  ])('[FEED-26] a new key %s, though sealed with the grant’s key', async (_, epoch, isOwners) => {
    const { owner, app, given } = shared;
    const keys = { stream: given.feed, key: given.key };
    const signer = isOwners ? owner.account.open.device : createSigningKey(systemRandom);
    const [received] = app.account.sharing.grants.received();
    if (!received) throw new Error('there is no grant');
    const key = toAeadKey(systemRandom(32));
    const sealed = await sealGrantKey(received.hpke.publicKey, given.feed, key);
    const dishonest: Lie = (page) =>
      mapKind(page, ENTRY_KIND.KEY, (entry, head) => {
        const genuine = openKeyChange(keys, { header: entry.header, body: entry.body as Uint8Array });
        if (!genuine.ok) throw new Error(genuine.error.type);
        const tagKey = streamTagKey(given.secret as unknown as TagSecret, given.feed);
        const next = { epoch, key, sealed };
        return { ...entry, ...sealKeyChange(keys, head, tagKey, next, signer, genuine.value.card, systemRandom) };
      });
    lie = dishonest;
    await owner.account.sharing.rotateKey(given.grantId);
    await expectAlarm('foreign-signer', dishonest);
  });

  it('[FEED-10] an older checkpoint after a newer one', async () => {
    const old = feedEntries().find((entry) => headOf(entry).kind === ENTRY_KIND.CKPT) as PageEntry;
    await shared.posts.save(post(31, { type: 'odd' }));
    await until(async () => (await shared.grant.datastore().count()) === 6);
    await shared.grant.upToDate();
    await expectAlarm('basis', (page) =>
      mapKind(page, ENTRY_KIND.CKPT, (entry) => ({ ...entry, ...old, seq: entry.seq })),
    );
  });

  it('[FEED-13] a node that goes on serving after the revoke has nothing new to serve', async () => {
    const { owner, posts, grant, given } = shared;
    const head = (): number =>
      net.storage.head(owner.account.open.home.keys.space, { type: 'stream', stream: given.feed });
    isStubborn = true;
    await owner.account.sharing.revoke(given.grantId);
    const before = head();
    await posts.save(post(41, { type: 'odd' }));
    await posts.save({ ...(await posts.get('post-3')), content: 'after the end' });
    // Not `synced`, which would find that the node has lost the revoke.
    await until(() => owner.account.open.home.store.outboxSize() === 0 && owner.account.sharing.feedsUpToDate());
    expect(grant.status()).toBe('live');
    expect(head()).toBe(before);
    expect(await grant.datastore().count()).toBe(5);
    expect(await grant.datastore().getMany({ content: 'after the end' })).toEqual([]);
  });

  /** The feed as the node has it now. */
  function feedEntries(): readonly PageEntry[] {
    const { space } = shared.owner.account.open.home.keys;
    const log = { type: 'stream', stream: shared.given.feed } as const;
    const except = shared.owner.account.open.home.self;
    return net.storage.readPage({ space, log, after: 0, except, whole: false, nowMs: net.clock.nowMs() }).entries;
  }
});

const flip = (bytes: Uint8Array): Uint8Array => bytes.map((b, i) => (i === bytes.length - 1 ? b ^ 1 : b));

function headOf(entry: PageEntry): Header {
  const head = decodeHeader(entry.header);
  if (!head.ok) throw new Error('an entry without a header');
  return head.value;
}

const isRevoke = (part: PushJob['parts'][number]): boolean =>
  part.type === 'ctl' && part.parsed.some(({ public: row }) => row.type === 'row' && row.status === 'revoked');

/** A node that says it has stored the control entries of a push, and has not. */
const pretend = async (storage: Storage, { space, nowMs }: PushJob): ReturnType<Storage['push']> => ({
  ok: true,
  value: { nowMs, parts: [{ type: 'ok', head: storage.head(space, { type: 'ctl' }) + 1 }] },
});
