/** Clocks that are a day ahead, a day behind, or jump: of the owner's devices, the agent and the grantee. Nothing is lost by them. */

import { join } from 'node:path';
import { createSystemClock } from '@sluice/core/base';
import type { Account, Database, GrantHandle } from '@sluice/client';
import { afterEach, describe, expect, it } from 'vitest';
import { reopenOn } from '../messaging/messaging-fixture.ts';
import { post, sharePosts, until } from '../sharing-fixture.ts';
import { createTestNetwork, type Persona, type TestNetwork } from '../test-network.ts';

const DAY_MS = 86_400_000;
const WRONG = [
  ['a day ahead', DAY_MS],
  ['a day behind', -DAY_MS],
] as const;

describe('a clock that is wrong', () => {
  let net: TestNetwork;
  /** How far everybody's clock is from the machine's, and how far one participant's is from everybody's, in ms. */
  let commonMs = 0;
  let wrongMs = 0;
  afterEach(async () => {
    await net.close();
    commonMs = wrongMs = 0;
  });

  const networkWithWrong = async (participant: string): Promise<void> => {
    net = await createTestNetwork({
      clock: createSystemClock(() => commonMs),
      clockOf: (name) => (name.split(' ')[0] === participant ? createSystemClock(() => commonMs + wrongMs) : undefined),
    });
  };
  const notesOf = (account: Account): Promise<Database> => account.vault.openDatabase('notes');
  const inStep = async (...devices: readonly Account[]): Promise<void> => {
    for (const device of [...devices, ...devices]) await device.synced();
  };
  const textAt = async (account: Account): Promise<unknown> => (await (await notesOf(account)).get('a'))?.text;

  it.each(WRONG)('[HTTP-10] an account is made and restored with a clock %s', async (_, offsetMs) => {
    await networkWithWrong('owner');
    wrongMs = offsetMs;
    const owner = await net.person('owner');
    await (await notesOf(owner.account)).save({ _id: 'a', text: 'by the first device' });
    await owner.account.synced();
    const phone = await net.restore(owner, 'phone');
    await phone.synced();
    expect(await textAt(phone)).toBe('by the first device');
  });

  it('[MSG-30] what a device with a clock a day ahead sends arrives', async () => {
    await networkWithWrong('sender');
    const sender = await net.person('sender');
    const recipient = await net.person('recipient');
    wrongMs = DAY_MS;
    await sender.account.close();
    const again = await net.reopen(sender);
    await until(() => again.open.link.state() === 'ready');
    const options = { expiresInMs: 3_600_000 };
    const sent = await again.mailbox.send(recipient.account.did, 'inbox/type/message', { a: 1 }, 'hello', options);
    expect(await until(() => recipient.account.mailbox.get(sent.id))).toMatchObject({ message: 'hello' });
  });

  it.each([
    ['ahead', DAY_MS],
    ['back', -DAY_MS],
  ])(
    '[MSG-30] what a device sends whose clock jumps a day %s while it is connected, and is set right again, arrives',
    async (_, jumpMs) => {
      await networkWithWrong('sender');
      const { account } = await net.person('sender');
      const recipient = await net.person('recipient');
      const nowMs = net.clock.nowMs();
      const options = { expiresInMs: 3_600_000 };
      for (const offsetMs of [jumpMs, 0]) {
        wrongMs = offsetMs;
        const sent = await account.mailbox.send(
          recipient.account.did,
          'inbox/type/message',
          { a: 1 },
          'hello',
          options,
        );
        const item = await until(() => recipient.account.mailbox.get(sent.id));
        expect(Math.abs(item.sentAt - nowMs)).toBeLessThan(60_000);
      }
    },
  );

  it('[MSG-30] the first message of a process that starts with a clock a day ahead arrives', async () => {
    await networkWithWrong('sender');
    const sender = await net.person('sender');
    const recipient = await net.person('recipient');
    await sender.account.close();
    // The node says nothing before the message waits for it to say what time it is.
    let isAsked: () => void = () => undefined;
    const asked = new Promise<void>((resolve) => {
      isAsked = resolve;
    });
    const { openSocket } = net.platform;
    const again = await reopenOn(net, sender, {
      clock: createSystemClock(DAY_MS),
      openSocket: (url, events) =>
        openSocket(url, { ...events, onMessage: (bytes) => void asked.then(() => events.onMessage(bytes)) }),
    });
    const { link } = again.open;
    const { ready } = link;
    const askingFirst: typeof ready = (timeoutMs) => {
      isAsked();
      return ready(timeoutMs);
    };
    Object.assign(link, { ready: askingFirst });
    try {
      const sent = await again.mailbox.send(recipient.account.did, 'inbox/type/message', { a: 1 }, 'hello');
      expect(await until(() => recipient.account.mailbox.get(sent.id))).toMatchObject({ message: 'hello' });
    } finally {
      await again.close();
    }
  });

  it.each(WRONG)('[MSG-6] a recipient %s gets what is sent to it', async (_, offsetMs) => {
    await networkWithWrong('recipient');
    const sender = await net.person('sender');
    const recipient = await net.person('recipient');
    const { did, mailbox } = recipient.account;
    wrongMs = offsetMs;
    const sent = await sender.account.mailbox.send(did, 'inbox/type/message', { a: 1 }, 'hello');
    expect(await until(() => mailbox.get(sent.id))).toMatchObject({ message: 'hello' });
  });

  it('[MSG-10] a message that is past its end by a recipient’s wrong clock alone waits until that is mended', async () => {
    await networkWithWrong('recipient');
    const sender = await net.person('sender');
    const recipient = await net.person('recipient');
    const { did, mailbox } = recipient.account;
    wrongMs = DAY_MS;
    const options = { expiresInMs: 3_600_000 };
    const sent = await sender.account.mailbox.send(did, 'inbox/type/message', { a: 1 }, 'hello', options);
    await mailbox.fetched();
    expect(mailbox.get(sent.id)).toBeUndefined();
    wrongMs = 0;
    await mailbox.fetched();
    expect(mailbox.get(sent.id)).toMatchObject({ message: 'hello' });
  });

  it.each(WRONG)(
    '[HTTP-10] [PUSH-4] [REC-4] a device %s loses nothing, and outdoes what it has seen',
    async (_, offsetMs) => {
      await networkWithWrong('phone');
      const owner = await net.person('owner');
      const laptop = owner.account;
      await (await notesOf(laptop)).save({ _id: 'a', text: 'first, by laptop' });
      await laptop.synced();
      wrongMs = offsetMs;
      const phone = await net.restore(owner, 'phone');
      await inStep(phone, laptop);
      for (const [writer, text] of [
        [phone, 'second, by phone'],
        [laptop, 'third, by laptop'],
        [phone, 'fourth, by phone'],
      ] as const) {
        const notes = await notesOf(writer);
        await notes.save({ ...(await notes.get('a')), text });
        await inStep(laptop, phone);
        expect([await textAt(laptop), await textAt(phone)]).toEqual([text, text]);
      }
    },
  );

  it('[PUSH-4] a device whose clock jumps a day forward and back, also across a restart, loses nothing', async () => {
    await networkWithWrong('phone');
    const owner = await net.person('owner');
    let phone = await net.restore(owner, 'phone');
    const written: string[] = [];
    for (const [jump, offsetMs] of [0, DAY_MS, -DAY_MS, 0, 30 * DAY_MS, 0].entries()) {
      wrongMs = offsetMs;
      const notes = await notesOf(phone);
      await notes.save({ _id: `note-${jump}`, text: `after jump ${jump}` });
      await notes.save({ ...(await notes.get('a')), _id: 'a', text: `edit ${jump}` });
      written.push(`after jump ${jump}`);
      await phone.synced();
      expect(await textAt(phone)).toBe(`edit ${jump}`);
      if (jump % 2 === 1) {
        await phone.close();
        phone = await net.reopen({ ...owner, store: join(net.directory, 'phone') });
      }
    }
    await inStep(owner.account, phone);
    const arrived = await (await notesOf(owner.account)).getMany({}, { limit: 100 });
    expect(arrived.map((note) => note.text).sort()).toEqual([...written, 'edit 5'].sort());
  });

  it.each(WRONG)(
    '[FEED-10] an agent %s appends what it should, and another agent goes on after it',
    async (_, offsetMs) => {
      await networkWithWrong('phone');
      const shared = await sharePosts(net, { filter: { type: 'odd' } });
      const alarms: unknown[] = [];
      shared.grant.onAlarm((alarm) => alarms.push(alarm));
      wrongMs = offsetMs;
      const phone = await net.restore(shared.owner, 'phone');
      await inStep(phone);
      await until(() => phone.sharing.feedsUpToDate());
      const countIs = (count: number): Promise<unknown> =>
        until(async () => alarms.length > 0 || (await shared.grant.datastore().count()) === count);
      const phonePosts = await phone.vault.openDatastore('social/post');
      // Each agent appends while the other is shut, so that it is known who did.
      await shared.owner.account.close();
      await phonePosts.save(post(21));
      await countIs(6);
      await phonePosts.delete('post-3');
      await countIs(5);
      await phone.close();
      const laptop = await net.reopen(shared.owner);
      await laptop.synced();
      await (await laptop.vault.openDatastore('social/post')).save(post(23));
      await countIs(6);
      expect(alarms).toEqual([]);
      expect(shared.grant.status()).toBe('live');
      await shared.grant.upToDate();
    },
  );

  it.each(WRONG)('[FEED-14] a grantee %s gets what enters, changes and leaves', async (_, offsetMs) => {
    await networkWithWrong('reader.example');
    const { posts, grant } = await sharePosts(net, { filter: { type: 'odd' } });
    const alarms: unknown[] = [];
    grant.onAlarm((alarm) => alarms.push(alarm));
    wrongMs = offsetMs;
    await posts.save(post(21));
    await posts.save({ ...(await posts.get('post-3')), content: 'changed' });
    await posts.delete('post-5');
    await until(
      async () => (await namesAt(grant)).join() === ['Post 1', 'Post 21', 'Post 3', 'Post 7', 'Post 9'].join(),
    );
    expect(await grant.datastore().getMany({ content: 'changed' })).toHaveLength(1);
    await grant.upToDate();
    expect(alarms).toEqual([]);
  });

  it('[FEED-7] [FEED-15] a grantee a day behind takes a record that has expired at the node for what it is', async () => {
    await networkWithWrong('reader.example');
    const { grant } = await windowed(async () => {
      commonMs = 5.5 * DAY_MS;
      wrongMs = -DAY_MS;
    });
    await grant.upToDate();
    expect(grant.status()).toBe('live');
    expect(await namesAt(grant)).toEqual(['Post 2']);
  });

  it('[FEED-7] a grantee that sets its clock back shows nothing that the owner’s time has ended', async () => {
    await networkWithWrong('reader.example');
    const { grant, owner } = await windowed(async () => undefined);
    const posts = await owner.account.vault.openDatastore('social/post');
    expect(await namesAt(grant)).toEqual(['Post 1', 'Post 2']);
    wrongMs = -3 * DAY_MS;
    for (const [day, shown] of [
      [5.5, ['Post 2', 'Post 5.5']],
      [6.5, ['Post 5.5', 'Post 6.5']],
    ] as const) {
      commonMs = day * DAY_MS;
      // Its checkpoint tells the owner's time.
      await posts.save(post(day, { createdAt: new Date(net.clock.nowMs()).toISOString() }));
      await until(async () => (await namesAt(grant)).includes(`Post ${day}`));
      await grant.upToDate();
      expect(await namesAt(grant)).toEqual(shown);
    }
    wrongMs = -30 * DAY_MS;
    expect(await namesAt(grant)).toEqual(['Post 5.5', 'Post 6.5']);
    expect(grant.status()).toBe('live');
  });

  const untilTomorrow = () => ({ duration: { until: new Date(net.clock.nowMs() + DAY_MS).toISOString() } });

  it('[GRANT-53] [GRANT-40] a grantee whose clock jumps past the end of a grant shows nothing until the node has told the time, and loses nothing', async () => {
    await networkWithWrong('reader.example');
    const { grant, posts } = await sharePosts(net, untilTomorrow());
    wrongMs = 3 * DAY_MS;
    expect([grant.status(), await grant.datastore().count(), await namesAt(grant)]).toEqual(['expired', 0, []]);
    await until(() => grant.status() === 'live');
    expect(await grant.datastore().count()).toBe(10);
    await posts.save(post(21));
    await until(async () => (await grant.datastore().count()) === 11);
    expect(grant.status()).toBe('live');
  });

  it('[GRANT-53] [GRANT-40] a grantee without its node shows nothing past the end by its own clock, and removes nothing before the node says so', async () => {
    await networkWithWrong('reader.example');
    const shared = await sharePosts(net, untilTomorrow());
    const { grantId } = shared.given;
    const openAt = async (offsetMs: number): Promise<readonly unknown[]> => {
      wrongMs = offsetMs;
      const app = await net.reopen(shared.app);
      const grant = await app.sharing.grants.open(grantId);
      const seen = [grant.status(), await grant.datastore().count()];
      await app.close();
      return seen;
    };
    await shared.app.account.close();
    await net.stopNode();
    expect(await openAt(3 * DAY_MS)).toEqual(['expired', 0]);
    expect(await openAt(0)).toEqual(['live', 10]);
    expect(await openAt(3 * DAY_MS)).toEqual(['expired', 0]);
    await net.startNode();
    const app = await net.reopen(shared.app);
    const grant = await app.sharing.grants.open(grantId);
    await grant.upToDate();
    expect([grant.status(), await grant.datastore().count()]).toEqual(['live', 10]);
    await app.close();
    // Now it is over by everybody's clock.
    commonMs = 2 * DAY_MS;
    await net.stopNode();
    expect(await openAt(0)).toEqual(['expired', 0]);
    await net.startNode();
    const last = await net.reopen(shared.app);
    const ended = await last.sharing.grants.open(grantId);
    await until(() =>
      shared.owner.account.sharing.activity.list().some((e) => e.type === 'attestation' && e.wiped === 10),
    );
    wrongMs = -3 * DAY_MS;
    expect([ended.status(), await ended.datastore().count()]).toEqual(['expired', 0]);
  });

  it('[GRANT-54] [GRANT-40] an owner whose clock is past the end of a grant ends nothing before the node says so, and goes on', async () => {
    await networkWithWrong('owner');
    const owner = await net.person('owner');
    const posts = await owner.account.vault.openDatastore('social/post');
    await posts.saveMany([1, 2, 3].map((i) => post(i)));
    const shared = await sharePosts(net, untilTomorrow(), owner);
    const { grantId } = shared.given;
    await owner.account.close();
    await net.stopNode();
    wrongMs = 3 * DAY_MS;
    const again = await net.reopen(owner);
    const statusOf = (): unknown => again.sharing.grants.list()[0]?.status;
    expect(statusOf()).toBe('expired');
    await (await again.vault.openDatastore('social/post')).save(post(4));
    await net.startNode();
    await until(() => statusOf() === 'live');
    await until(async () => (await shared.grant.datastore().count()) === 4);
    const ends = (): unknown[] => again.sharing.activity.list({ grantId }).filter((e) => e.type === 'expiry');
    expect([shared.grant.status(), ends()]).toEqual(['live', []]);
    // Now it is over by everybody's clock.
    commonMs = 2 * DAY_MS;
    await net.stopNode();
    await net.startNode();
    await until(() => ends().length === 1);
    expect(statusOf()).toBe('expired');
  });

  it('[GRANT-53] [FEED-7] a grantee whose clock jumps past a window shows nothing of it, and all of it when the node has told the time', async () => {
    await networkWithWrong('reader.example');
    const { grant } = await windowed(async () => undefined);
    const changes: string[] = [];
    grant.changes(({ type, id }) => changes.push(`${type} ${id}`));
    wrongMs = 30 * DAY_MS;
    expect(await namesAt(grant)).toEqual([]);
    await until(async () => (await namesAt(grant)).length === 2);
    expect(changes).toEqual([]);
  });

  it('[GRANT-53] [FEED-7] a record that is over by a clock alone is told as gone, and as back when the node tells the time', async () => {
    await networkWithWrong('reader.example');
    const { app, grant } = await windowed(async () => undefined);
    await app.account.close();
    await net.stopNode();
    wrongMs = 30 * DAY_MS;
    const again = await net.reopen(app);
    const opened = await again.sharing.grants.open(grant.id);
    const changes: string[] = [];
    opened.changes(({ type, record }) => changes.push(`${type} ${record?.name ?? ''}`));
    expect(await namesAt(opened)).toEqual([]);
    await net.startNode();
    await until(() => changes.length === 2);
    expect([changes.sort(), await namesAt(opened)]).toEqual([
      ['put Post 1', 'put Post 2'],
      ['Post 1', 'Post 2'],
    ]);
  });

  it('[GRANT-53] [GRANT-42] a grantee whose clock jumps keeps what the terms let it retain for that long by the node’s time', async () => {
    await networkWithWrong('reader.example');
    const { owner, app, grant, given } = await sharePosts(net, { retention: 'P7D' });
    await owner.account.sharing.revoke(given.grantId);
    await until(() => grant.status() === 'revoked');
    wrongMs = 30 * DAY_MS;
    expect(await grant.datastore().count()).toBe(0);
    await until(async () => (await grant.datastore().count()) === 10);
    // When the time is over the copy goes, though a process that starts without its node cannot be certain of it.
    await app.account.close();
    await net.stopNode();
    [commonMs, wrongMs] = [8 * DAY_MS, 0];
    const again = await net.reopen(app);
    const kept = await again.sharing.grants.open(given.grantId);
    expect(await kept.datastore().count()).toBe(0);
    await net.startNode();
    await until(() => owner.account.sharing.activity.list().some((e) => e.type === 'attestation' && e.wiped === 10));
    expect(await kept.datastore().count()).toBe(0);
  });

  /** Two posts in a window of seven days, of which the first leaves after five and the second after six. */
  async function windowed(
    beforeReading: () => Promise<void>,
  ): Promise<{ owner: Persona; app: Persona; grant: GrantHandle }> {
    const owner = await net.person('owner');
    const posts = await owner.account.vault.openDatastore('social/post');
    const nowMs = net.clock.nowMs();
    await posts.save(post(1, { createdAt: new Date(nowMs - 2 * DAY_MS).toISOString() }));
    await posts.save(post(2, { createdAt: new Date(nowMs - DAY_MS).toISOString() }));
    const app = await net.app('https://reader.example');
    const terms = { schema: 'social/post', filter: { createdAt: { $within: 'P7D' } }, purpose: 'for a test' };
    const pending = await app.account.sharing.request(owner.account.did, terms);
    await until(() => owner.account.mailbox.get(pending.id));
    await owner.account.sharing.consent(pending.id);
    await until(() => owner.account.sharing.feedsUpToDate());
    await owner.account.synced();
    await beforeReading();
    const answer = await pending.answer();
    const grant = answer.status === 'granted' ? answer.grants[0] : undefined;
    if (!grant) throw new Error('there is no grant');
    await grant.upToDate();
    return { owner, app, grant };
  }
});

async function namesAt(grant: GrantHandle): Promise<readonly unknown[]> {
  return (await grant.datastore().getMany({}, { limit: 100 })).map((record) => record.name).sort();
}
