/** A device that was away for long: what one more save costs does not grow with what waits to be sent. */

import { systemRandom, toStreamId } from '@sluice/core/base';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { createTestNetwork, type TestNetwork } from '../test-network.ts';

let net: TestNetwork;
beforeEach(async () => {
  net = await createTestNetwork();
});
afterEach(() => net.close());

const SHAPE = { indexes: [], formats: new Map(), merges: new Map() };

it('no statement of a save, of its sending or of a page walks over what waits', async () => {
  const owner = await net.person('owner');
  const { db } = owner.account.open.store;
  const texts = new Set<string>();
  const { sql } = db;
  Object.assign(db, {
    sql: (text: string) => {
      texts.add(text);
      return sql(text);
    },
  });
  const phone = await net.restore(owner, 'phone');
  const rows = owner.account.open.home.collection('test/rows', SHAPE);
  for (const text of ['one', 'two', 'three']) rows.save([{ id: 'a', document: { text }, force: true }]);
  await owner.account.synced();
  await phone.synced();
  phone.open.home.collection('test/rows', SHAPE).save([{ id: 'a', document: { text: 'four' }, force: true }]);
  await phone.synced();
  await owner.account.synced();
  expect(rows.get('a')?.text).toBe('four');
  const walks = [...texts]
    .filter((text) => /^(SELECT|UPDATE|DELETE)/.test(text))
    .flatMap((text) =>
      sql(`EXPLAIN QUERY PLAN ${text}`)
        .all(...Array.from(text.matchAll(/\?/g), () => null))
        .map((row) => ({ text, plan: String(row.detail) })),
    )
    .filter(({ plan }) => /^SCAN (entry|outbox|ctl)|outbox USING INDEX \w+ \(stream=\?\)|entry_tag/.test(plan))
    // These read all of it on purpose, or the oldest alone.
    .filter(({ text }) => !/ORDER BY (id|o\.id|ls)|GROUP BY|count\(\*\)|max\(ls\)/.test(text));
  expect(walks).toEqual([]);
});

it('[FLT-4] a stream that was named in a transaction that was undone shares its row with no other', async () => {
  const { account } = await net.person('owner');
  const { store } = account.open.home;
  const [one, other] = [1, 2].map(() => toStreamId(Uint8Array.of(1, ...systemRandom(15))));
  if (!one || !other) throw new Error('no streams');
  const undone = (): void => {
    store.streamRow(one);
    throw new Error('undone');
  };
  expect(() => account.open.store.db.transact(undone)).toThrow('undone');
  expect(store.streamRow(other)).not.toBe(store.streamRow(one));
});

it('[FLT-4] a collection that was opened in a transaction that was undone keeps its records apart from those of the next', async () => {
  const owner = await net.person('owner');
  const phone = await net.restore(owner, 'phone');
  const { home, store } = owner.account.open;
  const undone = (): void => {
    home.collection('test/one', SHAPE);
    throw new Error('undone');
  };
  expect(() => store.db.transact(undone)).toThrow('undone');
  for (const name of ['two', 'one'])
    home.collection(`test/${name}`, SHAPE).save([{ id: name, document: { name }, force: true }]);
  await owner.account.synced(5_000);
  await phone.synced();
  for (const name of ['one', 'two']) expect(phone.open.home.collection(`test/${name}`, SHAPE).ids()).toEqual([name]);
});

it('[PUSH-13] a device that writes as many databases as the node takes of it refuses one more, and goes on with the others', async () => {
  const { account } = await net.person('owner');
  const { home, store } = account.open;
  const save = (name: string, text: string): void =>
    void home.collection(name, SHAPE).save([{ id: 'a', document: { text }, force: true }]);
  store.db.transact(() => {
    const used = Number(store.db.sql('SELECT count(*) AS used FROM stream WHERE n > 0').get()?.used);
    for (let i = used; i < 1_000; i++) save(`test/${i}`, 'first');
  });
  expect(() => save('test/more', 'first')).toThrow(expect.objectContaining({ code: 'NODE_QUOTA' }) as Error);
  save('test/999', 'second');
  await account.synced();
  expect(home.store.outboxSize()).toBe(0);
});
