/** What becomes of a grant when its owner's devices decide different things of it at the same time, or at the wrong time. */

import type { Account, GrantView } from '@sluice/client';
import { createSystemClock } from '@sluice/core/base';
import { openConsentReceipt } from '@sluice/core/grant';
import { createDidResolver } from '@sluice/core/identity';
import { afterEach, describe, expect, it } from 'vitest';
import { deviceOn, reopenOn } from '../messaging/messaging-fixture.ts';
import { sharePosts, type SharedPosts, until } from '../sharing-fixture.ts';
import { createTestNetwork, type TestNetwork } from '../test-network.ts';
import { createWay } from '../way-fixture.ts';

const HOUR_MS = 3_600_000;

describe('a change of a grant, and something else', () => {
  let net: TestNetwork;
  let shared: SharedPosts;
  let phone: Account;
  let commonMs = 0;
  let wrongMs = 0;
  afterEach(async () => {
    await net.close();
    commonMs = wrongMs = 0;
  });

  const start = async (wrong = 'nobody', more: Parameters<typeof sharePosts>[1] = {}): Promise<void> => {
    net = await createTestNetwork({
      clock: createSystemClock(() => commonMs),
      clockOf: (name) => (name.startsWith(wrong) ? createSystemClock(() => commonMs + wrongMs) : undefined),
    });
    shared = await sharePosts(net, more);
  };
  const withPhone = async (): Promise<void> => {
    phone = await net.restore(shared.owner, 'phone');
    await until(() => viewOf(phone).status === 'live');
  };
  const viewOf = (account: Account): GrantView => {
    const [view] = account.sharing.grants.list();
    if (!view) throw new Error('there is no grant');
    return view;
  };
  const sharing = () => shared.owner.account.sharing;
  const endIn = (hours: number) => ({
    duration: { until: new Date(net.clock.nowMs() + hours * HOUR_MS).toISOString() },
  });
  const rowOf = (account: Account) => account.open.home.access.rows.get(shared.grant.id);
  const endOf = (terms: GrantView['terms']): number =>
    typeof terms.duration === 'object' ? Date.parse(terms.duration.until) : 0;
  const proven = async (account: Account) => {
    const pins = { get: async () => undefined, set: async () => undefined };
    const { resolve } = createDidResolver({ fetchText: net.platform.fetchText, clock: net.clock, pins });
    const json = await account.sharing.receipts.export(shared.grant.id);
    const opened = await openConsentReceipt(json, { resolve, nowMs: net.clock.nowMs() });
    return opened.ok ? opened.value : undefined;
  };
  const acceptances = () => proven(shared.owner.account);
  /** The hash of the one change that a device knows: of two, the greater stands. */
  const changeOf = async (account: Account): Promise<string> => (await proven(account))?.changes[0]?.hash ?? '';

  it('[GRANT-47] [ACT-8] two ends at once: the row comes to the terms that stand, and the one that gave way is told of', async () => {
    await start();
    const { owner, grant } = shared;
    await owner.account.synced();
    await owner.account.close();
    const ways = [createWay(net), createWay(net)] as const;
    const laptop = await reopenOn(net, owner, { openSocket: ways[0].openSocket });
    shared = { ...shared, owner: { ...owner, account: laptop } };
    phone = await deviceOn(net, owner, 'phone', { openSocket: ways[1].openSocket });
    await until(() => [laptop, phone].every((account) => viewOf(account).status === 'live'));
    for (const way of ways) way.close();
    await Promise.all([laptop.sharing.change(grant.id, endIn(1)), phone.sharing.change(grant.id, endIn(2))]);
    const [mine, theirs] = [await changeOf(laptop), await changeOf(phone)];
    // The row of those that give way comes later.
    const [first, last] = mine > theirs ? ways : [ways[1], ways[0]];
    const standing = mine > theirs ? laptop : phone;
    const endMs = endOf(viewOf(standing).terms);
    first.open();
    await until(() => rowOf(standing)?.expiresMs === endMs);
    last.open();
    const both = [laptop, phone];
    await until(() => {
      const ends = both.flatMap((account) => [endOf(viewOf(account).terms), rowOf(account)?.expiresMs]);
      return [...ends, endOf(grant.terms)].every((ms) => ms === endMs);
    });
    const overtaken = () =>
      sharing()
        .activity.list()
        .filter((event) => event.type === 'overtaken');
    await until(() => overtaken().length > 0);
    expect(overtaken()).toMatchObject([{ grantId: shared.grant.id, terms: viewOf(phone).terms }]);
    expect(
      sharing()
        .activity.list()
        .filter((event) => event.type === 'change'),
    ).toHaveLength(2);
    await phone.close();
    await laptop.close();
  });

  it('[CTL-6] [GRANT-47] a pause of one device stands, though another changes the terms and has not heard of it', async () => {
    await start();
    await withPhone();
    await Promise.all([sharing().change(shared.grant.id, endIn(1)), phone.sharing.pause(shared.grant.id)]);
    const both = [shared.owner.account, phone];
    await until(() => both.every((account) => rowOf(account)?.term === 1 && rowOf(account)?.status === 'paused'));
    await until(() => shared.grant.status() === 'paused');
    await expect(shared.grant.upToDate()).rejects.toMatchObject({ code: 'PAUSED' });
    expect(both.map((account) => viewOf(account).status)).toEqual(['paused', 'paused']);
    await phone.sharing.resume(shared.grant.id);
    await until(() => shared.grant.status() === 'live');
    expect(endOf(viewOf(phone).terms)).toBe(rowOf(phone)?.expiresMs);
    await phone.close();
  });

  it('[GRANT-27] [RCPT-11] nothing is accepted in the name of an app that has not taken the grant, or has given it up', async () => {
    await start();
    const { owner, app } = shared;
    const asked = await app.account.sharing.request(owner.account.did, {
      schema: 'social/post',
      filter: {},
      purpose: 'x',
    });
    await until(async () => (await sharing().requests()).length === 1);
    const [given] = await sharing().consent(asked.id, { filter: { type: 'odd' } });
    const answer = await asked.answer();
    const grant = answer.status === 'granted' ? answer.grants[0] : undefined;
    if (!given || !grant) throw new Error('no grant was given');
    shared = { ...shared, grant };
    await sharing().change(given.grantId, { fields: ['content'] });
    await until(() => grant.terms.fields);
    const marker = await app.account.mailbox.send(owner.account.did, 'inbox/type/message', {}, 'after the terms');
    await until(() => owner.account.mailbox.get(marker.id));
    expect((await acceptances())?.acceptances).toEqual([]);
    expect(grant.status()).toBe('offered');
    await grant.accept();
    await until(async () => (await acceptances())?.acceptances.length === 2);
    await grant.drop();
    await until(() => app.account.open.keychain.get('grant-fact', `${grant.id}/dropped`));
    const before = owner.account.mailbox.list({ type: 'inbox/type/syncAccept' }).length;
    const sent = await owner.account.mailbox.send(app.account.did, 'inbox/type/message', {}, 'the last');
    await until(() => app.account.mailbox.get(sent.id));
    expect(owner.account.mailbox.list({ type: 'inbox/type/syncAccept' })).toHaveLength(before);
  });

  it('[GRANT-50] an end that is put off brings back the grant of a grantee that was away when the old one passed', async () => {
    await start('nobody', {
      duration: { until: new Date(createSystemClock(() => commonMs).nowMs() + 72 * HOUR_MS).toISOString() },
    });
    const { grant, posts } = shared;
    await sharing().change(grant.id, endIn(1));
    await until(() => endOf(grant.terms) > 0);
    await net.stopNode();
    expect(await sharing().change(grant.id, endIn(48))).toEqual({ status: 'pending' });
    commonMs = 2 * HOUR_MS;
    await net.startNode();
    await until(() => endOf(grant.terms) - net.clock.nowMs() > 40 * HOUR_MS);
    await posts.save({ _id: 'later', content: 'after the first end', type: 'odd' });
    await until(async () => (await grant.datastore().count()) === 11);
    expect([grant.status(), viewOf(shared.owner.account).status]).toEqual(['live', 'live']);
  });

  it.each([
    ['the owner', 'poster'],
    ['the grantee', 'https://reader.example'],
  ])('[GRANT-27] a change is made and taken though the clock of %s is a day behind', async (_, name) => {
    await start(name);
    wrongMs = -24 * HOUR_MS;
    await sharing().change(shared.grant.id, { filter: { type: 'odd' } });
    await until(() => JSON.stringify(shared.grant.terms.filter).includes('odd'));
    await until(async () => (await shared.grant.datastore().count()) === 5);
    expect(shared.grant.status()).toBe('live');
  });
});
