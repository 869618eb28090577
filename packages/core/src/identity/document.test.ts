import { describe, expect, it } from 'vitest';
import { utf8ToBytes } from '../base/bytes.ts';
import { type Did, toDid } from '../base/ids.ts';
import { err, ok } from '../base/result.ts';
import { sha256 } from '../crypto/hash.ts';
import { type SigningKey, sign, signingKeyFromSeed } from '../crypto/sign.ts';
import { encodeCbor } from '../wire/cbor.ts';
import { createDeviceCard } from './device-card.ts';
import { didKey } from './did-key-fixture.ts';
import { MAX_PAYLOAD_BYTES, openDocument, signDocument } from './document.ts';

const keyOf = (n: number): SigningKey => signingKeyFromSeed(new Uint8Array(32).fill(n));
const [alice, phone, clinicKey, thief] = [keyOf(1), keyOf(2), keyOf(3), keyOf(66)];
const aliceDid = toDid('did:web:alice.example');
const clinicDid = toDid('did:web:clinic.example');
const nowMs = Date.UTC(2026, 10, 24);
const keys = new Map<Did, SigningKey>([
  [aliceDid, alice],
  [clinicDid, clinicKey],
]);
const resolve = async (did: Did) => {
  const key = keys.get(did);
  return key
    ? ok({ did, identityKey: key.publicKey, sealingKey: new Uint8Array(32) })
    : err({ type: 'not-found' as const });
};
const card = (did = aliceDid, deviceKey = phone.publicKey, expiresAt = nowMs + 1000, by = alice) =>
  createDeviceCard({ did, deviceKey, issuedAt: nowMs, expiresAt }, by);
const open = (signed: Uint8Array, type = 'connect/1', at = nowMs) => openDocument(signed, type, resolve, at);
const outcome = async (...args: Parameters<typeof open>): Promise<string> => {
  const result = await open(...args);
  return result.ok ? 'ok' : result.error.type;
};
const payload = { app: 'did:web:clinic.example', nonce: 'x', items: [{ schema: 's' }] };

describe('a signed document', () => {
  it('[ID-19] opens when the identity key signed it, and is named by its hash', async () => {
    const signed = signDocument('connect/1', payload, { did: clinicDid, key: clinicKey });
    expect(await open(signed)).toEqual({
      ok: true,
      value: { payload, signer: clinicDid, key: clinicKey.publicKey, hash: sha256(signed) },
    });
  });

  it('[ID-19] opens when a device signed it and encloses its card', async () => {
    const signed = signDocument('connect/1', payload, { did: aliceDid, key: phone, card: card() });
    expect(await open(signed)).toMatchObject({ ok: true, value: { signer: aliceDid, key: phone.publicKey } });
  });

  it('[ID-19] is refused when an app signs for an origin whose DID names another key', async () => {
    expect(await outcome(signDocument('connect/1', payload, { did: clinicDid, key: thief }))).toBe('bad-signature');
    const unknown = signDocument('connect/1', payload, { did: toDid('did:web:nobody.example'), key: thief });
    expect(await open(unknown)).toEqual({ ok: false, error: { type: 'unresolved', cause: { type: 'not-found' } } });
  });

  it('[ID-19] is refused with no card, or the card of another DID, device, signer or time', async () => {
    const by = (enclosed?: Uint8Array) =>
      signDocument('connect/1', payload, { did: aliceDid, key: phone, ...(enclosed ? { card: enclosed } : {}) });
    expect(await outcome(by())).toBe('bad-signature');
    expect(await outcome(by(card(aliceDid, thief.publicKey)))).toBe('bad-signature');
    const cause = async (signed: Uint8Array, at = nowMs) => {
      const result = await open(signed, 'connect/1', at);
      return !result.ok && result.error.type === 'bad-card' && result.error.cause.type;
    };
    expect(await cause(by(card(clinicDid)))).toBe('wrong-did');
    expect(await cause(by(card(clinicDid, phone.publicKey, nowMs + 1000, clinicKey)))).toBe('bad-signature');
    expect(await cause(by(card(aliceDid, phone.publicKey, nowMs + 1000, phone)))).toBe('bad-signature');
    expect(await cause(by(card()), nowMs + 1000)).toBe('expired');
    expect(await cause(by(card()), nowMs - 300_001)).toBe('not-yet-valid');
    expect(await cause(by(Uint8Array.of(1, 2)))).toBe('malformed');
  });

  it('[ID-20] is signed by a did:key itself, without a card', async () => {
    const did = didKey(phone.publicKey);
    expect(await outcome(signDocument('connect/1', payload, { did, key: phone }))).toBe('ok');
    expect(await outcome(signDocument('connect/1', payload, { did, key: thief }))).toBe('bad-signature');
    expect(
      await outcome(
        signDocument('connect/1', payload, { did, key: phone, card: card(did, phone.publicKey, nowMs + 1, phone) }),
      ),
    ).toBe('malformed');
  });

  it('[ID-21] is refused where another type is expected, before its signer is looked up', async () => {
    const signed = signDocument('connect/1', payload, { did: clinicDid, key: clinicKey });
    const never = () => Promise.reject(new Error('looked up'));
    expect(await openDocument(signed, 'receipt/1', never, nowMs)).toEqual({ ok: false, error: { type: 'wrong-type' } });
  });

  it('[ID-22] is refused with a doubled key, too much depth or size, or no object, though well signed', async () => {
    const signed = (json: string | Uint8Array): Uint8Array => {
      const body = encodeCbor([1, 'connect/1', clinicDid, null, typeof json === 'string' ? utf8ToBytes(json) : json]);
      return encodeCbor([body, sign(clinicKey, 'sluice/doc/1', body)]);
    };
    expect(await outcome(signed('{"a":{"b":1},"b":[{"a":1},{"a":2}],"c":"\\"a\\":"}'))).toBe('ok');
    const refused = [
      '{"a":1,"a":2}',
      '{"a":1,"\\u0061":2}',
      '{"x":[{"a":1, "b":{} , "a" : 2}]}',
      '[]',
      'null',
      '"x"',
      '',
      '{"a":1',
      `{"a":${'['.repeat(16)}${']'.repeat(16)}}`,
      `{"a":"${'x'.repeat(MAX_PAYLOAD_BYTES)}"}`,
      Uint8Array.of(0x7b, 0xff, 0x7d),
    ];
    for (const json of refused) expect(await outcome(signed(json)), String(json).slice(0, 60)).toBe('malformed');
    expect(await outcome(signed(`{"a":${'['.repeat(15)}${']'.repeat(15)}}`))).toBe('ok');
  });

  it('[ID-22] is not signed over a limit', () => {
    const signer = { did: clinicDid, key: clinicKey };
    expect(() => signDocument('connect/1', { a: 'x'.repeat(MAX_PAYLOAD_BYTES) }, signer)).toThrow(TypeError);
    expect(() => signDocument('x'.repeat(65), {}, signer)).toThrow(TypeError);
  });

  it('reads a payload only once the signature holds', async () => {
    const body = encodeCbor([1, 'connect/1', clinicDid, null, utf8ToBytes('{')]);
    expect(await outcome(encodeCbor([body, sign(thief, 'sluice/doc/1', body)]))).toBe('bad-signature');
  });
});
