import type { Database, SluiceError } from '@sluice/client';
import type { JsonObject } from '@sluice/core/base';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { post, until } from '../sharing-fixture.ts';
import { createTestNetwork, type Persona, type TestNetwork } from '../test-network.ts';

describe('a datastore', () => {
  let net: TestNetwork;
  let ada: Persona;
  let posts: Database;

  beforeEach(async () => {
    net = await createTestNetwork();
    ada = await net.person('ada');
    posts = await ada.account.vault.openDatastore('social/post');
  });
  afterEach(() => net.close());

  const failure = (work: Promise<unknown>): Promise<SluiceError> =>
    work.then(
      () => {
        throw new Error('nothing failed');
      },
      (cause: unknown) => cause as SluiceError,
    );

  it('[DS-1] a record is made with a random id and replaced by its _rev', async () => {
    const first = await posts.save({ content: 'one' });
    const other = await posts.save({ content: 'two' });
    expect(first.id).toMatch(/^[0-9a-f]{32}$/);
    expect(other.id).not.toBe(first.id);
    const read = await posts.get(first.id);
    expect(read).toMatchObject({ _id: first.id, _rev: first.rev, content: 'one', schema: posts.schema?.id });
    const second = await posts.save({ ...read, content: 'one, edited' });
    expect(second.rev).not.toBe(first.rev);
    expect((await posts.get(first.id))?.insertedAt).toBe(read?.insertedAt);
  });

  it('[DS-1] a stale or missing _rev is a conflict unless forced', async () => {
    const { id } = await posts.save({ content: 'one' });
    const stale = await posts.get(id);
    await posts.save({ ...stale, content: 'two' });
    expect((await failure(posts.save({ ...stale, content: 'three' }))).code).toBe('REV_CONFLICT');
    expect((await failure(posts.save({ _id: id, content: 'three' }))).code).toBe('REV_CONFLICT');
    expect((await failure(posts.save({ _id: 'new', _rev: '1-ab', content: 'x' }))).code).toBe('REV_CONFLICT');
    expect((await posts.get(id))?.content).toBe('two');
    await posts.save({ ...stale, content: 'three' }, { force: true });
    expect((await posts.get(id))?.content).toBe('three');
  });

  it('[DS-2] an invalid record is refused with its places and takes its step with it', async () => {
    const error = await failure(posts.saveMany([post(1), { content: 5, type: 'secret-value' }]));
    expect(error.code).toBe('INVALID_RECORD');
    expect(error.issues[0]?.path).toBe('/content');
    expect(error.message + JSON.stringify(error.issues)).not.toContain('secret-value');
    expect(await posts.count()).toBe(0);
    expect((await failure(posts.save([] as unknown as JsonObject))).code).toBe('INVALID_RECORD');
    expect((await failure(posts.save({ _id: '', content: 'x' }))).code).toBe('INVALID_RECORD');
  });

  it('[DS-2] what cannot be a record is refused, and the one before stays', async () => {
    const notes = await ada.account.vault.openDatabase('notes');
    const { rev } = await notes.save({ _id: 'a', text: 'kept' });
    let deep: JsonObject = {};
    for (let i = 0; i < 70; i++) deep = { deep };
    const bad: JsonObject[] = [
      { text: 'x'.repeat(1_100_000) },
      { text: 'x'.repeat(1_040_000) },
      { deep },
      { text: Number.NaN },
      { text: new Date(0) as unknown as string },
      { text: 1n as unknown as string },
      Object.fromEntries(Array.from({ length: 1100 }, (_, i) => [`f${i}`, i])),
    ];
    for (const record of bad)
      expect((await failure(notes.save({ ...record, _id: 'a', _rev: rev }))).code).toBe('INVALID_RECORD');
    expect(await notes.get('a')).toMatchObject({ text: 'kept', _rev: rev });
    await notes.save({ _id: 'a', _rev: rev, text: 'x'.repeat(900_000) }, { ack: 'node' });
    expect((await notes.get('a'))?.text).toHaveLength(900_000);
  });

  it('[DS-3] getMany filters, sorts, skips and limits as a scan does', async () => {
    const records = Array.from({ length: 57 }, (_, i) =>
      post(i, { createdAt: new Date(1_700_000_000_000 + ((i * 37) % 57) * 3_600_000).toISOString() }),
    );
    await posts.saveMany(records);
    expect(await posts.getMany()).toHaveLength(20);
    const newest = [...records]
      .filter((r) => r.type === 'odd')
      .sort((a, b) => (String(a.createdAt) < String(b.createdAt) ? 1 : -1))
      .slice(3, 10);
    const found = await posts.getMany({ type: 'odd' }, { sort: [{ createdAt: 'desc' }], skip: 3, limit: 7 });
    expect(found.map((r) => r._id)).toEqual(newest.map((r) => r._id));
    expect(await posts.getOne({ name: 'Post 40' })).toMatchObject({ _id: 'post-40' });
    expect(await posts.count({ type: 'even' })).toBe(29);
    expect((await failure(posts.getMany({ name: { $where: 'x' } }))).code).toBe('BAD_FILTER');
  });

  it('[DS-4] a filter on an indexed field examines what the index names', async () => {
    await posts.saveMany(
      Array.from({ length: 100 }, (_, i) =>
        post(i, { createdAt: `2026-01-${String((i % 28) + 1).padStart(2, '0')}T00:00:00Z` }),
      ),
    );
    const narrow = { createdAt: { $gte: '2026-01-28T00:00:00Z' } };
    expect(await posts.explain(narrow, { limit: 100 })).toEqual({ index: 'createdAt', examined: 3, matched: 3 });
    expect(await posts.explain({ name: 'Post 3' }, { limit: 100 })).toEqual({ examined: 100, matched: 1 });
    await posts.delete('post-27');
    expect(await posts.explain(narrow, { limit: 100 })).toEqual({ index: 'createdAt', examined: 2, matched: 2 });
  });

  it('[DS-5] changes tells what matches, what was deleted, and who wrote it', async () => {
    const phone = await net.restore(ada, 'phone');
    const there = await phone.vault.openDatastore('social/post');
    const seen: string[] = [];
    const stop = posts.changes((c) => seen.push(`${c.type} ${c.id} ${c.origin}`), { type: 'odd' });
    await posts.saveMany([post(1), post(2)]);
    await there.save(post(3));
    await until(() => seen.includes('put post-3 other'));
    await posts.delete('post-1');
    stop();
    await posts.save(post(5));
    expect(seen).toEqual(['put post-1 self', 'put post-3 other', 'delete post-1 self']);
  });

  it('[DS-10] a deleted record is gone on every device until it is saved again', async () => {
    await posts.saveMany([post(1), post(2), post(3)]);
    await posts.delete('post-1');
    expect(await posts.delete('post-1')).toBe(false);
    await ada.account.synced();
    const phone = await net.restore(ada, 'phone');
    await phone.synced();
    const there = await phone.vault.openDatastore('social/post');
    expect((await there.getMany()).map((r) => r._id).sort()).toEqual(['post-2', 'post-3']);
    expect(await there.deleteAll()).toBe(2);
    await phone.synced();
    await until(async () => (await posts.count()) === 0);
    await posts.save(post(1));
    await until(async () => (await there.get('post-1')) !== undefined);
    expect(await there.count()).toBe(1);
  });
});
