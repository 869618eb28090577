import { bytesToBase64url } from '@sluice/core/base';
import { sha256 } from '@sluice/core/crypto';
import { inboxStreamId } from '@sluice/core/stream';
import {
  type CborValue,
  decodeCbor,
  decodeHeader,
  decodePage,
  decodePushAnswer,
  encodeCbor,
  encodePush,
  ENTRY_KIND,
  type Page,
} from '@sluice/core/wire';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  type Answer,
  createTestSpace,
  keyOf,
  type NODE_DID,
  type NodeFixture,
  outcomeOf,
  ownPush,
  putSpace,
  startNode,
  until,
} from './node-fixture.ts';

const device = keyOf('device');
const stranger = keyOf('stranger');
const grantee = keyOf('grantee');
const SECOND = 1000;

let fixture: NodeFixture;
beforeEach(async () => {
  fixture = await startNode();
});
afterEach(() => fixture.close());

function pageOf(answer: Answer): Page {
  const page = decodePage(answer.body);
  if (answer.status !== 200 || !page.ok) throw new Error(`no page: ${outcomeOf(answer)}`);
  return page.value;
}
function cborOf(answer: Answer): CborValue {
  const value = decodeCbor(answer.body, { maxBytes: 1024, maxDepth: 4 });
  if (!value.ok) throw new Error('no CBOR');
  return value.value;
}
const message = (n: number): Uint8Array => new Uint8Array(100).fill(n);
const post = (path: string, body: Uint8Array, key = device) => fixture.call(path, { method: 'POST', body, key });
const deposit = (path: string, messages: readonly Uint8Array[], headers: Record<string, string> = {}) =>
  fixture.call(`${path}/inbox`, { method: 'POST', body: encodeCbor([...messages]), headers });

describe('creating a space', () => {
  it('[NODE-5] gives the answer to its first push, and the same one again', async () => {
    const space = createTestSpace('one', device);
    const first = await putSpace(fixture, space, device);
    expect(first.headers.get('content-type')).toBe('application/cbor');
    expect(decodePushAnswer(first.body)).toEqual({
      ok: true,
      value: { nowMs: fixture.clock.nowMs(), parts: [{ type: 'ok', head: 1 }] },
    });
    expect((await putSpace(fixture, space, device)).body).toEqual(first.body);
  });

  it('[NODE-5] is refused unsigned, malformed, or with anything but control entries first', async () => {
    const space = createTestSpace('one', device);
    const body = encodeCbor([space.genesis, space.firstPush]);
    expect(outcomeOf(await fixture.call('/v1/spaces', { method: 'POST', body }))).toBe('401 UNAUTHENTICATED');
    const bad = [
      encodeCbor([space.genesis]),
      body.subarray(1),
      encodeCbor([space.firstPush, space.genesis]),
      encodeCbor([space.genesis, encodePush([])]),
      encodeCbor([space.genesis, encodePush([{ type: 'drain', tags: [] }])]),
    ];
    for (const wrong of bad) expect(outcomeOf(await post('/v1/spaces', wrong))).toBe('400 MALFORMED');
    expect(fixture.storage.accessState(space.space)).toBeUndefined();
  });

  it('[NODE-6] is refused when the genesis names another node', async () => {
    const elsewhere = createTestSpace('one', device, undefined, 'did:web:other.sluice.test' as typeof NODE_DID);
    expect(outcomeOf(await putSpace(fixture, elsewhere, device))).toBe('400 MALFORMED');
  });

  it('[NODE-7] needs a code where the policy is invite', async () => {
    const invited = await startNode({ policy: { type: 'invite', codes: new Set(['spring']) } });
    try {
      const space = createTestSpace('one', device);
      expect(outcomeOf(await putSpace(invited, space, device))).toBe('403 INVITE_REQUIRED');
      expect(outcomeOf(await putSpace(invited, space, device, { 'sluice-invite': 'autumn' }))).toBe(
        '403 INVITE_REQUIRED',
      );
      expect(outcomeOf(await putSpace(invited, space, device, { 'sluice-invite': 'spring' }))).toBe('200');
    } finally {
      await invited.close();
    }
  });
});

describe('push and pull', () => {
  it('[NODE-8] [NODE-9] what one device pushes another pulls, page by page of the log it asks for', async () => {
    const other = keyOf('tablet');
    const space = createTestSpace('one', device);
    await putSpace(fixture, space, device);
    await post(`${space.path}/push`, encodePush([{ type: 'ctl', entries: [space.rowEntry('tablet', other)] }]));
    const pushed = await post(`${space.path}/push`, ownPush(device, fixture, 1, ['a', 'b']).push);
    expect(decodePushAnswer(pushed.body)).toMatchObject({ ok: true, value: { parts: [{ type: 'ok', head: 2 }] } });

    const pull = (log: string, after: number, rest = '') =>
      fixture.call(`${space.path}/pull?log=${log}&after=${after}${rest}`, { key: other }).then(pageOf);
    const all = await pull('own', 0, '&whole=1');
    expect(all).toMatchObject({ cursor: 2, head: 2, more: false, whole: true });
    expect([all.entries.length, all.seals.length, all.vector.length]).toEqual([2, 1, 1]);
    expect(await pull('own', 2)).toMatchObject({ entries: [], cursor: 2, whole: false });
    expect((await pull('ctl', 0)).entries.length).toBe(2);
  });

  it('[NODE-9] a pull of another form is refused', async () => {
    const space = createTestSpace('one', device);
    await putSpace(fixture, space, device);
    const bad = [
      'after=0',
      'log=own&after=-1',
      'log=own&after=1e3',
      'log=own&after=',
      'log=own&after=0&after=1',
      'log=public',
      'log=own&log=ctl',
      'log=own&after=9007199254740993',
      'log=own&wait=26',
      'log=own&wait=0.5',
      'log=AAAA',
    ];
    for (const query of bad) {
      const answer = await fixture.call(`${space.path}/pull?${query}`, { key: device });
      expect(`${query}: ${outcomeOf(answer)}`).toBe(`${query}: 400 MALFORMED`);
    }
    for (const id of ['short', 'A'.repeat(44), '*'.repeat(43)]) {
      const answer = await fixture.call(`/v1/spaces/${id}/pull?log=own`, { key: device });
      expect(outcomeOf(answer)).toBe('400 MALFORMED');
    }
  });

  it('[ERR-6] [PUSH-9] to a stranger a space that exists and one that does not look the same', async () => {
    const there = createTestSpace('one', device);
    const absent = createTestSpace('two', device);
    await putSpace(fixture, there, device);
    const { push } = ownPush(stranger, fixture, 1, ['a']);
    const drain = encodePush([{ type: 'drain', tags: [] }]);
    const seen = async (path: string) => {
      const answers = [
        await fixture.call(`${path}/pull?log=own&after=0`, { key: stranger }),
        await fixture.call(`${path}/pull?log=ctl&after=0&wait=1`, { key: stranger }),
        await post(`${path}/push`, push, stranger),
        await post(`${path}/push`, drain, stranger),
      ];
      return answers.map(({ status, headers, body }) => {
        const { requestId: _, ...document } = JSON.parse(new TextDecoder().decode(body)) as Record<string, unknown>;
        return { status, document, type: headers.get('content-type'), names: [...headers.keys()].sort() };
      });
    };
    const forbidden = await seen(there.path);
    expect(forbidden.map((a) => a.document.code)).toEqual(['FORBIDDEN', 'FORBIDDEN', 'FORBIDDEN', 'FORBIDDEN']);
    expect(await seen(absent.path)).toEqual(forbidden);
  });
});

describe('waiting pulls', () => {
  const pull = (path: string, wait: number, key = device) =>
    fixture.call(`${path}/pull?log=inbox&after=0&wait=${wait}`, { key });
  const isWaiting = (seconds: number) => until(() => fixture.clock.hasTimer(seconds * SECOND));

  it('[NODE-10] a pull with nothing to give is answered by the next entry', async () => {
    const space = createTestSpace('one', device);
    await putSpace(fixture, space, device);
    const waiting = pull(space.path, 20);
    await isWaiting(20);
    await deposit(space.path, [message(1)]);
    expect(pageOf(await waiting)).toMatchObject({ head: 1, entries: [{ seq: 1, body: message(1) }] });
    expect(fixture.clock.hasTimer(20 * SECOND)).toBe(false);
    expect(pageOf(await pull(space.path, 20)).entries.length).toBe(1);
  });

  it('[NODE-10] a commit to another log or space does not answer it, and the time does', async () => {
    const space = createTestSpace('one', device);
    const other = createTestSpace('two', device);
    await putSpace(fixture, space, device);
    await putSpace(fixture, other, device);
    let isAnswered = false;
    const waiting = pull(space.path, 25).finally(() => {
      isAnswered = true;
    });
    await isWaiting(25);
    await post(`${space.path}/push`, ownPush(device, fixture, 1, ['a']).push);
    await deposit(other.path, [message(1)]);
    await isWaiting(25);
    expect(isAnswered).toBe(false);
    fixture.clock.advance(25 * SECOND);
    expect(pageOf(await waiting)).toMatchObject({ head: 0, entries: [], nowMs: fixture.clock.nowMs() });
  });

  it('[NODE-11] a reader revoked while it waits gets a refusal and no entry', async () => {
    const space = createTestSpace('one', device);
    await putSpace(fixture, space, device);
    const row = { role: 'session', access: [{ target: Uint8Array.of(3), verbs: 1 }] } as const;
    const ctl = (entry: ReturnType<typeof space.rowEntry>) =>
      post(`${space.path}/push`, encodePush([{ type: 'ctl', entries: [entry] }]));
    expect(outcomeOf(await ctl(space.rowEntry('session', grantee, row)))).toBe('200');
    const waiting = pull(space.path, 20, grantee);
    await isWaiting(20);
    expect(outcomeOf(await ctl(space.rowEntry('session', grantee, { ...row, status: 'revoked' })))).toBe('200');
    expect(outcomeOf(await waiting)).toBe('403 REVOKED');
  });

  it('a client that goes away while it waits leaves nothing behind', async () => {
    const space = createTestSpace('one', device);
    await putSpace(fixture, space, device);
    const path = `${space.path}/pull?log=inbox&after=0&wait=20`;
    const gone = new AbortController();
    const waiting = fetch(`${fixture.node.url}${path}`, {
      headers: fixture.sign(path, { key: device }),
      signal: gone.signal,
    });
    const ended = expect(waiting).rejects.toThrow('aborted');
    await isWaiting(20);
    gone.abort();
    await ended;
    await until(() => !fixture.clock.hasTimer(20 * SECOND));
  });
});

describe('deposits', () => {
  it('[NODE-12] are taken unsigned, counted, and stored once', async () => {
    const space = createTestSpace('one', device);
    await putSpace(fixture, space, device);
    expect(cborOf(await deposit(space.path, [message(1), message(2)]))).toEqual([2]);
    expect(cborOf(await deposit(space.path, [message(2), message(3)]))).toEqual([1]);
    const page = pageOf(await fixture.call(`${space.path}/pull?log=inbox&after=0`, { key: device }));
    expect(page.entries.map((e) => e.body?.[0])).toEqual([1, 2, 3]);
  });

  it('[ENT-7] [CTL-2] stand in the inbox stream under the hash of their bytes and the time of the node', async () => {
    const space = createTestSpace('one', device);
    await putSpace(fixture, space, device);
    await deposit(space.path, [message(7)]);
    const page = pageOf(await fixture.call(`${space.path}/pull?log=inbox&after=0`, { key: device }));
    const id = sha256(message(7)).slice(0, 16);
    expect(page.entries).toHaveLength(1);
    expect(page.entries[0]).toMatchObject({ seq: 1, stream: inboxStreamId(space.space), body: message(7), memo: null });
    expect(decodeHeader(page.entries[0]?.header ?? id)).toEqual({
      ok: true,
      value: {
        writer: id,
        n: 0,
        tag: id,
        kind: ENTRY_KIND.PUT,
        hlc: { ms: fixture.clock.nowMs(), counter: 0 },
        epoch: 0,
        superseded: [],
        expiresMs: null,
      },
    });
  });

  it('[NODE-12] of a wrong number, size or form are refused', async () => {
    const space = createTestSpace('one', device);
    await putSpace(fixture, space, device);
    const outcome = async (messages: readonly Uint8Array[]) => outcomeOf(await deposit(space.path, messages));
    expect(await outcome([])).toBe('400 MALFORMED');
    expect(await outcome(Array.from({ length: 101 }, (_, i) => message(i)))).toBe('413 TOO_LARGE');
    expect(await outcome([new Uint8Array(256 * 1024 + 1)])).toBe('413 TOO_LARGE');
    const text = { method: 'POST', body: new TextEncoder().encode('[]') };
    expect(outcomeOf(await fixture.call(`${space.path}/inbox`, text))).toBe('400 MALFORMED');
    const absent = `/v1/spaces/${bytesToBase64url(new Uint8Array(32))}`;
    expect(outcomeOf(await deposit(absent, [message(1)]))).toBe('404 NOT_FOUND');
  });

  it('[NODE-3] [ERR-5] over the limit of the address are refused whole, with the time to wait', async () => {
    const limited = await startNode({
      limits: { messages: { perSecond: 2, burst: 10 } },
      listen: { port: 0, proxies: ['127.0.0.1'] },
    });
    try {
      const space = createTestSpace('one', device);
      await putSpace(limited, space, device);
      const send = (from: string, first: number, count: number) =>
        limited.call(`${space.path}/inbox`, {
          method: 'POST',
          body: encodeCbor(Array.from({ length: count }, (_, i) => message(first + i))),
          headers: { 'x-forwarded-for': from },
        });
      expect(outcomeOf(await send('198.51.100.9, 203.0.113.1', 1, 8))).toBe('200');
      const refused = await send('198.51.100.8, 203.0.113.1', 11, 7);
      expect(outcomeOf(refused)).toBe('429 RATE_LIMITED');
      expect(refused.headers.get('retry-after')).toBe('3');
      expect(limited.storage.head(space.space, { type: 'inbox' })).toBe(8);
      expect(outcomeOf(await send('203.0.113.2', 21, 7))).toBe('200');
      limited.clock.advance(3 * SECOND);
      expect(outcomeOf(await send('203.0.113.1', 11, 7))).toBe('200');
    } finally {
      await limited.close();
    }
  });

  it('[NODE-28] are charged by size: a large message costs as much as the small ones that take its room', async () => {
    const limited = await startNode({ limits: { messages: { perSecond: 1, burst: 10 } } });
    try {
      const space = createTestSpace('one', device);
      await putSpace(limited, space, device);
      const send = async (...sizes: readonly number[]) => {
        const body = encodeCbor(sizes.map((size) => new Uint8Array(size).fill(size)));
        return outcomeOf(await limited.call(`${space.path}/inbox`, { method: 'POST', body }));
      };
      expect(await send(40 * 1024 + 1)).toBe('429 RATE_LIMITED');
      expect(await send(36 * 1024)).toBe('200');
      expect(await send(100, 101)).toBe('429 RATE_LIMITED');
      expect(await send(4096)).toBe('200');
      limited.clock.advance(10 * SECOND);
      expect(await send(40 * 1024)).toBe('200');
    } finally {
      await limited.close();
    }
  });

  it('[NODE-3] 2,000 messages of 2 KiB in deposits of 100 are within what an address may leave at once', async () => {
    const space = createTestSpace('one', device);
    await putSpace(fixture, space, device);
    for (let d = 0; d < 20; d++) {
      const messages = Array.from({ length: 100 }, (_, i) => {
        const sealed = new Uint8Array(2400);
        new DataView(sealed.buffer).setUint32(0, 100 * d + i);
        return sealed;
      });
      expect(cborOf(await deposit(space.path, messages))).toEqual([100]);
    }
  });

  it('[NODE-3] an address given by anybody but a trusted proxy is not believed', async () => {
    const limited = await startNode({ limits: { spaces: { perSecond: 1, burst: 1 } } });
    try {
      const create = (name: string) =>
        putSpace(limited, createTestSpace(name, device), device, { 'x-forwarded-for': `203.0.113.${name.length}` });
      expect(outcomeOf(await create('a'))).toBe('200');
      expect(outcomeOf(await create('bb'))).toBe('429 RATE_LIMITED');
      limited.clock.advance(SECOND);
      expect(outcomeOf(await create('bb'))).toBe('200');
    } finally {
      await limited.close();
    }
  });
});
