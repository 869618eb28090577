/** Writes of a grantee that are as large as a record may be: the owner keeps what they set and what was there before, and all of it is sent. */

import { utf8ToBytes } from '@sluice/core/base';
import { granteeRecordId } from '@sluice/core/grant';
import { MAX_PUSH_BYTES } from '@sluice/core/wire';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { openLaneScribe } from '../proof/lane-scribe-fixture.ts';
import { type SharedPosts, until } from '../sharing-fixture.ts';
import { createTestNetwork, type TestNetwork } from '../test-network.ts';
import { change, contentOf, find, shareBoth } from './lane-fixture.ts';

const LARGE = 800_000;

let net: TestNetwork;
beforeEach(async () => {
  net = await createTestNetwork();
});
afterEach(() => net.close());

const noteOf = async ({ posts }: SharedPosts): Promise<unknown> => (await posts.get('post-3'))?.note;

it('[LANE-9] one large field over another is made, and taken back by another device', async () => {
  const shared = await shareBoth(net);
  const { grant, owner } = shared;
  // Of four bytes and two UTF-16 units each: wherever the log divides them, one lies across.
  const notes = ['a', 'bb'].map((start) => `${start}${'😀'.repeat(LARGE / 4)}`);
  for (const note of notes) {
    const { n } = await grant.datastore().save({ ...(await find(shared, 'Post 3')), note });
    expect(await grant.settled(n ?? 0)).toMatchObject({ accepted: true });
    await until(async () => (await noteOf(shared)) === note);
    await until(() => grant.pending().length === 0);
  }
  await change(shared, 'Post 1', 'after it');
  await until(async () => (await contentOf(shared, 'post-1')) === 'after it');
  await owner.account.synced();
  const phone = await net.restore(owner, 'phone');
  await phone.synced();
  const { writes } = phone.sharing;
  expect(writes.list(grant.id).map(({ n, status, before }) => [n, status, String(before?.note)[0]])).toEqual([
    [1, 'applied', 'u'],
    [2, 'applied', 'a'],
    [3, 'applied', 'u'],
  ]);
  expect(
    writes
      .list(grant.id)
      .map(({ set, before }) => [set.note === notes[0], set.note === notes[1], before?.note === notes[0]]),
  ).toEqual([
    [true, false, false],
    [false, true, true],
    [false, false, false],
  ]);
  expect(await writes.undo(grant.id)).toEqual({ undone: 2 });
  await until(async () => (await noteOf(shared)) === undefined);
});

it('[LANE-18] a proposal that is larger read than it was sent is kept, made, and told', async () => {
  const shared = await shareBoth(net, {}, { policy: 'propose' });
  const { grant, owner, given, app } = shared;
  const [received] = app.account.sharing.grants.received();
  if (!received) throw new Error('there is no grant');
  const scribe = await openLaneScribe(net, received);
  // Five bytes each, and 22 when they are written down again.
  const seen = `[${Array.from({ length: 190_000 }, () => '1e20').join()}]`;
  const id = granteeRecordId(given.secret, 'post-3');
  const write = (set: string, base: string) => ({
    body: utf8ToBytes(`{"i":"${id}","o":"update","s":${set},"b":${base},"r":[],"v":0}`),
  });
  expect(await scribe.write(write('{"note":"proposed"}', `{"note":${seen}}`))).toBe('stored');
  expect(await scribe.write(write(`{"note":${seen}}`, '{}'))).toBe('stored');
  expect(await grant.settled(2)).toMatchObject({ accepted: false, code: 'BAD_RECORD' });
  const { writes } = owner.account.sharing;
  await until(() => writes.list(grant.id).length === 2);
  expect(JSON.stringify(writes.list(grant.id)[0]).length).toBeGreaterThan(MAX_PUSH_BYTES * 0.99);
  expect(writes.list(grant.id)[1]?.set).toEqual({});
  await writes.accept(grant.id, 1);
  expect(await grant.settled(1)).toMatchObject({ accepted: true });
  await until(async () => (await noteOf(shared)) === 'proposed');
  await owner.account.synced();
  scribe.link.close();
});
