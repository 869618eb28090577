import { describe, expect, it } from 'vitest';
import { toDid } from '../base/ids.ts';
import { sign, signingKeyFromSeed } from '../crypto/sign.ts';
import { encodeCbor } from '../wire/cbor.ts';
import { createDeviceCard, openDeviceCard } from './device-card.ts';

const keyOf = (n: number) => signingKeyFromSeed(new Uint8Array(32).fill(n));
const [identity, device] = [keyOf(1), keyOf(2)];
const did = toDid('did:web:alice.example');
const issuedAt = Date.UTC(2026, 10, 24);
const card = { did, deviceKey: device.publicKey, issuedAt, expiresAt: issuedAt + 1000, name: 'Phone' };
const failure = (result: ReturnType<typeof openDeviceCard>): string => (result.ok ? 'ok' : result.error.type);
const open = (signed: Uint8Array, nowMs = issuedAt, key = identity.publicKey): string =>
  failure(openDeviceCard(signed, key, { did, nowMs }));

describe('a device card', () => {
  it('[ID-18] opens with the identity key that signed it', () => {
    const nowMs = issuedAt;
    expect(openDeviceCard(createDeviceCard(card, identity), identity.publicKey, { did, nowMs })).toEqual({
      ok: true,
      value: card,
    });
    const bare = { did, deviceKey: device.publicKey, issuedAt };
    expect(openDeviceCard(createDeviceCard(bare, identity), identity.publicKey, { did, nowMs: nowMs + 1e12 })).toEqual({
      ok: true,
      value: bare,
    });
  });

  it('[ID-18] is refused when signed by the device itself, or for another DID', () => {
    expect(open(createDeviceCard(card, device))).toBe('bad-signature');
    expect(open(createDeviceCard(card, identity), issuedAt, device.publicKey)).toBe('bad-signature');
    expect(open(createDeviceCard({ ...card, did: toDid('did:web:bob.example') }, identity))).toBe('wrong-did');
  });

  it('[ID-18] holds from five minutes before its issue until its expiry', () => {
    const signed = createDeviceCard(card, identity);
    expect(open(signed, issuedAt - 300_001)).toBe('not-yet-valid');
    expect(open(signed, issuedAt - 300_000)).toBe('ok');
    expect(open(signed, issuedAt + 999)).toBe('ok');
    expect(open(signed, issuedAt + 1000)).toBe('expired');
  });

  it('[ID-23] of an agent speaks for the DID in feeds, and nowhere else', () => {
    const agents = { ...card, use: 'feeds' } as const;
    const signed = createDeviceCard(agents, identity);
    const at = { did, nowMs: issuedAt };
    expect(openDeviceCard(signed, identity.publicKey, { ...at, use: 'feeds' })).toEqual({ ok: true, value: agents });
    expect(openDeviceCard(signed, identity.publicKey, at)).toEqual({ ok: false, error: { type: 'wrong-use' } });
    const device = createDeviceCard(card, identity);
    expect(openDeviceCard(device, identity.publicKey, { ...at, use: 'feeds' })).toEqual({ ok: true, value: card });
  });

  it('is malformed in any other shape, even when well signed', () => {
    const signed = (payload: Uint8Array) => encodeCbor([payload, sign(identity, 'sluice/card/1', payload)]);
    const good = [1, did, device.publicKey, issuedAt, null, null];
    expect(open(signed(encodeCbor(good)))).toBe('ok');
    for (const bad of [
      [...good, null],
      good.slice(1),
      [3, ...good.slice(1)],
      [1, did, device.publicKey.subarray(1), issuedAt, null, null],
      [1, did, device.publicKey, -1, null, null],
    ]) {
      expect(open(signed(encodeCbor(bad)))).toBe('malformed');
    }
    for (const bytes of [new Uint8Array(0), new Uint8Array(5000), Uint8Array.of(0xff)])
      expect(open(bytes)).toBe('malformed');
    expect(() => createDeviceCard({ ...card, name: 'x'.repeat(65) }, identity)).toThrow(TypeError);
  });
});
