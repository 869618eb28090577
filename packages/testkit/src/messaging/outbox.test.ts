import type { Account } from '@sluice/client';
import { createSystemClock, type JsonObject, systemRandom, toSpaceId } from '@sluice/core/base';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { until } from '../sharing-fixture.ts';
import { createTestNetwork, type Persona, type TestNetwork } from '../test-network.ts';
import { codeOf, documentOf, type Hosts, identityOf, inboxAt, publishing, reopenOn } from './messaging-fixture.ts';

const DAY = 24 * 3600 * 1000;
/** A point that no key is agreed with. */
const SMALL_ORDER = new Uint8Array(32);
const NO_SPACE = toSpaceId(new Uint8Array(32).fill(7));
const NOTE = { schema: 'note', name: 'n', content: 'kept' };

describe('a message while the recipient’s node is down', () => {
  let net: TestNetwork;
  let owner: Persona;
  let clinic: Persona;
  let offsetMs: number;

  beforeEach(async () => {
    offsetMs = 0;
    net = await createTestNetwork({ clock: createSystemClock(() => offsetMs) });
    owner = await net.person('owner');
    clinic = await net.app('https://clinic.example');
  });
  afterEach(() => net.close());

  const sendFrom = ({ messaging }: Account, message: string) =>
    messaging.send(owner.account.did, 'inbox/type/dataSend', { data: [NOTE] }, message);
  /** What an account keeps of what it sent. */
  const keptBy = (account: Account): JsonObject[] => {
    const rows = account.open.home.collection('messages/sent', { indexes: [], formats: new Map(), merges: new Map() });
    return rows.ids().map((id) => rows.get(id) ?? {});
  };
  const texts = (account: Account): string[] => account.mailbox.list().map((i) => i.message);

  it('[MSG-27] is kept, the call says so, and it arrives once when the node is back', async () => {
    const { messaging } = clinic.account;
    expect(await sendFrom(clinic.account, 'before')).toMatchObject({ queued: false });
    await until(() => texts(owner.account).length === 1);
    await net.stopNode();
    const sent = await sendFrom(clinic.account, 'kept');
    expect(sent.queued).toBe(true);
    expect(messaging.sentStatus(sent.id)).toBe('queued');
    const asked = await messaging.request(owner.account.did, { requestSchema: 'note' });
    expect(asked.status()).toBe('queued');
    await net.startNode();
    await until(() => texts(owner.account).length === 3);
    expect(texts(owner.account).sort()).toEqual(['Request for Note', 'before', 'kept']);
    await until(() => asked.status() === 'waiting' && messaging.sentStatus(sent.id) === 'waiting');
    expect(owner.account.mailbox.get(sent.id)?.message).toBe('kept');
  });

  it('[MSG-27] is not held up by many for somebody whose host does not answer', async () => {
    const COUNT = 20;
    let looks = 0;
    const unanswered = publishing(net, { 'away.example': 'unreachable' });
    const fetchText: typeof unanswered = (url, limits) => {
      if (url.host === 'away.example') looks++;
      return unanswered(url, limits);
    };
    await clinic.account.close();
    const first = await reopenOn(net, clinic, { fetchText });
    for (let i = 0; i < COUNT; i++)
      await first.messaging.send('did:web:away.example', 'inbox/type/message', { subject: 's', message: 'm' }, 'm');
    await net.stopNode();
    await sendFrom(first, 'behind them');
    await first.close();
    await net.startNode();
    looks = 0;
    const second = await reopenOn(net, clinic, { fetchText });
    await until(() => texts(owner.account).includes('behind them'));
    // One for each time that all is tried, which may have been more than once by now.
    expect(looks).toBeGreaterThan(0);
    expect(looks).toBeLessThan(COUNT / 2);
    await second.close();
  });

  it('[MSG-29] what was sent is forgotten 30 days after its end, and not before', async () => {
    const noted = await sendFrom(clinic.account, 'of 14 days');
    const asked = await clinic.account.messaging.request(owner.account.did, {
      requestSchema: 'note',
      expiresInMs: 20 * DAY,
    });
    await clinic.account.close();
    offsetMs = 45 * DAY;
    const second = await net.reopen(clinic);
    await until(() => !keptBy(second).some((row) => row._id === noted.id));
    expect(keptBy(second).map((row) => row._id)).toEqual([asked.id]);
    expect(second.messaging.sentStatus(asked.id)).toBe('expired');
    expect(() => second.messaging.sentStatus(noted.id)).toThrow(/Nothing was sent under this id/);
  });

  it('[MSG-27] is kept also when the DID of the recipient is at the node that is down', async () => {
    await net.stopNode();
    const sent = await sendFrom(clinic.account, 'to somebody never looked up');
    expect(sent.queued).toBe(true);
    await net.startNode();
    await until(() => owner.account.mailbox.get(sent.id));
    expect(texts(owner.account)).toEqual(['to somebody never looked up']);
  });

  it('[MSG-27] outlives a restart of the sender, and is sent by whichever start finds the node', async () => {
    await net.stopNode();
    const sent = await sendFrom(clinic.account, 'kept over a restart');
    await clinic.account.close();
    const second = await net.reopen(clinic);
    expect(second.messaging.sentStatus(sent.id)).toBe('queued');
    await second.close();
    await net.startNode();
    const third = await net.reopen(clinic);
    await until(() => owner.account.mailbox.get(sent.id));
    await until(() => third.messaging.sentStatus(sent.id) === 'waiting');
    expect(texts(owner.account)).toEqual(['kept over a restart']);
  });

  it('[MSG-27] an answer is kept with the decision it tells, and nothing is answered twice', async () => {
    const sent = await sendFrom(clinic.account, 'results');
    const asked = await clinic.account.messaging.request(owner.account.did, { requestSchema: 'note' });
    await until(() => texts(owner.account).length === 2);
    await net.stopNode();
    const { saved } = await owner.account.messaging.accept(sent.id);
    const own = String(saved[0]?.id);
    await owner.account.messaging.share(asked.id, [own]);
    expect(await codeOf(owner.account.messaging.accept(sent.id))).toBe('ALREADY_ANSWERED');
    expect(clinic.account.messaging.sentStatus(sent.id)).toBe('waiting');
    await owner.account.close();
    await net.startNode();
    const again = await net.reopen(owner);
    expect(again.mailbox.get(sent.id)?.status).toBe('accepted');
    await until(() => clinic.account.messaging.sentStatus(sent.id) === 'accepted');
    const answer = await asked.answer();
    expect(answer.status === 'shared' && answer.records.map((r) => r.content)).toEqual(['kept']);
    await clinic.account.synced();
    expect(await clinic.account.messaging.getMessages()).toHaveLength(2);
  });

  it('[MSG-27] a definite refusal rejects with its reason, and is not tried again', async () => {
    const inbox = (await identityOf(owner)).inbox;
    const fetchText = publishing(net, {
      'gone.example': 'not-found',
      'quiet.example': documentOf('did:web:quiet.example', systemRandom(32)),
      'weak.example': documentOf('did:web:weak.example', SMALL_ORDER, inbox),
      'lost.example': documentOf('did:web:lost.example', systemRandom(32), inbox && { ...inbox, space: NO_SPACE }),
    });
    await clinic.account.close();
    const account = await reopenOn(net, clinic, { fetchText });
    const attempt = (did: string) => codeOf(account.messaging.send(did, 'custom', {}, 'x'));
    expect(await attempt('not a did')).toBe('UNKNOWN_DID');
    expect(await attempt('did:example:unknown')).toBe('UNKNOWN_DID');
    expect(await attempt('did:web:gone.example')).toBe('UNKNOWN_DID');
    expect(await attempt('did:web:weak.example')).toBe('UNKNOWN_DID');
    expect(await attempt('did:web:quiet.example')).toBe('NO_INBOX');
    expect(keptBy(account)).toEqual([]);
    expect(await attempt('did:web:lost.example')).toBe('NODE_NOT_FOUND');
    expect(keptBy(account).map((row) => row.state)).toEqual(['failed']);
    await account.close();
  });

  it('[MSG-28] what waited past its end is not sent, and what stands behind it is', async () => {
    await net.stopNode();
    const { messaging } = clinic.account;
    const arrivedTooLate: string[] = [];
    owner.account.mailbox.onRejected((reason) => arrivedTooLate.push(reason));
    const short = await messaging.send(owner.account.did, 'custom', {}, 'short', { expiresInMs: DAY });
    const long = await messaging.send(owner.account.did, 'custom', {}, 'long');
    offsetMs = DAY;
    await net.startNode();
    await until(() => owner.account.mailbox.get(long.id));
    expect(messaging.sentStatus(short.id)).toBe('expired');
    await owner.account.synced();
    expect(texts(owner.account)).toEqual(['long']);
    expect(arrivedTooLate).toEqual([]);
    expect(inboxAt(net, owner)).toEqual([]);
  });

  it('[MSG-28] what can no longer be sealed to its recipient fails, and what stands behind it goes out', async () => {
    const inbox = (await identityOf(owner)).inbox;
    await clinic.account.close();
    const hosts: Hosts = { 'weak.example': 'unreachable' };
    const account = await reopenOn(net, clinic, { fetchText: publishing(net, hosts) });
    await net.stopNode();
    const first = await account.messaging.send('did:web:weak.example', 'custom', {}, 'never');
    const second = await sendFrom(account, 'behind it');
    expect([first.queued, second.queued]).toEqual([true, true]);
    hosts['weak.example'] = documentOf('did:web:weak.example', SMALL_ORDER, inbox);
    await net.startNode();
    await until(() => owner.account.mailbox.get(second.id));
    expect(account.messaging.sentStatus(first.id)).toBe('failed');
    await account.close();
  });
});
