import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bytesToUtf8, utf8ToBytes } from '../base/bytes.ts';
import type { Clock } from '../base/clock.ts';
import { type Did, toDid } from '../base/ids.ts';
import { ok } from '../base/result.ts';
import { signingKeyFromSeed } from '../crypto/sign.ts';
import { createDeviceCard, openDeviceCard } from './device-card.ts';
import { buildDidDocument, parseDidDocument } from './did-document.ts';
import { parseDidKey } from './did-key.ts';
import { didKey } from './did-key-fixture.ts';
import { parseDidWeb } from './did-web.ts';
import { createWebvh, resolveWebvhLog, updateWebvh } from './did-webvh.ts';
import { openDocument, signDocument } from './document.ts';
import { checkUrl, isPrivateAddress } from './fetch-policy.ts';
import { signHello, verifyHello } from './http/hello.ts';
import { signRequest, verifyRequest } from './http/http-signature.ts';
import { hasUniqueKeys } from './unique-keys.ts';
import { verifyWebvhLog } from './webvh/verify-log.ts';

const SEED = 20261124;
const keyOf = (n: number) => signingKeyFromSeed(new Uint8Array(32).fill(n));
const [identity, device] = [keyOf(1), keyOf(2)];
const did = toDid('did:web:alice.example');
const node = toDid('did:web:node.sluice.test');
const nowMs = Date.UTC(2026, 10, 24, 9);
const clock: Clock = { nowMs: () => nowMs, monotonicMs: () => nowMs, timer: () => () => {} };
const resolve = async () => ok({ did, identityKey: identity.publicKey, sealingKey: new Uint8Array(32) });
const card = createDeviceCard({ did, deviceKey: device.publicKey, issuedAt: nowMs, name: 'Phone' }, identity);
const nonce = new Uint8Array(16).fill(3);

/** The bytes with one bit turned over. */
function flipped(bytes: Uint8Array, position: number): Uint8Array {
  const out = Uint8Array.from(bytes);
  const at = Math.floor(position / 8) % bytes.length;
  out[at] = (out[at] ?? 0) ^ (1 << (position % 8));
  return out;
}
const bit = fc.nat({ max: 1 << 20 });
const holds = (runs: number) => ({ seed: SEED, numRuns: runs });

describe('any bit', () => {
  it('[ID-18] prop: of a device card that turns over makes it fail', () => {
    const open = (bytes: Uint8Array): boolean => openDeviceCard(bytes, identity.publicKey, { did, nowMs }).ok;
    expect(open(card)).toBe(true);
    fc.assert(
      fc.property(bit, (position) => !open(flipped(card, position))),
      holds(150),
    );
  });

  it('[ID-19] prop: of a signed document that turns over makes it fail', async () => {
    const signed = signDocument('connect/1', { app: 'did:web:clinic.example' }, { did, key: device, card });
    const open = async (bytes: Uint8Array): Promise<boolean> =>
      (await openDocument(bytes, 'connect/1', resolve, nowMs)).ok;
    expect(await open(signed)).toBe(true);
    await fc.assert(
      fc.asyncProperty(bit, async (position) => !(await open(flipped(signed, position)))),
      holds(150),
    );
  });

  it('[HTTP-8] prop: of a hello that turns over makes it fail', () => {
    const signed = signHello(device, node, nonce, nowMs);
    expect(verifyHello(signed, node, nonce, nowMs).ok).toBe(true);
    fc.assert(
      fc.property(bit, (position) => !verifyHello(flipped(signed, position), node, nonce, nowMs).ok),
      holds(150),
    );
  });

  it('[HTTP-3] prop: of a signed request that turns over, in header, body or URL, makes it fail', async () => {
    const url = 'https://node.sluice.test/v1/push';
    const body = utf8ToBytes('sealed');
    const headers = signRequest({ method: 'POST', url, body, key: device, clock, random: () => nonce });
    const verify = async (change: object): Promise<boolean> =>
      (await verifyRequest({ method: 'POST', url, headers, body, nowMs, ...change })).ok;
    expect(await verify({})).toBe(true);
    const text = (value: string, position: number): string =>
      String.fromCharCode(...flipped(utf8ToBytes(value), position));
    await fc.assert(
      fc.asyncProperty(
        bit,
        fc.constantFrom('signature', 'signature-input', 'content-digest'),
        async (position, name) => {
          const value = headers[name] ?? '';
          return !(await verify({ headers: { ...headers, [name]: text(value, position) } }));
        },
      ),
      holds(200),
    );
    await fc.assert(
      fc.asyncProperty(bit, async (position) => !(await verify({ body: flipped(body, position) }))),
      holds(50),
    );
    // Only what another spelling of the same URL hides (case of the host) may pass.
    const same = (other: string): boolean => URL.canParse(other) && new URL(other).href === url;
    await fc.assert(
      fc.asyncProperty(bit, async (position) => {
        const other = text(url, position);
        return same(other.replace(/#.*$/, '')) || !(await verify({ url: other }));
      }),
      holds(100),
    );
  });

  it('[ID-6] prop: of a did:webvh log that turns over makes it fail', async () => {
    const document = { identityKey: identity.publicKey, sealingKey: new Uint8Array(32).fill(9) };
    const born = await createWebvh({
      domain: 'node.example',
      document,
      updateKey: keyOf(3),
      nextKeys: [keyOf(4).publicKey],
      clock,
    });
    const updated = await updateWebvh({ log: born.log, updateKey: keyOf(4), nextKeys: [keyOf(5).publicKey], clock });
    const log = utf8ToBytes(updated.ok ? updated.value.log : '');
    const good = await resolveWebvhLog(born.did, bytesToUtf8(log), clock);
    expect(good.ok).toBe(true);
    await fc.assert(
      fc.asyncProperty(bit, async (position) => {
        const result = await resolveWebvhLog(born.did, new TextDecoder().decode(flipped(log, position)), clock);
        return !result.ok;
      }),
      holds(300),
    );
  });
});

describe('readers of untrusted input', () => {
  const documentish = fc.oneof(
    fc.jsonValue(),
    fc.record({
      id: fc.constant(did as string),
      verificationMethod: fc.jsonValue(),
      assertionMethod: fc.jsonValue(),
      service: fc.jsonValue(),
    }),
    fc
      .tuple(
        fc.constantFrom('verificationMethod', 'authentication', 'keyAgreement', 'service', 'alsoKnownAs', '@context'),
        fc.jsonValue(),
      )
      .map(([name, value]) => ({
        ...buildDidDocument({
          did,
          identityKey: identity.publicKey,
          sealingKey: nonce.length ? new Uint8Array(32) : nonce,
        }),
        [name]: value,
      })),
  );

  it('prop: never throw', async () => {
    fc.assert(
      fc.property(fc.string(), fc.webUrl(), fc.ipV6(), (text, url, ip) => {
        parseDidKey(text);
        parseDidKey(`did:key:z${text}`);
        parseDidWeb(`did:web:${text}`);
        checkUrl(text);
        checkUrl(url);
        checkUrl(`https://${text}`, new Map());
        isPrivateAddress(text);
        isPrivateAddress(ip);
        verifyWebvhLog(`${text}\n`, nowMs);
      }),
      holds(500),
    );
    fc.assert(
      fc.property(documentish, (value) => void parseDidDocument(value, did)),
      holds(300),
    );
    fc.assert(
      fc.property(documentish, (value) => void verifyWebvhLog(`${JSON.stringify(value)}\n`, nowMs)),
      holds(200),
    );
    const bytes = fc.uint8Array({ maxLength: 400 });
    await fc.assert(
      fc.asyncProperty(bytes, fc.string(), async (input, text) => {
        openDeviceCard(input, identity.publicKey, { did, nowMs });
        verifyHello(input, node, nonce, nowMs);
        await openDocument(input, 'connect/1', resolve, nowMs);
        const headers = { signature: text, 'signature-input': `sluice=${text}`, 'content-digest': text };
        await verifyRequest({ method: text, url: text, headers, body: input, nowMs });
        await verifyRequest({ method: 'POST', url: 'https://a.example', headers, body: input, nowMs });
      }),
      holds(300),
    );
  });

  it('[ID-1] prop: read back every did:key', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), (seed) => {
        const { publicKey } = signingKeyFromSeed(seed);
        expect(parseDidKey(didKey(publicKey))).toEqual({ ok: true, value: publicKey });
      }),
      holds(30),
    );
  });

  it('[ID-22] prop: find no doubled key in what a serializer wrote, and find every one put in', () => {
    fc.assert(
      fc.property(fc.json(), (text) => hasUniqueKeys(text)),
      holds(300),
    );
    fc.assert(
      fc.property(fc.json(), fc.string(), fc.json(), (before, key, value) => {
        const name = JSON.stringify(key);
        return !hasUniqueKeys(`[${before},{${name}:${value}, "other": [${before}] ,${name} : 1}]`) || key === 'other';
      }),
      holds(300),
    );
  });

  it('[ID-2] prop: give every did:web that is read an https URL of its own host', () => {
    const label = fc.stringMatching(/^[a-z0-9-]{1,12}$/);
    fc.assert(
      fc.property(
        fc.array(label, { minLength: 1, maxLength: 4 }),
        fc.array(fc.stringMatching(/^[\w.%-]{1,8}$/), { maxLength: 3 }),
        (labels, path) => {
          const text = ['did:web', labels.join('.'), ...path].join(':') as Did;
          const parsed = parseDidWeb(text);
          if (!parsed.ok) return;
          const { url } = parsed.value;
          expect(url.protocol).toBe('https:');
          expect(url.hostname).toBe(labels.join('.'));
          expect(url.pathname).toBe(path.length === 0 ? '/.well-known/did.json' : `/${path.join('/')}/did.json`);
        },
      ),
      holds(500),
    );
  });
});
