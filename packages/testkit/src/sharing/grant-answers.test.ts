/** How a consent travels: what the requester checks of it, and what becomes of it when a node or a device is not there. */

import { SluiceError } from '@sluice/client';
import type { JsonObject } from '@sluice/core/base';
import type { Storage } from '@sluice/node';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { post, until } from '../sharing-fixture.ts';
import { createTestNetwork, type Persona, type TestNetwork } from '../test-network.ts';

describe('the answer to a synchronization request', () => {
  let net: TestNetwork;
  let owner: Persona;
  let app: Persona;
  let inboxFails = false;
  /** The node takes no message, and will not. */
  let inboxRefuses = false;

  const wrapStorage = (storage: Storage): Storage => ({
    ...storage,
    deposit: async (...args) => {
      if (inboxRefuses) return { ok: false, code: 'NOT_FOUND' };
      return inboxFails ? Promise.reject(new Error('disk')) : storage.deposit(...args);
    },
  });
  beforeEach(async () => {
    inboxFails = inboxRefuses = false;
    net = await createTestNetwork({ wrapStorage });
    owner = await net.person('owner');
    app = await net.app('https://asker.example');
    const posts = await owner.account.vault.openDatastore('social/post');
    await posts.saveMany(Array.from({ length: 4 }, (_, i) => post(i)));
  });
  afterEach(() => net.close());

  const ask = (schema = 'social/post') =>
    app.account.sharing.request(owner.account.did, { schema, filter: {}, purpose: 'x' });
  const codeOf = (work: Promise<unknown>): Promise<string> =>
    work.then(
      () => 'done',
      (cause: unknown) => (cause instanceof SluiceError ? `${cause.code}: ${cause.message}` : String(cause)),
    );

  it('ends the waiting for it when the account is closed, and keeps nothing running', async () => {
    const pending = await ask();
    const answer = codeOf(pending.answer());
    await app.account.close();
    expect(await answer).toMatch(/^CLOSED/);
  });

  it('that its grantee’s node does not take is given all the same, and runs', async () => {
    const pending = await ask();
    const { mailbox, sharing } = owner.account;
    await until(() => mailbox.get(pending.id));
    inboxRefuses = true;
    const [given] = await sharing.consent(pending.id);
    expect(sharing.grants.list().map(({ grantId }) => grantId)).toEqual([given?.grantId]);
    await until(() => sharing.grants.list()[0]?.status === 'live');
  });

  it('is given once, however fast it is pressed', async () => {
    const pending = await ask();
    const { mailbox, sharing } = owner.account;
    await until(() => mailbox.get(pending.id));
    const pressed = [
      () => sharing.consent(pending.id),
      () => sharing.consent(pending.id),
      () => sharing.decline(pending.id),
    ];
    const outcomes = await Promise.all(pressed.map((press) => codeOf(press())));
    expect(outcomes.map((text) => text.split(':')[0])).toEqual(['done', 'ALREADY_ANSWERED', 'ALREADY_ANSWERED']);
    expect(sharing.grants.list()).toHaveLength(1);
    expect(mailbox.get(pending.id)?.status).toBe('accepted');
  });

  /** Has the owner consent to one request, and answers another with what was made of that answer. */
  const answerWith = async (change: (data: JsonObject) => JsonObject): Promise<string> => {
    const first = await ask();
    await until(() => owner.account.mailbox.get(first.id));
    await owner.account.sharing.consent(first.id);
    const genuine = await until(() =>
      app.account.mailbox.list({ type: 'inbox/type/syncGrant' }).find((item) => item.data.replyId === first.id),
    );
    app.account.mailbox.update(genuine.id, { read: true });
    await owner.account.mailbox.send(
      app.account.did,
      'inbox/type/syncGrant',
      { ...change(genuine.data), replyId: first.id },
      'x',
    );
    const forged = await until(() =>
      app.account.mailbox.list({ type: 'inbox/type/syncGrant' }).find((item) => item.id !== genuine.id),
    );
    expect(forged.data.replyId).toBe(first.id);
    return codeOf(first.answer());
  };
  const firstGrant = (data: JsonObject): JsonObject => (data.grants as readonly JsonObject[])[0] as JsonObject;

  it.each<[string, (data: JsonObject) => JsonObject, RegExp]>([
    ['no grants', (data) => ({ ...data, grants: [] }), /no list of grants/],
    ['a node without https', (data) => ({ ...data, node: { url: 'http://x.example', did: 'did:web:x' } }), /no node/],
    ['a node without a DID', (data) => ({ ...data, node: { url: 'https://x.example', did: 'nobody' } }), /no node/],
    ['no receipt', ({ receipt: _, ...data }) => data, /receipt/],
    [
      'wider terms than the receipt states',
      (data) => ({
        ...data,
        grants: [{ ...firstGrant(data), terms: { ...(firstGrant(data).terms as JsonObject), duration: 'once' } }],
      }),
      /receipt is for other grants/,
    ],
    [
      'an id that is none',
      (data) => ({ ...data, grants: [{ ...firstGrant(data), grantId: 'session/0' }] }),
      /receipt is for other grants/,
    ],
    ['keys for somebody else', (data) => ({ ...data, keys: 'AAAA' }), /keys cannot be opened/],
    [
      'a stream that is no feed',
      (data) => ({ ...data, grants: [{ ...firstGrant(data), feed: 'AAAAAAAAAAAAAAAAAAAAAA' }] }),
      /names no feed/,
    ],
    ['a space of another size', (data) => ({ ...data, space: 'AAAA' }), /space is not of the right form/],
  ])('[GRANT-12] is refused with %s', async (_name, change, reason) => {
    // Newest first: the forged answer is met before the genuine one.
    const outcome = await answerWith(change);
    expect(outcome).toMatch(/^BAD_MESSAGE/);
    expect(outcome).toMatch(reason);
    expect(app.account.sharing.grants.received()).toEqual([]);
  });

  it('[GRANT-13] waits at the owner while the requester’s node fails, and goes out by itself', async () => {
    const pending = await ask();
    await until(() => owner.account.mailbox.get(pending.id));
    inboxFails = true;
    const given = await owner.account.sharing.consent(pending.id);
    expect(owner.account.sharing.grants.list().map((g) => g.grantId)).toEqual(given.map((g) => g.grantId));
    expect(owner.account.mailbox.get(pending.id)?.status).toBe('accepted');
    await owner.account.close();
    inboxFails = false;
    const again = await net.reopen(owner);
    const answer = await pending.answer();
    if (answer.status !== 'granted') throw new Error(answer.status);
    const [grant] = answer.grants;
    await grant?.upToDate();
    expect(await grant?.datastore().count()).toBe(4);
    expect(again.sharing.grants.list()).toHaveLength(1);
  });

  it('[GRANT-13] a decline waits in the same way', async () => {
    const pending = await ask();
    await until(() => owner.account.mailbox.get(pending.id));
    inboxFails = true;
    await owner.account.sharing.decline(pending.id);
    await owner.account.close();
    inboxFails = false;
    await net.reopen(owner);
    expect(await pending.answer()).toEqual({ status: 'declined' });
  });

  it('[GRANT-14] any device of the owner keeps the feed up to date, whichever gave the grant', async () => {
    const phone = await net.restore(owner, 'phone');
    const pending = await ask();
    await until(() => owner.account.mailbox.get(pending.id));
    await owner.account.sharing.consent(pending.id);
    const answer = await pending.answer();
    if (answer.status !== 'granted') throw new Error(answer.status);
    const [grant] = answer.grants;
    await grant?.upToDate();
    await owner.account.synced();
    await owner.account.close();
    await until(() => phone.sharing.grants.list().length === 1);
    const posts = await phone.vault.openDatastore('social/post');
    await posts.save(post(50));
    await until(async () => (await grant?.datastore().count()) === 5);
    await phone.sharing.revoke(phone.sharing.grants.list()[0]?.grantId ?? '');
    await until(() => grant?.status() === 'revoked');
    expect(await grant?.datastore().count()).toBe(0);
  });

  it('[GRANT-15] a revoke without a connection is kept, seals nothing more, and reaches the node when it is back', async () => {
    const pending = await ask();
    await until(() => owner.account.mailbox.get(pending.id));
    const [given] = await owner.account.sharing.consent(pending.id);
    const answer = await pending.answer();
    if (answer.status !== 'granted') throw new Error(answer.status);
    const [grant] = answer.grants;
    await grant?.upToDate();
    await net.stopNode();
    await until(() => owner.account.vault.engine.status() === 'offline');
    expect(await owner.account.sharing.revoke(given?.grantId ?? '')).toEqual({ status: 'pending' });
    expect(owner.account.sharing.grants.list()[0]).toMatchObject({ status: 'revoked', isRevokePending: true });
    const posts = await owner.account.vault.openDatastore('social/post');
    await posts.save(post(50));
    await owner.account.close();
    await net.startNode();
    const again = await net.reopen(owner);
    await until(() => grant?.status() === 'revoked');
    await until(() => again.sharing.grants.list()[0]?.isRevokePending === undefined);
    expect(
      await net.storage.head(again.vault.engine.keys.space, { type: 'stream', stream: given?.feed as never }),
    ).toBe(5);
    const outcome = await again.sharing.revoke(given?.grantId ?? '');
    expect(outcome).toMatchObject({ status: 'revoked', certificate: { acknowledgement: { feedHead: 5 } } });
  });
});
