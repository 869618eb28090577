/** What the two sides of a grant have to hear of each other, when one of them was away for longer than a message lives. */

import { type Account, type GrantHandle, type RequestOptions, SluiceError } from '@sluice/client';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createJumpClock, type JumpClock } from '../jump-clock.ts';
import { post, sharePosts, until } from '../sharing-fixture.ts';
import { createTestNetwork, type Persona, type TestNetwork } from '../test-network.ts';

const DAY_MS = 86_400_000;

describe('a word that was not heard', () => {
  let net: TestNetwork;
  let clock: JumpClock;
  beforeEach(async () => {
    clock = createJumpClock();
    net = await createTestNetwork({ clock });
  });
  afterEach(() => net.close());

  const inDays = (days: number) => ({ duration: { until: new Date(clock.nowMs() + days * DAY_MS).toISOString() } });
  const statusOf = ({ sharing }: Account): string | undefined => sharing.grants.list()[0]?.status;
  const came = ({ mailbox }: Account, type: string): number => mailbox.list({ type: `inbox/type/${type}` }).length;
  /** How many messages lie at the node for somebody who is away. */
  const heldFor = ({ account }: Persona, closed: Account = account): number =>
    net.storage.head(closed.open.home.keys.space, { type: 'inbox' });
  /** Days go by, one after the other, for whoever is there. */
  const pass = async (days: number, ...there: readonly Account[]): Promise<void> => {
    for (let day = 0; day < days; day += 10) {
      clock.jump(10 * DAY_MS);
      await Promise.all(there.map((account) => account.synced()));
    }
  };
  const asked = async (owner: Persona, app: Persona, more: Partial<RequestOptions> = {}) => {
    const posts = await owner.account.vault.openDatastore('social/post');
    await posts.saveMany(Array.from({ length: 4 }, (_, i) => post(i)));
    const pending = await app.account.sharing.request(owner.account.did, {
      schema: 'social/post',
      purpose: 'a test',
      ...more,
    });
    await until(() => owner.account.mailbox.get(pending.id));
    return pending;
  };
  const narrowed = async (owner: Persona, app: Persona): Promise<GrantHandle> => {
    const pending = await asked(owner, app);
    await owner.account.sharing.consent(pending.id, { filter: { type: 'odd' } });
    const answer = await pending.answer();
    const [grant] = answer.status === 'granted' ? answer.grants : [];
    if (!grant) throw new Error('no grant was given');
    return grant;
  };

  it('[GRANT-55] an end that was put off reaches a grantee that was away for 50 days, once', async () => {
    const { owner, app, given, posts } = await sharePosts(net);
    await owner.account.sharing.change(given.grantId, inDays(60));
    await until(() => came(app.account, 'syncTerms') === 1);
    await app.account.synced();
    await app.account.close();
    await owner.account.sharing.change(given.grantId, inDays(300));
    const before = heldFor(app);
    await pass(50, owner.account);
    await until(() => heldFor(app) > before);
    const later = await net.reopen(app);
    const shown: string[] = [];
    later.messaging.onMessage(({ type }) => shown.push(type));
    await later.synced();
    const grant = await later.sharing.grants.open(given.grantId);
    await until(() => came(later, 'syncTerms') === 2);
    await until(() => JSON.stringify(grant.terms) === JSON.stringify(owner.account.sharing.grants.list()[0]?.terms));
    clock.jump(20 * DAY_MS);
    await posts.save(post(20));
    await until(async () => (await grant.datastore().count()) === 11);
    expect([grant.status(), statusOf(owner.account)]).toEqual(['live', 'live']);
    expect(shown.filter((type) => type.endsWith('syncTerms'))).toHaveLength(1);
    // It was heard: nothing is said again.
    const { keychain } = owner.account.open;
    await until(() => keychain.list('grant-fact').some(({ id }) => id.includes('/taken/')));
    await later.synced();
    const heard = heldFor(app, later);
    await pass(30, owner.account, later);
    expect(heldFor(app, later)).toBe(heard);
  });

  it('[GRANT-55] an answer reaches a requester that was away for 50 days', async () => {
    const [owner, app] = [await net.person('poster'), await net.app('https://reader.example')];
    const pending = await asked(owner, app);
    await app.account.close();
    await owner.account.sharing.consent(pending.id);
    const before = heldFor(app);
    await pass(50, owner.account);
    await until(() => heldFor(app) > before);
    const later = await net.reopen(app);
    await until(() => came(later, 'syncGrant') === 1);
    const answer = await later.sharing.pending(pending.id).answer();
    const [grant] = answer.status === 'granted' ? answer.grants : [];
    await grant?.upToDate();
    expect(await grant?.datastore().count()).toBe(4);
  });

  it('[GRANT-55] [GRANT-24] narrowed terms that were accepted while the owner was away for 40 days flow when it is back', async () => {
    const [owner, app] = [await net.person('poster'), await net.app('https://reader.example')];
    const grant = await narrowed(owner, app);
    await owner.account.synced();
    await owner.account.close();
    await grant.accept();
    await pass(40, app.account);
    const later = await net.reopen(owner);
    await until(() => statusOf(later) === 'live');
    await grant.upToDate();
    expect(await grant.datastore().count()).toBe(2);
    expect([came(app.account, 'syncGrant'), came(later, 'syncAccept')]).toEqual([1, 1]);
  });

  it('[GRANT-55] [GRANT-45] a grant that was given up ends though its owner was away for 40 days, and that is said no more', async () => {
    const { owner, app, grant, given } = await sharePosts(net);
    await until(() => came(owner.account, 'syncAccept') === 1);
    await owner.account.synced();
    await owner.account.close();
    await grant.drop();
    await pass(40, app.account);
    const later = await net.reopen(owner);
    await until(() => statusOf(later) === 'revoked');
    const noted = () => later.sharing.activity.list({ grantId: given.grantId });
    await until(() => noted().some(({ type }) => type === 'attestation'));
    expect(noted().find(({ type }) => type === 'attestation')).toMatchObject({ wiped: 10, reason: 'dropped' });
    await until(() => came(app.account, 'syncHeard') === 1);
    await later.synced();
    const heard = heldFor(owner, later);
    await pass(30, app.account, later);
    expect(heldFor(owner, later)).toBe(heard);
  });

  it('[GRANT-55] [GRANT-43] an attestation comes into the certificate of an owner that was away for 40 days', async () => {
    const { owner, app, given } = await sharePosts(net);
    await until(() => came(owner.account, 'syncAccept') === 1);
    await app.account.synced();
    await app.account.close();
    await owner.account.sharing.revoke(given.grantId);
    await owner.account.synced();
    await owner.account.close();
    const reader = await net.reopen(app);
    const grant = await reader.sharing.grants.open(given.grantId);
    await until(() => grant.status() === 'revoked');
    await pass(40, reader);
    const later = await net.reopen(owner);
    const certificate = await until(async () => {
      const found = await later.sharing.certificate(given.grantId);
      return found?.attestation && found;
    });
    expect(certificate.attestation).toMatchObject({ wiped: 10, reason: 'revoked' });
    await until(() => came(reader, 'syncHeard') === 1);
  });

  it('[GRANT-55] [RCPT-6] that a grant is given up is noted before the copy goes, with how much that was', async () => {
    const { owner, app, grant, given } = await sharePosts(net);
    const full = vi.spyOn(app.account.mailbox, 'post').mockRejectedValueOnce(new SluiceError('STORE_FULL'));
    await expect(grant.drop()).rejects.toMatchObject({ code: 'STORE_FULL' });
    full.mockRestore();
    await grant.drop();
    const attested = () =>
      owner.account.sharing.activity.list({ grantId: given.grantId }).find(({ type }) => type === 'attestation');
    await until(attested);
    expect(attested()).toMatchObject({ wiped: 10, reason: 'dropped' });
  });

  it('[GRANT-55] a message that says nothing new is answered at most once a day', async () => {
    const { owner, app, grant } = await sharePosts(net);
    await until(() => came(owner.account, 'syncAccept') === 1);
    await grant.drop();
    await until(() => came(app.account, 'syncHeard') === 1);
    const before = heldFor(app);
    for (let i = 0; i < 3; i++) await grant.drop();
    const last = await app.account.mailbox.send(owner.account.did, 'inbox/type/message', {}, 'the last');
    await until(() => owner.account.mailbox.get(last.id));
    await owner.account.synced();
    expect([heldFor(app), came(owner.account, 'syncDrop')]).toEqual([before, 1]);
  });
});
