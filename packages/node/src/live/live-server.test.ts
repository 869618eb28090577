import { type ClientRequest, type IncomingMessage, request as httpRequest } from 'node:http';
import { toDid } from '@sluice/core/base';
import { signHello } from '@sluice/core/identity';
import { encodePush, MAX_FRAME_BYTES, PROTOCOL_VERSION } from '@sluice/core/wire';
import { afterEach, describe, expect, it } from 'vitest';
import { connectLive, openLive } from '../http/live-client-fixture.ts';
import {
  createTestSpace,
  keyOf,
  NODE_DID,
  type NodeFixture,
  ownPush,
  putSpace,
  startNode,
  until,
} from '../http/node-fixture.ts';

const device = keyOf('device');
const reader = keyOf('reader');
const MB = 1024 * 1024;
const SECOND = 1000;
const CREDIT = 2 * MB;

const sum = (sizes: readonly number[]): number => sizes.reduce((total, size) => total + size, 0);

const started: NodeFixture[] = [];
afterEach(async () => {
  for (const fixture of started.splice(0)) await fixture.close();
});
async function start(...args: Parameters<typeof startNode>): Promise<NodeFixture> {
  const fixture = await startNode(...args);
  started.push(fixture);
  return fixture;
}

/** A space whose own log the reader may read. */
async function startShared() {
  const fixture = await start();
  const space = createTestSpace('one', device);
  await putSpace(fixture, space, device);
  const push = (bytes: Uint8Array) => fixture.call(`${space.path}/push`, { method: 'POST', body: bytes, key: device });
  const row = { role: 'session', access: [{ target: Uint8Array.of(1), verbs: 3 }] } as const;
  const setRow = (status: 'active' | 'revoked') =>
    push(encodePush([{ type: 'ctl', entries: [space.rowEntry('reader', reader, { ...row, status })] }]));
  await setRow('active');
  return { fixture, space, push, setRow };
}

/** Asks for a WebSocket at a path and returns the status and body of the refusal. */
function upgrade(fixture: NodeFixture, path: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const headers = {
      connection: 'upgrade',
      upgrade: 'websocket',
      'sec-websocket-version': '13',
      'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
    };
    const options = { host: '127.0.0.1', port: fixture.node.port, path, headers };
    const request: ClientRequest = httpRequest(options, (response: IncomingMessage) => {
      let text = '';
      response.on('data', (part: Buffer) => {
        text += part.toString('utf8');
      });
      response.on('end', () => resolve(`${response.statusCode} ${(JSON.parse(text) as { code: string }).code}`));
    });
    request.on('upgrade', (_response, socket) => {
      socket.destroy();
      resolve('101');
    });
    request.on('error', reject);
    request.end();
  });
}

describe('opening a live connection', () => {
  it('[NODE-23] is possible at one path only', async () => {
    const fixture = await start();
    expect(await upgrade(fixture, '/v1/live')).toBe('101');
    for (const path of ['/', '/v1/live/', '/v1/info', '/v1/live2', '//v1/live']) {
      expect(`${path} ${await upgrade(fixture, path)}`).toBe(`${path} 404 NOT_FOUND`);
    }
  });

  it('[NODE-3] is limited for each address', async () => {
    const fixture = await start({ limits: { sockets: { perSecond: 1, burst: 2 } } });
    expect(await upgrade(fixture, '/v1/live')).toBe('101');
    expect(await upgrade(fixture, '/v1/live')).toBe('101');
    expect(await upgrade(fixture, '/v1/live')).toBe('429 RATE_LIMITED');
  });

  it('starts with a welcome that names the node, and is ready after the hello', async () => {
    const fixture = await start();
    const client = await openLive(fixture, device);
    expect(client.frames).toEqual([
      {
        type: 'welcome',
        version: PROTOCOL_VERSION,
        node: NODE_DID,
        nonce: expect.any(Uint8Array),
        nowMs: fixture.clock.nowMs(),
      },
      { type: 'ready', nowMs: fixture.clock.nowMs() },
    ]);
  });

  it('[HTTP-8] [HTTP-9] ends on a hello for another node, connection or time', async () => {
    const fixture = await start();
    const nowMs = fixture.clock.nowMs();
    const other = await connectLive(fixture);
    const otherNonce = (await other.next('welcome')).nonce;
    const proofs = [
      (nonce: Uint8Array) => signHello(device, toDid('did:web:other.sluice.test'), nonce, nowMs),
      () => signHello(device, NODE_DID, otherNonce, nowMs),
      (nonce: Uint8Array) => signHello(device, NODE_DID, nonce, nowMs - 301 * SECOND),
      (nonce: Uint8Array) => signHello(device, NODE_DID, nonce, nowMs).fill(0, 60, 64),
    ];
    for (const proof of proofs) {
      const client = await connectLive(fixture);
      client.send({ type: 'hello', proof: proof((await client.next('welcome')).nonce) });
      expect(await client.closed).toBe('1008 bad hello');
      expect(client.frames.map((f) => f.type)).toEqual(['welcome']);
    }
    other.socket.close();
  });

  it('[LIVE-1] ends when anything else comes before the hello', async () => {
    const { fixture, space } = await startShared();
    const client = await connectLive(fixture);
    client.send({ type: 'sub', id: 1, key: 0, space: space.space, log: 'own', after: 0, credit: CREDIT });
    expect(await client.closed).toBe('1008 bad hello');
    expect(client.frames.map((f) => f.type)).toEqual(['welcome']);
  });

  it('[LIVE-8] ends when no hello comes within ten seconds, and stays open when one did', async () => {
    const fixture = await start();
    const silent = await connectLive(fixture);
    const greeted = await openLive(fixture, device);
    fixture.clock.advance(10 * SECOND);
    expect(await silent.closed).toBe('1008 no hello');
    expect(greeted.socket.readyState).toBe(greeted.socket.OPEN);
  });

  it('[LIVE-8] ends on a second hello, and on a large frame before the first', async () => {
    const fixture = await start();
    const greeted = await openLive(fixture, device);
    greeted.send({ type: 'hello', proof: new Uint8Array(8) });
    expect(await greeted.closed).toBe('1008 second hello');
    const large = await connectLive(fixture);
    large.socket.send(new Uint8Array(2049));
    expect(await large.closed).toBe('1008 too large before hello');
  });

  it('[LIVE-5] ends on text, on what is no frame, and on a frame over the limit', async () => {
    const fixture = await start();
    const [text, nonsense, huge] = [
      await openLive(fixture, device),
      await openLive(fixture, device),
      await openLive(fixture, device),
    ];
    text.socket.send('hello');
    expect(await text.closed).toBe('1003 binary frames only');
    nonsense.socket.send(Uint8Array.of(0xff));
    expect(await nonsense.closed).toBe('1008 malformed frame');
    huge.socket.send(new Uint8Array(MAX_FRAME_BYTES + 1));
    expect(await huge.closed).toMatch(/^(1009|1006)/);
  });
});

describe('a live connection', () => {
  it('[NODE-24] is pinged, and cut off when it does not answer', async () => {
    const fixture = await start();
    const [answers, silent] = [await openLive(fixture, device), await openLive(fixture, reader)];
    const pinged = new Promise((resolve) => answers.socket.once('ping', resolve));
    silent.socket.pause();
    fixture.clock.advance(30 * SECOND);
    await pinged;
    // A second round trip, so that the pong has arrived before the next ping is due.
    answers.send({
      type: 'sub',
      id: 9,
      key: 0,
      space: createTestSpace('none', device).space,
      log: 'own',
      after: 0,
      credit: 1,
    });
    await answers.next('closed');
    fixture.clock.advance(30 * SECOND);
    silent.socket.resume();
    expect(await silent.closed).toMatch(/^1006/);
    expect(answers.socket.readyState).toBe(answers.socket.OPEN);
  });

  it('pushes and hears of what others push', async () => {
    const { fixture, space } = await startShared();
    const writer = await openLive(fixture, device);
    const client = await openLive(fixture, reader);
    client.send({ type: 'sub', id: 1, key: 0, space: space.space, log: 'own', after: 0, credit: CREDIT });
    await client.next('page', ({ page }) => page.entries.length === 0);
    writer.send({
      type: 'push',
      id: 7,
      key: 0,
      space: space.space,
      push: ownPush(device, fixture, 1, ['a', 'b']).push,
    });
    expect((await writer.next('pushed')).answer.parts).toEqual([{ type: 'ok', head: 2 }]);
    expect((await client.next('page', ({ page }) => page.head === 2)).page.entries.length).toBe(2);
  });

  it('a push that fails for reasons of the node answers INTERNAL, and the others go on', async () => {
    let isBroken = false;
    const fixture = await start({
      wrap: (storage) => ({
        ...storage,
        push: (job) => (isBroken ? Promise.reject(new Error('disk')) : storage.push(job)),
      }),
    });
    const space = createTestSpace('one', device);
    await putSpace(fixture, space, device);
    const client = await openLive(fixture, device);
    isBroken = true;
    const { push } = ownPush(device, fixture, 1, ['a']);
    client.send({ type: 'push', id: 1, key: 0, space: space.space, push });
    expect(await client.next('refused')).toMatchObject({ id: 1, code: 'INTERNAL' });
    isBroken = false;
    client.send({ type: 'push', id: 2, key: 0, space: space.space, push });
    expect(await client.next('pushed')).toMatchObject({ id: 2 });
  });

  it('a fault while a page is read ends that connection alone, and the push that caused it is answered', async () => {
    let brokenFor = 0;
    const fixture = await start({
      wrap: (storage) => ({
        ...storage,
        readPage: (query) => {
          if (brokenFor-- > 0) throw new Error('disk');
          return storage.readPage(query);
        },
      }),
    });
    const space = createTestSpace('one', device);
    await putSpace(fixture, space, device);
    const [unlucky, writer] = [await openLive(fixture, device), await openLive(fixture, device)];
    unlucky.send({ type: 'sub', id: 1, key: 0, space: space.space, log: 'own', after: 0, credit: CREDIT });
    await unlucky.next('page');
    brokenFor = 1;
    writer.send({ type: 'push', id: 1, key: 0, space: space.space, push: ownPush(device, fixture, 1, ['a']).push });
    expect(await writer.next('pushed')).toMatchObject({ id: 1 });
    expect(await unlucky.closed).toBe('1011 internal');
  });

  it('[LIVE-2] a subscriber that gives no credit costs a cursor, not a buffer, and catches up when it does', async () => {
    const { fixture, space, push } = await startShared();
    const client = await openLive(fixture, reader);
    client.send({ type: 'sub', id: 1, key: 0, space: space.space, log: 'own', after: 0, credit: CREDIT });
    await client.next('page');
    const text = 'x'.repeat(MB / 2);
    let previous: Uint8Array | undefined;
    for (let n = 1; n <= 40; n += 2) {
      const batch = ownPush(device, fixture, n, [text, text], previous);
      expect((await push(batch.push)).status).toBe(200);
      previous = batch.hash;
    }
    // An answer to a later frame shows that everything the node was going to send has arrived.
    client.send({
      type: 'sub',
      id: 2,
      key: 0,
      space: createTestSpace('none', device).space,
      log: 'own',
      after: 0,
      credit: 1,
    });
    await client.next('closed', ({ id }) => id === 2);
    expect(sum(client.pageSizes)).toBeGreaterThanOrEqual(CREDIT);
    expect(sum(client.pageSizes)).toBeLessThanOrEqual(CREDIT + Math.max(...client.pageSizes));

    client.send({ type: 'credit', id: 1, bytes: 100 * MB });
    await client.next('page', ({ page }) => page.cursor === 40);
    const seen = client.frames.flatMap((f) => (f.type === 'page' ? f.page.entries.map((e) => e.seq) : []));
    expect(seen).toEqual(Array.from({ length: 40 }, (_, i) => i + 1));
  });

  it('[LIVE-2] a subscriber that does not read at all is not sent more than its credit', async () => {
    const { fixture, space, push } = await startShared();
    const client = await openLive(fixture, reader);
    client.send({ type: 'sub', id: 1, key: 0, space: space.space, log: 'own', after: 0, credit: CREDIT });
    await client.next('page');
    client.socket.pause();
    const text = 'x'.repeat(MB / 2);
    let previous: Uint8Array | undefined;
    for (let n = 1; n <= 60; n += 2) {
      const batch = ownPush(device, fixture, n, [text, text], previous);
      await push(batch.push);
      previous = batch.hash;
    }
    client.socket.resume();
    client.send({
      type: 'sub',
      id: 2,
      key: 0,
      space: createTestSpace('none', device).space,
      log: 'own',
      after: 0,
      credit: 1,
    });
    await client.next('closed', ({ id }) => id === 2);
    expect(sum(client.pageSizes)).toBeLessThanOrEqual(CREDIT + Math.max(...client.pageSizes));
  });

  it('[LIVE-3] a revoke ends the subscription at once, and nothing written after it is sent', async () => {
    const { fixture, space, push, setRow } = await startShared();
    const client = await openLive(fixture, reader);
    client.send({ type: 'sub', id: 1, key: 0, space: space.space, log: 'own', after: 0, credit: CREDIT });
    await client.next('page');
    const first = ownPush(device, fixture, 1, ['before']);
    await push(first.push);
    await client.next('page', ({ page }) => page.head === 1);
    expect((await setRow('revoked')).status).toBe(200);
    expect(await client.next('closed')).toMatchObject({ id: 1, code: 'REVOKED' });
    await push(ownPush(device, fixture, 2, ['after'], first.hash).push);
    client.send({ type: 'sub', id: 2, key: 0, space: space.space, log: 'own', after: 0, credit: CREDIT });
    expect(await client.next('closed', ({ id }) => id === 2)).toMatchObject({ code: 'REVOKED' });
    expect(client.frames.some((f) => f.type === 'page' && f.page.head > 1)).toBe(false);
  });

  it('a client that vanishes is forgotten: nothing is read for it any more', async () => {
    let reads = 0;
    const fixture = await start({
      wrap: (storage) => ({
        ...storage,
        readPage: (query) => {
          reads++;
          return storage.readPage(query);
        },
      }),
    });
    const space = createTestSpace('one', device);
    await putSpace(fixture, space, device);
    const client = await openLive(fixture, device);
    client.send({ type: 'sub', id: 1, key: 0, space: space.space, log: 'own', after: 0, credit: CREDIT });
    await client.next('page');
    client.socket.terminate();
    expect(await client.closed).toMatch(/^1006/);
    let n = 0;
    let previous: Uint8Array | undefined;
    await until(async () => {
      const before = reads;
      const batch = ownPush(device, fixture, ++n, ['a'], previous);
      previous = batch.hash;
      const options = { method: 'POST', body: batch.push, key: device } as const;
      expect((await fixture.call(`${space.path}/push`, options)).status).toBe(200);
      return reads === before;
    });
    expect(fixture.clock.hasTimer(10 * SECOND)).toBe(false);
  });
});
