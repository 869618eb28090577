/** Feeds and lanes at the node: who writes and reads them, how much, and what a pause or a revoke does. */

import { bytesToBase64url, bytesToHex, ok, type SpaceId, toStreamId, toTag } from '@sluice/core/base';
import { toAeadKey, writerId } from '@sluice/core/crypto';
import { openRevokeAck } from '@sluice/core/grant';
import { type Identity, signHello } from '@sluice/core/identity';
import { type CtlRow, sealEntry, VERB } from '@sluice/core/stream';
import {
  decodePage,
  decodePushAnswer,
  encodePush,
  ENTRY_KIND,
  formatLogName,
  MAX_LANE_ENTRIES,
} from '@sluice/core/wire';
import { afterEach, describe, expect, it } from 'vitest';
import { connectLive, openLive } from '../http/live-client-fixture.ts';
import {
  createTestSpace,
  keyOf,
  NODE_DID,
  type NodeFixture,
  outcomeOf,
  ownPush,
  putSpace,
  startNode,
} from '../http/node-fixture.ts';

const device = keyOf('device');
const grantee = keyOf('grantee');
const stranger = keyOf('stranger');
const FEED = toStreamId(Uint8Array.from({ length: 16 }, (_, i) => (i === 0 ? 4 : i)));
const LANE = toStreamId(Uint8Array.from({ length: 16 }, (_, i) => (i === 0 ? 5 : i)));
const CREDIT = 1024 * 1024;
const GRANT = {
  role: 'grantee',
  access: [
    { target: FEED, verbs: VERB.read },
    { target: LANE, verbs: VERB.read + VERB.write },
  ],
} as const;

const OTHER_LANE = toStreamId(Uint8Array.from({ length: 16 }, (_, i) => (i === 0 ? 5 : 99 - i)));
const OTHER = { role: 'grantee', access: [{ target: OTHER_LANE, verbs: VERB.read + VERB.write }] } as const;

const started: NodeFixture[] = [];
afterEach(async () => {
  for (const fixture of started.splice(0)) await fixture.close();
});

/** A space with one grant: a feed of one entry, and a lane. */
async function startGrant(row: Partial<CtlRow> = {}) {
  const fixture = await startNode();
  started.push(fixture);
  const space = createTestSpace('one', device);
  await putSpace(fixture, space, device);
  const push = (bytes: Uint8Array, key = device) =>
    fixture.call(`${space.path}/push`, { method: 'POST', body: bytes, key });
  const setRow = (more: Partial<CtlRow>) =>
    push(encodePush([{ type: 'ctl', entries: [space.rowEntry('grant', grantee, { ...GRANT, ...more })] }]));
  await setRow(row);
  let head = 0;
  const append = async (n: number, term = 0) => {
    const header = {
      writer: writerId(device.publicKey),
      n,
      tag: toTag(new Uint8Array(16).fill(n)),
      kind: ENTRY_KIND.PUT,
      hlc: { ms: fixture.clock.nowMs(), counter: n },
      epoch: 1,
      superseded: [],
      expiresMs: null,
    };
    const entry = sealEntry(toAeadKey(new Uint8Array(32).fill(9)), FEED, header, new Uint8Array(8), fixture.random);
    const answer = await push(
      encodePush([{ type: 'feed', stream: FEED, head, term, entries: [{ ...entry, memo: null }] }]),
    );
    const read = decodePushAnswer(answer.body);
    if (!read.ok) throw new Error('no answer');
    const [part] = read.value.parts;
    if (part?.type === 'ok') head = part.head;
    return part;
  };
  const read = async (log: typeof FEED, key = grantee) => {
    const path = `${space.path}/pull?log=${formatLogName({ type: 'stream', stream: log })}&after=0&whole=1`;
    const answer = await fixture.call(path, { key });
    const page = answer.status === 200 ? decodePage(answer.body) : undefined;
    return page?.ok ? page.value : outcomeOf(answer);
  };
  const writeLane = async (firstN: number, count: number, previous?: Uint8Array, key = grantee, lane = LANE) => {
    const texts = Array.from({ length: count }, () => 'x');
    const made = ownPush(key, fixture, firstN, texts, previous, lane);
    return { outcome: outcomeOf(await push(made.push, key)), hash: made.hash };
  };
  /** Another grant of the space, with the same limits. */
  const addOther = () =>
    push(encodePush([{ type: 'ctl', entries: [space.rowEntry('other', stranger, { ...OTHER, ...row })] }]));
  return { fixture, space, push, setRow, addOther, append, read, writeLane };
}

describe('a lane', () => {
  it('[LANE-1] takes entries from its grantee alone, and none once the row is paused, revoked or over', async () => {
    const { writeLane, setRow, fixture } = await startGrant({ expiresMs: 0 });
    const first = await writeLane(1, 1);
    expect(first.outcome).toBe('200');
    expect((await writeLane(1, 1, undefined, stranger)).outcome).toBe('403 FORBIDDEN');
    await setRow({ status: 'paused' });
    expect((await writeLane(2, 1, first.hash)).outcome).toBe('403 PAUSED');
    await setRow({ status: 'active', expiresMs: fixture.clock.nowMs() + 1000 });
    const second = await writeLane(2, 1, first.hash);
    expect(second.outcome).toBe('200');
    fixture.clock.advance(1000);
    expect((await writeLane(3, 1, second.hash)).outcome).toBe('403 REVOKED');
    await setRow({ status: 'revoked' });
    expect((await writeLane(3, 1, second.hash)).outcome).toBe('403 REVOKED');
  });

  it('[LANE-2] takes no more on one day than its row says, and again on the next', async () => {
    const { writeLane, fixture } = await startGrant({ perDay: 5 });
    const first = await writeLane(1, 4);
    expect(first.outcome).toBe('200');
    expect((await writeLane(5, 2, first.hash)).outcome).toBe('429 LANE_FULL');
    const second = await writeLane(5, 1, first.hash);
    expect(second.outcome).toBe('200');
    expect((await writeLane(6, 1, second.hash)).outcome).toBe('429 LANE_FULL');
    fixture.clock.advance(86_400_000);
    expect((await writeLane(6, 5, second.hash)).outcome).toBe('200');
  });

  it('[LANE-2] holds ten thousand entries, and takes more when some were dropped', async () => {
    const { writeLane, push } = await startGrant();
    let previous: Uint8Array | undefined;
    for (let n = 1; n <= MAX_LANE_ENTRIES; n += 500) {
      const batch = await writeLane(n, 500, previous);
      expect(batch.outcome).toBe('200');
      previous = batch.hash;
    }
    expect((await writeLane(MAX_LANE_ENTRIES + 1, 1, previous)).outcome).toBe('429 LANE_FULL');
    await push(encodePush([{ type: 'trim', stream: LANE, upTo: 600 }]));
    expect((await writeLane(MAX_LANE_ENTRIES + 1, 500, previous)).outcome).toBe('200');
  });

  it('[LANE-2] that is full, for the day or for good, leaves every other lane and the owner what they may', async () => {
    const day = await startGrant({ perDay: 5 });
    await day.addOther();
    expect((await day.writeLane(1, 5)).outcome).toBe('200');
    expect((await day.writeLane(1, 5, undefined, stranger, OTHER_LANE)).outcome).toBe('200');
    const full = await startGrant();
    await full.addOther();
    let previous: Uint8Array | undefined;
    for (let n = 1; n <= MAX_LANE_ENTRIES; n += 500) previous = (await full.writeLane(n, 500, previous)).hash;
    expect((await full.writeLane(MAX_LANE_ENTRIES + 1, 1, previous)).outcome).toBe('429 LANE_FULL');
    expect((await full.writeLane(1, 500, undefined, stranger, OTHER_LANE)).outcome).toBe('200');
    expect(await full.append(1)).toMatchObject({ type: 'ok' });
  });

  it('[LANE-17] that two devices share tells one that its numbers are taken, also when what has them is dropped', async () => {
    const { writeLane, push } = await startGrant();
    const first = await writeLane(1, 1);
    const second = await writeLane(2, 1, first.hash);
    await push(encodePush([{ type: 'trim', stream: LANE, upTo: 2 }]));
    expect((await writeLane(2, 1, new Uint8Array(32).fill(7))).outcome).toBe('409 FORK');
    expect((await writeLane(3, 1, second.hash)).outcome).toBe('200');
  });

  it('[LANE-3] is trimmed by the owner alone, and what was dropped reads as declared', async () => {
    const { writeLane, push, read } = await startGrant();
    await writeLane(1, 3);
    const trim = encodePush([{ type: 'trim', stream: LANE, upTo: 2 }]);
    expect(outcomeOf(await push(trim, grantee))).toBe('403 FORBIDDEN');
    expect(outcomeOf(await push(trim, stranger))).toBe('403 FORBIDDEN');
    expect(outcomeOf(await push(encodePush([{ type: 'trim', stream: FEED, upTo: 2 }])))).toBe('400 MALFORMED');
    expect(await read(LANE, device)).toMatchObject({ entries: [{}, {}, {}], holes: [] });
    expect(outcomeOf(await push(trim))).toBe('200');
    expect(await read(LANE, device)).toMatchObject({ entries: [{ seq: 3 }], holes: [{ n: 1 }, { n: 2 }] });
    await push(encodePush([{ type: 'trim', stream: LANE, upTo: 3 }]));
    expect(await read(LANE, device)).toMatchObject({ entries: [], dead: [{ firstN: 1, lastN: 3 }] });
  });
});

describe('a feed', () => {
  it('[CTL-14] [PUSH-6] is neither served nor appended to while its row is paused, and goes on after', async () => {
    const { append, setRow, read, fixture, space } = await startGrant();
    expect(await append(1)).toMatchObject({ type: 'ok' });
    const live = await openLive(fixture, grantee);
    const log = formatLogName({ type: 'stream', stream: FEED });
    live.send({ type: 'sub', id: 1, key: 0, space: space.space, log, after: 0, credit: CREDIT });
    await live.next('page');
    await setRow({ status: 'paused' });
    expect(await live.next('closed', (f) => f.id === 1)).toMatchObject({ id: 1, code: 'PAUSED' });
    expect(await read(FEED)).toBe('403 PAUSED');
    expect(await append(2)).toEqual({ type: 'refused', code: 'PAUSED' });
    await setRow({ status: 'active' });
    expect(await append(2)).toMatchObject({ type: 'ok' });
    expect(await read(FEED)).toMatchObject({ entries: [{ seq: 1 }, { seq: 2 }] });
  });

  it('[FEED-28] takes no append of older terms than it has seen, whatever the head', async () => {
    const { append } = await startGrant();
    expect(await append(1, 0)).toMatchObject({ type: 'ok' });
    expect(await append(2, 3)).toMatchObject({ type: 'ok' });
    expect(await append(3, 2)).toEqual({ type: 'refused', code: 'STALE_HEAD' });
    expect(await append(3, 3)).toMatchObject({ type: 'ok' });
  });

  it('[FEED-28] [CTL-6] takes none by terms before those that the row states, from the moment it is stored', async () => {
    const { append, setRow } = await startGrant();
    expect(await append(1, 0)).toMatchObject({ type: 'ok' });
    await setRow({ term: 2 });
    expect(await append(2, 1)).toEqual({ type: 'refused', code: 'STALE_HEAD' });
    expect(await append(2, 2)).toMatchObject({ type: 'ok' });
    await setRow({ term: 1 });
    expect(await append(3, 1)).toEqual({ type: 'refused', code: 'STALE_HEAD' });
    expect(await append(3, 2)).toMatchObject({ type: 'ok' });
  });

  it('[FEED-24] is emptied by the revoke, and its owner reads nothing of it either', async () => {
    const { append, setRow, read } = await startGrant();
    await append(1);
    expect(await read(FEED, device)).toMatchObject({ entries: [{}] });
    await setRow({ status: 'revoked' });
    expect(await read(FEED, device)).toMatchObject({ entries: [] });
    expect(await read(FEED)).toBe('403 REVOKED');
    expect(await append(2)).toEqual({ type: 'refused', code: 'REVOKED' });
  });
});

describe('an acknowledgement of a revoke', () => {
  it('[NODE-30] says, signed by the node, that the row is over and how far its feed was served', async () => {
    const { append, setRow, read, fixture, space } = await startGrant();
    const id = rowIds(fixture, space.space)[1] ?? FEED;
    const ask = (key = device, row: Uint8Array = id) =>
      fixture.call(`${space.path}/revokes/${bytesToBase64url(row)}`, { key });
    await append(1);
    await read(FEED, device);
    await read(FEED);
    await append(2);
    await read(FEED, device);
    expect(outcomeOf(await ask())).toBe('404 NOT_FOUND');
    await setRow({ status: 'revoked' });
    expect(outcomeOf(await ask(grantee))).toBe('403 FORBIDDEN');
    expect(outcomeOf(await ask(device, FEED))).toBe('404 NOT_FOUND');
    const { body } = await ask();
    const resolve = async () => ok({ did: NODE_DID, identityKey: keyOf('node').publicKey } as Identity);
    const expected = { node: NODE_DID, space: space.space, grantId: bytesToHex(id) };
    const opened = await openRevokeAck(body, expected, { resolve, nowMs: fixture.clock.nowMs() });
    expect(opened).toMatchObject({ ok: true, value: { controlHead: 3, feedHead: 2, servedTo: 1 } });
  });

  it('[NODE-30] states no number that the node does not know', async () => {
    const { append, setRow, fixture, space } = await startGrant();
    await append(1);
    await setRow({ status: 'revoked' });
    const id = rowIds(fixture, space.space)[1] ?? FEED;
    const { body } = await fixture.call(`${space.path}/revokes/${bytesToBase64url(id)}`, { key: device });
    const resolve = async () => ok({ did: NODE_DID, identityKey: keyOf('node').publicKey } as Identity);
    const expected = { node: NODE_DID, space: space.space, grantId: bytesToHex(id) };
    const opened = await openRevokeAck(body, expected, { resolve, nowMs: fixture.clock.nowMs() });
    expect(opened.ok && 'servedTo' in opened.value).toBe(false);
  });
});

function rowIds(fixture: NodeFixture, space: SpaceId): Uint8Array[] {
  return [...(fixture.storage.accessState(space)?.rows.values() ?? [])].map((row) => row.id);
}

describe('several keys on one connection', () => {
  it('[LIVE-9] each reads what it may, and none what another may', async () => {
    const { append, fixture, space } = await startGrant();
    await append(1);
    const live = await openLive(fixture, stranger);
    const log = formatLogName({ type: 'stream', stream: FEED });
    const ask = (id: number, key: number) =>
      live.send({ type: 'sub', id, key, space: space.space, log, after: 0, credit: CREDIT });
    ask(1, 0);
    expect(await live.next('closed', (f) => f.id === 1)).toMatchObject({ id: 1, code: 'FORBIDDEN' });
    ask(2, 7);
    expect(await live.next('closed', (f) => f.id === 2)).toMatchObject({ id: 2, code: 'UNAUTHENTICATED' });
    live.send({
      type: 'key',
      key: 7,
      proof: signHello(grantee, NODE_DID, (await live.next('welcome')).nonce, fixture.clock.nowMs()),
    });
    ask(3, 7);
    expect(await live.next('page')).toMatchObject({ id: 3, page: { entries: [{ seq: 1 }] } });
    const { push } = ownPush(grantee, fixture, 1, ['a'], undefined, LANE);
    live.send({ type: 'push', id: 4, key: 0, space: space.space, push });
    expect(await live.next('refused')).toMatchObject({ id: 4, code: 'FORBIDDEN' });
    live.send({ type: 'push', id: 5, key: 7, space: space.space, push });
    expect(await live.next('pushed')).toMatchObject({ id: 5 });
  });

  it('[LIVE-9] a proof for another connection, and a number in use, end the connection', async () => {
    const { fixture } = await startGrant();
    const first = await openLive(fixture, stranger);
    const other = await connectLive(fixture);
    first.send({
      type: 'key',
      key: 1,
      proof: signHello(grantee, NODE_DID, (await other.next('welcome')).nonce, fixture.clock.nowMs()),
    });
    expect(await first.closed).toBe('1008 bad key');
    const second = await openLive(fixture, stranger);
    const proof = signHello(grantee, NODE_DID, (await second.next('welcome')).nonce, fixture.clock.nowMs());
    second.send({ type: 'key', key: 1, proof });
    second.send({ type: 'key', key: 1, proof });
    expect(await second.closed).toBe('1008 bad key');
  });
});
