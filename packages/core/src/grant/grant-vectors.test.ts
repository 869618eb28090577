/** vectors/grant.json: terms, a signed request, and the message that follows a consent, written by the second writer. */

import { readFileSync } from 'node:fs';
import { Aes256Gcm, CipherSuite, DhkemX25519HkdfSha256, HkdfSha256 } from '@hpke/core';
import { describe, expect, it } from 'vitest';
import { base64urlToBytes, hexToBytes } from '../base/bytes.ts';
import { type Did, toDid } from '../base/ids.ts';
import type { JsonObject, JsonValue } from '../base/json.ts';
import { err, ok } from '../base/result.ts';
import * as second from '../base/second-writer.oracle.ts';
import { fill, flip, hex, utf8 } from '../base/second-writer.oracle.ts';
import { checkCommitment } from '../crypto/aead.ts';
import { hpkeKeyPairFromSecret, openHpke } from '../crypto/hpke.ts';
import { toVerifyKey, type VerifyKey } from '../crypto/sign.ts';
import { openDocument } from '../identity/document.ts';
import { fixed, list, readShape, tuple } from '../wire/shape.ts';
import { receiptPayload } from './receipt.ts';
import { type GrantTerms, parseTerms } from './terms.ts';

const FILE = new URL('../../../../vectors/grant.json', import.meta.url);
const NOW = Date.UTC(2026, 3, 15, 12);
const [OWNER, APP] = ['did:web:alice.example', 'did:web:clinic.example'];
const seeds = { app: fill(32, 0x11), pairwise: fill(32, 0x12), owner: fill(32, 0x21), device: fill(32, 0x22) };
const hpkeSecret = fill(32, 0x13);
const grantKey = fill(32, 0x31);
const base64url = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64url');
const without = (object: JsonObject, name: string): JsonObject =>
  Object.fromEntries(Object.entries(object).filter(([key]) => key !== name));

const SCHEMA = 'https://schemas.example/visit';
const FORMATS = { date: 'partial-date' } as const;
const terms: JsonObject = {
  schema: SCHEMA,
  schemaHash: 'ab'.repeat(32),
  access: 'read',
  filter: { date: { $within: 'P6M' } },
  duration: 'standing',
  fields: ['date', 'kind'],
};
const WRITE: JsonObject = {
  operations: ['delete'],
  fields: ['note', 'kind', 'note'],
  policy: 'auto',
  perDay: 1_000_000,
};
const TERMS = [
  { name: 'a filtered part, chosen fields, live', given: terms, read: terms },
  { name: 'fields in any order and twice', given: { ...terms, fields: ['kind', 'date', 'kind'] }, read: terms },
  {
    name: 'all of a type, once',
    given: { ...without(without(terms, 'fields'), 'filter'), duration: 'once' },
    read: { ...without(terms, 'fields'), filter: {}, duration: 'once' },
  },
  {
    name: 'an end, a retention and a frequency',
    given: { ...terms, duration: { until: '2026-10-15T14:00:00+02:00' }, retention: 'P1Y', frequency: 'PT1H' },
    read: { ...terms, duration: { until: '2026-10-15T12:00:00.000Z' }, retention: 'P1Y', frequency: 'PT1H' },
  },
  {
    name: 'an end on a day means its beginning',
    given: { ...terms, duration: { until: '2026-10-15' } },
    read: { ...terms, duration: { until: '2026-10-15T00:00:00.000Z' } },
  },
  {
    name: 'optional and changed fields, in any order and twice',
    given: {
      ...terms,
      fields: [
        { path: 'price', transform: { round: 0.5 } },
        { path: 'kind' },
        { optional: true, path: 'place', transform: 'pseudonym' },
        { path: 'price', transform: { round: 0.5 } },
        { path: 'where.street', optional: true },
        { path: 'date', transform: 'year' },
        { path: 'note.author', transform: 'drop' },
        'note',
      ],
    },
    read: {
      ...terms,
      fields: [
        { path: 'date', transform: 'year' },
        'kind',
        'note',
        { path: 'note.author', transform: 'drop' },
        { path: 'place', optional: true, transform: 'pseudonym' },
        { path: 'price', transform: { round: 0.5 } },
        { path: 'where.street', optional: true },
      ],
    },
  },
  {
    name: 'all but what is dropped',
    given: { ...terms, fields: [{ path: 'kind', transform: 'drop' }] },
    read: { ...terms, fields: [{ path: 'kind', transform: 'drop' }] },
  },
  {
    name: 'writing, as little as need be said',
    given: { ...without(terms, 'fields'), access: 'write', write: { operations: ['update', 'insert', 'update'] } },
    read: {
      ...without(terms, 'fields'),
      access: 'write',
      write: { operations: ['insert', 'update'], policy: 'propose', perDay: 10_000 },
    },
  },
  {
    name: 'reading and writing, all said',
    given: { ...terms, access: 'readwrite', write: WRITE },
    read: { ...terms, access: 'readwrite', write: { ...WRITE, fields: ['kind', 'note'] } },
  },
  { name: 'what else is there falls away', given: { ...terms, more: 1 }, read: terms },
];
/** GRANT-4: less of what was asked, which its grantee has to accept. */
const NARROWED: JsonObject = {
  ...terms,
  filter: { $and: [{ date: { $within: 'P6M' } }, { kind: { $ne: 'x' } }] },
  duration: { until: '2026-10-15T00:00:00.000Z' },
};
const of = (name: string, given: JsonValue, error: JsonObject) => ({ name, given, error });
const badTerms = (field: string): JsonObject => ({ type: 'bad-terms', field });
const fields = (...list: readonly JsonValue[]): JsonObject => ({ ...terms, fields: list });
const TERMS_REFUSED = [
  of('a list', [], badTerms('shape')),
  of('no schema', without(terms, 'schema'), badTerms('schema')),
  of('a schema of 513 characters', { ...terms, schema: 'x'.repeat(513) }, badTerms('schema')),
  of('a hash in upper case', { ...terms, schemaHash: 'AB'.repeat(32) }, badTerms('schemaHash')),
  of('an unknown access', { ...terms, access: 'admin' }, badTerms('access')),
  of('an unknown duration', { ...terms, duration: 'P1Y' }, badTerms('duration')),
  of('no fields in a list', { ...terms, fields: [] }, badTerms('fields')),
  of('65 fields', { ...terms, fields: Array.from({ length: 65 }, (_, i) => `f${i}`) }, badTerms('fields')),
  of('a reserved field', { ...terms, fields: ['_id'] }, badTerms('fields')),
  of('a field of nine steps', { ...terms, fields: ['a.b.c.d.e.f.g.h.i'] }, badTerms('fields')),
  of('a field that is no text', { ...terms, fields: [1] }, badTerms('fields')),
  of('a field of another shape', fields({ path: 'kind', hidden: true }), badTerms('fields')),
  of('a field without a path', fields({ optional: true }), badTerms('fields')),
  of('a reserved field, changed', fields({ path: '_id', transform: 'pseudonym' }), badTerms('fields')),
  of('a path into a prototype', fields('a.__proto__'), badTerms('fields')),
  of('optional as a text', fields({ path: 'kind', optional: 'yes' }), badTerms('fields')),
  of('an unknown transform', fields({ path: 'kind', transform: 'hash' }), badTerms('fields')),
  of('rounding to nothing', fields({ path: 'price', transform: { round: 0 } }), badTerms('fields')),
  of('rounding with more', fields({ path: 'price', transform: { round: 1, from: 2 } }), badTerms('fields')),
  of('the year of what is no date', fields({ path: 'kind', transform: 'year' }), badTerms('fields')),
  of('an optional drop', fields({ path: 'kind', optional: true, transform: 'drop' }), badTerms('fields')),
  of('one path in two ways', fields('kind', { path: 'kind', transform: 'pseudonym' }), badTerms('fields')),
  of('one path required and optional', fields('kind', { path: 'kind', optional: true }), badTerms('fields')),
  of(
    'a field inside of what is changed',
    fields({ path: 'place', transform: 'pseudonym' }, { path: 'place.street', optional: true }),
    badTerms('fields'),
  ),
  of(
    'a field inside of what is dropped',
    fields({ path: 'place', transform: 'drop' }, 'place.street'),
    badTerms('fields'),
  ),
  of(
    'a change inside of a change',
    fields({ path: 'place', transform: 'pseudonym' }, { path: 'place.street', transform: 'drop' }),
    badTerms('fields'),
  ),
  of('no duration', without(terms, 'duration'), badTerms('duration')),
  of('an end without a zone', { ...terms, duration: { until: '2026-10-15T14:00:00' } }, badTerms('duration')),
  of('an end on a day that is none', { ...terms, duration: { until: '2026-02-30' } }, badTerms('duration')),
  of(
    'an end beyond the year 9999',
    { ...terms, duration: { until: '9999-12-31T23:59:59-01:00' } },
    badTerms('duration'),
  ),
  of('an end with more', { ...terms, duration: { until: '2026-10-15', or: 1 } }, badTerms('duration')),
  of('a retention that is no duration', { ...terms, retention: '1 year' }, badTerms('retention')),
  of('a retention of nothing', { ...terms, retention: 'P0D' }, badTerms('retention')),
  of('a frequency as a number', { ...terms, frequency: 3600 }, badTerms('frequency')),
  of('a frequency over 100 years', { ...terms, frequency: 'P101Y' }, badTerms('frequency')),
  of('write terms with read access', { ...terms, write: WRITE }, badTerms('write')),
  of('write access without its terms', { ...terms, access: 'readwrite' }, badTerms('write')),
  of('fields to read without reading', { ...terms, access: 'write', write: WRITE }, badTerms('fields')),
  ...[
    ['no operations', { operations: [] }],
    ['an unknown operation', { operations: ['merge'] }],
    ['a nested field to write', { fields: ['a.b'] }],
    ['a reserved field to write', { fields: ['_id'] }],
    ['no fields to write in a list', { fields: [] }],
    ['an unknown policy', { policy: 'ask' }],
    ['no writes a day', { perDay: 0 }],
    ['half a write a day', { perDay: 0.5 }],
    ['too many writes a day', { perDay: 1_000_001 }],
    ['a member of write terms that is not known', { unless: 1 }],
  ].map(([name, change]) =>
    of(
      String(name),
      { ...terms, access: 'readwrite', write: { ...WRITE, ...(change as JsonObject) } },
      badTerms('write'),
    ),
  ),
  of('a filter that cannot be read', { ...terms, filter: { a: { $where: '1' } } }, { type: 'bad-filter' }),
  of('a window on what is no instant', { ...terms, filter: { kind: { $within: 'P1D' } } }, { type: 'bad-filter' }),
];

/** ID-19. */
const signedDocument = (type: string, signer: string, card: Uint8Array | null, by: Uint8Array, payload: JsonObject) => {
  const body = second.cbor([1, type, signer, card, utf8(JSON.stringify(payload))]);
  return second.cbor([body, second.sign(by, 'sluice/doc/1', body)]);
};
const cardBody = second.cbor([1, OWNER, second.publicKey(seeds.device), NOW, null, 'Phone']);
const card = second.cbor([cardBody, second.sign(seeds.owner, 'sluice/card/1', cardBody)]);
const hpke = new CipherSuite({ kem: new DhkemX25519HkdfSha256(), kdf: new HkdfSha256(), aead: new Aes256Gcm() });
const hpkePublic = hpkeKeyPairFromSecret(hpkeSecret).publicKey;

/** CRY-9 with a fixed ephemeral key, so that the file is the same each time. */
async function sealTo(info: string, aad: Uint8Array, plaintext: Uint8Array): Promise<Uint8Array> {
  const privateKey = await hpke.kem.deserializePrivateKey(fill(32, 0x14).buffer);
  const publicKey = await hpke.kem.deserializePublicKey(hpkeKeyPairFromSecret(fill(32, 0x14)).publicKey.slice().buffer);
  const recipientPublicKey = await hpke.kem.deserializePublicKey(hpkePublic.slice().buffer);
  const sender = await hpke.createSenderContext({
    recipientPublicKey,
    info: utf8(info),
    ekm: { privateKey, publicKey },
  });
  const sealed = await sender.seal(plaintext.slice().buffer, aad.slice().buffer);
  return second.join(new Uint8Array(sender.enc), new Uint8Array(sealed));
}

const payload: JsonObject = {
  to: OWNER,
  items: [terms],
  purpose: 'your visits of six months',
  expiresAt: NOW + 86_400_000,
  signKey: base64url(second.publicKey(seeds.pairwise)),
  hpkeKey: base64url(hpkePublic),
};
const requestOf = (change: JsonObject, by = seeds.app, signer = APP): Uint8Array =>
  signedDocument('sluice/sync-request/1', signer, null, by, { ...payload, ...change });
const request = requestOf({});
const requestHash = second.sha256(request);
const refusedRequest = (name: string, document: Uint8Array) => ({ name, document: hex(document) });
const REQUESTS_REFUSED = [
  refusedRequest('a changed byte', flip(request, 90)),
  refusedRequest('signed by another key', requestOf({}, seeds.owner)),
  refusedRequest('signed by somebody else than its sender', requestOf({}, seeds.owner, OWNER)),
  refusedRequest('a document of another type', signedDocument('sluice/receipt/1', APP, null, seeds.app, payload)),
  refusedRequest('addressed to somebody else', requestOf({ to: 'did:web:bob.example' })),
  refusedRequest('no items', requestOf({ items: [] })),
  refusedRequest('17 items', requestOf({ items: Array(17).fill(terms) })),
  refusedRequest('expired', requestOf({ expiresAt: NOW })),
  refusedRequest('a purpose of 501 characters', requestOf({ purpose: 'x'.repeat(501) })),
  refusedRequest('a signing key of 31 bytes', requestOf({ signKey: base64url(fill(31, 1)) })),
  refusedRequest('no sealing key', requestOf({ hpkeKey: null })),
  refusedRequest('another body of the schema', requestOf({ items: [{ ...terms, schemaHash: 'cd'.repeat(32) }] })),
  refusedRequest('a filter that cannot be read', requestOf({ items: [{ ...terms, filter: { $where: '1' } }] })),
];

const grantId = '00112233445566778899aabbccddeeff';
const feed = second.streamId(4, fill(32, 0x32), `feed/${grantId}`);
type Made = {
  readonly hash?: Uint8Array;
  readonly terms?: JsonObject;
  readonly stated?: JsonObject;
  readonly commitment?: Uint8Array;
  readonly aad?: Uint8Array;
  readonly keys?: number;
  readonly by?: Uint8Array;
  readonly data?: JsonObject;
  readonly grant?: JsonObject;
};
/** GRANT-17, GRANT-18. */
async function grantData(m: Made = {}): Promise<JsonObject> {
  const { hash = requestHash, terms: given = terms, aad = requestHash, by = seeds.device } = m;
  const { commitment = second.hmac(grantKey, utf8('sluice/kc/1')), stated = given } = m;
  const receipt = signedDocument('sluice/receipt/1', OWNER, card, by, {
    owner: OWNER,
    grantee: APP,
    request: hex(hash),
    purpose: 'your visits of six months',
    shown: 'clinic.example reads date and kind of your visits',
    grants: [{ grantId, terms: stated }],
    givenAt: '2026-04-15T12:00:00.000Z',
    withdrawal: 'The owner revokes the grant at any time in the Vault; what was delivered before stays delivered.',
  });
  const keys = await sealTo('sluice/grant-keys/1', aad, second.cbor(Array(m.keys ?? 1).fill([grantKey, commitment])));
  return {
    replyId: '0f'.repeat(16),
    grants: [{ grantId, terms: given, feed: base64url(feed), ...m.grant }],
    node: { url: 'https://node.sluice.test', did: 'did:web:node.sluice.test' },
    space: base64url(fill(32, 0x41)),
    keys: base64url(keys),
    receipt: base64url(receipt),
    ...m.data,
  };
}

async function grantVectors() {
  const refusals: readonly (readonly [string, Made])[] = [
    ['a receipt for another request', { hash: fill(32, 1) }],
    ['a receipt for other terms', { stated: { ...terms, duration: 'once' } }],
    ['a receipt by a key that the card does not name', { by: seeds.app }],
    ['a key that is not the one committed to', { commitment: fill(32, 2) }],
    ['two keys for one grant', { keys: 2 }],
    ['keys sealed for another request', { aad: fill(32, 3) }],
    ['a schema that was not asked for', { terms: { ...terms, schema: 'https://schemas.example/other' } }],
    ['more access than was asked for', { terms: { ...terms, access: 'readwrite' } }],
    ['terms that cannot be read', { terms: { ...terms, filter: { $where: '1' } } }],
    ['terms without a required field', { terms: { ...terms, fields: ['date'] } }],
    ['terms with more fields', { terms: { ...terms, fields: ['date', 'kind', 'note'] } }],
    ['terms with a filter that does not add to the asked one', { terms: { ...terms, filter: { kind: 'x' } } }],
    ['terms with another retention', { terms: { ...terms, retention: 'P1Y' } }],
    ['a stream that is no feed', { grant: { feed: base64url(flip(feed, 0)) } }],
    ['a node without https', { data: { node: { url: 'http://node.sluice.test', did: 'did:web:node.sluice.test' } } }],
    ['a space id of 31 bytes', { data: { space: base64url(fill(31, 1)) } }],
    ['no grants', { data: { grants: [] } }],
    [
      'a grant that the receipt does not speak of',
      { data: { grants: [1, 2].map(() => ({ grantId, terms, feed: base64url(feed) })) } },
    ],
  ];
  const grantsRefused: { readonly name: string; readonly data: JsonObject }[] = [];
  for (const [name, made] of refusals) grantsRefused.push({ name, data: await grantData(made) });
  return {
    about:
      'Cases for spec/grant.md. Bytes are hex, in JSON of the protocol base64url; times ms. The app signs with its identity key, the owner with a device and its card. What is listed under a name ending in "Refused" must be refused.',
    nowMs: NOW,
    formats: FORMATS,
    owner: {
      did: OWNER,
      identityKey: hex(second.publicKey(seeds.owner)),
      deviceKey: hex(second.publicKey(seeds.device)),
      card: hex(card),
    },
    app: {
      did: APP,
      identityKey: hex(second.publicKey(seeds.app)),
      signKey: hex(second.publicKey(seeds.pairwise)),
      hpkeSecret: hex(hpkeSecret),
      hpkeKey: hex(hpkePublic),
    },
    terms: TERMS,
    termsRefused: TERMS_REFUSED,
    request: { payload, document: hex(request), hash: hex(requestHash) },
    requestsRefused: REQUESTS_REFUSED,
    grant: { key: hex(grantKey), grantId, feed: hex(feed), data: await grantData() },
    grantNarrowed: { terms: NARROWED, data: await grantData({ terms: NARROWED }) },
    grantsRefused,
  };
}
type Vectors = Awaited<ReturnType<typeof grantVectors>>;
const read = (): Vectors => JSON.parse(readFileSync(FILE, 'utf8')) as Vectors;

const formats = new Map(Object.entries(FORMATS));
const readTerms = (given: unknown) => parseTerms(given, formats);
const keysShape = list(tuple(['key', fixed(32)], ['commitment', fixed(32)]), 16);

/** Resolves the two DIDs of the file. */
const resolve = async (did: Did) => {
  const { owner, app } = read();
  const party = [owner, app].find((p) => p.did === did);
  if (!party) return err({ type: 'not-found' } as never);
  const identityKey: VerifyKey = toVerifyKey(hexToBytes(party.identityKey));
  return ok({ did, identityKey, sealingKey: fill(32, 9) });
};

describe('vectors/grant.json', () => {
  it('is what the second writer writes', async () => {
    await expect(second.vectorText(await grantVectors())).toMatchFileSnapshot(FILE.pathname);
  });

  it('[GRANT-16] [GRANT-21] [GRANT-22] terms are read as stated, and others refused with their reason', () => {
    for (const { name, given, read: expected } of read().terms)
      expect(readTerms(given), name).toMatchObject({ ok: true, value: { terms: expected } });
    for (const { name, given, error } of read().termsRefused)
      expect(readTerms(given), name).toMatchObject({ ok: false, error });
  });

  it('[GRANT-17] the request is the requester’s, and its hash names it', async () => {
    const { request: r, app, nowMs } = read();
    expect(await openDocument(hexToBytes(r.document), 'sluice/sync-request/1', resolve, nowMs)).toMatchObject({
      ok: true,
      value: { payload: r.payload, signer: app.did, hash: hexToBytes(r.hash) },
    });
  });

  it('[GRANT-18] keys open with the request’s key and fit their commitment; the receipt names request and terms', async () => {
    const { grant, app, owner, request: r, nowMs } = read();
    const keyPair = hpkeKeyPairFromSecret(hexToBytes(app.hpkeSecret));
    const opened = await openHpke(
      keyPair,
      utf8('sluice/grant-keys/1'),
      hexToBytes(r.hash),
      base64urlToBytes(String(grant.data.keys)),
    );
    const keys = opened.ok ? readShape(keysShape, opened.value, 4096) : opened;
    if (!keys.ok) throw new Error(keys.error.type);
    expect(keys.value.map(({ key }) => hex(key))).toEqual([grant.key]);
    expect(keys.value.every(({ key, commitment }) => checkCommitment(key, commitment))).toBe(true);
    const receipt = await openDocument(
      base64urlToBytes(String(grant.data.receipt)),
      'sluice/receipt/1',
      resolve,
      nowMs,
    );
    if (!receipt.ok) throw new Error(receipt.error.type);
    expect([receipt.value.signer, hex(receipt.value.key)]).toEqual([owner.did, owner.deviceKey]);
    const content = {
      owner: toDid(owner.did),
      grantee: toDid(app.did),
      requestHash: hexToBytes(r.hash),
      purpose: String(r.payload.purpose),
      shown: String(receipt.value.payload.shown),
      grants: [{ grantId: grant.grantId, terms: terms as unknown as GrantTerms }],
      givenAtMs: nowMs,
    };
    expect(receipt.value.payload).toEqual(receiptPayload(content));
  });
});
