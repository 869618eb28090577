import { createSystemClock, type JsonObject } from '@sluice/core/base';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { grantItems, post, until } from '../sharing-fixture.ts';
import { createTestNetwork, type Persona, type TestNetwork } from '../test-network.ts';

const DAY_MS = 86_400_000;

describe('what a preview says', () => {
  let net: TestNetwork;
  let owner: Persona;
  let app: Persona;
  let offsetMs = 0;

  beforeEach(async () => {
    offsetMs = 0;
    net = await createTestNetwork({ clock: createSystemClock(() => offsetMs) });
    owner = await net.person('owner');
    app = await net.app('https://asker.example');
  });
  afterEach(() => net.close());

  /** Days go by when nothing is on its way: what the node said of the time before would be taken for the time after. */
  const later = async (days: number): Promise<void> => {
    for (const { account } of [owner, app, owner, app]) await account.synced();
    offsetMs = days * DAY_MS;
  };
  const asked = async (item: object): Promise<string> => {
    const pending = await app.account.sharing.request(owner.account.did, {
      schema: 'social/post',
      purpose: 'x',
      ...item,
    });
    await until(() => owner.account.mailbox.get(pending.id));
    return pending.id;
  };

  it('[GRANT-26] the rate counts what was inserted and what was modified in 90 days', async () => {
    const posts = await owner.account.vault.openDatastore('social/post');
    await posts.saveMany([post(0), post(2), post(4)]);
    await later(100);
    await posts.save(post(2, { content: 'changed long after it was inserted' }), { force: true });
    await posts.save(post(6));
    await later(101);
    await posts.save(post(6, { content: 'changed again' }), { force: true });
    await posts.save(post(1, { content: 'does not match' }));
    const id = await asked({ filter: { type: 'even' } });
    const preview = await owner.account.sharing.preview(id);
    // Of 2 the change counts, of 6 its insertion and its change; 0 and 4 are older, 1 does not match.
    expect(preview.items[0]).toMatchObject({ matching: 4, rate: { changes: 3, perWeek: 0.2 } });
    await later(195);
    expect((await owner.account.sharing.preview(await asked({}))).items[0]).toMatchObject({
      rate: { changes: 0, perWeek: 0 },
    });
  });

  it('[GRANT-26] the span covers the dates that the filter is about, nested ones too', async () => {
    const encounters = await owner.account.vault.openDatastore('fhir/encounter');
    const visit = (start: string, end: string): JsonObject => ({
      resourceType: 'Encounter',
      status: 'finished',
      class: { code: 'AMB' },
      period: { start, end },
    });
    await encounters.saveMany([
      visit('2026-01-01T10:00:00Z', '2026-01-01T11:00:00Z'),
      visit('2026-03-05T10:00:00Z', '2026-03-09T11:00:00Z'),
      visit('2019-01-01T10:00:00Z', '2019-01-01T11:00:00Z'),
    ]);
    const spanOf = async (filter: JsonObject): Promise<unknown> => {
      const id = await asked({ schema: 'fhir/encounter', filter });
      return (await owner.account.sharing.preview(id)).items[0]?.span;
    };
    const since = { $gte: '2020-01-01T00:00:00Z' };
    expect(await spanOf({ 'period.start': since })).toEqual({
      from: '2026-01-01T10:00:00.000Z',
      to: '2026-03-05T10:00:00.000Z',
    });
    expect(await spanOf({ $or: [{ 'period.start': since }, { $not: { 'period.end': { $exists: true } } }] })).toEqual({
      from: '2026-01-01T10:00:00.000Z',
      to: '2026-03-09T11:00:00.000Z',
    });
    expect(await spanOf({ status: 'finished' })).toBeUndefined();
  });

  it('[GRANT-26] a condition on a field that the schema does not name is pointed out, since a slip there may reveal everything', async () => {
    const id = await asked({});
    const filter = { $not: { contnt: 'secret', 'sourceData.x': 1 }, name: 'a' };
    const [item] = (await owner.account.sharing.preview(id, { filter })).items;
    expect(item?.warnings).toEqual(['The schema Social post names no field contnt: is it spelt as it should be?']);
  });

  it('[FIL-16] a negation that meets a list says what matches, and how the other is written', async () => {
    const posts = await owner.account.vault.openDatastore('social/post');
    await posts.saveMany([post(1, { tags: ['a'] }), post(2, { tags: ['a', 'b'] }), post(3, { tags: ['b'] }), post(4)]);
    const id = await asked({});
    const { sharing } = owner.account;
    const [item] = (await sharing.preview(id, { filter: { tags: { $ne: 'a' } } })).items;
    expect(item?.matching).toBe(2);
    expect(item?.sentence).toContain('(those where some of tags is other than "a", whatever the rest is, the whole');
    expect(item?.warnings).toEqual([
      'tags is a list, and the filter lets records through where some of tags is other than "a", whatever the rest is. Only those of which no item is so: {"$not":{"tags":"a"}}',
    ]);
    const [strict] = (await sharing.preview(id, { filter: { $not: { tags: 'a' } } })).items;
    expect(strict).toMatchObject({ matching: 2, warnings: [], sample: [{ name: 'Post 3' }, { name: 'Post 4' }] });
    expect(strict?.sentence).toContain('(those where none of tags is "a", the whole records)');
  });

  it('[GRANT-10] the sample is what the transforms of the terms leave', async () => {
    const posts = await owner.account.vault.openDatastore('social/post');
    await posts.save(post(1));
    const id = await asked({
      fields: [
        { path: 'createdAt', transform: 'year' },
        { path: 'name', optional: true },
        { path: 'content', transform: 'pseudonym' },
      ],
    });
    const sample = async (): Promise<JsonObject | undefined> =>
      (await owner.account.sharing.preview(id)).items[0]?.sample[0];
    expect(await sample()).toMatchObject({
      createdAt: '2026',
      name: 'Post 1',
      content: expect.stringMatching(/^[\w-]{22}$/),
    });
    // The secret of a sample is thrown away: a preview tells nobody the pseudonyms of the grant.
    expect((await sample())?.content).not.toBe((await sample())?.content);
  });

  it('[GRANT-26] the preview says what the requester receives already, and of nobody else', async () => {
    const { given } = await grantItems(owner, app, [{ schema: 'note' }, { schema: 'social/contact' }]);
    await grantItems(owner, await net.app('https://other.example'), [{ schema: 'social/contact' }]);
    await owner.account.sharing.revoke(String(given[1]?.grantId));
    const preview = await owner.account.sharing.preview(await asked({}));
    expect(preview.receives).toEqual([
      {
        grantId: given[0]?.grantId,
        sentence: 'asker.example may read your Notes (all, the whole records), from now on, until you revoke it.',
      },
    ]);
  });

  it('[GRANT-26] the preview of a change says what is added and taken away', async () => {
    const posts = await owner.account.vault.openDatastore('social/post');
    await posts.saveMany(Array.from({ length: 10 }, (_, i) => post(i)));
    const { given } = await grantItems(owner, app, [
      { schema: 'social/post', filter: { type: 'even' }, fields: ['content', { path: 'name', optional: true }] },
    ]);
    const { previewChange } = owner.account.sharing;
    const grantId = String(given[0]?.grantId);
    const change = await previewChange(grantId, {
      filter: { name: { $in: ['Post 2', 'Post 4'] } },
      fields: ['content'],
    });
    expect(change.after).toMatchObject({ matching: 2, fields: ['content'] });
    expect(change.difference).toEqual({
      records: { added: 0, removed: 3, changed: 2 },
      fields: { added: [], removed: ['name'] },
    });
    expect((await previewChange(grantId, {})).difference).toEqual({
      records: { added: 0, removed: 0, changed: 0 },
      fields: { added: [], removed: [] },
    });
    await expect(previewChange(grantId, { fields: ['content', 'type'] })).rejects.toThrow('type was not asked for');
    await expect(previewChange(grantId, { duration: { until: '2020-01-01T00:00:00.000Z' } })).rejects.toThrow(
      /has passed/,
    );
    await expect(previewChange('00'.repeat(16), {})).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });
});
