/** People and apps that lie to each other, over an honest node: a grant's key, a sender's name, a record's id. */

import {
  base64urlToBytes,
  bytesToBase64url,
  bytesToHex,
  type Did,
  type JsonObject,
  utf8ToBytes,
} from '@sluice/core/base';
import { keyCommitment, sealHpke } from '@sluice/core/crypto';
import { RECEIPT_TYPE, receiptPayload } from '@sluice/core/grant';
import { openDocument, signDocument } from '@sluice/core/identity';
import { createMessageId, sealMessage } from '@sluice/core/message';
import { encodeCbor } from '@sluice/core/wire';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { until } from '../sharing-fixture.ts';
import { createTestNetwork, type Persona, type TestNetwork } from '../test-network.ts';

/** Whom a forged receipt is between. */
type Parties = { readonly owner?: Did; readonly grantee?: Did };

describe('between people and apps', () => {
  let net: TestNetwork;
  let owner: Persona;
  let clinic: Persona;

  beforeEach(async () => {
    net = await createTestNetwork();
    owner = await net.person('owner');
    clinic = await net.app('https://clinic.example');
  });
  afterEach(() => net.close());

  /** Answers the clinic's request as a dishonest owner would who can sign: with a key and a commitment of its choice. */
  const answerWith = async (
    requestId: string,
    commitment: Uint8Array,
    key: Uint8Array,
    own: { readonly feed?: Uint8Array; readonly grantId?: string; readonly parties?: Parties } = {},
  ): Promise<void> => {
    const { did, device, card, resolver, home } = owner.account.open;
    const item = await until(() => owner.account.mailbox.get(requestId));
    const request = base64urlToBytes(String(item.data.request));
    const opened = await openDocument(request, 'sluice/sync-request/1', resolver.resolve, net.clock.nowMs());
    if (!opened.ok) throw new Error(opened.error.type);
    const { payload, hash } = opened.value;
    const [terms] = payload.items as unknown as readonly JsonObject[];
    const { grantId = bytesToHex(net.platform.random(16)), feed = net.platform.random(16) } = own;
    const receipt = signDocument(
      RECEIPT_TYPE,
      receiptPayload({
        owner: did,
        grantee: item.from,
        ...own.parties,
        requestHash: hash,
        purpose: 'x',
        shown: 'x',
        givenAtMs: net.clock.nowMs(),
        grants: [{ grantId, terms: terms as never }],
      }),
      { did, key: device, card },
    );
    const keys = await sealHpke(
      base64urlToBytes(String(payload.hpkeKey)),
      utf8ToBytes('sluice/grant-keys/1'),
      hash,
      encodeCbor([[key, commitment]]),
    );
    feed[0] = 4;
    const data = {
      replyId: requestId,
      grants: [{ grantId, terms: terms as JsonObject, feed: bytesToBase64url(feed) }],
      node: { url: home.keys.node.url, did: home.keys.node.did },
      space: bytesToBase64url(home.keys.space),
      keys: bytesToBase64url(keys),
      receipt: bytesToBase64url(receipt),
    };
    await owner.account.mailbox.send(item.from, 'inbox/type/syncGrant', data, 'x', { replyTo: requestId });
  };

  it('[GRANT-20] an answer with the id or the feed of another grant is refused', async () => {
    const friend = await net.person('friend');
    const asking = (from: Persona, to: Persona) =>
      from.account.sharing.request(to.account.did, { schema: 'note', purpose: 'x' });
    const consented = async (pending: Awaited<ReturnType<typeof asking>>, by: Persona) => {
      await until(() => by.account.mailbox.get(pending.id));
      const [given] = await by.account.sharing.consent(pending.id);
      if (!given) throw new Error('nothing was given');
      expect((await pending.answer()).status).toBe('granted');
      return given;
    };
    const held = await consented(await asking(clinic, friend), friend);
    const mine = await consented(await asking(clinic, owner), owner);
    const givenByClinic = await consented(await asking(friend, clinic), clinic);
    const key = net.platform.random(32);
    const answered = async (own: Parameters<typeof answerWith>[3]) => {
      const pending = await asking(clinic, owner);
      await answerWith(pending.id, keyCommitment(key), key, own);
      await pending.answer();
    };
    for (const { feed } of [held, mine, givenByClinic])
      await expect(answered({ feed: feed.slice() })).rejects.toThrow(/the feed of another/);
    for (const { grantId } of [held, mine]) await expect(answered({ grantId })).rejects.toThrow(/the id of another/);
    const received = clinic.account.sharing.grants.received().map((g) => g.grantId);
    expect(received.sort()).toEqual([held.grantId, mine.grantId].sort());
  });

  it('[GRANT-12] [RCPT-1] a receipt that names another grantee or another owner than its signer is refused', async () => {
    const friend = await net.person('friend');
    const key = net.platform.random(32);
    const answered = async (parties: Parties) => {
      const pending = await clinic.account.sharing.request(owner.account.did, { schema: 'note', purpose: 'x' });
      await answerWith(pending.id, keyCommitment(key), key, { parties });
      return pending.answer();
    };
    for (const parties of [{ grantee: friend.account.did }, { owner: friend.account.did }])
      await expect(answered(parties)).rejects.toThrow(/receipt does not belong/);
    expect(clinic.account.sharing.grants.received()).toEqual([]);
    expect(await answered({})).toMatchObject({ status: 'granted' });
  });

  it('[GRANT-12] an answer to one of two items is refused, though its receipt states as much', async () => {
    const key = net.platform.random(32);
    const answered = async (items: number) => {
      const item = { schema: 'note' };
      const terms = { items: Array.from({ length: items }, () => item), purpose: 'x' };
      const pending = await clinic.account.sharing.request(owner.account.did, terms);
      await answerWith(pending.id, keyCommitment(key), key);
      return pending.answer();
    };
    await expect(answered(2)).rejects.toThrow(/not one grant for each item/);
    expect(clinic.account.sharing.grants.received()).toEqual([]);
    expect(await answered(1)).toMatchObject({ status: 'granted' });
  });

  it('[GRANT-6] a grant key that is not the one committed to is refused', async () => {
    const ask = () => clinic.account.sharing.request(owner.account.did, { schema: 'note', purpose: 'x' });
    const key = net.platform.random(32);
    const forged = await ask();
    await answerWith(forged.id, keyCommitment(net.platform.random(32)), key);
    await expect(forged.answer()).rejects.toThrow(/not the one that was committed to/);
    expect(clinic.account.sharing.grants.received()).toEqual([]);
    const fair = await ask();
    await answerWith(fair.id, keyCommitment(key), key);
    expect(await fair.answer()).toMatchObject({ status: 'granted' });
  });

  it('[MSG-3] a message under another’s name is dropped unseen', async () => {
    const thief = await net.app('https://thief.example');
    const { did, http } = owner.account.open;
    const rejected: string[] = [];
    owner.account.mailbox.onRejected((reason) => rejected.push(reason));
    const send = async (from: Did, signer: Persona): Promise<string> => {
      const id = createMessageId(net.platform.random);
      const nowMs = net.clock.nowMs();
      const message = {
        id,
        type: 'inbox/type/message',
        from,
        to: did,
        message: 'Your new doctor',
        data: { message: 'hello' },
        createdMs: nowMs,
        expiresMs: nowMs + 60_000,
      };
      const { device, card } = signer.account.open;
      const sealed = await sealMessage(
        message,
        { did: from, key: device, card },
        {
          did,
          sealingKey: owner.account.open.sealing.publicKey,
        },
      );
      if (!sealed.ok) throw new Error(sealed.error.type);
      await http.deposit(owner.account.open.home.keys.space, [sealed.value]);
      return id;
    };
    await send(clinic.account.did, thief);
    const honest = await send(clinic.account.did, clinic);
    await until(() => owner.account.mailbox.get(honest));
    await owner.account.synced();
    expect(rejected).toEqual(['bad-sender']);
    expect(owner.account.mailbox.list().map((item) => item.id)).toEqual([honest]);
  });

  it('[MSG-15] a sender neither chooses the id of its record nor overwrites one', async () => {
    const notes = await owner.account.vault.openDatastore('note');
    await notes.save({ _id: 'mine', title: 'Mine', body: 'as I wrote it' });
    const records = ['mine', 'chosen'].map((_id) => ({
      _id,
      schema: 'note',
      title: 'Theirs',
      body: 'as they want it',
    }));
    const sent = await clinic.account.messaging.send(
      owner.account.did,
      'inbox/type/dataSend',
      { data: records },
      'Two notes',
    );
    await until(() => owner.account.mailbox.get(sent.id));
    const { saved } = await owner.account.messaging.accept(sent.id);
    expect(saved).toHaveLength(2);
    expect(saved.map((s) => s.id).filter((id) => id === 'mine' || id === 'chosen')).toEqual([]);
    expect(await notes.get('mine')).toMatchObject({ title: 'Mine', body: 'as I wrote it' });
    expect(await notes.get('chosen')).toBeUndefined();
  });
});
