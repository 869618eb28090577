/** An always-on agent of an owner, from four sides: it works alone, reads nothing else, writes nothing else, and is shut out for good. */

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { equalBytes } from '@sluice/core/base';
import type { Storage } from '@sluice/node';
import { grantItems, post, sharePosts, until } from '../sharing-fixture.ts';
import { createTestNetwork, NODE_ORIGIN, type TestNetwork } from '../test-network.ts';
import { atWork, enrolAgent, type EnrolledAgent, newAgent, reopenAgent } from './agent-fixture.ts';

let net: TestNetwork;
const agents: EnrolledAgent[] = [];
/** The key whose feed parts the node never gets: it stores the rest, and its answer is lost. */
let cut: Uint8Array | undefined;
let cuts = 0;
/** The node revokes rows, and nobody hears of it. */
let cutsRevokes = false;
/** The key whose feed parts the node refuses. */
let refused: Uint8Array | undefined;
const wrapStorage = (storage: Storage): Storage => ({
  ...storage,
  push: async (job) => {
    const isRevoke = job.parts.some(
      (p) => p.type === 'ctl' && p.parsed.some((c) => c.public.type === 'row' && c.public.status === 'revoked'),
    );
    if (cutsRevokes && isRevoke) {
      await storage.push(job);
      cuts++;
      return new Promise<never>(() => undefined);
    }
    if (refused && equalBytes(job.requester, refused)) {
      const feeds = job.parts
        .filter((p) => p.type === 'feed')
        .map(() => ({ type: 'refused', code: 'STALE_HEAD' }) as const);
      const rest = job.parts.filter((p) => p.type !== 'feed');
      const answer = await storage.push({ ...job, parts: rest });
      return answer.ok ? { ...answer, value: { ...answer.value, parts: [...answer.value.parts, ...feeds] } } : answer;
    }
    if (!cut || !equalBytes(job.requester, cut) || !job.parts.some((p) => p.type === 'feed')) return storage.push(job);
    const parts = job.parts.filter((p) => p.type !== 'feed');
    if (parts.length > 0) await storage.push({ ...job, parts });
    cuts++;
    return new Promise<never>(() => undefined);
  },
});
beforeEach(async () => {
  cut = refused = undefined;
  cuts = 0;
  cutsRevokes = false;
  net = await createTestNetwork({ wrapStorage });
});
afterEach(async () => {
  for (const { agent } of agents.splice(0)) await agent.close();
  await net.close();
});
const WRITE = { operations: ['insert', 'update', 'delete'], policy: 'auto' } as const;

describe('an agent alone', () => {
  it('[AGT-5] keeps a feed live and decides on writes while every device of the owner is away', async () => {
    const shared = await sharePosts(net, { access: 'readwrite', write: WRITE } as never);
    const { owner, grant } = shared;
    const enrolled = await enrolAgent(net, owner, ['social/post']);
    agents.push(enrolled);
    await atWork(enrolled.work, 1);
    await owner.account.close();

    const record = await until(() => grant.datastore().getOne({ name: 'Post 3' }));
    const { n } = await grant.datastore().save({ ...record, content: 'by the app' });
    expect(await grant.settled(n ?? 0)).toMatchObject({ accepted: true });
    await until(() => grant.pending().length === 0);
    const made = await grant.datastore().save(post(77, { _id: undefined as never }));
    expect(await grant.settled(made.n ?? 0)).toMatchObject({ accepted: true });
    expect(grant.status()).toBe('live');

    const again = await net.reopen(owner);
    await again.synced();
    const posts = await again.vault.openDatastore('social/post');
    expect((await posts.get('post-3'))?.content).toBe('by the app');
    expect(await posts.getOne({ name: 'Post 77' })).toBeDefined();
    await until(() => again.sharing.activity.list().filter((e) => e.type === 'verdict').length === 2);
    expect(again.sharing.activity.list().some((e) => e.type === 'release')).toBe(true);
  });
});

describe('what an agent is given', () => {
  it('[AGT-7] follows the owner: a new grant, new terms, a pause, and the end of a grant, from whichever device', async () => {
    const shared = await sharePosts(net, { filter: { type: 'odd' } });
    const { owner, app, grant, given } = shared;
    const enrolled = await enrolAgent(net, owner, ['social/post']);
    agents.push(enrolled);
    const { work } = enrolled;
    await atWork(work, 1);
    const phone = await net.restore(owner, 'phone');
    await phone.synced();

    const { given: more } = await grantItems(owner, app, [{ schema: 'social/post', filter: { type: 'even' } }]);
    await atWork(work, 2);
    await phone.synced();
    await phone.sharing.pause(given.grantId);
    await until(() => work.grants().find((g) => g.grantId === given.grantId)?.status === 'paused');
    await phone.sharing.resume(given.grantId);
    await atWork(work, 2);
    await phone.sharing.rotateKey(given.grantId);
    await until(() => phone.sharing.feedsUpToDate());
    await owner.account.close();
    const posts = await phone.vault.openDatastore('social/post');
    await posts.save(post(31, { type: 'odd' }));
    await phone.synced();
    await phone.close();
    await until(async () => (await grant.datastore().count()) === 6);
    await atWork(work, 2);

    const again = await net.reopen(owner);
    await again.synced();
    await again.sharing.revoke(more[0]?.grantId ?? '');
    await until(() => work.grants().find((g) => g.grantId === more[0]?.grantId)?.status === 'revoked');
    expect(work.grants().every((g) => g.problem === undefined)).toBe(true);
  });

  it('[AGT-7] a once-off grant that it delivers alone is complete for the owner', async () => {
    const { owner, app } = await sharePosts(net, { filter: { type: 'odd' } });
    const enrolled = await enrolAgent(net, owner, ['social/post']);
    agents.push(enrolled);
    await atWork(enrolled.work, 1);
    // The device of the owner gives the grant, and never gets to its feed.
    refused = owner.account.open.device.publicKey;
    const pending = await app.account.sharing.request(owner.account.did, {
      items: [{ schema: 'social/post', duration: 'once' }],
      purpose: 'once',
    });
    await until(() => owner.account.mailbox.get(pending.id));
    const [given] = await owner.account.sharing.consent(pending.id);
    await until(() => enrolled.work.grants().length === 2);
    await owner.account.close();
    const answer = await pending.answer();
    if (answer.status !== 'granted') throw new Error('it was not granted');
    await until(() => answer.grants[0]?.status() === 'completed');
    refused = undefined;
    const again = await net.reopen(owner);
    const completed = await until(() =>
      again.sharing.grants.list().find((g) => g.grantId === given?.grantId && g.status === 'completed'),
    );
    expect(completed.grantee).toBe(app.account.did);
  });

  it('[AGT-9] is taken over in the middle: what it could not append, a device of the owner does', async () => {
    const shared = await sharePosts(net, { access: 'readwrite', write: WRITE } as never);
    const { owner, grant } = shared;
    const enrolled = await enrolAgent(net, owner, ['social/post']);
    await atWork(enrolled.work, 1);
    await owner.account.close();
    const first = await until(() => grant.datastore().getOne({ name: 'Post 1' }));
    const done = await grant.datastore().save({ ...first, content: 'before' });
    expect(await grant.settled(done.n ?? 0)).toMatchObject({ accepted: true });
    await atWork(enrolled.work, 1);

    cut = enrolled.work.engine.writer.publicKey;
    const second = await until(() => grant.datastore().getOne({ name: 'Post 2' }));
    const waiting = await grant.datastore().save({ ...second, content: 'in the middle' });
    await until(() => cuts > 0);
    await enrolled.agent.close();
    const alarms: unknown[] = [];
    grant.onAlarm((alarm) => alarms.push(alarm));
    const again = await net.reopen(owner);
    expect(await grant.settled(waiting.n ?? 0)).toMatchObject({ accepted: true });
    await until(() => again.sharing.feedsUpToDate());
    const posts = await again.vault.openDatastore('social/post');
    expect((await posts.get('post-1'))?.content).toBe('before');
    // The verdict comes first, and the write is made when the node's answer to it is here.
    await until(async () => (await posts.get('post-2'))?.content === 'in the middle');
    // What the agent had sent is known from the feed itself: nothing is sent twice, and nothing is missing.
    await until(async () => (await grant.datastore().getMany({ content: 'in the middle' })).length === 1);
    expect(await grant.datastore().count()).toBe(10);
    expect([alarms, grant.status()]).toEqual([[], 'live']);
    cut = undefined;
    const back = await reopenAgent(net, enrolled.store);
    agents.push(back);
    await atWork(back.work, 1);
  });
});

describe('where no agent is up', () => {
  it('[AGT-8] is shut out whole, though the device that did it ended half way', async () => {
    const { owner } = await sharePosts(net);
    const enrolled = await enrolAgent(net, owner, ['social/post']);
    agents.push(enrolled);
    await atWork(enrolled.work, 1);
    const { epoch } = owner.account.open.home.access;
    cutsRevokes = true;
    owner.account.agents.revoke(enrolled.agent.id).catch(() => undefined);
    await until(() => cuts === 1);
    await owner.account.close();
    cutsRevokes = false;
    const again = await net.reopen(owner);
    await until(() => again.agents.list()[0]?.status === 'revoked');
    expect(again.open.home.access.epoch).toBe(Math.max(1, epoch) + 1);
  });

  it('[AGT-11] owner and grantee are told what waits', async () => {
    const write = { ...WRITE, policy: 'propose' } as const;
    const { owner, grant, given } = await sharePosts(net, { access: 'readwrite', write } as never);
    const { atMs = 0, pendingSinceMs } = grant.lastSeen();
    expect(atMs).toBeGreaterThan(Date.now() - 60_000);
    expect(pendingSinceMs).toBeUndefined();
    await until(() => owner.account.sharing.feedsUpToDate());
    expect(owner.account.sharing.waiting()).toEqual({ writes: 0, feeds: [], lastAtMs: expect.any(Number) });
    await owner.account.close();

    const record = await until(() => grant.datastore().getOne({ name: 'Post 3' }));
    await grant.datastore().save({ ...record, content: 'by the app' });
    await until(() => grant.pending()[0]?.state === 'sent');
    expect(grant.lastSeen()).toEqual({ atMs, pendingSinceMs: grant.pending()[0]?.atMs });

    const again = await net.reopen(owner);
    await until(() => again.sharing.waiting().writes === 1);
    refused = again.open.device.publicKey;
    await (await again.vault.openDatastore('social/post')).save(post(41));
    expect(again.sharing.waiting().feeds).toEqual([given.grantId]);
    refused = undefined;
    await until(() => again.sharing.waiting().feeds.length === 0);
    await until(() => (grant.lastSeen().atMs ?? 0) > atMs);
  });
});

describe('enrolment', () => {
  it('[AGT-1] [AGT-2] waits at a drop for an answer that it alone can open, and passes over any other', async () => {
    const owner = await net.person('owner');
    const agent = await newAgent(net, 'agent', NODE_ORIGIN);
    const answered = agent.answered();
    const other = await newAgent(net, 'other');
    try {
      const { answer } = await owner.account.agents.add({ request: other.request, types: ['social/post'], name: 'o' });
      await expect(agent.enrol(answer)).rejects.toMatchObject({ code: 'BAD_REQUEST' });
      const forged = agent.request.slice();
      forged[forged.length - 1] = (forged.at(-1) ?? 0) ^ 1;
      const add = (request: Uint8Array, types = ['social/post']) =>
        owner.account.agents.add({ request, types, name: 'a' });
      await expect(add(forged)).rejects.toMatchObject({ code: 'BAD_REQUEST' });
      await expect(add(agent.request, [])).rejects.toMatchObject({ code: 'BAD_REQUEST' });
      expect(agent.status()).toBe('waiting');
      await add(agent.request);
      await answered;
      await until(() => agent.status() === 'live');
      expect(agent.owner()).toBe(owner.account.did);
      await until(() => owner.account.agents.list().find((a) => a.id === agent.id)?.seenAtMs);
    } finally {
      await agent.close();
      await other.close();
    }
  });

  it('[AGT-3] takes a row for itself and one more for each collection and grant, which only reach so far', async () => {
    const { owner, given } = await sharePosts(net, { access: 'readwrite', write: WRITE } as never);
    const enrolled = await enrolAgent(net, owner, ['social/post']);
    agents.push(enrolled);
    const rows = [...owner.account.open.home.access.rows.values()].filter((row) => row.role === 'agent');
    const targets = rows.map((row) => row.access.map(({ target, verbs }) => `${target[0]}/${target.length}/${verbs}`));
    expect(targets.sort((a, b) => a.length - b.length || (a[0] === b[0] ? 0 : 1))).toEqual([
      ['1/16/3'],
      ['1/16/3'],
      ['4/16/3', '5/16/3'],
      ['1/1/1', '2/1/1', '1/16/3', '1/16/3'],
    ]);
    expect(rows.some((row) => row.access.some((a) => equalBytes(a.target, given.feed)))).toBe(true);
  });
});
