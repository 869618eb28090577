import { bytesToBase64url } from '@sluice/core/base';
import { encodeCbor, MAX_DROP_BYTES } from '@sluice/core/wire';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTestSpace, keyOf, type NodeFixture, outcomeOf, putSpace, rawCall, startNode } from './node-fixture.ts';

const device = keyOf('device');
const owned = createTestSpace('owned', device);
const PULL = `${owned.path}/pull?log=ctl&after=0`;
const OTHER_NODE = 'https://other.sluice.test';
const MINUTE = 60_000;

let fixture: NodeFixture;
beforeAll(async () => {
  fixture = await startNode();
  await putSpace(fixture, owned, device);
});
afterAll(() => fixture.close());

describe('signed requests', () => {
  it('a signed request is served, an unsigned one is not', async () => {
    expect(outcomeOf(await fixture.call(PULL, { key: device }))).toBe('200');
    expect(outcomeOf(await fixture.call(PULL))).toBe('401 UNAUTHENTICATED');
    expect(outcomeOf(await fixture.call(PULL, { headers: { signature: 'x', 'signature-input': 'y' } }))).toBe(
      '401 UNAUTHENTICATED',
    );
  });

  it('[HTTP-2] [NODE-1] a request signed for another node is refused here, whatever its Host says', async () => {
    const relayed = fixture.sign(PULL, { key: device, signAs: { origin: OTHER_NODE } });
    expect(await rawCall(fixture, PULL, relayed)).toEqual({ status: 401, code: 'UNAUTHENTICATED' });
    const withHost = { ...relayed, host: 'other.sluice.test', 'x-forwarded-host': 'other.sluice.test' };
    expect(await rawCall(fixture, PULL, withHost)).toEqual({ status: 401, code: 'UNAUTHENTICATED' });
    const own = fixture.sign(PULL, { key: device });
    expect(await rawCall(fixture, PULL, { ...own, host: 'anything.example' })).toMatchObject({ status: 200 });
  });

  it('[NODE-1] an absolute target does not bring its own origin along', async () => {
    const relayed = fixture.sign(PULL, { key: device, signAs: { origin: OTHER_NODE } });
    expect(await rawCall(fixture, `${OTHER_NODE}${PULL}`, relayed)).toEqual({ status: 400, code: 'MALFORMED' });
    const own = fixture.sign(PULL, { key: device });
    expect(await rawCall(fixture, `https://node.sluice.test${PULL}`, own)).toEqual({ status: 400, code: 'MALFORMED' });
  });

  it('[NODE-1] a query behind a fragment sign, or another spelling of the path, is not what was signed', async () => {
    const bare = `${owned.path}/pull`;
    const signed = fixture.sign(bare, { key: device });
    expect(await rawCall(fixture, `${bare}#log=ctl`, signed)).toEqual({ status: 400, code: 'MALFORMED' });
    const dotted = fixture.sign(PULL, { key: device });
    expect(await rawCall(fixture, PULL.replace('/v1/', '/v1/./'), dotted)).toEqual({ status: 404, code: 'NOT_FOUND' });
    const quoted = fixture.sign(`${PULL}%27`, { key: device });
    expect(await rawCall(fixture, `${PULL}'`, quoted)).toEqual({ status: 400, code: 'MALFORMED' });
  });

  it('[HTTP-6] the same signed request is served once', async () => {
    const headers = fixture.sign(PULL, { key: device });
    expect(outcomeOf(await fixture.call(PULL, { headers }))).toBe('200');
    const again = await fixture.call(PULL, { headers });
    expect(outcomeOf(again)).toBe('401 REPLAYED');
    expect(JSON.parse(new TextDecoder().decode(again.body))).toMatchObject({ retry: 'after' });
  });

  it('[HTTP-4] a signature outside its time is EXPIRED, with the time to correct by', async () => {
    const nowMs = fixture.clock.nowMs();
    const at = (ms: number) => fixture.call(PULL, { key: device, signAs: { nowMs: ms } });
    const old = await at(nowMs - 6 * MINUTE);
    expect(outcomeOf(old)).toBe('401 EXPIRED');
    expect(JSON.parse(new TextDecoder().decode(old.body))).toMatchObject({ nowMs, retry: 'after' });
    expect(outcomeOf(await at(nowMs + 6 * MINUTE))).toBe('401 EXPIRED');
    expect(outcomeOf(await at(nowMs - 4 * MINUTE))).toBe('200');
    expect(outcomeOf(await at(nowMs + 4 * MINUTE))).toBe('200');
  });

  it('[HTTP-3] a body that is not the one signed is refused', async () => {
    const body = encodeCbor([owned.genesis, owned.firstPush]);
    const send = (signed: Uint8Array | undefined, sent: Uint8Array) =>
      fixture.call('/v1/spaces', {
        method: 'POST',
        body: sent,
        headers: fixture.sign('/v1/spaces', { method: 'POST', key: device, ...(signed ? { body: signed } : {}) }),
      });
    const changed = body.slice();
    changed[60] = (changed[60] ?? 0) ^ 1;
    expect(outcomeOf(await send(body, changed))).toBe('401 UNAUTHENTICATED');
    expect(outcomeOf(await send(undefined, body))).toBe('401 UNAUTHENTICATED');
    expect(outcomeOf(await send(body, body))).toBe('200');
  });

  it('a request signed for another method or query is refused', async () => {
    const headers = fixture.sign(PULL, { key: device });
    expect(outcomeOf(await fixture.call(`${PULL}&whole=1`, { headers }))).toBe('401 UNAUTHENTICATED');
    const path = `/v1/recovery/${bytesToBase64url(new Uint8Array(32))}`;
    const forGet = fixture.sign(path, { key: device });
    expect(outcomeOf(await fixture.call(path, { method: 'PUT', headers: forGet }))).toBe('401 UNAUTHENTICATED');
  });

  it('[NODE-2] a body over the limit is refused, announced or not', async () => {
    const path = (id: number) => `/v1/drops/${bytesToBase64url(new Uint8Array(32).fill(id))}`;
    const put = (id: number, size: number) =>
      fixture.call(path(id), { method: 'PUT', body: new Uint8Array(size).fill(7) });
    expect(outcomeOf(await put(1, MAX_DROP_BYTES))).toBe('200');
    expect(outcomeOf(await put(2, MAX_DROP_BYTES + 1))).toBe('413 TOO_LARGE');
    const parts = new ReadableStream({
      start: (stream) => {
        for (let i = 0; i <= MAX_DROP_BYTES / 1024; i++) stream.enqueue(new Uint8Array(1024).fill(7));
        stream.close();
      },
    });
    const init = { method: 'PUT', body: parts, duplex: 'half' } as RequestInit;
    const streamed = await fetch(`${fixture.node.url}${path(3)}`, init);
    expect(streamed.status).toBe(413);
    expect(outcomeOf(await fixture.call(path(3)))).toBe('404 NOT_FOUND');
  });

  it('[NODE-2] each route has its own limit', async () => {
    const id = bytesToBase64url(new Uint8Array(32).fill(9));
    const limits: readonly (readonly [string, string, number])[] = [
      ['POST', `${owned.path}/push`, 4 * 1024 * 1024],
      ['POST', `${owned.path}/inbox`, 8 * 1024 * 1024 + 1024],
      ['PUT', `/v1/recovery/${id}`, 16 * 1024],
      ['PUT', `/did/${id}/did.jsonl`, 256 * 1024],
    ];
    for (const [method, path, size] of limits) {
      const send = (bytes: number) => fixture.call(path, { method, body: new Uint8Array(bytes), key: device });
      expect(`${path} ${(await send(size + 1)).status}`).toBe(`${path} 413`);
      expect(`${path} ${(await send(size)).status}`).not.toBe(`${path} 413`);
    }
  });
});
