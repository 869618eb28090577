/** vectors/receipt.json: receipt, acceptance, attestation and a node's acknowledgement, written by the second writer. */

import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { bytesToHex, hexToBytes } from '../base/bytes.ts';
import { type Did, toDid, toSpaceId } from '../base/ids.ts';
import type { JsonObject } from '../base/json.ts';
import { err, ok, type Result } from '../base/result.ts';
import * as second from '../base/second-writer.oracle.ts';
import { fill, flip, hex, utf8 } from '../base/second-writer.oracle.ts';
import { signingKeyFromSeed, toVerifyKey } from '../crypto/sign.ts';
import { openAttestation, signAttestation } from './attestation.ts';
import {
  openAcceptance,
  type OpenedReceipt,
  openReceipt,
  type ProofFailure,
  signAcceptance,
  signReceipt,
  standsAbove,
} from './receipt.ts';
import { openRevokeAck, signRevokeAck } from './revoke-certificate.ts';
import type { GrantTerms } from './terms.ts';

const FILE = new URL('../../../../vectors/receipt.json', import.meta.url);
const NOW = Date.UTC(2026, 3, 15, 12);
const AT = '2026-04-15T12:00:00.000Z';
const LATER = '2026-04-15T12:00:02.000Z';
const [OWNER, APP, NODE] = ['did:web:alice.example', 'did:web:clinic.example', 'did:web:node.example'].map(toDid) as [
  Did,
  Did,
  Did,
];
const seeds = { owner: fill(32, 0x21), device: fill(32, 0x22), app: fill(32, 0x11), node: fill(32, 0x41) };
const SPACE = toSpaceId(fill(32, 0x51));
const [FIRST, SECOND] = ['00112233445566778899aabbccddeeff', 'ffeeddccbbaa99887766554433221100'];

const signedDocument = (type: string, signer: string, card: Uint8Array | null, by: Uint8Array, payload: JsonObject) => {
  const body = second.cbor([1, type, signer, card, utf8(JSON.stringify(payload))]);
  return second.cbor([body, second.sign(by, 'sluice/doc/1', body)]);
};
const cardBody = second.cbor([1, OWNER, second.publicKey(seeds.device), NOW, null, 'Phone']);
const card = second.cbor([cardBody, second.sign(seeds.owner, 'sluice/card/1', cardBody)]);

const request = signedDocument('sluice/sync-request/1', APP, null, seeds.app, { to: OWNER, purpose: 'your visits' });
const visits: JsonObject = {
  schema: 'https://schemas.example/visit',
  schemaHash: 'ab'.repeat(32),
  access: 'read',
  filter: { date: { $within: 'P6M' } },
  fields: ['kind', { path: 'note', optional: true }, { path: 'date', transform: 'year' }],
  duration: { until: '2026-05-15T12:00:00.000Z' },
  retention: 'P30D',
};
const contacts: JsonObject = {
  schema: 'https://schemas.example/contact',
  schemaHash: 'cd'.repeat(32),
  access: 'readwrite',
  filter: {},
  fields: [{ path: 'email', transform: 'drop' }],
  duration: 'standing',
};
const receiptPayload: JsonObject = {
  owner: OWNER,
  grantee: APP,
  request: hex(second.sha256(request)),
  purpose: 'your visits',
  shown: 'clinic.example reads kind, note and year of your visits of 6 months, and keeps your contacts equal',
  grants: [
    { grantId: FIRST, terms: visits },
    { grantId: SECOND, terms: contacts },
  ],
  givenAt: AT,
  withdrawal: 'The owner revokes the grant at any time in the Vault; what was delivered before stays delivered.',
};
const receiptOf = (change: JsonObject, by = seeds.device, signer: Did = OWNER, type = 'sluice/receipt/1') =>
  signedDocument(type, signer, signer === OWNER ? card : null, by, { ...receiptPayload, ...change });
const receipt = receiptOf({});
const receiptHash = hex(second.sha256(receipt));

/** Narrower terms of the first grant, in the same consent. */
const changePayload: JsonObject = {
  shown: 'clinic.example reads the kind of your visits of 6 months',
  grants: [{ grantId: FIRST, terms: { ...visits, fields: ['kind'] } }],
  givenAt: LATER,
  previous: receiptHash,
  term: 1,
};
const change = receiptOf(changePayload);

const acceptancePayload: JsonObject = { receipt: receiptHash, grants: [FIRST, SECOND], acceptedAt: AT };
const acceptanceOf = (change: JsonObject, by = seeds.app, signer: Did = APP) =>
  signedDocument('sluice/acceptance/1', signer, signer === OWNER ? card : null, by, {
    ...acceptancePayload,
    ...change,
  });
const attestationPayload: JsonObject = { grantId: FIRST, wiped: 12, at: AT, reason: 'revoked' };
const attestationOf = (change: JsonObject, by = seeds.app, signer: Did = APP) =>
  signedDocument('sluice/attestation/1', signer, null, by, { ...attestationPayload, ...change });
const ackPayload: JsonObject = {
  space: hex(SPACE),
  grantId: FIRST,
  controlHead: 7,
  feedHead: 40,
  at: AT,
  servedTo: 38,
};
const ackOf = (change: JsonObject, by = seeds.node, signer: Did = NODE) =>
  signedDocument('sluice/revoke-ack/1', signer, null, by, { ...ackPayload, ...change });

const refused = (name: string, document: Uint8Array, error: JsonObject) => ({ name, document: hex(document), error });
const malformed = (field: string): JsonObject => ({ type: 'malformed', field });
const forged: JsonObject = { type: 'document', cause: { type: 'bad-signature' } };
const seventeen = Array.from({ length: 17 }, (_, i) => ({ grantId: fill(16, i), terms: visits })).map((g) => ({
  ...g,
  grantId: hex(g.grantId),
}));

const vectors = () => ({
  about:
    'Cases for spec/receipt.md. Bytes are hex. The owner signs with a device and its card, the app and the node with their identity keys. What is listed under a name ending in "Refused" must be refused for the reason named.',
  nowMs: NOW,
  space: hex(SPACE),
  keys: [
    { did: OWNER, identityKey: hex(second.publicKey(seeds.owner)) },
    { did: APP, identityKey: hex(second.publicKey(seeds.app)) },
    { did: NODE, identityKey: hex(second.publicKey(seeds.node)) },
  ],
  request: { document: hex(request), hash: hex(second.sha256(request)) },
  receipt: { payload: receiptPayload, document: hex(receipt), hash: receiptHash },
  receiptsRefused: [
    refused('a changed byte', flip(receipt, 200), forged),
    refused('signed by a key that the card does not name', receiptOf({}, seeds.app), forged),
    refused('signed by the grantee', receiptOf({}, seeds.app, APP), { type: 'wrong-signer' }),
    refused('a document of another type', receiptOf({}, seeds.device, OWNER, 'sluice/acceptance/1'), {
      type: 'document',
      cause: { type: 'wrong-type' },
    }),
    refused('for another request', receiptOf({ request: '00'.repeat(32) }), { type: 'wrong-request' }),
    refused('for another grantee', receiptOf({ grantee: 'did:web:other.example' }), { type: 'wrong-party' }),
    refused('in the name of another owner', receiptOf({ owner: 'did:web:bob.example' }), { type: 'wrong-party' }),
    refused('a request hash in upper case', receiptOf({ request: 'AB'.repeat(32) }), malformed('request')),
    refused('nothing shown', receiptOf({ shown: null }), malformed('shown')),
    refused('no grants', receiptOf({ grants: [] }), malformed('grants')),
    refused('17 grants', receiptOf({ grants: seventeen }), malformed('grants')),
    refused('a grant without terms', receiptOf({ grants: [{ grantId: FIRST }] }), malformed('grants')),
    refused(
      'one grant twice',
      receiptOf({
        grants: [
          { grantId: FIRST, terms: visits },
          { grantId: FIRST, terms: contacts },
        ],
      }),
      { type: 'wrong-grants' },
    ),
    refused('a time without milliseconds', receiptOf({ givenAt: '2026-04-15T12:00:00Z' }), malformed('givenAt')),
    refused('a time in another zone', receiptOf({ givenAt: '2026-04-15T14:00:00.000+02:00' }), malformed('givenAt')),
  ],
  change: { payload: { ...receiptPayload, ...changePayload }, document: hex(change), hash: hex(second.sha256(change)) },
  changesRefused: [
    refused('a number and no receipt before', receiptOf({ ...changePayload, previous: null }), malformed('term')),
    refused(
      'a receipt before in upper case',
      receiptOf({ ...changePayload, previous: 'AB'.repeat(32) }),
      malformed('term'),
    ),
    refused('a receipt before and no number', receiptOf({ ...changePayload, term: null }), malformed('term')),
    refused('number 0', receiptOf({ ...changePayload, term: 0 }), malformed('term')),
    refused('half a number', receiptOf({ ...changePayload, term: 1.5 }), malformed('term')),
    refused('a number of 33 bits', receiptOf({ ...changePayload, term: 2 ** 32 }), malformed('term')),
    refused('of two grants', receiptOf({ previous: receiptHash, term: 1 }), malformed('term')),
  ],
  changeAcceptance: hex(acceptanceOf({ receipt: hex(second.sha256(change)), grants: [FIRST] })),
  acceptance: {
    payload: acceptancePayload,
    document: hex(acceptanceOf({})),
    hash: hex(second.sha256(acceptanceOf({}))),
  },
  acceptancesRefused: [
    refused('a changed byte', flip(acceptanceOf({}), 90), forged),
    refused('signed by the owner', acceptanceOf({}, seeds.device, OWNER), { type: 'wrong-signer' }),
    refused('of another receipt', acceptanceOf({ receipt: '00'.repeat(32) }), { type: 'wrong-receipt' }),
    refused('of a grant that the receipt does not give', acceptanceOf({ grants: ['0'.repeat(32)] }), {
      type: 'wrong-grants',
    }),
    refused('of one grant twice', acceptanceOf({ grants: [FIRST, FIRST] }), { type: 'wrong-grants' }),
    refused('of nothing', acceptanceOf({ grants: [] }), malformed('grants')),
    refused('a time that is none', acceptanceOf({ acceptedAt: 'today' }), malformed('acceptedAt')),
  ],
  attestation: { payload: attestationPayload, document: hex(attestationOf({})) },
  attestationsRefused: [
    refused('a changed byte', flip(attestationOf({}), 90), forged),
    refused('signed by the node', attestationOf({}, seeds.node, NODE), { type: 'wrong-signer' }),
    refused('of another grant', attestationOf({ grantId: SECOND }), { type: 'wrong-grants' }),
    refused('less than nothing wiped', attestationOf({ wiped: -1 }), malformed('wiped')),
    refused('half a record wiped', attestationOf({ wiped: 0.5 }), malformed('wiped')),
    refused('an unknown reason', attestationOf({ reason: 'tired' }), malformed('reason')),
    refused('no time', attestationOf({ at: null }), malformed('at')),
  ],
  acknowledgement: { payload: ackPayload, document: hex(ackOf({})) },
  acknowledgementsRefused: [
    refused('a changed byte', flip(ackOf({}), 90), forged),
    refused('signed by another', ackOf({}, seeds.app, APP), { type: 'wrong-signer' }),
    refused('of another space', ackOf({ space: '00'.repeat(32) }), { type: 'wrong-party' }),
    refused('of another grant', ackOf({ grantId: SECOND }), { type: 'wrong-grants' }),
    refused('more served than there was', ackOf({ servedTo: 41 }), malformed('servedTo')),
    refused('no head of the feed', ackOf({ feedHead: null }), malformed('feedHead')),
    refused('no head of the control log', ackOf({ controlHead: '7' }), malformed('controlHead')),
    refused('no time', ackOf({ at: 5 }), malformed('at')),
  ],
});
type Vectors = ReturnType<typeof vectors>;
const read = (): Vectors => JSON.parse(readFileSync(FILE, 'utf8')) as Vectors;

const deps = {
  nowMs: NOW,
  resolve: async (did: Did) => {
    const party = read().keys.find((k) => k.did === did);
    if (!party) return err({ type: 'not-found' as const });
    return ok({ did, identityKey: toVerifyKey(hexToBytes(party.identityKey)), sealingKey: fill(32, 9) });
  },
};
const openR = (document: string) =>
  openReceipt(hexToBytes(document), { owner: OWNER, grantee: APP, requestHash: hexToBytes(read().request.hash) }, deps);
const opened = async (): Promise<OpenedReceipt> => must(await openR(read().receipt.document));
const openAcc = async (document: string) => openAcceptance(hexToBytes(document), await opened(), deps);
const openAtt = (document: string) => openAttestation(hexToBytes(document), { grantId: FIRST, grantee: APP }, deps);
const openAck = (document: string) =>
  openRevokeAck(hexToBytes(document), { node: NODE, space: SPACE, grantId: FIRST }, deps);

function must<T>(result: Result<T, ProofFailure>): T {
  if (!result.ok) throw new Error(JSON.stringify(result.error));
  return result.value;
}

async function expectRefused(
  cases: readonly { readonly name: string; readonly document: string; readonly error: JsonObject }[],
  open: (document: string) => Promise<Result<unknown, ProofFailure>>,
): Promise<void> {
  expect(cases.length).toBeGreaterThan(5);
  for (const { name, document, error } of cases) expect(await open(document), name).toEqual({ ok: false, error });
}

describe('vectors/receipt.json', () => {
  it('is what the second writer writes', async () => {
    await expect(second.vectorText(vectors())).toMatchFileSnapshot(FILE.pathname);
  });

  it('[RCPT-1] [RCPT-3] a receipt of the owner in answer to this request opens, and is what the product signs', async () => {
    const receipt = await opened();
    expect(receipt).toMatchObject({ owner: OWNER, grantee: APP, givenAtMs: NOW, hash: read().receipt.hash });
    const signed = signReceipt(
      {
        ...receipt,
        requestHash: hexToBytes(receipt.request),
        grants: receipt.grants as unknown as readonly { grantId: string; terms: GrantTerms }[],
      },
      { did: OWNER, key: signingKeyFromSeed(seeds.device), card },
    );
    expect(bytesToHex(signed)).toBe(read().receipt.document);
  });

  it('[RCPT-1] [RCPT-2] [RCPT-3] every other receipt is refused with its reason', () =>
    expectRefused(read().receiptsRefused, openR));

  it('[RCPT-11] a receipt of changed terms names the one before and its number, and is what the product signs', async () => {
    const { change, changesRefused } = read();
    const opened = must(await openR(change.document));
    expect(opened).toMatchObject({ previous: read().receipt.hash, term: 1, hash: change.hash });
    const { previous = '', term } = opened;
    const signed = signReceipt(
      {
        ...opened,
        requestHash: hexToBytes(opened.request),
        grants: opened.grants as unknown as readonly { grantId: string; terms: GrantTerms }[],
        change: { previous, term },
      },
      { did: OWNER, key: signingKeyFromSeed(seeds.device), card },
    );
    expect(bytesToHex(signed)).toBe(change.document);
    expect(must(await openR(read().receipt.document)).term).toBe(0);
    await expectRefused(changesRefused, openR);
  });

  it('[RCPT-12] of two terms the higher number stands, and of one number the greater receipt', () => {
    const [low, high] = ['1', 'f'].map((digit) => digit.repeat(64)) as [string, string];
    const above = (a: [number, string], b: [number, string]): boolean =>
      standsAbove({ term: a[0], hash: a[1] }, { term: b[0], hash: b[1] });
    expect([above([2, low], [1, high]), above([1, high], [2, low])]).toEqual([true, false]);
    expect([above([1, high], [1, low]), above([1, low], [1, high])]).toEqual([true, false]);
    expect(above([1, low], [1, low])).toBe(false);
  });

  it('[RCPT-4] an acceptance by the grantee that names the receipt opens, and is what the product signs', async () => {
    const { acceptance } = read();
    const content = { receipt: read().receipt.hash, grants: [FIRST, SECOND], acceptedAtMs: NOW };
    expect(await openAcc(acceptance.document)).toEqual({
      ok: true,
      value: { ...content, grantee: APP, hash: acceptance.hash },
    });
    const signed = signAcceptance(content, { did: APP, key: signingKeyFromSeed(seeds.app) });
    expect(bytesToHex(signed)).toBe(acceptance.document);
  });

  it('[RCPT-4] [RCPT-5] every other acceptance is refused with its reason', () =>
    expectRefused(read().acceptancesRefused, openAcc));

  it('[RCPT-6] an attestation by the grantee of the grant opens, and every other is refused with its reason', async () => {
    const content = { grantId: FIRST, wiped: 12, atMs: NOW, reason: 'revoked' } as const;
    expect(await openAtt(read().attestation.document)).toMatchObject({ ok: true, value: { ...content, grantee: APP } });
    const signed = signAttestation(content, { did: APP, key: signingKeyFromSeed(seeds.app) });
    expect(bytesToHex(signed)).toBe(read().attestation.document);
    await expectRefused(read().attestationsRefused, openAtt);
  });

  it('[RCPT-7] a node’s acknowledgement opens, and every other is refused with its reason', async () => {
    const content = { space: SPACE, grantId: FIRST, controlHead: 7, feedHead: 40, atMs: NOW, servedTo: 38 };
    expect(await openAck(read().acknowledgement.document)).toEqual({ ok: true, value: { ...content, node: NODE } });
    const signed = signRevokeAck(content, { did: NODE, key: signingKeyFromSeed(seeds.node) });
    expect(bytesToHex(signed)).toBe(read().acknowledgement.document);
    await expectRefused(read().acknowledgementsRefused, openAck);
  });
});
