import { connect } from 'node:net';
import { Writable } from 'node:stream';
import { bytesToBase64url, bytesToHex } from '@sluice/core/base';
import { parseDidDocument } from '@sluice/core/identity';
import { encodeCbor, PROTOCOL_VERSION } from '@sluice/core/wire';
import { pino } from 'pino';
import { afterEach, describe, expect, it } from 'vitest';
import { createHttpServer } from './http-server.ts';
import { openLive } from './live-client-fixture.ts';
import {
  type Answer,
  createHandClock,
  createTestSpace,
  keyOf,
  NODE_DID,
  NODE_URL,
  type NodeFixture,
  outcomeOf,
  putSpace,
  rawCall,
  seededRandom,
  startNode,
  until,
} from './node-fixture.ts';

const device = keyOf('device');
const owned = createTestSpace('owned', device);
const started: NodeFixture[] = [];
afterEach(async () => {
  for (const fixture of started.splice(0)) await fixture.close();
});

async function start(...args: Parameters<typeof startNode>): Promise<NodeFixture> {
  const fixture = await startNode(...args);
  started.push(fixture);
  return fixture;
}
/** A node whose log lines are kept. */
async function startLogged(wrap?: NonNullable<Parameters<typeof startNode>[0]>['wrap']) {
  const lines: string[] = [];
  const sink = new Writable({
    write: (chunk: Buffer, _encoding, done) => {
      lines.push(...chunk.toString('utf8').trimEnd().split('\n'));
      done();
    },
  });
  const fixture = await start({ logger: pino({ level: 'trace' }, sink), ...(wrap ? { wrap } : {}) });
  return { fixture, lines, parsed: () => lines.map((line) => JSON.parse(line) as Record<string, unknown>) };
}
const json = ({ body }: Answer): Record<string, unknown> => JSON.parse(new TextDecoder().decode(body));

describe('what anybody may ask', () => {
  it('[NODE-20] the DID document names the node, its keys and its address', async () => {
    const fixture = await start();
    const answer = await fixture.call('/.well-known/did.json');
    expect(answer.headers.get('content-type')).toBe('application/did+json');
    const identity = parseDidDocument(json(answer), NODE_DID);
    expect(identity).toMatchObject({
      ok: true,
      value: { identityKey: keyOf('node').publicKey, node: { url: NODE_URL, did: NODE_DID } },
    });
  });

  it('[NODE-20] the sealing key is the one given, or always the same for the same identity', async () => {
    const document = async (fixture: NodeFixture) => json(await fixture.call('/.well-known/did.json'));
    const [first, second] = [await start(), await start()];
    expect(await document(second)).toEqual(await document(first));
    const identity = { did: NODE_DID, key: keyOf('node'), sealingKey: new Uint8Array(32).fill(9) };
    const given = parseDidDocument(await document(await start({ identity })), NODE_DID);
    expect(given).toMatchObject({ ok: true, value: { sealingKey: identity.sealingKey } });
  });

  it('[NODE-21] the node tells its versions, policy, limits and time', async () => {
    const fixture = await start({ policy: { type: 'invite', codes: new Set(['secret-code']) } });
    expect(json(await fixture.call('/v1/info'))).toMatchObject({
      did: NODE_DID,
      version: '0.1.0',
      protocol: PROTOCOL_VERSION,
      policy: 'invite',
      limits: { pushBytes: 4 * 1024 * 1024, dropBytes: 64 * 1024, waitS: 25 },
      nowMs: fixture.clock.nowMs(),
    });
  });

  it('[NODE-22] a node whose storage does not answer is up and not ready', async () => {
    let ready: () => boolean = () => true;
    const { fixture, parsed } = await startLogged((storage) => ({ ...storage, ready: () => ready() }));
    expect(outcomeOf(await fixture.call('/ready'))).toBe('200');
    ready = () => false;
    expect(outcomeOf(await fixture.call('/ready'))).toBe('503 UNAVAILABLE');
    ready = () => {
      throw new Error('disk is gone');
    };
    expect(outcomeOf(await fixture.call('/ready'))).toBe('503 UNAVAILABLE');
    expect(outcomeOf(await fixture.call('/health'))).toBe('200');
    expect(parsed().some((line) => line.msg === 'the storage does not answer')).toBe(true);
  });
});

describe('pages of other origins', () => {
  it('[NODE-4] may call and read every answer, refusals too, without credentials', async () => {
    const fixture = await start();
    for (const path of ['/v1/info', '/v1/nothing', `${owned.path}/pull?log=own`]) {
      const { status, headers } = await fixture.call(path, { headers: { origin: 'https://app.example' } });
      if (status >= 400) expect(headers.get('content-type')).toBe('application/problem+json');
      expect(headers.get('access-control-allow-origin')).toBe('*');
      expect(headers.get('access-control-allow-credentials')).toBeNull();
      expect(headers.get('access-control-expose-headers')).toContain('retry-after');
    }
  });

  it('[NODE-4] are told in a preflight which headers and methods they may send', async () => {
    const fixture = await start();
    const { status, headers } = await fixture.call(`${owned.path}/push`, { method: 'OPTIONS' });
    expect(status).toBe(204);
    for (const name of [
      'content-type',
      'content-digest',
      'signature',
      'signature-input',
      'sluice-invite',
      'sluice-space',
    ]) {
      expect(headers.get('access-control-allow-headers')?.split(', ')).toContain(name);
    }
    for (const name of ['GET', 'PUT', 'POST']) expect(headers.get('access-control-allow-methods')).toContain(name);
  });
});

describe('refusals', () => {
  it('[ERR-1] every failure before a route is a problem document as well', async () => {
    const fixture = await start();
    const outcomes = [
      await rawCall(fixture, '/v1/nothing', {}),
      await rawCall(fixture, '/v1/spaces', {}),
      await rawCall(fixture, '/v1/live', {}),
      await rawCall(fixture, '/v1/drops/%', {}),
      await rawCall(fixture, `/v1/drops/${'A'.repeat(300)}`, {}),
    ];
    expect(outcomes.map(({ status, code }) => `${status} ${String(code)}`)).toEqual([
      '404 NOT_FOUND',
      '404 NOT_FOUND',
      '404 NOT_FOUND',
      '400 MALFORMED',
      '400 MALFORMED',
    ]);
  });

  it('[ERR-1] what is no HTTP gets one too, and the connection ends', async () => {
    const fixture = await start();
    const answer = await new Promise<string>((resolve, reject) => {
      const parts: Buffer[] = [];
      const socket = connect(fixture.node.port, '127.0.0.1', () => socket.write('NONSENSE\r\n\r\n'));
      socket.on('data', (part) => parts.push(part));
      socket.on('end', () => resolve(Buffer.concat(parts).toString('utf8')));
      socket.on('error', reject);
    });
    expect(answer.split('\r\n')[0]).toBe('HTTP/1.1 400 Bad Request');
    expect(JSON.parse(answer.split('\r\n\r\n')[1] ?? '')).toMatchObject({ code: 'MALFORMED' });
  });

  it('[ERR-3] [ERR-4] a fault of the storage is INTERNAL, its cause only in the log, under the request id', async () => {
    const broken = (): never => {
      // With a status of its own, as errors of libraries have: it is still no statement about the request.
      throw Object.assign(new Error('canary: /var/lib/node.db is damaged'), { statusCode: 404 });
    };
    let isBroken = false;
    const { fixture, parsed } = await startLogged((storage) => ({
      ...storage,
      accessState: (space) => (isBroken ? broken() : storage.accessState(space)),
      readPage: (query) => (isBroken ? broken() : storage.readPage(query)),
      blobs: { ...storage.blobs, get: (...args) => (isBroken ? broken() : storage.blobs.get(...args)) },
    }));
    await putSpace(fixture, owned, device);
    isBroken = true;
    const id = bytesToBase64url(new Uint8Array(32));
    const answers = [
      await fixture.call(`${owned.path}/pull?log=ctl`, { key: device }),
      await fixture.call(`/v1/recovery/${id}`, { key: device }),
      await fixture.call('/did/some/did.jsonl'),
    ];
    for (const answer of answers) {
      expect(outcomeOf(answer)).toBe('500 INTERNAL');
      expect(JSON.stringify(json(answer))).not.toContain('canary');
      const logged = parsed().find((line) => line.requestId === json(answer).requestId && line.err !== undefined);
      expect(JSON.stringify(logged?.err)).toContain('canary');
    }
  });
});

describe('a server that stops', () => {
  it('[NODE-22] [NODE-25] refuses what still arrives, tells that it is up, and ends each connection', async () => {
    let stopping = false;
    const clock = createHandClock();
    const logger = pino({ level: 'silent' });
    const app = createHttpServer({ clock, random: seededRandom('http'), logger, isStopping: () => stopping });
    for (const path of ['/health', '/ready', '/v1/info']) app.get(path, async () => ({}));
    const statuses = async () => {
      const answers = await Promise.all(['/health', '/ready', '/v1/info'].map((url) => app.inject({ url })));
      return answers.map(({ statusCode, headers }) => `${statusCode} ${headers.connection ?? ''}`);
    };
    expect(await statuses()).toEqual(['200 keep-alive', '200 keep-alive', '200 keep-alive']);
    stopping = true;
    expect(await statuses()).toEqual(['200 close', '503 close', '503 close']);
    await app.close();
  });
});

describe('the log', () => {
  it('[NODE-26] has one line a request, with the pattern of the route', async () => {
    const { fixture, parsed } = await startLogged();
    await putSpace(fixture, owned, device);
    await fixture.call(`${owned.path}/pull?log=ctl&after=0`, { key: device });
    await fixture.call('/v1/nothing/here');
    await fixture.node.close();
    const requests = parsed().filter((line) => line.msg === 'request');
    expect(requests.map(({ method, route, status }) => [method, route, status])).toEqual([
      ['POST', '/v1/spaces', 200],
      ['GET', '/v1/spaces/:space/pull', 200],
      ['GET', 'none', 404],
    ]);
    for (const line of requests) {
      expect(Object.keys(line).sort()).toEqual(
        ['bytes', 'hostname', 'level', 'method', 'ms', 'msg', 'pid', 'requestId', 'route', 'status', 'time'].sort(),
      );
      expect(line.bytes).toBeGreaterThan(0);
    }
    expect(new Set(requests.map((line) => line.requestId)).size).toBe(3);
  });

  it('[NODE-26] holds no id, query value, key, body, header or address', async () => {
    const { fixture, lines } = await startLogged();
    const secrets = ['203.0.113.77', 'query-canary', 'invite-canary', 'body-canary', 'agent-canary'];
    await putSpace(fixture, owned, device, { 'sluice-invite': 'invite-canary', 'user-agent': 'agent-canary' });
    const id = bytesToBase64url(new Uint8Array(32).fill(3));
    const headers = { 'x-forwarded-for': '203.0.113.77', 'user-agent': 'agent-canary' };
    await fixture.call(`${owned.path}/pull?log=query-canary`, { key: device, headers });
    await fixture.call(`/v1/drops/${id}`, { method: 'PUT', body: new TextEncoder().encode('body-canary'), headers });
    await fixture.call(`${owned.path}/inbox`, { method: 'POST', body: new TextEncoder().encode('body-canary') });
    await fixture.call('/v1/query-canary/%', { headers });
    await fixture.call(`${owned.path}/inbox`, { method: 'POST', body: encodeCbor([new Uint8Array(40)]) });
    const live = await openLive(fixture, device);
    live.send({ type: 'sub', id: 1, key: 0, space: owned.space, log: 'own', after: 0, credit: 1 });
    await live.next('page');
    live.socket.close();
    await until(() => lines.some((line) => line.includes('/v1/live')));
    await fixture.node.close();
    const text = lines.join('\n');
    const named = [owned.space, device.publicKey, owned.root.publicKey, owned.genesis];
    for (const bytes of named) secrets.push(bytesToBase64url(bytes), bytesToHex(bytes));
    for (const secret of [...secrets, id, '127.0.0.1']) expect(text).not.toContain(secret);
    expect(lines.length).toBeGreaterThan(5);
  });
});
