import { describe, expect, it } from 'vitest';
import type { Clock } from '../base/clock.ts';
import { type Did, toDid } from '../base/ids.ts';
import { err, ok, type Result } from '../base/result.ts';
import { signingKeyFromSeed } from '../crypto/sign.ts';
import { buildDidDocument } from './did-document.ts';
import { didKey } from './did-key-fixture.ts';
import { createWebvh, updateWebvh, webvhLogUrl } from './did-webvh.ts';
import { createDidResolver, createMemoryPinStore, DID_CACHE_TTL_MS, type FetchFailure } from './resolver.ts';

const T0 = Date.UTC(2026, 10, 24, 9);
const keyOf = (n: number) => signingKeyFromSeed(new Uint8Array(32).fill(n));
const parts = { identityKey: keyOf(1).publicKey, sealingKey: new Uint8Array(32).fill(2) };
const clinic = toDid('did:web:clinic.example');
const clinicUrl = 'https://clinic.example/.well-known/did.json';

/** A world of pages, and what was fetched from it. */
function world() {
  const pages = new Map<string, string | FetchFailure['type']>();
  const fetched: string[] = [];
  const time = { ms: T0 };
  const clock: Clock = { nowMs: () => time.ms, monotonicMs: () => time.ms, timer: () => () => {} };
  const fetchText = async (url: URL): Promise<Result<string, FetchFailure>> => {
    fetched.push(url.href);
    const page = pages.get(url.href) ?? 'not-found';
    return page === 'not-found' || page === 'unreachable' || page === 'too-large' || page === 'refused'
      ? err({ type: page })
      : ok(page);
  };
  return { pages, fetched, time, clock, fetchText };
}

async function webvh(clock: Clock) {
  const make = { domain: 'node.example', document: parts, clock };
  const { did, log } = await createWebvh({
    ...make,
    updateKey: keyOf(1),
    nextKeys: [keyOf(2).publicKey, keyOf(3).publicKey],
  });
  const next = async (updateKey: number) => {
    const result = await updateWebvh({ log, updateKey: keyOf(updateKey), nextKeys: [keyOf(4).publicKey], clock });
    return result.ok ? result.value.log : '';
  };
  return { did, log, url: webvhLogUrl(did).href, byDevice: await next(2), byRecovery: await next(3) };
}

describe('the DID resolver', () => {
  it('resolves did:key without fetching, did:web and did:webvh by one fetch', async () => {
    const { pages, fetched, clock, fetchText } = world();
    const { did, log, url } = await webvh(clock);
    pages.set(url, log).set(clinicUrl, JSON.stringify(buildDidDocument({ did: clinic, ...parts })));
    const resolver = createDidResolver({ fetchText, clock });
    const device = didKey(keyOf(7).publicKey);
    expect(await resolver.resolve(device)).toMatchObject({
      ok: true,
      value: { did: device, identityKey: keyOf(7).publicKey },
    });
    expect(fetched).toEqual([]);
    expect(await resolver.resolve(clinic)).toEqual({ ok: true, value: { did: clinic, ...parts } });
    expect(await resolver.resolve(did)).toEqual({
      ok: true,
      value: { did, ...parts, versionId: (JSON.parse(log) as { versionId: string }).versionId },
    });
    expect(fetched).toEqual([clinicUrl, url]);
  });

  it('[ID-3] refuses a document about another DID', async () => {
    const { pages, clock, fetchText } = world();
    pages.set(clinicUrl, JSON.stringify(buildDidDocument({ did: toDid('did:web:evil.example'), ...parts })));
    expect(await createDidResolver({ fetchText, clock }).resolve(clinic)).toEqual({
      ok: false,
      error: { type: 'mismatch' },
    });
  });

  it('passes on why a fetch failed, and refuses text that is no document', async () => {
    const { pages, clock, fetchText } = world();
    const resolver = createDidResolver({ fetchText, clock });
    for (const type of ['not-found', 'unreachable', 'too-large', 'refused'] as const) {
      pages.set(clinicUrl, type);
      expect(await resolver.resolve(clinic)).toEqual({ ok: false, error: { type } });
    }
    const good = JSON.stringify(buildDidDocument({ did: clinic, ...parts }));
    for (const text of [
      '',
      '[]',
      'null',
      '{}}',
      `${'['.repeat(9999)}`,
      good.replace('{', '{"id":"did:web:clinic.example",'),
      `{"a":"${'x'.repeat(70_000)}"}`,
    ]) {
      pages.set(clinicUrl, text);
      const result = await resolver.resolve(clinic);
      expect(!result.ok && result.error.type, text.slice(0, 60)).toMatch(/^(malformed|mismatch|too-large)$/);
    }
    for (const did of ['did:web:localhost', 'did:key:z6Mk', 'did:webvh:Qm:127.0.0.1', 'nonsense', '']) {
      expect(await resolver.resolve(did as Did), did).toEqual({ ok: false, error: { type: 'malformed' } });
    }
    expect(await resolver.resolve('did:plc:abc' as Did)).toEqual({ ok: false, error: { type: 'unsupported-method' } });
  });

  it('[ID-17] reuses an answer for five minutes, shares one under way, and never keeps a failure', async () => {
    const { pages, fetched, time, clock, fetchText } = world();
    const resolver = createDidResolver({ fetchText, clock });
    expect((await resolver.resolve(clinic)).ok).toBe(false);
    pages.set(clinicUrl, JSON.stringify(buildDidDocument({ did: clinic, ...parts })));
    const answers = await Promise.all([resolver.resolve(clinic), resolver.resolve(clinic)]);
    expect(answers.map((answer) => answer.ok)).toEqual([true, true]);
    time.ms += DID_CACHE_TTL_MS - 1;
    await resolver.resolve(clinic);
    expect(fetched.length).toBe(2);
    time.ms += 1;
    await resolver.resolve(clinic);
    expect(fetched.length).toBe(3);
  });

  it('[ID-17] forgets the oldest answer when it holds a thousand', async () => {
    const { fetched, clock, pages, fetchText } = world();
    const resolver = createDidResolver({ fetchText, clock });
    const sites = Array.from({ length: 1001 }, (_, i) => toDid(`did:web:s${i}.example`));
    for (const [i, did] of sites.entries()) {
      pages.set(`https://s${i}.example/.well-known/did.json`, JSON.stringify(buildDidDocument({ did, ...parts })));
      await resolver.resolve(did);
    }
    await resolver.resolve(sites[1000] as Did);
    await resolver.resolve(sites[1] as Did);
    expect(fetched.length).toBe(1001);
    await resolver.resolve(sites[0] as Did);
    expect(fetched.length).toBe(1002);
  });

  it('[ID-10] refuses a log that was rolled back or rewritten, even after a restart', async () => {
    const { pages, time, clock, fetchText } = world();
    const { did, log, url, byDevice, byRecovery } = await webvh(clock);
    const pins = createMemoryPinStore();
    pages.set(url, byDevice);
    expect((await createDidResolver({ fetchText, clock, pins }).resolve(did)).ok).toBe(true);
    const pinned = await pins.get(did);
    expect(pinned).toMatch(/^2-/);
    time.ms += 60_000;
    for (const served of [log, byRecovery]) {
      pages.set(url, served);
      const resolver = createDidResolver({ fetchText, clock, pins });
      expect(await resolver.resolve(did)).toEqual({ ok: false, error: { type: 'rollback', pinned } });
      expect(await pins.get(did)).toBe(pinned);
      expect((await createDidResolver({ fetchText, clock }).resolve(did)).ok).toBe(true);
    }
  });

  it('[ID-10] follows a log that goes on', async () => {
    const { pages, time, clock, fetchText } = world();
    const { did, log, url, byDevice } = await webvh(clock);
    const resolver = createDidResolver({ fetchText, clock });
    pages.set(url, log);
    expect(await resolver.resolve(did)).toMatchObject({ ok: true, value: { versionId: expect.stringMatching(/^1-/) } });
    pages.set(url, byDevice);
    time.ms += DID_CACHE_TTL_MS;
    expect(await resolver.resolve(did)).toMatchObject({ ok: true, value: { versionId: expect.stringMatching(/^2-/) } });
  });
});
