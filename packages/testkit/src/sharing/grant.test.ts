import { SluiceError } from '@sluice/client';
import { bytesToBase64url, createSystemClock, type JsonObject } from '@sluice/core/base';
import { RECEIPT_TYPE } from '@sluice/core/grant';
import { openDocument, signDocument } from '@sluice/core/identity';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { deviceOn } from '../messaging/messaging-fixture.ts';
import { grantItems, post, sharePosts, until } from '../sharing-fixture.ts';
import { createTestNetwork, type Persona, type TestNetwork } from '../test-network.ts';

describe('asking for and giving grants', () => {
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

  const codeOf = (work: Promise<unknown>): Promise<string> =>
    work.then(
      () => 'done',
      (cause: unknown) => (cause instanceof SluiceError ? cause.code : String(cause)),
    );

  /** Sends a request whose items this SDK may not have made. Result: its id, once it arrived. */
  const sendRequest = async (items: readonly JsonObject[]): Promise<string> => {
    const { device, card, did } = app.account.open;
    const payload = {
      to: owner.account.did,
      items,
      purpose: 'x',
      expiresAt: net.clock.nowMs() + 1e6,
      signKey: bytesToBase64url(device.publicKey),
      hpkeKey: bytesToBase64url(new Uint8Array(32).fill(9)),
    };
    const document = signDocument('sluice/sync-request/1', payload, { did, key: device, card });
    const data = { request: bytesToBase64url(document), purpose: 'x' };
    const sent = await app.account.mailbox.send(owner.account.did, 'inbox/type/syncRequest', data, 'x');
    await until(() => owner.account.mailbox.get(sent.id));
    return sent.id;
  };

  it('[GRANT-1] a request signed by somebody else than its sender is refused', async () => {
    const thief = await net.app('https://thief.example');
    const genuine = await app.account.sharing.request(owner.account.did, { schema: 'note', purpose: 'x' });
    const stolen = (await until(() => owner.account.mailbox.get(genuine.id))).data.request;
    const relayed = await thief.account.mailbox.send(
      owner.account.did,
      'inbox/type/syncRequest',
      { request: String(stolen), purpose: 'x' },
      'x',
    );
    await until(() => owner.account.mailbox.get(relayed.id));
    expect(await codeOf(owner.account.sharing.consent(relayed.id))).toBe('BAD_REQUEST');
  });

  it('[GRANT-1] a request that was altered, expired or meant for another is refused', async () => {
    const payload = {
      to: 'did:web:somebody.example',
      items: [],
      purpose: 'x',
      expiresAt: net.clock.nowMs() + 1e6,
      signKey: bytesToBase64url(new Uint8Array(32)),
      hpkeKey: bytesToBase64url(new Uint8Array(32)),
    };
    const { device, card, did } = app.account.open;
    const document = signDocument('sluice/sync-request/1', payload, { did, key: device, card });
    const altered = document.slice();
    altered[altered.length - 1] = (altered.at(-1) as number) ^ 1;
    for (const bytes of [document, altered]) {
      const sent = await app.account.mailbox.send(
        owner.account.did,
        'inbox/type/syncRequest',
        { request: bytesToBase64url(bytes), purpose: 'x' },
        'x',
      );
      await until(() => owner.account.mailbox.get(sent.id));
      expect(await codeOf(owner.account.sharing.preview(sent.id))).toBe('BAD_REQUEST');
    }
    const late = await app.account.sharing.request(owner.account.did, {
      schema: 'note',
      purpose: 'x',
      expiresInMs: 60_000,
    });
    await until(() => owner.account.mailbox.get(late.id));
    offsetMs = 120_000;
    expect(await codeOf(owner.account.sharing.consent(late.id))).toBe('EXPIRED');
  });

  it('[GRANT-19] a schema that no record here has is not fetched by a look, a decline or a consent', async () => {
    const fetched: string[] = [];
    const phone = await deviceOn(net, owner, 'phone', {
      fetchText: (url, limits) => {
        fetched.push(url.href);
        return net.platform.fetchText(url, limits);
      },
    });
    const schema = 'https://spy.example/track-me.json';
    const terms = { schema, schemaHash: '0'.repeat(64), access: 'read', filter: {}, duration: 'standing' };
    const id = await sendRequest([{ ...terms, filter: { at: { $within: 'P6M' } } }]);
    await until(() => phone.mailbox.get(id));
    const preview = await phone.sharing.preview(id, { duration: 'once' });
    expect(preview.items).toEqual([
      {
        sentence: `asker.example asks for records of the schema "${schema}", and none of your records has it.`,
        warnings: [],
        total: 0,
        matching: 0,
        fields: 'all',
        sample: [],
        rate: { changes: 0, perWeek: 0 },
      },
    ]);
    expect(await codeOf(phone.sharing.consent(id))).toBe('UNKNOWN_SCHEMA');
    expect(phone.mailbox.get(id)?.status).toBeUndefined();
    await phone.sharing.decline(id);
    expect(fetched.filter((url) => url.includes('spy'))).toEqual([]);
    await phone.close();
  });

  it('[GRANT-2] [ID-22] more than a signed document holds is neither asked nor agreed to', async () => {
    const { id: schema, hash: schemaHash } = await owner.account.vault.registry.load('social/post');
    const nested = (depth: number): JsonObject => (depth === 0 ? { type: 'even' } : { $and: [nested(depth - 1)] });
    const parts = Array.from({ length: 60 }, (_, i) => ({ [`field${i}`]: { $ne: 'x'.repeat(40) } }));
    const many = Array.from({ length: 12 }, () => ({ schema, filter: { $or: parts } }));
    for (const items of [[{ schema, filter: nested(6) }], [{ schema, filter: nested(8) }], many]) {
      const asked = app.account.sharing.request(owner.account.did, { items, purpose: 'x' });
      expect(await codeOf(asked)).toBe('BAD_REQUEST');
    }
    const terms = many.map((item) => ({ ...item, schemaHash, access: 'read', duration: 'standing' }));
    const id = await sendRequest(terms);
    await until(() => owner.account.mailbox.get(id));
    expect(await codeOf(owner.account.sharing.consent(id))).toBe('BAD_REQUEST');
    expect(owner.account.sharing.grants.list()).toEqual([]);
  });

  it('[GRANT-2] bad terms are refused before anything is sent', async () => {
    const ask = (item: object) =>
      codeOf(app.account.sharing.request(owner.account.did, { schema: 'social/post', purpose: 'x', ...item } as never));
    expect(await ask({ fields: [] })).toBe('BAD_REQUEST');
    expect(await ask({ fields: ['_rev'] })).toBe('BAD_REQUEST');
    expect(await ask({ schema: 'no/such' })).toBe('UNKNOWN_SCHEMA');
    expect(await ask({ filter: { content: { $where: 'code' } } })).toBe('BAD_FILTER');
    expect(await ask({ access: 'readwrite', write: { operations: ['burn'] } })).toBe('BAD_REQUEST');
    expect(await ask({ access: 'readwrite', write: { operations: [] } })).toBe('BAD_REQUEST');
    expect(await ask({ access: 'write', write: { operations: ['insert'] }, duration: 'once' })).toBe('BAD_REQUEST');
    expect(await ask({ write: { operations: ['insert'] } })).toBe('BAD_REQUEST');
    expect(
      await codeOf(
        app.account.sharing.request(owner.account.did, {
          items: Array.from({ length: 17 }, () => ({ schema: 'note' })),
          purpose: 'x',
        }),
      ),
    ).toBe('BAD_REQUEST');
    // A member that nothing reads is a misspelt one: left out, it would ask for more than was meant.
    expect(await ask({ feilds: ['content'] })).toBe('BAD_REQUEST');
    expect(await ask({ purpose: undefined })).toBe('BAD_REQUEST');
    expect(await ask({ expiresInMs: -1 })).toBe('BAD_REQUEST');
    const second = { schema: 'social/post', duration: 'P1Y' } as never;
    await expect(
      app.account.sharing.request(owner.account.did, { items: [{ schema: 'note' }, second], purpose: 'x' }),
    ).rejects.toThrow('The terms cannot be used: items.1: duration is "P1Y"; allowed is "once", "standing" or');
    const toNobody = app.account.sharing.request('alice', { schema: 'note', purpose: 'x' });
    expect(await codeOf(toNobody)).toBe('UNKNOWN_DID');
    expect(owner.account.mailbox.list()).toEqual([]);
    const toSelf = app.account.sharing.request(app.account.did, { schema: 'note', purpose: 'x' });
    expect(await codeOf(toSelf)).toBe('BAD_REQUEST');
  });

  it('[GRANT-3] terms that pin another body of the schema are refused', async () => {
    const schema = await app.account.schemas.load('note');
    if (!schema.ok) throw new Error('no schema');
    const sent = await sendRequest([
      { schema: schema.value.id, schemaHash: 'f'.repeat(64), access: 'read', filter: {}, duration: 'standing' },
    ]);
    await expect(owner.account.sharing.consent(sent)).rejects.toThrow(
      /another one here than the one that the requester means/,
    );
  });

  it('[GRANT-4] narrowing adds to the filter and takes fields away, and cannot widen', async () => {
    const posts = await owner.account.vault.openDatastore('social/post');
    await posts.saveMany(Array.from({ length: 10 }, (_, i) => post(i)));
    const pending = await app.account.sharing.request(owner.account.did, {
      schema: 'social/post',
      filter: { type: 'odd' },
      fields: ['content', { path: 'name', optional: true }],
      purpose: 'x',
    });
    await until(() => owner.account.mailbox.get(pending.id));
    const { preview, consent } = owner.account.sharing;
    await expect(preview(pending.id, { fields: ['content', 'type'] })).rejects.toThrow('type was not asked for');
    await expect(preview(pending.id, { fields: ['name'] })).rejects.toThrow('content is required');
    await expect(consent(pending.id, { fields: ['name'] })).rejects.toThrow('content is required');
    await consent(pending.id, { filter: { name: { $in: ['Post 1', 'Post 2'] } }, fields: ['content'] });
    const answer = await pending.answer();
    const grant = answer.status === 'granted' ? answer.grants[0] : undefined;
    await grant?.accept();
    await grant?.upToDate();
    const records = (await grant?.datastore().getMany()) ?? [];
    expect(records.map(({ _id, schema, ...rest }) => rest)).toEqual([{ content: 'content 1' }]);
    expect(grant?.terms.fields).toEqual(['content']);
  });

  it('[GRANT-5] the rows of one consent stand in one control transaction', async () => {
    const before = net.storage.head(owner.account.open.home.keys.space, { type: 'ctl' });
    const commits: number[] = [];
    const stop = net.storage.onCommit((logs) => {
      if (logs.some((l) => l.log === 'ctl'))
        commits.push(net.storage.head(owner.account.open.home.keys.space, { type: 'ctl' }));
    });
    await grantItems(owner, app, [{ schema: 'note' }, { schema: 'social/post' }, { schema: 'social/contact' }]);
    stop();
    expect(commits).toEqual([before + 3]);
  });

  it('[GRANT-6] a consent relayed to another requester opens nothing', async () => {
    const other = await net.app('https://other.example');
    const mine = await app.account.sharing.request(owner.account.did, { schema: 'note', purpose: 'x' });
    const theirs = await other.account.sharing.request(owner.account.did, { schema: 'note', purpose: 'x' });
    await until(() => owner.account.mailbox.get(mine.id));
    await owner.account.sharing.consent(mine.id);
    const granted = await until(() => app.account.mailbox.list({ type: 'inbox/type/syncGrant' })[0]);
    await owner.account.mailbox.send(
      other.account.did,
      'inbox/type/syncGrant',
      { ...granted.data, replyId: theirs.id },
      'x',
    );
    expect(await codeOf(theirs.answer())).toBe('BAD_MESSAGE');
    expect(other.account.sharing.grants.received()).toEqual([]);
  });

  it('[GRANT-7] the receipt is signed by the owner and names request, terms and the sentence shown', async () => {
    const { grant } = await sharePosts(net, { filter: { type: 'odd' }, fields: ['content'] });
    const opened = await openDocument(
      grant.receipt,
      RECEIPT_TYPE,
      app.account.open.resolver.resolve,
      net.clock.nowMs(),
    );
    if (!opened.ok) throw new Error(opened.error.type);
    expect(opened.value.signer).toBe(grant.owner);
    expect(opened.value.payload).toMatchObject({
      owner: grant.owner,
      purpose: 'for a test',
      grants: [{ grantId: grant.id, terms: { fields: ['content'] } }],
    });
    expect(opened.value.payload.request).toMatch(/^[0-9a-f]{64}$/);
    expect(String(opened.value.payload.shown)).toContain('reader.example may read your Social posts');
  });

  it('[GRANT-8] a decline tells `declined` and no more; nothing is sent without a press', async () => {
    const pending = await app.account.sharing.request(owner.account.did, { schema: 'note', purpose: 'x' });
    await until(() => owner.account.mailbox.get(pending.id));
    await owner.account.sharing.preview(pending.id);
    await owner.account.synced();
    expect(app.account.mailbox.list()).toEqual([]);
    await owner.account.sharing.decline(pending.id);
    expect(await pending.answer()).toEqual({ status: 'declined' });
    expect(app.account.mailbox.list().map((m) => Object.keys(m.data).sort())).toEqual([['replyId', 'status']]);
    expect(await codeOf(owner.account.sharing.consent(pending.id))).toBe('ALREADY_ANSWERED');
  });

  it('[GRANT-9] a request that nobody answers expires by the requester’s clock', async () => {
    const pending = await app.account.sharing.request(owner.account.did, {
      schema: 'note',
      purpose: 'x',
      expiresInMs: 1000,
    });
    expect(await pending.answer()).toEqual({ status: 'expired' });
    expect(app.account.mailbox.list()).toEqual([]);
  });

  it('[GRANT-10] the preview counts and shows what the grant then reveals', async () => {
    const posts = await owner.account.vault.openDatastore('social/post');
    await posts.saveMany(Array.from({ length: 10 }, (_, i) => post(i)));
    const pending = await app.account.sharing.request(owner.account.did, {
      schema: 'social/post',
      filter: { type: 'even' },
      fields: ['content', 'type'],
      purpose: 'x',
    });
    await until(() => owner.account.mailbox.get(pending.id));
    const preview = await owner.account.sharing.preview(pending.id);
    await owner.account.sharing.consent(pending.id);
    const answer = await pending.answer();
    const grant = answer.status === 'granted' ? answer.grants[0] : undefined;
    await grant?.upToDate();
    const revealed = (await grant?.datastore().getMany({}, { limit: 100 })) ?? [];
    expect(preview.items[0]).toMatchObject({ total: 10, matching: revealed.length });
    const without = ({ _id, ...rest }: { readonly [k: string]: unknown }) => JSON.stringify(rest);
    for (const shown of preview.items[0]?.sample ?? []) expect(revealed.map(without)).toContain(without(shown));
  });

  it('[GRANT-11] a revoke leaves other grants as they are', async () => {
    const first = await sharePosts(net);
    const other = await net.app('https://other.example');
    const second = await grantItems(first.owner, other, [{ schema: 'social/post' }]);
    await first.owner.account.sharing.revoke(first.given.grantId);
    await until(() => first.grant.status() === 'revoked');
    await first.posts.save(post(77));
    await until(async () => (await second.grants[0]?.datastore().count()) === 11);
    expect(second.grants[0]?.status()).toBe('live');
    expect(await first.grant.datastore().count()).toBe(0);
  });
});
