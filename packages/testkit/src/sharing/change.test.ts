import type { GrantHandle } from '@sluice/client';
import { createSystemClock, type JsonObject } from '@sluice/core/base';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { sharePosts, type SharedPosts, until } from '../sharing-fixture.ts';
import { createTestNetwork, type TestNetwork } from '../test-network.ts';

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

  it('[GRANT-27] changed terms count only from the owner, within what was asked, and never go back', async () => {
    const { grant, owner, app } = shared;
    const before = grant.terms;
    const thief = await net.app('https://thief.example');
    const tell = async (by: SharedPosts['owner'], data: JsonObject): Promise<void> => {
      const sent = await by.account.mailbox.send(app.account.did, 'inbox/type/syncTerms', data, 'x');
      await until(() => app.account.mailbox.get(sent.id));
    };
    const terms = { ...before, duration: 'once' } as unknown as JsonObject;
    await tell(thief, { grantId: grant.id, term: 5, terms });
    await tell(owner, { grantId: grant.id, term: 5, terms: { ...terms, fields: ['content', 'type', 'name'] } });
    await tell(owner, { grantId: grant.id, term: 0, terms });
    await tell(owner, { grantId: grant.id, term: 5, terms: { ...terms, filter: { $where: '1' } } });
    await change(grant.id, { fields: ['content'] });
    await until(() => grant.terms.fields?.length === 1);
    expect(grant.terms).toEqual({ ...before, fields: ['content'] });
  });
});
