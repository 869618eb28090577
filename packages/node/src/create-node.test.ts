import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { toDid } from '@sluice/core/base';
import { decodePage } from '@sluice/core/wire';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openLive } from './http/live-client-fixture.ts';
import {
  createTestSpace,
  keyOf,
  outcomeOf,
  ownPush,
  putSpace,
  seededRandom,
  startNode,
  until,
} from './http/node-fixture.ts';
import { loadOrCreateNodeIdentity } from './node-identity.ts';
import { openSqliteStorage } from './storage/sqlite/sqlite-storage.ts';

const device = keyOf('device');
const SECOND = 1000;

async function startWithSpace(wrap?: NonNullable<Parameters<typeof startNode>[0]>['wrap']) {
  const fixture = await startNode(wrap ? { wrap } : {});
  const space = createTestSpace('one', device);
  await putSpace(fixture, space, device);
  return { fixture, space };
}

describe('starting a node', () => {
  it('listens on loopback at the port it tells', async () => {
    const { node, close, call } = await startNode();
    try {
      expect(node.url).toBe(`http://127.0.0.1:${node.port}`);
      expect(outcomeOf(await call('/health'))).toBe('200');
    } finally {
      await close();
    }
  });

  it('refuses an address that its DID does not speak for', async () => {
    const start = (publicUrl: string, did = 'did:web:node.sluice.test') =>
      startNode({ publicUrl, identity: { did: toDid(did), key: keyOf('node') } });
    for (const url of [
      'https://other.sluice.test',
      'http://node.sluice.test',
      'https://node.sluice.test/',
      'https://node.sluice.test/x',
    ]) {
      await expect(start(url)).rejects.toThrow(TypeError);
    }
    await expect(start('https://node.sluice.test', 'did:web:node.sluice.test:path')).rejects.toThrow(TypeError);
  });

  it('says so when the port is taken', async () => {
    const taken = createServer();
    await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
    const address = taken.address();
    const port = typeof address === 'object' && address ? address.port : 0;
    await expect(startNode({ listen: { port } })).rejects.toThrow('EADDRINUSE');
    await new Promise((resolve) => taken.close(resolve));
  });
});

describe('stopping a node', () => {
  it('[NODE-25] ends live connections with a reason and takes no new ones', async () => {
    const { fixture } = await startWithSpace();
    const client = await openLive(fixture, device);
    const closing = fixture.node.close();
    expect(await client.closed).toBe('1001 the node is stopping');
    await closing;
    await expect(fetch(`${fixture.node.url}/health`)).rejects.toThrow();
    await fixture.close();
  });

  it('[NODE-25] answers what it has begun and keeps what it acknowledged', async () => {
    const { fixture, space, release, isHeld } = await startHeld();
    const { push } = ownPush(device, fixture, 1, ['a']);
    const answer = fixture.call(`${space.path}/push`, { method: 'POST', body: push, key: device });
    await until(isHeld);
    const closing = fixture.node.close();
    release();
    expect(outcomeOf(await answer)).toBe('200');
    await closing;
    const reopened = openSqliteStorage({ path: join(fixture.directory, 'node.db') });
    expect(reopened.head(space.space, { type: 'own' })).toBe(1);
    await reopened.close();
    await fixture.close();
  });

  it('[NODE-25] answers waiting pulls and drops at once', async () => {
    const { fixture, space } = await startWithSpace();
    const pull = fixture.call(`${space.path}/pull?log=inbox&after=0&wait=25`, { key: device });
    const drop = fixture.call(`/v1/drops/${'A'.repeat(43)}?wait=24`);
    await until(() => fixture.clock.hasTimer(25 * SECOND) && fixture.clock.hasTimer(24 * SECOND));
    await fixture.node.close();
    expect(decodePage((await pull).body)).toMatchObject({ ok: true, value: { entries: [] } });
    expect(outcomeOf(await drop)).toBe('404 NOT_FOUND');
    await fixture.close();
  });

  it('cuts off after five seconds what does not end by itself', async () => {
    const { fixture, space, isHeld } = await startHeld();
    const { push } = ownPush(device, fixture, 1, ['a']);
    const answer = fixture.call(`${space.path}/push`, { method: 'POST', body: push, key: device });
    const ended = expect(answer).rejects.toThrow();
    await until(isHeld);
    const client = await openLive(fixture, device);
    client.socket.pause();
    const closing = fixture.node.close();
    fixture.clock.advance(5 * SECOND);
    await closing;
    await ended;
    client.socket.resume();
    expect(await client.closed).toMatch(/^100[16]/);
    await fixture.close();
  });

  it('closes once, however often it is asked', async () => {
    let closes = 0;
    const { fixture } = await startWithSpace((storage) => ({
      ...storage,
      close: () => {
        closes++;
        return storage.close();
      },
    }));
    await Promise.all([fixture.node.close(), fixture.node.close()]);
    await fixture.node.close();
    expect(closes).toBe(1);
    await fixture.close();
  });
});

/** A node whose storage holds every push back until `release`. */
async function startHeld() {
  let release: () => void = () => undefined;
  let count = 0;
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  const made = await startWithSpace((storage) => ({
    ...storage,
    push: async (job) => {
      count++;
      await held;
      return storage.push(job);
    },
  }));
  return { ...made, release: () => release(), isHeld: () => count > 0 };
}

describe('the identity file', () => {
  let directory: string;
  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), 'sluice-identity-'));
  });
  afterAll(() => rmSync(directory, { recursive: true, force: true }));

  it('is made once, for its user alone', () => {
    const path = join(directory, 'deep', 'node.key');
    const made = loadOrCreateNodeIdentity(path, seededRandom('one'));
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(loadOrCreateNodeIdentity(path, seededRandom('two')).publicKey).toEqual(made.publicKey);
  });

  it('is never replaced when it is damaged', () => {
    const path = join(directory, 'damaged.key');
    writeFileSync(path, 'abc\n');
    expect(() => loadOrCreateNodeIdentity(path, seededRandom('one'))).toThrow('damaged');
    expect(readFileSync(path, 'utf8')).toBe('abc\n');
    expect(existsSync(join(directory, 'damaged.key.bak'))).toBe(false);
  });
});
