import { type GrantHandle, SluiceError } from '@sluice/client';
import { bytesToBase64url, createSystemClock, hexToBytes, type JsonObject } from '@sluice/core/base';
import { type GrantTerms, openConsentReceipt, openReceipt, type ProofDeps, signReceipt } from '@sluice/core/grant';
import { createDidResolver } from '@sluice/core/identity';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { sharePosts, type SharedPosts, until } from '../sharing-fixture.ts';
import { createTestNetwork, type TestNetwork } from '../test-network.ts';

/** From here on every transaction of this account fails at its end. Returns how to make room. */
function fullAtCommits({ account }: SharedPosts['owner']): () => void {
  const { db } = account.open.store;
  const { transact } = db;
  let depth = 0;
  const failing: typeof transact = (body) =>
    transact(() => {
      depth++;
      try {
        const value = body();
        if (depth === 1) throw new SluiceError('STORE_FULL');
        return value;
      } finally {
        depth--;
      }
    });
  Object.assign(db, { transact: failing });
  return () => void Object.assign(db, { transact });
}

describe('a change of what is given', () => {
  let net: TestNetwork;
  let shared: SharedPosts;
  let offsetMs = 0;

  beforeEach(async () => {
    offsetMs = 0;
    net = await createTestNetwork({ clock: createSystemClock(() => offsetMs) });
    shared = await sharePosts(net, {
      filter: { name: { $exists: true } },
      fields: ['content', { path: 'type', optional: true }],
    });
  });
  afterEach(() => net.close());

  const seen = async (grant: GrantHandle): Promise<string[]> =>
    (await grant.datastore().getMany({}, { limit: 100 }))
      .map(({ _id, schema, ...rest }: JsonObject) => Object.values(rest).join(' '))
      .sort();
  /** Of somebody who can look DIDs up, and is neither side. */
  const proofDeps = (): ProofDeps => {
    const pins = { get: async () => undefined, set: async () => undefined };
    const { resolve } = createDidResolver({ fetchText: net.platform.fetchText, clock: net.clock, pins });
    return { resolve, nowMs: net.clock.nowMs() };
  };
  const change: SharedPosts['owner']['account']['sharing']['change'] = (id, narrowing) =>
    shared.owner.account.sharing.change(id, narrowing);

  it('[GRANT-27] goes down and up again within what was asked, and never beyond; the grantee sees the terms', async () => {
    const { grant } = shared;
    await change(grant.id, { filter: { type: 'odd' }, fields: ['content'] });
    await until(async () => (await seen(grant)).length === 5);
    expect((await seen(grant)).join()).not.toContain('odd');
    await until(() => grant.terms.fields?.length === 1);
    expect(grant.terms).toEqual(shared.owner.account.sharing.grants.list()[0]?.terms);
    await expect(change(grant.id, { fields: ['content', 'name'] })).rejects.toThrow('name was not asked for');
    await change(grant.id, { filter: {}, fields: 'all' });
    await until(async () => (await seen(grant)).length === 10);
    await until(() => grant.terms.fields?.length === 2);
    expect((await seen(grant))[1]).toBe('content 1 odd');
    expect(shared.owner.account.sharing.activity.list().filter((e) => e.type === 'change')).toHaveLength(2);
  });

  it('[GRANT-27] is none where it cannot be kept: on a full disk it is refused, and all stays as it was', async () => {
    const { grant, owner, posts } = shared;
    const { terms } = grant;
    const room = fullAtCommits(owner);
    await expect(change(grant.id, { filter: { type: 'odd' } })).rejects.toMatchObject({ code: 'STORE_FULL' });
    room();
    expect(owner.account.sharing.grants.list()[0]?.terms).toEqual(terms);
    await posts.save({ _id: 'later', name: 'later', content: 'after the change that was none', type: 'even' });
    await until(async () => (await seen(grant)).length === 11);
  });

  it('[GRANT-27] an earlier end is kept by both, and can be put off again', async () => {
    const { grant, owner } = shared;
    const until1 = new Date(net.clock.nowMs() + 3_600_000).toISOString();
    await change(grant.id, { duration: { until: until1 } });
    await until(() => typeof grant.terms.duration === 'object');
    await change(grant.id, { duration: 'standing' });
    await until(() => grant.terms.duration === 'standing');
    offsetMs = 7_200_000;
    await shared.posts.save({ _id: 'later', name: 'later', content: 'after the first end', type: 'odd' });
    await until(async () => (await seen(grant)).length === 11);
    await owner.account.sharing.revoke(grant.id);
    await expect(change(grant.id, { fields: ['content'] })).rejects.toMatchObject({ code: 'REVOKED' });
  });

  it('[GRANT-27] [RCPT-11] changed terms count only as the owner signed them, within what was asked, and never go back', async () => {
    const { grant, owner, app } = shared;
    const before = grant.terms;
    const thief = await net.app('https://thief.example');
    const parties = { owner: owner.account.did, grantee: app.account.did };
    const [given] = owner.account.sharing.grants.list();
    const first = await openReceipt(given?.receipt ?? new Uint8Array(0), parties, proofDeps());
    if (!first.ok) throw new Error(first.error.type);
    const signed = (by: SharedPosts['owner'], terms: JsonObject, term: number, grantId = grant.id): JsonObject => {
      const { account } = by;
      const receipt = signReceipt(
        {
          ...{ ...parties, purpose: 'posts', shown: 'x' },
          requestHash: hexToBytes(first.value.request),
          grants: [{ grantId, terms: { ...before, ...terms } as GrantTerms }],
          givenAtMs: net.clock.nowMs(),
          ...(term === 0 ? {} : { change: { previous: first.value.hash, term } }),
        },
        { did: account.did, key: account.open.device, card: account.open.card },
      );
      return { grantId: grant.id, receipt: bytesToBase64url(receipt) };
    };
    const tell = async (by: SharedPosts['owner'], data: JsonObject): Promise<void> => {
      const sent = await by.account.mailbox.send(app.account.did, 'inbox/type/syncTerms', data, 'x');
      await until(() => app.account.mailbox.get(sent.id));
    };
    const once = { duration: 'once' };
    await tell(thief, signed(owner, once, 5));
    await tell(owner, signed(thief, once, 5));
    await tell(owner, signed(owner, { ...once, fields: ['content', 'type', 'name'] }, 5));
    await tell(owner, signed(owner, once, 0));
    await tell(owner, signed(owner, { ...once, filter: { $where: '1' } }, 5));
    await tell(owner, signed(owner, once, 5, '0'.repeat(32)));
    await tell(owner, { grantId: grant.id, receipt: 'AAAA' });
    await change(grant.id, { fields: ['content'] });
    await until(() => grant.terms.fields?.length === 1);
    expect(grant.terms).toEqual({ ...before, fields: ['content'] });
  });

  it('[GRANT-27] [RCPT-11] each change is a receipt that both sign, and the export states what stands', async () => {
    const { grant, owner, app } = shared;
    expect(await change(grant.id, { fields: ['content'] })).toEqual({ status: 'changed' });
    await change(grant.id, { filter: { type: 'odd' } });
    const accepted = () => owner.account.mailbox.list({ type: 'inbox/type/syncAccept' }).length;
    await until(() => accepted() === 3);
    const json = await owner.account.sharing.receipts.export(grant.id);
    const proven = await openConsentReceipt(json, proofDeps());
    if (!proven.ok) throw new Error(JSON.stringify(proven.error));
    const { receipt, changes, acceptances } = proven.value;
    expect(changes.map((c) => [c.term, c.previous])).toEqual([
      [1, receipt.hash],
      [2, changes[0]?.hash],
    ]);
    expect(changes[1]?.shown).toContain('type is "odd"');
    expect(acceptances.map((a) => a.receipt).sort()).toEqual([receipt, ...changes].map((r) => r.hash).sort());
    expect(acceptances.every((a) => a.grantee === app.account.did)).toBe(true);
  });

  it('[GRANT-27] [GRANT-47] is kept with nobody online, sealed by at once, and the node holds everybody to it when it is back', async () => {
    const { grant, owner } = shared;
    const { sharing } = owner.account;
    await net.stopNode();
    expect(await change(grant.id, { filter: { type: 'odd' } })).toEqual({ status: 'pending' });
    expect(JSON.stringify(sharing.grants.list()[0]?.terms.filter)).toContain('odd');
    await net.startNode();
    await until(async () => (await seen(grant)).length === 5);
    const row = () => owner.account.open.home.access.rows.get(grant.id);
    await until(() => row()?.term === 1);
    expect(row()?.status).toBe('active');
  });

  it('[GRANT-47] a change that was made with nobody online survives a restart, and reaches node and grantee', async () => {
    const { grant, owner } = shared;
    await net.stopNode();
    await change(grant.id, { filter: { type: 'odd' } });
    await owner.account.close();
    await net.startNode();
    const again = await net.reopen(owner);
    await until(() => again.open.home.access.rows.get(grant.id)?.term === 1);
    await until(() => JSON.stringify(grant.terms.filter).includes('odd'));
    await until(async () => (await seen(grant)).length === 5);
    expect(again.sharing.activity.list().filter((e) => e.type === 'change')).toHaveLength(1);
    await again.close();
  });

  it('[GRANT-27] terms that were changed before the grantee took up the grant are taken with it', async () => {
    const { owner, app } = shared;
    const asked = await app.account.sharing.request(owner.account.did, {
      schema: 'social/post',
      filter: {},
      purpose: 'once more',
    });
    await until(async () => (await owner.account.sharing.requests()).length === 1);
    const [given] = await owner.account.sharing.consent(asked.id);
    await change(String(given?.grantId), { fields: ['content'] });
    await until(() => app.account.mailbox.list({ type: 'inbox/type/syncTerms' })[0]);
    const answer = await app.account.sharing.pending(asked.id).answer();
    const grant = answer.status === 'granted' ? answer.grants[0] : undefined;
    await until(() => grant?.terms.fields?.length === 1);
    expect(grant?.terms.fields).toEqual(['content']);
  });

  it('[GRANT-47] two changes that one device makes at once both hold', async () => {
    const { grant, owner } = shared;
    const until1 = new Date(net.clock.nowMs() + 3_600_000).toISOString();
    const made = [change(grant.id, { filter: { type: 'odd' } }), change(grant.id, { duration: { until: until1 } })];
    expect(await Promise.all(made)).toEqual([{ status: 'changed' }, { status: 'changed' }]);
    const [given] = owner.account.sharing.grants.list();
    expect(given).toMatchObject({ term: 2, terms: { duration: { until: until1 } } });
    expect(JSON.stringify(given?.terms.filter)).toContain('odd');
  });

  it('[GRANT-47] two devices that change one grant at once, with the node away, come to the same terms, and so does the grantee', async () => {
    const { grant, owner } = shared;
    const tablet = await net.restore(owner, 'tablet');
    await until(() => tablet.sharing.grants.list()[0]?.status === 'live');
    await net.stopNode();
    await Promise.all([
      change(grant.id, { filter: { type: 'odd' } }),
      tablet.sharing.change(grant.id, { filter: { type: 'even' } }),
    ]);
    await net.startNode();
    const filters = () =>
      [...[owner.account, tablet].flatMap((a) => a.sharing.grants.list()), grant].map((g) =>
        JSON.stringify(g.terms.filter),
      );
    const both = () => owner.account.open.keychain.list('grant-fact').filter(({ id }) => id.includes('/terms/'));
    await until(() => both().length === 2 && new Set(filters()).size === 1 && filters()[0] !== '{}');
    const odd = filters()[0]?.includes('odd');
    await until(async () => {
      const texts = await seen(grant);
      return texts.length === 5 && texts.every((text) => text.includes('odd') === odd);
    });
    expect(new Set(filters()).size).toBe(1);
    await tablet.close();
  });
});
