import type { GrantHandle, RequestAnswer, RequestOptions } from '@sluice/client';
import { SluiceError } from '@sluice/client';
import { base64urlToBytes, bytesToBase64url, createSystemClock, type JsonObject } from '@sluice/core/base';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { deviceOn } from '../messaging/messaging-fixture.ts';
import { post, until } from '../sharing-fixture.ts';
import { createTestNetwork, type Persona, type TestNetwork } from '../test-network.ts';

const ASKED = { schema: 'social/post', fields: ['content', { path: 'name', optional: true }], purpose: 'x' } as const;

describe('what is given for less than was asked', () => {
  let net: TestNetwork;
  let owner: Persona;
  let app: Persona;
  let offsetMs = 0;

  beforeEach(async () => {
    offsetMs = 0;
    net = await createTestNetwork({ clock: createSystemClock(() => offsetMs) });
    owner = await net.person('owner');
    app = await net.app('https://asker.example');
    const posts = await owner.account.vault.openDatastore('social/post');
    await posts.saveMany([post(0), post(1)]);
  });
  afterEach(() => net.close());

  type Granted = Extract<RequestAnswer, { status: 'granted' }>;
  const ask = async (more: Partial<RequestOptions> = {}) => {
    const pending = await app.account.sharing.request(owner.account.did, { ...ASKED, ...more });
    await until(() => owner.account.mailbox.get(pending.id));
    return pending;
  };
  const answered = async (pending: { answer: () => Promise<RequestAnswer> }): Promise<Granted> => {
    const answer = await pending.answer();
    if (answer.status !== 'granted') throw new Error(`the request was ${answer.status}`);
    return answer;
  };
  const narrowed = async (more: Partial<RequestOptions> = {}): Promise<{ answer: Granted; grant: GrantHandle }> => {
    const pending = await ask(more);
    await owner.account.sharing.consent(pending.id, { fields: ['content'] });
    const answer = await answered(pending);
    const [grant] = answer.grants;
    if (!grant) throw new Error('no grant');
    return { answer, grant };
  };
  const stateOf = (grantId: string): string | undefined =>
    owner.account.sharing.grants.list().find((g) => g.grantId === grantId)?.status;
  const messages = (of: Persona, type: string): number =>
    of.account.mailbox.list({ type: `inbox/type/${type}` }).length;

  it('[GRANT-24] what was given as asked is accepted by itself, with a signed acceptance that the owner keeps', async () => {
    const pending = await ask();
    const [given] = await owner.account.sharing.consent(pending.id);
    const answer = await answered(pending);
    expect(answer.narrowed).toBe(false);
    await answer.grants[0]?.upToDate();
    await until(() => messages(owner, 'syncAccept') === 1);
    const receipt = JSON.stringify(await owner.account.sharing.receipts.export(String(given?.grantId)));
    const sent = owner.account.mailbox.list({ type: 'inbox/type/syncAccept' })[0]?.data;
    expect(sent?.grants).toEqual([given?.grantId]);
    expect(receipt).toContain(String(sent?.acceptance));
    // Asking for the answer again keeps and sends nothing twice.
    await answered(app.account.sharing.pending(pending.id));
    await app.account.synced();
    expect(messages(owner, 'syncAccept')).toBe(1);
  });

  it('[GRANT-24] nothing flows of a narrowed grant before it is accepted, and then what was given does', async () => {
    const { answer, grant } = await narrowed();
    expect([answer.narrowed, grant.status(), stateOf(grant.id)]).toEqual([true, 'offered', 'offered']);
    expect(grant.terms.fields).toEqual(['content']);
    await expect(grant.upToDate()).rejects.toMatchObject({ code: 'NOT_ACCEPTED' });
    await owner.account.vault.openDatastore('social/post').then((posts) => posts.save(post(7)));
    await owner.account.synced();
    const feed = owner.account.sharing.grants.list()[0]?.feed;
    const head = (): number =>
      feed ? net.storage.head(owner.account.open.home.keys.space, { type: 'stream', stream: feed }) : -1;
    expect([head(), messages(owner, 'syncAccept')]).toEqual([0, 0]);
    await grant.accept();
    await grant.accept();
    await grant.upToDate();
    const records = await grant.datastore().getMany();
    expect(records.map(({ _id, schema, ...rest }: JsonObject) => rest).sort(byContent)).toEqual([
      { content: 'content 0' },
      { content: 'content 1' },
      { content: 'content 7' },
    ]);
    await until(() => stateOf(grant.id) === 'live');
    expect([head() > 0, grant.status()]).toEqual([true, 'live']);
    expect(messages(owner, 'syncAccept')).toBe(1);
  });

  it('[GRANT-24] an app that says so before accepts narrower terms by itself', async () => {
    const { answer, grant } = await narrowed({ acceptNarrowed: true });
    expect(answer.narrowed).toBe(true);
    await grant.upToDate();
    expect(await grant.datastore().count()).toBe(2);
  });

  it('[GRANT-24] a dropped offer gives nothing, is over on both sides, and cannot be accepted any more', async () => {
    const { grant } = await narrowed();
    await grant.drop();
    expect(grant.status()).toBe('dropped');
    await until(() => stateOf(grant.id) === 'revoked');
    await expect(grant.accept()).rejects.toMatchObject({ code: 'REVOKED' });
    expect(await grant.datastore().count()).toBe(0);
  });

  /** The same document with another byte at its end, where the signature is. */
  const unsigned = (document: string): string => {
    const bytes = base64urlToBytes(document);
    return bytesToBase64url(Uint8Array.from([...bytes.subarray(0, -1), (bytes.at(-1) ?? 0) ^ 1]));
  };

  it('[GRANT-24] an acceptance that the grantee did not sign, or for another receipt, starts nothing', async () => {
    const { grant } = await narrowed();
    const other = await narrowed();
    await other.grant.accept();
    await until(() => messages(owner, 'syncAccept') === 1);
    const genuine = owner.account.mailbox.list({ type: 'inbox/type/syncAccept' })[0]?.data.acceptance;
    const thief = await net.app('https://thief.example');
    const forge = (by: Persona, data: JsonObject) =>
      by.account.mailbox.send(owner.account.did, 'inbox/type/syncAccept', data, 'x');
    await forge(app, { grants: [grant.id] });
    await forge(app, { grants: [grant.id], acceptance: String(genuine) });
    // One that no device has met before, of the right form and signed by nobody.
    await forge(app, { grants: [grant.id], acceptance: unsigned(String(genuine)) });
    await forge(app, { grants: [grant.id], acceptance: '!' });
    await forge(thief, { grants: [grant.id], acceptance: String(genuine) });
    await until(() => messages(owner, 'syncAccept') === 6);
    await other.grant.upToDate();
    await owner.account.synced();
    expect([stateOf(grant.id), stateOf(other.grant.id)]).toEqual(['offered', 'live']);
  });

  it('[GRANT-24] another device of the owner takes up the acceptance', async () => {
    const laptop = await deviceOn(net, owner, 'laptop', {});
    const { grant } = await narrowed();
    await grant.accept();
    const seen = () => laptop.sharing.grants.list().find((g) => g.grantId === grant.id)?.status;
    await until(() => seen() === 'live');
    expect(seen()).toBe('live');
    await laptop.close();
  });

  it('[GRANT-8] [GRANT-9] without a press no message is sent: nothing that matches and no answer look the same', async () => {
    const nothing = await ask({ filter: { name: 'nobody' }, expiresInMs: 1000 });
    const unread = await ask({ expiresInMs: 1000 });
    expect((await owner.account.sharing.preview(nothing.id)).items[0]?.matching).toBe(0);
    expect([await nothing.answer(), await unread.answer()]).toEqual([{ status: 'expired' }, { status: 'expired' }]);
    await owner.account.synced();
    expect(app.account.mailbox.list()).toEqual([]);
    // A press on decline says `declined` of both, and nothing tells them apart.
    const [empty, full] = [await ask({ filter: { name: 'nobody' } }), await ask()];
    for (const { id } of [empty, full]) await owner.account.sharing.decline(id);
    expect([await empty.answer(), await full.answer()]).toEqual([{ status: 'declined' }, { status: 'declined' }]);
    const said = app.account.mailbox
      .list()
      .map(({ type, data: { replyId, ...data }, message }) => ({ type, data, message }));
    expect(said[0]).toEqual(said[1]);
  });

  it('[GRANT-2] an end that has passed is refused, by the one who asks and by the one who is asked', async () => {
    const code = (work: Promise<unknown>) =>
      work.then(
        () => 'done',
        (cause: unknown) => (cause instanceof SluiceError ? cause.code : String(cause)),
      );
    expect(await code(ask({ duration: { until: '2020-01-01' } }))).toBe('BAD_REQUEST');
    const pending = await ask({ duration: { until: new Date(net.clock.nowMs() + 60_000).toISOString() } });
    offsetMs = 61_000;
    expect(await code(owner.account.sharing.consent(pending.id))).toBe('BAD_REQUEST');
    offsetMs = 0;
    expect(await code(owner.account.sharing.consent(pending.id))).toBe('done');
  });
});

const byContent = (a: JsonObject, b: JsonObject): number => String(a.content).localeCompare(String(b.content));
