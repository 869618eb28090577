/** Whose word counts in the life of a grant, and from when: what others say of it, and what is decided while it is on its way. */

import { bytesToBase64url, equalBytes, type JsonObject } from '@sluice/core/base';
import { signAttestation, type WipeReason } from '@sluice/core/grant';
import { encodePush } from '@sluice/core/wire';
import type { Storage } from '@sluice/node';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createJumpClock, type JumpClock } from '../jump-clock.ts';
import { post, sharePosts, type SharedPosts, until } from '../sharing-fixture.ts';
import { createTestNetwork, type Persona, type TestNetwork } from '../test-network.ts';

const DAY_MS = 86_400_000;
type PushJob = Parameters<Storage['push']>[0];

describe('a grant', () => {
  let net: TestNetwork;
  let clock: JumpClock;
  /** Comes before each push at the node, which waits for it. */
  let before: ((job: PushJob) => Promise<void> | undefined) | undefined;
  beforeEach(async () => {
    before = undefined;
    clock = createJumpClock();
    const wrapStorage = (storage: Storage): Storage => ({
      ...storage,
      push: async (job) => {
        await before?.(job);
        return storage.push(job);
      },
    });
    net = await createTestNetwork({ clock, wrapStorage });
  });
  afterEach(async () => {
    before = undefined;
    await net.close();
  });

  /** Counts the appends to feeds that reach the node, which may hold what comes to the control log until `release`. */
  const watchPushes = ({ holdsControl }: { readonly holdsControl: boolean }) => {
    let release: () => void = () => undefined;
    let appended = 0;
    before = (job) => {
      appended += job.parts.filter((part) => part.type === 'feed').length;
      if (!holdsControl || !job.parts.some((part) => part.type === 'ctl')) return undefined;
      return new Promise((resolve) => {
        release = resolve;
      });
    };
    return { appended: () => appended, release: () => release() };
  };
  const statusOf = ({ owner, given }: SharedPosts): string | undefined =>
    owner.account.sharing.grants.list().find((g) => g.grantId === given.grantId)?.status;
  const tell = async ({ owner }: SharedPosts, by: Persona, type: string, data: JsonObject): Promise<void> => {
    const { id } = await by.account.mailbox.send(owner.account.did, `inbox/type/${type}`, data, 'x');
    await until(() => owner.account.mailbox.get(id));
  };
  const attestationOf = ({ given }: SharedPosts, by: Persona, reason: WipeReason, wiped: number): string => {
    const { did, device, card } = by.account.open;
    const content = { grantId: given.grantId, wiped, atMs: clock.nowMs(), reason };
    return bytesToBase64url(signAttestation(content, { did, key: device, card }));
  };

  it('[GRANT-45] [RCPT-6] is given up, and its copy said to be wiped, by its grantee alone', async () => {
    const shared = await sharePosts(net);
    const thief = await net.app('https://thief.example');
    const grants = [shared.given.grantId];
    await tell(shared, thief, 'syncDrop', { grants });
    await tell(shared, thief, 'syncDrop', { grants, attestation: attestationOf(shared, thief, 'dropped', 10) });
    await shared.posts.save(post(20));
    await until(async () => (await shared.grant.datastore().count()) === 11);
    const types = () => shared.owner.account.sharing.activity.list().map((e) => e.type);
    expect([statusOf(shared), types().includes('drop')]).toEqual(['live', false]);
    shared.grant.close();
    await shared.owner.account.sharing.revoke(shared.given.grantId);
    await tell(shared, thief, 'syncWiped', { grants, attestation: attestationOf(shared, thief, 'revoked', 11) });
    await tell(shared, shared.app, 'syncWiped', { grants, attestation: attestationOf(shared, thief, 'revoked', 11) });
    expect(types().includes('attestation')).toBe(false);
  });

  it('[GRANT-43] has no certificate that says of its end what was attested before it', async () => {
    const shared = await sharePosts(net);
    const { sharing } = shared.owner.account;
    const grants = [shared.given.grantId];
    await tell(shared, shared.app, 'syncWiped', {
      grants,
      attestation: attestationOf(shared, shared.app, 'revoked', 0),
    });
    await sharing.revoke(shared.given.grantId);
    const attested = await until(async () => (await sharing.certificate(shared.given.grantId))?.attestation);
    expect(attested.wiped).toBe(10);
  });

  it('[GRANT-41] that is being paused has nothing more sealed for it, also before the node has heard of that', async () => {
    const shared = await sharePosts(net);
    const { owner, given } = shared;
    await until(() => statusOf(shared) === 'live');
    const node = watchPushes({ holdsControl: true });
    const pausing = owner.account.sharing.pause(given.grantId);
    const { space } = owner.account.open.home.keys;
    const head = net.storage.head(space, { type: 'own' });
    await shared.posts.save(post(20));
    await until(() => net.storage.head(space, { type: 'own' }) > head);
    expect(node.appended()).toBe(0);
    node.release();
    await pausing;
    expect([statusOf(shared), node.appended()]).toEqual(['paused', 0]);
  });

  it('[GRANT-15] that is being revoked has nothing more sealed for it, from that very moment', async () => {
    const shared = await sharePosts(net);
    const { sharing, open } = shared.owner.account;
    const { home } = open;
    await until(() => statusOf(shared) === 'live' && sharing.feedsUpToDate());
    const node = watchPushes({ holdsControl: false });
    const saving = shared.posts.save(post(20));
    for (let i = 0; i < 1_000 && home.store.outboxSize() === 0; i++) await undefined;
    // The record is kept, and the push that is to bring it is not made up yet.
    expect(home.store.outboxSize()).toBe(1);
    await Promise.all([sharing.revoke(shared.given.grantId), saving]);
    await until(() => home.store.outboxSize() === 0);
    expect([statusOf(shared), node.appended()]).toEqual(['revoked', 0]);
  });

  it('[GRANT-45] that was given up has nothing more sealed for it, also before the node has heard of that', async () => {
    const shared = await sharePosts(net);
    const { owner } = shared;
    await until(() => statusOf(shared) === 'live' && owner.account.sharing.feedsUpToDate());
    const node = watchPushes({ holdsControl: true });
    await shared.grant.drop();
    await until(() => owner.account.sharing.activity.list().some((e) => e.type === 'drop'));
    const { space } = owner.account.open.home.keys;
    const head = net.storage.head(space, { type: 'own' });
    await shared.posts.save(post(20));
    await until(() => net.storage.head(space, { type: 'own' }) > head);
    await owner.account.open.link.push(space, encodePush([]));
    expect([statusOf(shared), node.appended()]).toEqual(['revoked', 0]);
    expect(owner.account.open.home.access.rows.get(shared.given.grantId)?.status).toBe('active');
    node.release();
    await until(() => owner.account.open.home.access.rows.get(shared.given.grantId)?.status === 'revoked');
  });

  it('[GRANT-40] ends at the node by its row, and at the grantee by its terms, with nobody there to say so', async () => {
    const until_ = new Date(clock.nowMs() + DAY_MS).toISOString();
    const shared = await sharePosts(net, { duration: { until: until_ } });
    const { owner, given, grant } = shared;
    expect(owner.account.open.home.access.rows.get(given.grantId)?.expiresMs).toBe(Date.parse(until_));
    await owner.account.close();
    await net.stopNode();
    clock.jump(DAY_MS + 1000);
    await until(() => grant.status() === 'expired');
    await until(async () => (await grant.datastore().count()) === 0);
    expect(await grant.datastore().getMany()).toEqual([]);
  });

  it('[ACT-3] [GRANT-43] reveals nothing that its owner has not noted before', async () => {
    const shared = await sharePosts(net);
    const { owner, given } = shared;
    await until(() => owner.account.sharing.feedsUpToDate());
    const noted: (readonly string[])[] = [];
    before = (job) => {
      const isRelease = job.parts.some((part) => part.type === 'feed' && equalBytes(part.stream, given.feed));
      if (!isRelease) return undefined;
      const events = owner.account.sharing.activity.list({ grantId: given.grantId });
      noted.push(
        events.flatMap((e) => (e.type === 'release' ? e.releases.flatMap((r) => r.puts.map((p) => p.id)) : [])),
      );
      return undefined;
    };
    await shared.posts.save(post(20));
    await until(async () => (await shared.grant.datastore().count()) === 11);
    expect(noted[0]).toContain('post-20');
  });

  it('[GRANT-8] is refused by whom it was asked of, and by nobody else', async () => {
    const owner = await net.person('owner');
    const app = await net.app('https://asker.example');
    const thief = await net.app('https://thief.example');
    const pending = await app.account.sharing.request(owner.account.did, { schema: 'social/post', purpose: 'x' });
    await until(() => owner.account.mailbox.get(pending.id));
    const data = { replyId: pending.id, status: 'declined' };
    const { id } = await thief.account.mailbox.send(app.account.did, 'inbox/type/status', data, 'x');
    await until(() => app.account.mailbox.get(id));
    await owner.account.sharing.consent(pending.id);
    expect(await pending.answer()).toMatchObject({ status: 'granted' });
  });
});
