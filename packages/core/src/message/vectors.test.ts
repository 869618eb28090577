/** Cases for other implementations: written here from fixed keys, and read back as strangers' bytes. Refresh with `vitest run PATH -u`. */

import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { bytesToHex, hexToBytes, utf8ToBytes } from '../base/bytes.ts';
import { toDid } from '../base/ids.ts';
import type { JsonObject, JsonValue } from '../base/json.ts';
import { err, ok } from '../base/result.ts';
import { nodePrimitives } from '../crypto/backend/both.oracle.ts';
import { createHpke, hpkeKeyPairFromSecret } from '../crypto/hpke.ts';
import { createHpkeSuite } from '../crypto/hpke-suite.ts';
import { padPlaintext } from '../crypto/padme.ts';
import { sha256 } from '../crypto/hash.ts';
import { sign, signingKeyFromSeed, toVerifyKey } from '../crypto/sign.ts';
import { createDeviceCard } from '../identity/device-card.ts';
import { type CborValue, encodeCbor } from '../wire/cbor.ts';
import { encodeMessage, type Message, openMessage } from './sealed-message.ts';

const FILE = new URL('../../../../vectors/message.json', import.meta.url);
const NOW = Date.UTC(2026, 10, 24, 9);
const DAY = 24 * 3600 * 1000;
const fill = (length: number, byte: number): Uint8Array => new Uint8Array(length).fill(byte);
const keyOf = (byte: number) => signingKeyFromSeed(fill(32, byte));
const [identity, device, stranger] = [keyOf(1), keyOf(2), keyOf(4)];
const recipientKeys = hpkeKeyPairFromSecret(fill(32, 3));
const otherKeys = hpkeKeyPairFromSecret(fill(32, 5));
const from = toDid('did:web:clinic.example');
const to = toDid('did:web:person.example');
const card = createDeviceCard({ did: from, deviceKey: device.publicKey, issuedAt: NOW - DAY }, identity);
const hpke = createHpke(createHpkeSuite(nodePrimitives, () => fill(32, 6)));

const MESSAGE: Message = {
  id: '10111213141516171819101112131415',
  type: 'inbox/type/dataSend',
  from,
  to,
  context: 'Health',
  contextApp: from,
  replyTo: '20212223242526272829202122232425',
  message: 'Your lab result',
  data: { data: [{ schema: 'note', name: 'Result', content: 'négatif', proof: { jws: 'eyJ..x' } }] },
  createdMs: NOW - 1000,
  expiresMs: NOW + 14 * DAY,
};

/** What a forger may change: a field of the header by its place, and every other part. */
type Forgery = {
  readonly header?: { readonly [place: number]: CborValue };
  readonly body?: string;
  readonly signer?: ReturnType<typeof keyOf>;
  readonly card?: Uint8Array;
  readonly signedBody?: string;
  readonly inner?: (parts: readonly CborValue[]) => Uint8Array;
  readonly sealTo?: Uint8Array;
  readonly aad?: string;
  readonly info?: string;
};

const BODY = JSON.stringify({ message: MESSAGE.message, data: MESSAGE.data });
const toKey = (publicKey: Uint8Array): Uint8Array => sha256(publicKey).slice(0, 16);

/** Builds a sealed message from nothing but the spec, so that it can be built wrongly. */
async function forge(f: Forgery): Promise<Uint8Array> {
  const fields: CborValue[] = [
    1,
    hexToBytes(MESSAGE.id),
    MESSAGE.type,
    from,
    (f.signer ?? device).publicKey,
    to,
    toKey(recipientKeys.publicKey),
    MESSAGE.createdMs,
    MESSAGE.expiresMs,
    null,
    null,
    null,
  ];
  for (const [place, value] of Object.entries(f.header ?? {})) fields[Number(place)] = value;
  const header = encodeCbor(fields);
  const body = utf8ToBytes(f.body ?? BODY);
  const signed = utf8ToBytes(f.signedBody ?? f.body ?? BODY);
  const signature = sign(f.signer ?? device, 'sluice/msg/1', sha256(header), sha256(signed));
  const parts = [header, body, f.card ?? card, signature];
  const inner = f.inner ? f.inner(parts) : padPlaintext(encodeCbor(parts));
  const { publicKey } = recipientKeys;
  return hpke.seal(f.sealTo ?? publicKey, utf8ToBytes(f.info ?? 'sluice/msg/1'), utf8ToBytes(f.aad ?? to), inner);
}

const deep = (levels: number): JsonValue => (levels === 0 ? 0 : [deep(levels - 1)]);
const REFUSED: readonly (readonly [string, string, Forgery])[] = [
  ['sealed to another key', 'cannot-open', { sealTo: otherKeys.publicKey }],
  ['sealed for another DID', 'cannot-open', { aad: 'did:web:other.example' }],
  ['sealed for another purpose', 'cannot-open', { info: 'sluice/grant-keys/1' }],
  ['not padded', 'cannot-open', { inner: (parts) => encodeCbor([...parts]) }],
  ['a part too few', 'malformed', { inner: (parts) => padPlaintext(encodeCbor(parts.slice(0, 3))) }],
  ['a later version', 'malformed', { header: { 0: 2 } }],
  ['a type of no characters', 'malformed', { header: { 2: '' } }],
  ['a type of 129 characters', 'malformed', { header: { 2: 'x'.repeat(129) } }],
  ['a sender that is no DID', 'malformed', { header: { 3: 'clinic.example' } }],
  ['an id of 15 bytes', 'malformed', { header: { 1: fill(15, 1) } }],
  ['a body that is not JSON', 'malformed', { body: '{"message":"x","data":' }],
  ['data that is a list', 'malformed', { body: '{"message":"x","data":[]}' }],
  ['a text of 2,001 characters', 'malformed', { body: JSON.stringify({ message: 'x'.repeat(2001), data: {} }) }],
  ['a body over 48 deep', 'malformed', { body: JSON.stringify({ message: 'x', data: { d: deep(47) } }) }],
  ['written to another DID and sealed on', 'not-for-me', { header: { 5: 'did:web:other.example' } }],
  ['written to another key and sealed on', 'not-for-me', { header: { 6: toKey(otherKeys.publicKey) } }],
  ['dated over 10 minutes ahead', 'from-the-future', { header: { 7: NOW + 10 * 60_000 + 1 } }],
  ['past its end', 'expired', { header: { 8: NOW } }],
  ['with a life of over 30 days', 'expired', { header: { 8: NOW - 1000 + 30 * DAY + 1 } }],
  ['signed by a key that no card names', 'bad-sender', { signer: stranger }],
  [
    'with a card that another identity signed',
    'bad-sender',
    {
      signer: stranger,
      card: createDeviceCard({ did: from, deviceKey: stranger.publicKey, issuedAt: NOW - DAY }, stranger),
    },
  ],
  [
    'with a card of another DID',
    'bad-sender',
    {
      card: createDeviceCard(
        { did: toDid('did:web:other.example'), deviceKey: device.publicKey, issuedAt: NOW - DAY },
        identity,
      ),
    },
  ],
  [
    'with a card that is over',
    'bad-sender',
    {
      card: createDeviceCard({ did: from, deviceKey: device.publicKey, issuedAt: NOW - DAY, expiresAt: NOW }, identity),
    },
  ],
  ['with another body than was signed', 'bad-sender', { signedBody: '{"message":"","data":{}}' }],
];

async function write(): Promise<JsonObject> {
  const inner = encodeMessage(
    MESSAGE,
    { did: from, key: device, card },
    { did: to, sealingKey: recipientKeys.publicKey },
  );
  if (!inner.ok) throw new Error(inner.error.type);
  const sealed = await hpke.seal(recipientKeys.publicKey, utf8ToBytes('sluice/msg/1'), utf8ToBytes(to), inner.value);
  const refused: JsonObject[] = [];
  for (const [why, error, forgery] of REFUSED) refused.push({ why, error, sealed: bytesToHex(await forge(forgery)) });
  return {
    about:
      'Cases for spec/message.md. Bytes are hex, times ms. What stands under "refused" must be refused with that error, read at nowMs by the recipient; the sender resolves to its identity key.',
    nowMs: NOW,
    sender: {
      did: from,
      identitySeed: bytesToHex(fill(32, 1)),
      identityKey: bytesToHex(identity.publicKey),
      deviceSeed: bytesToHex(fill(32, 2)),
      card: bytesToHex(card),
    },
    recipient: {
      did: to,
      sealingSecret: bytesToHex(fill(32, 3)),
      sealingKey: bytesToHex(recipientKeys.publicKey),
    },
    ephemeralSecret: bytesToHex(fill(32, 6)),
    message: MESSAGE as unknown as JsonObject,
    plaintext: bytesToHex(inner.value),
    sealed: bytesToHex(sealed),
    refused,
  };
}

type Vectors = {
  readonly message: Message;
  readonly sealed: string;
  readonly refused: readonly { readonly why: string; readonly error: string; readonly sealed: string }[];
};
const vectors = JSON.parse(readFileSync(FILE, 'utf8')) as Vectors;
const sender = { did: from, identityKey: toVerifyKey(identity.publicKey), sealingKey: fill(32, 9) };
const open = (sealed: string) =>
  openMessage(hexToBytes(sealed), {
    me: to,
    sealing: recipientKeys,
    nowMs: NOW,
    resolve: async (did) => (did === from ? ok(sender) : err({ type: 'not-found' })),
  });

describe('vectors/message.json', () => {
  it('is what this code writes', async () => {
    await expect(`${JSON.stringify(await write(), null, 2)}\n`).toMatchFileSnapshot(FILE.pathname);
  });

  it('[MSG-1] [MSG-2] opens the message, which is what was sent', async () => {
    expect(await open(vectors.sealed)).toEqual({ ok: true, value: vectors.message });
  });

  it('[MSG-3] [MSG-4] [MSG-5] [MSG-6] refuses each other one for its reason', async () => {
    expect(vectors.refused).toHaveLength(REFUSED.length);
    for (const { why, error, sealed } of vectors.refused)
      expect(await open(sealed), why).toMatchObject({ ok: false, error: { type: error } });
  });

  it('[MSG-3] a message with a bit changed, or cut short, does not open', async () => {
    const bytes = hexToBytes(vectors.sealed);
    for (let at = 0; at < bytes.length; at += 5) {
      const changed = bytes.slice();
      changed[at] = (changed[at] as number) ^ (1 << (at % 8));
      for (const bad of [changed, bytes.slice(0, at)])
        expect(await open(bytesToHex(bad))).toEqual({ ok: false, error: { type: 'cannot-open' } });
    }
  });
});
