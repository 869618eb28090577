import type { InboxItem, PendingData } from '@sluice/client';
import { createSystemClock } from '@sluice/core/base';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { until } from '../sharing-fixture.ts';
import { createTestNetwork, type Persona, type TestNetwork } from '../test-network.ts';
import { codeOf, deviceOn, inboxAt, leave, sealTo, senderOf } from './messaging-fixture.ts';

const LICENCE = 'https://schemas.sluice.example/credential/driving-licence/v0.1.0/schema.json';
const DAY = 24 * 3600 * 1000;

describe('asking a person for records', () => {
  let net: TestNetwork;
  let owner: Persona;
  let clinic: Persona;
  let offsetMs = 0;

  beforeEach(async () => {
    offsetMs = 0;
    net = await createTestNetwork({ clock: createSystemClock(() => offsetMs) });
    owner = await net.person('owner');
    clinic = await net.app('https://clinic.example');
    const licences = await owner.account.vault.openDatastore('credential/driving-licence');
    await licences.saveMany([
      { _id: 'nl', name: 'Dutch', licenceNumber: 'NL-1', country: 'NL', expiresOn: '2030-01-01' },
      { _id: 'nl-2', name: 'Dutch, old', licenceNumber: 'NL-2', country: 'NL', expiresOn: '2020-01-01' },
      { _id: 'be', name: 'Belgian', licenceNumber: 'BE-1', country: 'BE', expiresOn: '2031-01-01' },
    ]);
  });
  afterEach(() => net.close());

  type Asked = Parameters<Persona['account']['messaging']['request']>[1];
  const ask = async (more: Partial<Asked> = {}): Promise<{ pending: PendingData; item: InboxItem }> => {
    const pending = await clinic.account.messaging.request(owner.account.did, {
      requestSchema: 'credential/driving-licence',
      filter: { country: 'NL' },
      ...more,
    });
    return { pending, item: await until(() => owner.account.mailbox.get(pending.id)) };
  };
  const sentBy = (from: Persona, at: Persona): InboxItem[] => at.account.mailbox.list({ from: from.account.did });

  it('[MSG-22] the chosen record is shared, with all fields of the request on the owner’s side', async () => {
    const fallbackAction = { label: 'Get a licence', url: 'https://cbr.example/apply' };
    const { pending, item } = await ask({
      userSelect: true,
      userSelectLimit: 1,
      fallbackAction,
      purpose: 'to rent a car',
    });
    expect(item).toMatchObject({ type: 'inbox/type/dataRequest', from: clinic.account.did, message: 'to rent a car' });
    expect(item.data).toEqual({
      requestSchema: LICENCE,
      filter: { country: 'NL' },
      userSelect: true,
      userSelectLimit: 1,
      fallbackAction,
      purpose: 'to rent a car',
    });
    const { messaging } = owner.account;
    expect((await messaging.matching(item.id)).map((r) => r._id).sort()).toEqual(['nl', 'nl-2']);
    expect(await messaging.matching(item.id, { limit: 1 })).toHaveLength(1);
    expect(await codeOf(messaging.share(item.id, ['nl', 'nl-2']))).toBe('BAD_REQUEST');
    expect(await codeOf(messaging.share(item.id, ['be']))).toBe('BAD_REQUEST');
    expect(await codeOf(messaging.share(item.id, ['no such']))).toBe('BAD_REQUEST');
    expect(await codeOf(messaging.share(item.id, []))).toBe('BAD_REQUEST');
    expect(pending.status()).toBe('waiting');
    await messaging.share(item.id, ['nl']);
    const answer = await pending.answer();
    if (answer.status !== 'shared') throw new Error(answer.status);
    expect(answer.rejected).toEqual([]);
    expect(answer.records).toHaveLength(1);
    expect(answer.records[0]).toMatchObject({ name: 'Dutch', licenceNumber: 'NL-1', schema: LICENCE });
    expect(answer.records[0]?._id).not.toBe('nl');
    expect(answer.records[0]).not.toHaveProperty('_rev');
    expect([pending.status(), clinic.account.messaging.pending(item.id).status()]).toEqual(['shared', 'shared']);
    expect(owner.account.mailbox.get(item.id)).toMatchObject({ status: 'accepted', read: true });
    expect(await codeOf(messaging.share(item.id, ['nl']))).toBe('ALREADY_ANSWERED');
    expect(await codeOf(messaging.decline(item.id))).toBe('ALREADY_ANSWERED');
  });

  it('[MSG-22] one requester knows a record by one id, another requester by another', async () => {
    const shop = await net.app('https://shop.example');
    const idFor = async (from: Persona): Promise<unknown> => {
      const pending = await from.account.messaging.request(owner.account.did, {
        requestSchema: 'credential/driving-licence',
      });
      await until(() => owner.account.mailbox.get(pending.id));
      await owner.account.messaging.share(pending.id, ['be']);
      const answer = await pending.answer();
      return answer.status === 'shared' ? answer.records[0]?._id : undefined;
    };
    const first = await idFor(clinic);
    expect(await idFor(clinic)).toBe(first);
    const other = await idFor(shop);
    expect(other).toMatch(/^[0-9a-f]{32}$/);
    expect(other).not.toBe(first);
  });

  it('[MSG-22] a record that was edited out of the filter in the meantime is not shared', async () => {
    const { item } = await ask();
    const licences = await owner.account.vault.openDatastore('credential/driving-licence');
    expect(await owner.account.messaging.matching(item.id)).toHaveLength(2);
    await licences.save({ ...(await licences.get('nl')), country: 'FR' });
    expect(await codeOf(owner.account.messaging.share(item.id, ['nl']))).toBe('BAD_REQUEST');
    expect(await codeOf(owner.account.messaging.share(item.id, ['nl-2']))).toBe('done');
  });

  it('[MSG-24] a decline says so, and carries nothing of the records', async () => {
    const { pending, item } = await ask();
    await owner.account.messaging.matching(item.id);
    await owner.account.messaging.decline(item.id);
    expect(await pending.answer()).toEqual({ status: 'declined' });
    const answers = sentBy(owner, clinic);
    expect(answers).toHaveLength(1);
    expect(answers[0]).toMatchObject({ type: 'inbox/type/status', message: 'Declined', replyTo: item.id });
    expect(answers[0]?.data).toEqual({ replyId: item.id, status: 'declined' });
    expect(JSON.stringify(answers)).not.toMatch(/NL-1|Dutch|driving/);
  });

  it('[MSG-21] [MSG-25] nothing fits and not answered look the same: nothing comes, and the clock says expired', async () => {
    const { pending: empty, item } = await ask({ filter: { country: 'DE' }, expiresInMs: DAY });
    const { pending: ignored } = await ask({ expiresInMs: DAY });
    expect(await owner.account.messaging.matching(item.id)).toEqual([]);
    const marker = await owner.account.messaging.send(clinic.account.did, 'custom', {}, 'sent after all that');
    await until(() => clinic.account.mailbox.get(marker.id));
    expect(sentBy(owner, clinic).map((i) => i.id)).toEqual([marker.id]);
    expect([empty.status(), ignored.status()]).toEqual(['waiting', 'waiting']);
    expect(await empty.answer(1)).toEqual({ status: 'waiting' });
    offsetMs = DAY;
    expect([empty.status(), ignored.status()]).toEqual(['expired', 'expired']);
    expect(await Promise.all([empty.answer(), ignored.answer()])).toEqual([
      { status: 'expired' },
      { status: 'expired' },
    ]);
    expect(await codeOf(owner.account.messaging.share(item.id, ['nl']))).toBe('EXPIRED');
  });

  it('[MSG-25] a request ends by the requester’s timer alone, with nobody online', async () => {
    const { messaging } = clinic.account;
    const requestSchema = 'credential/driving-licence';
    const pending = await messaging.request(owner.account.did, { requestSchema, expiresInMs: 500 });
    const seen: unknown[] = [];
    pending.onAnswer((answer) => seen.push(answer));
    const stop = pending.onAnswer(() => seen.push('stopped'));
    stop();
    await net.stopNode();
    expect(await pending.answer()).toEqual({ status: 'expired' });
    await until(() => seen.length > 0);
    expect(seen).toEqual([{ status: 'expired' }]);
    await net.startNode();
  });

  it('[MSG-21] a schema from elsewhere that no record has is not fetched', async () => {
    const fetched: string[] = [];
    const phone = await deviceOn(net, owner, 'phone', {
      fetchText: (url, limits) => {
        fetched.push(url.href);
        return net.platform.fetchText(url, limits);
      },
    });
    const data = { requestSchema: 'https://spy.example/track-me.json', filter: {} };
    await leave(owner, await sealTo(net, owner, senderOf(clinic), { type: 'inbox/type/dataRequest', data }));
    const item = await until(() => phone.mailbox.list({ type: 'inbox/type/dataRequest' })[0]);
    expect(await phone.messaging.matching(item.id)).toEqual([]);
    expect(await codeOf(phone.messaging.share(item.id, ['nl']))).toBe('BAD_REQUEST');
    expect(fetched.filter((url) => url.includes('spy'))).toEqual([]);
    await phone.close();
  });

  it('[MSG-14] a request with a part of the wrong form is refused whole on both sides', async () => {
    const bad = [
      { filter: [] },
      { filter: { country: { $where: 'x' } } },
      { userSelect: 'yes' },
      { userSelectLimit: 0 },
      { fallbackAction: { label: 'x', url: 'javascript:alert(1)' } },
      { fallbackAction: { label: 'x', url: 'http://plain.example' } },
      { purpose: 7 },
    ];
    for (const part of bad) {
      const here = codeOf(
        clinic.account.messaging.request(owner.account.did, {
          requestSchema: 'credential/driving-licence',
          ...(part as object),
        }),
      );
      expect(await here, JSON.stringify(part)).toMatch(/^BAD_(MESSAGE|FILTER)$/);
      const data = { requestSchema: LICENCE, ...part } as never;
      await leave(owner, await sealTo(net, owner, senderOf(clinic), { type: 'inbox/type/dataRequest', data }));
    }
    await until(() => owner.account.mailbox.list().length === bad.length);
    for (const { id, data } of owner.account.mailbox.list()) {
      expect(await codeOf(owner.account.messaging.matching(id)), JSON.stringify(data)).toMatch(/^BAD_/);
      expect(await codeOf(owner.account.messaging.share(id, ['nl'])), JSON.stringify(data)).toMatch(/^BAD_/);
      expect(await codeOf(owner.account.messaging.decline(id))).toBe('done');
    }
  });

  it('[MSG-14] what is wrong with a request is said before it is sent', async () => {
    const attempt = (requestSchema: string, filter: object = {}) =>
      codeOf(clinic.account.messaging.request(owner.account.did, { requestSchema, filter: filter as never }));
    let deep: object = { country: 'NL' };
    for (let i = 0; i < 9; i++) deep = { $not: deep };
    expect(await attempt('no/such')).toBe('UNKNOWN_SCHEMA');
    expect(await attempt('credential/driving-licence', deep)).toBe('BAD_FILTER');
    expect(inboxAt(net, owner)).toEqual([]);
  });

  it('[MSG-23] an answer’s records are checked against the request, and the misfits listed', async () => {
    const { pending, item } = await ask({ userSelectLimit: 1 });
    const licence = { schema: LICENCE, name: 'x', licenceNumber: 'X', country: 'NL' };
    await leave(
      clinic,
      await sealTo(net, clinic, senderOf(owner), {
        type: 'inbox/type/dataSend',
        replyTo: item.id,
        data: {
          replyId: item.id,
          data: [{ ...licence, country: 'BE' }, { ...licence, licenceNumber: 7 }, licence, licence, 'text'],
        },
      }),
    );
    const answer = await pending.answer();
    if (answer.status !== 'shared') throw new Error(answer.status);
    expect(answer.records).toEqual([licence]);
    expect(answer.rejected).toEqual([
      { index: 0, reason: 'does not match the filter' },
      { index: 1, reason: 'does not match the schema' },
      { index: 3, reason: 'over the limit' },
      { index: 4, reason: 'not a record' },
    ]);
  });

  it('[MSG-20] an answer by somebody else than the person asked does not count', async () => {
    const { pending, item } = await ask();
    const mallory = await net.person('mallory');
    const licence = { schema: LICENCE, name: 'x', licenceNumber: 'X', country: 'NL' };
    const data = { replyId: item.id, data: [licence] };
    await leave(
      clinic,
      await sealTo(net, clinic, senderOf(mallory), { type: 'inbox/type/dataSend', replyTo: item.id, data }),
    );
    await until(() => sentBy(mallory, clinic).length === 1);
    expect(pending.status()).toBe('waiting');
    await owner.account.messaging.share(item.id, ['nl']);
    const answer = await pending.answer();
    expect(answer.status === 'shared' && answer.records[0]?.licenceNumber).toBe('NL-1');
  });

  it('[MSG-22] accept does not answer a request, and share answers nothing else', async () => {
    const { item } = await ask();
    expect(await codeOf(owner.account.messaging.accept(item.id))).toBe('BAD_MESSAGE');
    const note = await clinic.account.messaging.send(owner.account.did, 'custom', {}, 'x');
    await until(() => owner.account.mailbox.get(note.id));
    expect(await codeOf(owner.account.messaging.share(note.id, ['nl']))).toBe('NOT_FOUND');
    expect(await codeOf(owner.account.messaging.matching(note.id))).toBe('NOT_FOUND');
    expect(await codeOf(Promise.resolve().then(() => clinic.account.messaging.sentStatus('0')))).toBe('NOT_FOUND');
    expect(await codeOf(clinic.account.messaging.pending(note.id).answer())).toBe('NOT_FOUND');
  });

  it('[MSG-22] a requester that was stopped meanwhile finds the answer when it is back', async () => {
    const { item } = await ask();
    await clinic.account.close();
    await owner.account.messaging.share(item.id, ['nl']);
    const again = await net.reopen(clinic);
    const answer = await again.messaging.pending(item.id).answer();
    expect(answer.status === 'shared' && answer.records.map((r) => r.licenceNumber)).toEqual(['NL-1']);
  });
});
