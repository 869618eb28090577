import { readFileSync } from 'node:fs';
import { bytesToBase64url, type Did } from '@sluice/core/base';
import { hpkeKeyPairFromSecret, type SigningKey } from '@sluice/core/crypto';
import { createWebvh, updateWebvh, type WebvhLogText } from '@sluice/core/identity';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  type Call,
  createTestSpace,
  keyOf,
  type NodeFixture,
  outcomeOf,
  putSpace,
  startNode,
  until,
} from './node-fixture.ts';

const device = keyOf('device');
const stranger = keyOf('stranger');
const owned = createTestSpace('owned', device);
const SECOND = 1000;

type IdentityVectors = {
  readonly nowMs: number;
  readonly webvh: {
    readonly did: Did;
    readonly created: string;
    readonly updated: string;
    readonly refused: readonly { readonly name: string; readonly log: string }[];
  };
};

let fixture: NodeFixture;
beforeAll(async () => {
  fixture = await startNode();
  await putSpace(fixture, owned, device);
});
afterAll(() => fixture.close());

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);
const textOf = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
const idOf = (n: number): string => bytesToBase64url(new Uint8Array(32).fill(n));

describe('recovery boxes', () => {
  const auth = keyOf('auth');
  const path = (n: number): string => `/v1/recovery/${idOf(n)}`;
  const put = (n: number, key: SigningKey, box: string) =>
    fixture.call(path(n), { method: 'PUT', key, body: bytesOf(box) });
  const get = (n: number, key: SigningKey) => fixture.call(path(n), { key });

  it('[NODE-13] the key that wrote a box reads it and replaces it', async () => {
    expect(outcomeOf(await put(1, auth, 'first'))).toBe('200');
    expect(textOf((await get(1, auth)).body)).toBe('first');
    expect(outcomeOf(await put(1, auth, 'second'))).toBe('200');
    expect(textOf((await get(1, auth)).body)).toBe('second');
  });

  it('[NODE-14] to any other key it is not there, and it stays as it is', async () => {
    await put(2, auth, 'box');
    const withoutId = async (n: number) => {
      const { status, body } = await get(n, stranger);
      const { requestId: _, ...document } = JSON.parse(textOf(body)) as Record<string, unknown>;
      return { status, document };
    };
    const foreign = await withoutId(2);
    expect(foreign.document.code).toBe('NOT_FOUND');
    expect(await withoutId(3)).toEqual(foreign);
    expect(outcomeOf(await put(2, stranger, 'mine now'))).toBe('404 NOT_FOUND');
    expect(textOf((await get(2, auth)).body)).toBe('box');
  });

  it('[NODE-13] needs a signature, a locator of 32 bytes and a box', async () => {
    expect(outcomeOf(await fixture.call(path(4)))).toBe('401 UNAUTHENTICATED');
    expect(outcomeOf(await fixture.call(path(4), { method: 'PUT', body: bytesOf('box') }))).toBe('401 UNAUTHENTICATED');
    expect(outcomeOf(await fixture.call('/v1/recovery/AAAA', { key: auth }))).toBe('400 MALFORMED');
    expect(outcomeOf(await fixture.call(path(4), { method: 'PUT', key: auth }))).toBe('400 MALFORMED');
    expect(outcomeOf(await get(4, auth))).toBe('404 NOT_FOUND');
  });
});

describe('DID logs', () => {
  const space = bytesToBase64url(owned.space);
  const [first, second, third] = [keyOf('update-1'), keyOf('update-2'), keyOf('update-3')];
  const document = {
    identityKey: device.publicKey,
    sealingKey: hpkeKeyPairFromSecret(new Uint8Array(32).fill(5)).publicKey,
  };
  const create = (domain = 'node.sluice.test') =>
    createWebvh({ domain, document, updateKey: first, nextKeys: [second.publicKey], clock: fixture.clock });
  const extend = async (made: WebvhLogText, updateKey: SigningKey, domain?: string): Promise<string> => {
    const nextKeys = [third.publicKey];
    const next = await updateWebvh({
      log: made.log,
      updateKey,
      nextKeys,
      clock: fixture.clock,
      ...(domain ? { domain } : {}),
    });
    if (!next.ok) throw new Error(next.error.type);
    return next.value.log;
  };
  const pathOf = ({ did }: WebvhLogText): string => `/did/${did.split(':')[2]}/did.jsonl`;
  const put = (path: string, log: string, call: Call = {}) =>
    fixture.call(path, { method: 'PUT', key: device, headers: { 'sluice-space': space }, ...call, body: bytesOf(log) });

  it('[NODE-15] [NODE-16] a log put by an admin of a space here is public, byte for byte', async () => {
    const made = await create();
    expect(outcomeOf(await fixture.call(pathOf(made)))).toBe('404 NOT_FOUND');
    expect(outcomeOf(await put(pathOf(made), made.log))).toBe('200');
    const answer = await fixture.call(pathOf(made));
    expect([answer.headers.get('content-type'), textOf(answer.body)]).toEqual(['text/jsonl', made.log]);
  });

  it('[NODE-16] nobody else takes up a log', async () => {
    fixture.clock.advance(SECOND);
    const made = await create();
    const path = pathOf(made);
    expect(outcomeOf(await put(path, made.log, { key: stranger }))).toBe('403 FORBIDDEN');
    expect(outcomeOf(await put(path, made.log, { headers: {} }))).toBe('403 FORBIDDEN');
    expect(outcomeOf(await put(path, made.log, { headers: { 'sluice-space': idOf(8) } }))).toBe('403 FORBIDDEN');
    const unsigned = { method: 'PUT', body: bytesOf(made.log), headers: { 'sluice-space': space } };
    expect(outcomeOf(await fixture.call(path, unsigned))).toBe('401 UNAUTHENTICATED');
    expect(outcomeOf(await fixture.call(path))).toBe('404 NOT_FOUND');
  });

  it('[NODE-16] an invalid log, one of another SCID and one of another node are refused', async () => {
    fixture.clock.advance(SECOND);
    const made = await create();
    const changed = made.log.replace('node.sluice.test', 'node.sluice.tess');
    expect(outcomeOf(await put(pathOf(made), changed))).toBe('422 BAD_DID_LOG');
    expect(outcomeOf(await put(pathOf(made), ''))).toBe('422 BAD_DID_LOG');
    fixture.clock.advance(SECOND);
    expect(outcomeOf(await put(pathOf(await create()), made.log))).toBe('422 BAD_DID_LOG');
    const elsewhere = await create('other.sluice.test');
    expect(outcomeOf(await put(pathOf(elsewhere), elsewhere.log))).toBe('422 BAD_DID_LOG');
    const binary = { method: 'PUT', key: device, body: Uint8Array.of(0xff, 0xfe) };
    expect(outcomeOf(await fixture.call(pathOf(made), binary))).toBe('400 MALFORMED');
  });

  it('[NODE-17] a stored log is replaced only by one that extends it', async () => {
    fixture.clock.advance(SECOND);
    const made = await create();
    const path = pathOf(made);
    await put(path, made.log);
    const extended = await extend(made, second);
    expect(outcomeOf(await put(path, extended, { key: stranger, headers: {} }))).toBe('200');
    expect(outcomeOf(await put(path, made.log))).toBe('422 BAD_DID_LOG');
    fixture.clock.advance(10 * SECOND);
    const fork = await extend(made, second);
    expect(fork).not.toBe(extended);
    expect(outcomeOf(await put(path, fork))).toBe('422 BAD_DID_LOG');
    expect(textOf((await fixture.call(path)).body)).toBe(extended);
  });

  it('[NODE-17] [ID-7] an update signed by the key in force, without one committed to, is refused', async () => {
    const vectors = JSON.parse(
      readFileSync(new URL('../../../../vectors/identity.json', import.meta.url), 'utf8'),
    ) as IdentityVectors;
    const { did, created, updated, refused } = vectors.webvh;
    const there = await startNode();
    try {
      there.clock.advance(vectors.nowMs + 3600 * SECOND - there.clock.nowMs());
      await putSpace(there, owned, device);
      const path = pathOf({ did, log: created });
      const putThere = async (log: string) =>
        outcomeOf(
          await there.call(path, {
            method: 'PUT',
            key: device,
            headers: { 'sluice-space': space },
            body: bytesOf(log),
          }),
        );
      expect(await putThere(created)).toBe('200');
      expect(refused.length).toBeGreaterThan(3);
      for (const { name, log } of refused) expect(await putThere(log), name).toBe('422 BAD_DID_LOG');
      expect(textOf((await there.call(path)).body)).toBe(created);
      expect(await putThere(updated)).toBe('200');
    } finally {
      await there.close();
    }
  });

  it('[NODE-17] the log of a DID that moves away tells so here', async () => {
    fixture.clock.advance(SECOND);
    const made = await create();
    await put(pathOf(made), made.log);
    const moved = await extend(made, second, 'other.sluice.test');
    expect(outcomeOf(await put(pathOf(made), moved))).toBe('200');
    expect(textOf((await fixture.call(pathOf(made))).body)).toBe(moved);
  });
});

describe('drops', () => {
  const path = (n: number): string => `/v1/drops/${idOf(n)}`;
  const put = (n: number, answer: string) => fixture.call(path(n), { method: 'PUT', body: bytesOf(answer) });

  it('[NODE-19] an answer is read once', async () => {
    expect(outcomeOf(await fixture.call(path(20)))).toBe('404 NOT_FOUND');
    expect(outcomeOf(await put(20, 'answer'))).toBe('200');
    expect(textOf((await fixture.call(path(20))).body)).toBe('answer');
    expect(outcomeOf(await fixture.call(path(20)))).toBe('404 NOT_FOUND');
  });

  it('[NODE-19] a HEAD or a preflight does not use it up', async () => {
    await put(21, 'answer');
    expect((await fixture.call(path(21), { method: 'HEAD' })).status).toBe(404);
    expect((await fixture.call(path(21), { method: 'OPTIONS' })).status).toBe(204);
    expect(textOf((await fixture.call(path(21))).body)).toBe('answer');
  });

  it('[NODE-18] the first answer stays; the same again is no other', async () => {
    await put(22, 'first');
    expect(outcomeOf(await put(22, 'other'))).toBe('409 EXISTS');
    expect(outcomeOf(await put(22, 'first'))).toBe('200');
    expect(textOf((await fixture.call(path(22))).body)).toBe('first');
  });

  it('[NODE-18] an answer nobody fetched is gone after ten minutes', async () => {
    await put(23, 'late');
    await put(24, 'kept');
    fixture.clock.advance(600 * SECOND - 1);
    expect(outcomeOf(await fixture.call(path(24)))).toBe('200');
    fixture.clock.advance(1);
    expect(outcomeOf(await fixture.call(path(23)))).toBe('404 NOT_FOUND');
    expect(outcomeOf(await put(23, 'new'))).toBe('200');
  });

  it('[NODE-19] a reader that waits gets the answer when it is left; of two, one gets it', async () => {
    const readers = [fixture.call(`${path(25)}?wait=25`), fixture.call(`${path(25)}?wait=24`)];
    await until(() => fixture.clock.hasTimer(25 * SECOND) && fixture.clock.hasTimer(24 * SECOND));
    await put(25, 'answer');
    const winner = await Promise.race(readers);
    expect(textOf(winner.body)).toBe('answer');
    fixture.clock.advance(25 * SECOND);
    const outcomes = (await Promise.all(readers)).map(outcomeOf);
    expect(outcomes.sort()).toEqual(['200', '404 NOT_FOUND']);
  });

  it('[NODE-19] a reader that goes away while it waits does not use the answer up', async () => {
    const gone = new AbortController();
    const waiting = fetch(`${fixture.node.url}${path(26)}?wait=20`, { signal: gone.signal });
    const ended = expect(waiting).rejects.toThrow('aborted');
    await until(() => fixture.clock.hasTimer(20 * SECOND));
    gone.abort();
    await ended;
    await until(() => !fixture.clock.hasTimer(20 * SECOND));
    await put(26, 'answer');
    expect(textOf((await fixture.call(path(26))).body)).toBe('answer');
  });

  it('[NODE-18] [NODE-19] of a wrong form are refused', async () => {
    expect(outcomeOf(await fixture.call('/v1/drops/AAAA'))).toBe('400 MALFORMED');
    expect(outcomeOf(await fixture.call(`${path(27)}?wait=26`))).toBe('400 MALFORMED');
    expect(outcomeOf(await fixture.call(path(27), { method: 'PUT' }))).toBe('400 MALFORMED');
  });

  it('[NODE-3] are limited for each address', async () => {
    const limited = await startNode({ limits: { drops: { perSecond: 1, burst: 2 } } });
    try {
      const outcomes = [1, 2, 3].map((n) =>
        limited.call(path(n), { method: 'PUT', body: bytesOf('x') }).then(outcomeOf),
      );
      expect((await Promise.all(outcomes)).sort()).toEqual(['200', '200', '429 RATE_LIMITED']);
    } finally {
      await limited.close();
    }
  });
});
