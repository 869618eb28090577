import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { type Clock, createSystemClock, utf8ToBytes } from '@sluice/core/base';
import { createHardenedFetch, type HardenedFetchOptions, type LookupAll } from './hardened-fetch.ts';

const servers: Server[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
});

/** A loopback server under the name node.sluice.test. */
async function serve(listener: RequestListener) {
  const server = createServer(listener);
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return new Map([['node.sluice.test', `127.0.0.1:${(server.address() as AddressInfo).port}`]]);
}
const textFetch = (options: HardenedFetchOptions) => createHardenedFetch(options).fetchText;
const page = new URL('https://node.sluice.test/did.json?v=1');
const limits = { maxBytes: 1000, timeoutMs: 10_000 };

describe('the hardened fetch', () => {
  it('[ID-16] reaches a dev host under its own name, and sends what it is given', async () => {
    const seen: unknown[] = [];
    const devHosts = await serve((request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        seen.push([
          request.method,
          request.url,
          request.headers.host,
          request.headers['x-a'],
          Buffer.concat(chunks).toString(),
        ]);
        response.writeHead(201, { 'x-b': 'c', 'set-cookie': ['a=1', 'b=2'] }).end('made');
      });
    });
    const { fetchBytes } = createHardenedFetch({ devHosts });
    const answer = await fetchBytes(page, {
      ...limits,
      method: 'POST',
      body: utf8ToBytes('hello'),
      headers: { 'x-a': 'b' },
    });
    expect(answer).toMatchObject({
      ok: true,
      value: { status: 201, body: utf8ToBytes('made'), headers: { 'x-b': 'c', 'set-cookie': 'a=1, b=2' } },
    });
    expect(seen).toEqual([['POST', '/did.json?v=1', 'node.sluice.test', 'b', 'hello']]);
    expect(await textFetch({ devHosts })(page, limits)).toEqual({
      ok: false,
      error: { type: 'unreachable' },
    });
  });

  it('[ID-16] refuses names that are not dev hosts without looking them up, and follows a list that changes', async () => {
    const lookupAll: LookupAll = () => Promise.reject(new Error('looked up'));
    const served = await serve((_, response) => response.end('{}'));
    let devHosts = new Map<string, string>();
    const fetchText = textFetch({ devHosts: () => devHosts, lookupAll });
    expect(await fetchText(page, limits)).toEqual({ ok: false, error: { type: 'refused' } });
    devHosts = served;
    expect(await fetchText(page, limits)).toEqual({ ok: true, value: '{}' });
    expect(await fetchText(new URL('https://clinic.example/'), limits)).toEqual({
      ok: false,
      error: { type: 'refused' },
    });
  });

  it('[ID-14] does not follow a redirect', async () => {
    let asked = 0;
    const devHosts = await serve((_, response) => {
      asked++;
      response.writeHead(302, { location: 'https://node.sluice.test/other' }).end();
    });
    expect(await textFetch({ devHosts })(page, limits)).toEqual({ ok: false, error: { type: 'refused' } });
    expect(asked).toBe(1);
  });

  it('[ID-14] stops at the limit, announced or not', async () => {
    for (const announced of [true, false]) {
      const devHosts = await serve((_, response) => {
        if (announced) response.setHeader('content-length', 1001);
        response.write('x'.repeat(600));
        response.end('x'.repeat(401));
      });
      expect(await textFetch({ devHosts })(page, limits)).toEqual({
        ok: false,
        error: { type: 'too-large' },
      });
      expect(await textFetch({ devHosts })(page, { ...limits, maxBytes: 1001 })).toMatchObject({ ok: true });
    }
  });

  it('tells missing from broken', async () => {
    const answers: readonly (readonly [number, Record<string, string>, string | Buffer, string])[] = [
      [404, {}, '', 'not-found'],
      [410, {}, '', 'not-found'],
      [500, {}, '', 'unreachable'],
      [204, {}, '', 'unreachable'],
      [200, { 'content-encoding': 'gzip' }, '{}', 'unreachable'],
      [200, {}, Buffer.from([0xff, 0xfe]), 'unreachable'],
    ];
    for (const [status, headers, body, type] of answers) {
      const devHosts = await serve((_, response) => response.writeHead(status, headers).end(body));
      expect(await textFetch({ devHosts })(page, limits), `${status}`).toEqual({
        ok: false,
        error: { type },
      });
    }
    const dropped = await serve((_, response) => {
      response.writeHead(200, { 'content-length': 100 });
      response.write('x', () => response.destroy());
    });
    expect(await textFetch({ devHosts: dropped })(page, limits)).toEqual({
      ok: false,
      error: { type: 'unreachable' },
    });
    const nobody = new Map([['node.sluice.test', '127.0.0.1:1']]);
    expect(await textFetch({ devHosts: nobody })(page, limits)).toEqual({
      ok: false,
      error: { type: 'unreachable' },
    });
  });

  it('asks again when the connection it kept was closed meanwhile', async () => {
    let asked = 0;
    const devHosts = await serve((request, response) => {
      asked++;
      if (asked === 2) request.socket.destroy();
      else response.end('{}');
    });
    const fetchText = textFetch({ devHosts });
    expect(await fetchText(page, limits)).toEqual({ ok: true, value: '{}' });
    expect(await fetchText(page, limits)).toEqual({ ok: true, value: '{}' });
    expect(asked).toBe(3);
  });

  it('gives up when its time is over, even in the middle of an answer', async () => {
    const system = createSystemClock();
    let alarm = (): void => {};
    const clock: Clock = {
      ...system,
      timer: (_, run) => {
        alarm = run;
        return () => {};
      },
    };
    const devHosts = await serve((_, response) => {
      response.write('x', () => alarm());
    });
    expect(await textFetch({ devHosts, clock })(page, limits)).toEqual({
      ok: false,
      error: { type: 'unreachable' },
    });
  });

  it('[ID-15] refuses a name if any of its addresses is not public, and never dials it', async () => {
    const asked: string[] = [];
    const addresses =
      (list: readonly string[]): LookupAll =>
      async (name) => {
        asked.push(name);
        return list.map((address) => ({ address, family: address.includes(':') ? 6 : 4 }));
      };
    for (const list of [['127.0.0.1'], ['8.8.8.8', '10.0.0.1'], ['::1'], ['::ffff:127.0.0.1'], ['169.254.169.254']]) {
      const fetchText = textFetch({ lookupAll: addresses(list) });
      expect(await fetchText(new URL('https://clinic.example/'), limits), list.join()).toEqual({
        ok: false,
        error: { type: 'refused' },
      });
    }
    expect(asked).toEqual(Array(5).fill('clinic.example'));
    for (const url of [
      'http://clinic.example/',
      'https://127.0.0.1/',
      'https://localhost/',
      'https://u:p@clinic.example/',
    ]) {
      const fetchText = textFetch({ lookupAll: () => Promise.reject(new Error('looked up')) });
      expect(await fetchText(new URL(url), limits), url).toEqual({ ok: false, error: { type: 'refused' } });
    }
    expect(await textFetch({ lookupAll: addresses([]) })(new URL('https://clinic.example/'), limits)).toEqual({
      ok: false,
      error: { type: 'unreachable' },
    });
  });
});
