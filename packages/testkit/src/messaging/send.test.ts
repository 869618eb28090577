import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { InboxItem } from '@sluice/client';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { until } from '../sharing-fixture.ts';
import { createTestNetwork, type Persona, type TestNetwork } from '../test-network.ts';
import { codeOf, inboxAt, issued, leave, sealTo, senderOf, thief } from './messaging-fixture.ts';

const NOTE = { schema: 'note', name: 'n', content: 'from the clinic' };

describe('sending records to a person', () => {
  let net: TestNetwork;
  let owner: Persona;
  let clinic: Persona;

  beforeEach(async () => {
    net = await createTestNetwork();
    owner = await net.person('owner');
    clinic = await net.app('https://clinic.example');
  });
  afterEach(() => net.close());

  const arrived = (id: string, at: Persona = owner): Promise<InboxItem> => until(() => at.account.mailbox.get(id));
  const send = async (data: object, type = 'inbox/type/dataSend'): Promise<InboxItem> => {
    const sent = await clinic.account.messaging.send(owner.account.did, type, data as never, 'Your results');
    return arrived(sent.id);
  };
  const statusOf = (id: string) => clinic.account.messaging.sentStatus(id);
  const statuses = (at: Persona) => at.account.messaging.getMessages({ type: 'inbox/type/status' });

  it('[MSG-15] [MSG-16] [MSG-19] accepting saves what was sent, and the sender learns it', async () => {
    const item = await send({ data: [issued(), NOTE] });
    expect(statusOf(item.id)).toBe('waiting');
    const { saved, failed } = await owner.account.messaging.accept(item.id);
    expect(failed).toEqual([]);
    expect(saved.map((s) => s.schema)).toEqual([
      'https://schemas.sluice.example/credential/base/v0.1.0/schema.json',
      'https://schemas.sluice.example/note/v0.1.0/schema.json',
    ]);
    const credentials = await owner.account.vault.openDatastore('credential/base');
    const [kept] = await credentials.getMany();
    const { _id, _rev, schema: _, insertedAt, modifiedAt, ...content } = kept ?? {};
    const { _id: chosen, _rev: __, schema: ___, insertedAt: when, modifiedAt: ____, ...sent } = issued();
    expect(content).toEqual({
      ...sent,
      sourceApplication: clinic.account.did,
      sourceAccountId: clinic.account.did,
    });
    expect([_id, _rev, insertedAt, modifiedAt]).not.toContain(chosen);
    expect([_rev, insertedAt, modifiedAt]).not.toContain(when);
    expect(owner.account.mailbox.get(item.id)).toMatchObject({ status: 'accepted', read: true });
    await until(() => statusOf(item.id) === 'accepted');
    const [told] = await statuses(clinic);
    expect(told?.data).toEqual({ replyId: item.id, status: 'accepted' });
  });

  it('[MSG-15] a sender who names the id of a record of the owner overwrites nothing', async () => {
    const notes = await owner.account.vault.openDatastore('note');
    await notes.save({ _id: 'mine', name: 'mine', content: 'the owner’s own' });
    const item = await send({ data: [{ ...NOTE, _id: 'mine', _rev: '9-00' }] });
    await owner.account.messaging.accept(item.id);
    expect(await notes.get('mine')).toMatchObject({ content: 'the owner’s own' });
    expect(await notes.count()).toBe(2);
    const again = await send({ data: [NOTE] });
    await owner.account.messaging.accept(again.id);
    expect(await notes.count()).toBe(3);
  });

  it('[MSG-17] accepting twice, at once or on two devices, saves once', async () => {
    const phone = await net.restore(owner, 'phone');
    const item = await send({ data: [NOTE, NOTE] });
    await until(() => phone.mailbox.get(item.id));
    const outcomes = await Promise.all([
      codeOf(owner.account.messaging.accept(item.id)),
      codeOf(owner.account.messaging.accept(item.id)),
      codeOf(phone.messaging.accept(item.id)),
    ]);
    expect(outcomes).toEqual(['done', 'ALREADY_ANSWERED', 'done']);
    expect(await codeOf(owner.account.messaging.decline(item.id))).toBe('ALREADY_ANSWERED');
    await Promise.all([owner.account.synced(), phone.synced()]);
    const here = await (await owner.account.vault.openDatastore('note')).getMany();
    const there = await (await phone.vault.openDatastore('note')).getMany();
    expect(here).toHaveLength(2);
    expect(there).toEqual(here);
    await until(() => statusOf(item.id) === 'accepted');
    expect(statusOf(item.id)).toBe('accepted');
  });

  it('[MSG-18] what cannot be saved is listed with its place, and the rest is saved', async () => {
    const file = join(net.directory, 'mine.json');
    writeFileSync(file, '{"$id":"https://x.example/s","type":"object"}');
    const local = pathToFileURL(file).href;
    const item = await send({ data: [NOTE, { schema: 'note', content: 7 }, {}, { schema: local, name: 'x' }] });
    const { saved, failed } = await owner.account.messaging.accept(item.id);
    expect(saved).toHaveLength(1);
    expect(failed.map((f) => f.index)).toEqual([1, 2, 3]);
    for (const { reason } of failed) expect(reason).toMatch(/\w+/);
    await until(() => statusOf(item.id) === 'accepted');
    const [told] = await statuses(clinic);
    expect(told?.data).toEqual({ replyId: item.id, status: 'accepted', failed: [1, 2, 3] });
  });

  it('[MSG-18] with nothing saved the item stays open, and can be declined', async () => {
    const item = await send({ data: [{ schema: 'no/such', name: 'x' }] });
    expect(await codeOf(owner.account.messaging.accept(item.id))).toBe('BAD_MESSAGE');
    expect(owner.account.mailbox.get(item.id)?.status).toBeUndefined();
    await owner.account.messaging.decline(item.id);
    await until(() => statusOf(item.id) === 'declined');
    expect(statusOf(item.id)).toBe('declined');
  });

  it('[MSG-24] a decline says so and nothing more', async () => {
    await (await owner.account.vault.openDatastore('note')).save({ name: 'private', content: 'private' });
    const item = await send({ data: [NOTE] });
    await owner.account.messaging.decline(item.id);
    await until(() => statusOf(item.id) === 'declined');
    const [told] = await statuses(clinic);
    expect(told).toMatchObject({ message: 'Declined', replyTo: item.id });
    expect(told?.data).toEqual({ replyId: item.id, status: 'declined' });
    expect(await (await owner.account.vault.openDatastore('note')).count()).toBe(1);
  });

  it('[MSG-19] nothing is answered by itself, and a plain message not even when it is pressed', async () => {
    const letter = { subject: 'Hello', message: 'A letter', link: { url: 'https://clinic.example/a', text: 'more' } };
    const plain = await send(letter, 'inbox/type/message');
    expect(plain.data).toEqual(letter);
    const sent = await send({ data: [NOTE] });
    await owner.account.messaging.getMessages();
    await owner.account.messaging.accept(plain.id);
    expect(owner.account.mailbox.get(plain.id)?.status).toBe('accepted');
    await owner.account.messaging.decline(sent.id);
    await until(() => statusOf(sent.id) === 'declined');
    // The press on the plain message came first, so an answer to it would be here by now.
    expect(await statuses(clinic)).toHaveLength(1);
    expect(statusOf(plain.id)).toBe('waiting');
    const [told] = await statuses(clinic);
    await clinic.account.messaging.decline(told?.id ?? '');
    await clinic.account.synced();
    await owner.account.synced();
    expect(await statuses(owner)).toEqual([]);
  });

  it('[MSG-20] somebody else cannot answer in the recipient’s place', async () => {
    const item = await send({ data: [NOTE] });
    const mallory = await net.person('mallory');
    const sealed = await sealTo(net, clinic, senderOf(mallory), {
      type: 'inbox/type/status',
      replyTo: item.id,
      data: { replyId: item.id, status: 'accepted' },
    });
    await leave(clinic, sealed);
    await until(async () => (await statuses(clinic)).length === 1);
    expect(statusOf(item.id)).toBe('waiting');
  });

  it('[MSG-13] data of a known type in another form is refused before anything leaves, other types are carried', async () => {
    const { messaging } = clinic.account;
    const attempt = (type: string, data: object) =>
      codeOf(messaging.send(owner.account.did, type, data as never, 'text'));
    expect(await attempt('inbox/type/dataSend', { data: 'no list' })).toBe('BAD_MESSAGE');
    expect(await attempt('inbox/type/dataSend', { data: [] })).toBe('BAD_MESSAGE');
    expect(await attempt('inbox/type/message', { subject: 'no message' })).toBe('BAD_MESSAGE');
    expect(await attempt('inbox/type/status', { replyId: 'x', status: 'maybe' })).toBe('BAD_MESSAGE');
    expect(await attempt('inbox/type/dataRequest', { filter: {} })).toBe('BAD_MESSAGE');
    const own = { move: 'e4', clock: [1, 2, { a: null }] };
    const item = await send(own, 'chess/move');
    expect(item).toMatchObject({ type: 'chess/move', data: own });
    await owner.account.messaging.accept(item.id);
    await until(() => statusOf(item.id) === 'accepted');
    expect(await owner.account.messaging.getMessages()).toHaveLength(1);
  });

  it('[MSG-13] data of a wrong form that arrives all the same can be declined and not accepted', async () => {
    await leave(owner, await sealTo(net, owner, senderOf(clinic), { type: 'inbox/type/dataSend', data: { data: 7 } }));
    const item = await until(() => owner.account.mailbox.list()[0]);
    expect(await codeOf(owner.account.messaging.accept(item.id))).toBe('BAD_MESSAGE');
    expect(owner.account.mailbox.get(item.id)?.status).toBeUndefined();
    expect(await codeOf(owner.account.messaging.decline(item.id))).toBe('done');
  });

  it('[MSG-5] what is over a limit is refused with what to do, and nothing leaves', async () => {
    const { messaging } = clinic.account;
    const to = owner.account.did;
    const large = messaging.send(to, 'custom', { text: 'x'.repeat(256 * 1024) }, 'large');
    await expect(large).rejects.toThrow(/256 KiB.*synchronization.*MESSAGE_TOO_LARGE/);
    const circle: { self?: unknown } = {};
    circle.self = circle;
    expect(await codeOf(messaging.send(to, 'custom', circle as never, 'a circle'))).toBe('BAD_MESSAGE');
    expect(await codeOf(messaging.send(to, 'custom', {}, 'x'.repeat(2001)))).toBe('BAD_MESSAGE');
    expect(await codeOf(messaging.send(to, 'x'.repeat(129), {}, ''))).toBe('BAD_MESSAGE');
    expect(await codeOf(messaging.send(to, '', {}, ''))).toBe('BAD_MESSAGE');
    expect(await codeOf(messaging.send(to, 'custom', {}, '', { replyTo: 'no id' }))).toBe('BAD_MESSAGE');
    expect(await codeOf(messaging.send(to, 'custom', {}, '', { expiresInMs: 0 }))).toBe('BAD_MESSAGE');
    expect(inboxAt(net, owner)).toEqual([]);
    await clinic.account.synced();
    expect(await owner.account.messaging.getMessages()).toEqual([]);
  });

  it('[MSG-6] a message lives 14 days unless told otherwise, and 30 at most', async () => {
    const DAY = 24 * 3600 * 1000;
    const life = async (expiresInMs?: number): Promise<number> => {
      const options = expiresInMs === undefined ? {} : { expiresInMs };
      const sent = await clinic.account.messaging.send(owner.account.did, 'custom', {}, '', options);
      const { sentAt, expiresAt } = await arrived(sent.id);
      return expiresAt - sentAt;
    };
    expect(await life()).toBe(14 * DAY);
    expect(await life(1000 * DAY)).toBe(30 * DAY);
    expect(await life(60_000)).toBe(60_000);
  });

  it('[MSG-26] a reply goes to the sender, names what it answers, and leaves the item open', async () => {
    const item = await send({ subject: 'Hello', message: 'How are you?' }, 'inbox/type/message');
    const { id } = await owner.account.messaging.reply(item.id, { subject: 'Re', message: 'Fine' }, 'Fine');
    const reply = await arrived(id, clinic);
    expect(reply).toMatchObject({ from: owner.account.did, replyTo: item.id, type: item.type });
    expect(reply.data).toEqual({ subject: 'Re', message: 'Fine', replyId: item.id });
    expect(owner.account.mailbox.get(item.id)?.status).toBeUndefined();
    expect(statusOf(item.id)).toBe('waiting');
  });

  it('[MSG-12] getMessages gives the newest 20, and what filter, sort, skip and limit ask for', async () => {
    const base = net.clock.nowMs() - 100_000;
    const sealed = Array.from({ length: 25 }, (_, i) =>
      sealTo(net, owner, senderOf(clinic), {
        type: i % 5 === 0 ? 'custom/fifth' : 'custom/other',
        message: `m${i}`,
        createdMs: base + i,
        expiresMs: base + 1_000_000,
      }),
    );
    await leave(owner, ...(await Promise.all(sealed)));
    await until(() => owner.account.mailbox.list().length === 25);
    const { messaging } = owner.account;
    const texts = async (...args: Parameters<typeof messaging.getMessages>): Promise<string[]> =>
      (await messaging.getMessages(...args)).map((i) => i.message);
    const newest = Array.from({ length: 25 }, (_, i) => `m${24 - i}`);
    expect(await texts()).toEqual(newest.slice(0, 20));
    expect(await texts({}, { skip: 20, limit: 10 })).toEqual(newest.slice(20));
    expect(await texts({ type: 'custom/fifth' })).toEqual(['m20', 'm15', 'm10', 'm5', 'm0']);
    expect(await texts({ sentAt: { $lt: base + 2 } }, { sort: [{ sentAt: 'asc' }] })).toEqual(['m0', 'm1']);
    expect(await codeOf(messaging.getMessages({ sentAt: { $where: 1 } }))).toBe('BAD_FILTER');
  });

  it('[MSG-3] a forged sender is never shown', async () => {
    const shown: string[] = [];
    const refused: string[] = [];
    owner.account.messaging.onMessage((item) => shown.push(item.message));
    owner.account.mailbox.onRejected((reason) => refused.push(reason));
    const forged = await sealTo(net, owner, thief(clinic.account.did), { message: 'forged' });
    const borrowed = await sealTo(
      net,
      owner,
      { ...thief(clinic.account.did), card: clinic.account.open.card },
      { message: 'borrowed card' },
    );
    await leave(owner, forged, borrowed);
    await send({ data: [NOTE] });
    expect(refused).toEqual(['bad-sender', 'bad-sender']);
    expect(shown).toEqual(['Your results']);
    expect((await owner.account.messaging.getMessages()).map((i) => i.message)).toEqual(['Your results']);
    await owner.account.synced();
    expect(inboxAt(net, owner)).toEqual([]);
  });
});
