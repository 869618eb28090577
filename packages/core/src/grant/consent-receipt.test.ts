/** What is made of the documents in vectors/receipt.json: the certificate of a revoke, and the export of a consent. */

import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { base64urlToBytes, hexToBytes } from '../base/bytes.ts';
import { type Did, toDid, toSpaceId } from '../base/ids.ts';
import type { JsonObject, JsonValue } from '../base/json.ts';
import { err, ok, type Result } from '../base/result.ts';
import { fill, flip } from '../base/second-writer.oracle.ts';
import { sha256 } from '../crypto/hash.ts';
import { signingKeyFromSeed, toVerifyKey } from '../crypto/sign.ts';
import { type DocumentSigner, signDocument } from '../identity/document.ts';
import { openAttestation } from './attestation.ts';
import { openConsentReceipt, toConsentReceipt } from './consent-receipt.ts';
import { openAcceptance, openReceipt, type ProofFailure, signReceipt } from './receipt.ts';
import { certificateToJson, openCertificate, openRevokeAck } from './revoke-certificate.ts';
import type { GrantTerms } from './terms.ts';

type Signed = { readonly payload: JsonObject; readonly document: string; readonly hash: string };
type Case = { readonly name: string; readonly document: string };
type Vectors = {
  readonly nowMs: number;
  readonly space: string;
  readonly keys: readonly { readonly did: string; readonly identityKey: string }[];
  readonly request: Signed;
  readonly receipt: Signed;
  readonly change: Signed;
  readonly changeAcceptance: string;
  readonly acceptance: Signed;
  readonly attestation: Signed;
  readonly attestationsRefused: readonly Case[];
  readonly acknowledgement: Signed;
  readonly acknowledgementsRefused: readonly Case[];
};
const vectors = JSON.parse(
  readFileSync(new URL('../../../../vectors/receipt.json', import.meta.url), 'utf8'),
) as Vectors;
const { nowMs: NOW, receipt } = vectors;
const [OWNER, APP, NODE] = vectors.keys.map((k) => toDid(k.did)) as [Did, Did, Did];
const SPACE = toSpaceId(hexToBytes(vectors.space));
const [first, other] = receipt.payload.grants as unknown as readonly { grantId: string; terms: JsonObject }[];
const [FIRST, SECOND] = [String(first?.grantId), String(other?.grantId)];
const [visits, contacts] = [first?.terms ?? {}, other?.terms ?? {}];
const base64url = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64url');

const deps = {
  nowMs: NOW,
  resolve: async (did: Did) => {
    const party = vectors.keys.find((k) => k.did === did);
    if (!party) return err({ type: 'not-found' as const });
    return ok({ did, identityKey: toVerifyKey(hexToBytes(party.identityKey)), sealingKey: fill(32, 9) });
  },
};
const opened = async () => {
  const expected = { owner: OWNER, grantee: APP, requestHash: hexToBytes(vectors.request.hash) };
  return must(await openReceipt(hexToBytes(receipt.document), expected, deps));
};

function must<T>(result: Result<T, ProofFailure>): T {
  if (!result.ok) throw new Error(JSON.stringify(result.error));
  return result.value;
}

/** The document of another grant, which the vectors refuse. */
function ofAnotherGrant(cases: readonly Case[]): Uint8Array {
  const found = cases.find((c) => c.name === 'of another grant');
  if (!found) throw new Error('the vectors lack the case');
  return hexToBytes(found.document);
}

describe('the certificate of a revoke', () => {
  const make = async (withAttestation: boolean) => {
    const document = hexToBytes(vectors.acknowledgement.document);
    const attested = hexToBytes(vectors.attestation.document);
    return certificateToJson({
      grantId: FIRST,
      grantee: APP,
      revokedAtMs: NOW - 5,
      acknowledgement: {
        ...must(await openRevokeAck(document, { node: NODE, space: SPACE, grantId: FIRST }, deps)),
        document,
      },
      released: { puts: 30, deletes: 4, lastNumber: 40 },
      held: 26,
      ...(withAttestation
        ? {
            attestation: {
              ...must(await openAttestation(attested, { grantId: FIRST, grantee: APP }, deps)),
              document: attested,
            },
          }
        : {}),
    });
  };
  const open = (json: JsonValue) => openCertificate(json, SPACE, deps);

  it('[RCPT-8] comes back from its JSON as it was, with and without an attestation', async () => {
    for (const withAttestation of [true, false]) {
      const json = await make(withAttestation);
      const certificate = must(await open(JSON.parse(JSON.stringify(json)) as JsonObject));
      expect(certificate).toMatchObject({ held: 26, released: { puts: 30 }, acknowledgement: { servedTo: 38 } });
      expect(certificate.attestation?.wiped).toBe(withAttestation ? 12 : undefined);
      expect(certificateToJson(certificate)).toEqual(json);
    }
  });

  it('[RCPT-8] is refused when it says of a document what that does not say, or a document is of another', async () => {
    const good = await make(true);
    const part = (name: string, change: JsonObject): JsonObject => ({
      ...good,
      [name]: { ...(good[name] as JsonObject), ...change },
    });
    const document = (bytes: Uint8Array): JsonObject => ({ document: base64url(bytes) });
    const wrong: readonly JsonObject[] = [
      part('acknowledgement', { feedHead: 39 }),
      part('acknowledgement', { node: APP }),
      part('acknowledgement', document(ofAnotherGrant(vectors.acknowledgementsRefused))),
      part('acknowledgement', document(flip(hexToBytes(vectors.acknowledgement.document), 90))),
      part('acknowledgement', { document: '*' }),
      part('attestation', { wiped: 13 }),
      part('attestation', document(ofAnotherGrant(vectors.attestationsRefused))),
      part('released', { puts: -1 }),
      { ...good, grantee: OWNER },
      { ...good, grantId: SECOND },
      { ...good, revokedAt: 'now' },
      { ...good, held: '26' },
      { ...good, more: 1 },
    ];
    expect(await open(good)).toMatchObject({ ok: true });
    for (const [i, json] of wrong.entries()) expect(await open(json), String(i)).toMatchObject({ ok: false });
    expect(await openCertificate(good, toSpaceId(fill(32, 1)), deps)).toMatchObject({ ok: false });
  });
});

describe('a consent receipt in the structure of ISO/IEC TS 27560', () => {
  const changed = async () => {
    const document = hexToBytes(vectors.change.document);
    return { ...must(await openReceipt(document, await opened(), deps)), document };
  };
  const make = async (isAccepted = true, isWithRequest = true, isChanged = false) => {
    const accepted = hexToBytes(vectors.acceptance.document);
    const changes = isChanged ? [await changed()] : [];
    return toConsentReceipt({
      ...(isWithRequest ? { request: hexToBytes(vectors.request.document) } : {}),
      receipt: { ...(await opened()), document: hexToBytes(receipt.document) },
      changes,
      acceptances: isAccepted
        ? [{ ...must(await openAcceptance(accepted, await opened(), deps)), document: accepted }]
        : [],
      parties: [
        { id: OWNER, role: 'PII principal' },
        { id: APP, role: 'PII controller', name: 'clinic.example', url: 'https://clinic.example' },
      ],
      events: [{ grantId: FIRST, atMs: NOW + 1000, state: 'withdrawn', entity: OWNER }],
      storage: 'https://node.example',
    });
  };
  /** With a change that follows something else than it should. */
  const toConsentReceiptOf = async (change: { readonly previous: string; readonly term: number }) => {
    const base = await opened();
    const document = signReceipt(
      {
        ...base,
        requestHash: hexToBytes(base.request),
        grants: [{ grantId: FIRST, terms: visits as unknown as GrantTerms }],
        change,
      },
      { did: OWNER, key: signingKeyFromSeed(fill(32, 0x21)) },
    );
    return toConsentReceipt({
      receipt: { ...base, document: hexToBytes(receipt.document) },
      changes: [{ ...must(await openReceipt(document, base, deps)), document }],
      acceptances: [],
      parties: [],
      events: [],
    });
  };
  const check = (json: JsonValue) => openConsentReceipt(JSON.parse(JSON.stringify(json)) as JsonObject, deps);

  it('[RCPT-9] has header, processing, parties and events, and names what is not known', async () => {
    const json = await make();
    expect(json.content).toEqual({
      record: {
        schema_version: 'ISO/IEC TS 27560:2023; sluice/receipt/1',
        record_id: receipt.hash,
        pii_principal_id: OWNER,
      },
      pii_processing: {
        privacy_notice: receipt.payload.shown,
        language: 'en',
        purposes: [
          {
            purpose: 'your visits',
            lawful_basis: 'consent',
            pii_information: [
              { pii_type: visits.schema, pii_attribute_id: 'kind', pii_optional: false },
              { pii_type: visits.schema, pii_attribute_id: 'note', pii_optional: true },
              { pii_type: visits.schema, pii_attribute_id: 'date', pii_optional: false, sluice_transform: 'year' },
            ],
            pii_controllers: [APP],
            collection_method: ['records of the PII principal that match the filter, delivered by its own software'],
            processing_method: ['read'],
            storage_locations: ['https://node.example'],
            retention_period: 'P30D',
            withdrawal_method: receipt.payload.withdrawal,
            sluice_grant: { grant_id: FIRST, terms: visits },
          },
          {
            purpose: 'your visits',
            lawful_basis: 'consent',
            pii_information: [{ pii_type: contacts.schema, sluice_left_out: ['email'] }],
            pii_controllers: [APP],
            collection_method: ['records of the PII principal that match the filter, delivered by its own software'],
            processing_method: ['read', 'write'],
            storage_locations: ['https://node.example'],
            withdrawal_method: receipt.payload.withdrawal,
            sluice_grant: { grant_id: SECOND, terms: contacts },
          },
        ],
      },
      party_identification: [
        { party_id: OWNER, party_role: 'PII principal' },
        {
          party_id: APP,
          party_url: 'https://clinic.example',
          party_name: 'clinic.example',
          party_role: 'PII controller',
        },
      ],
      event: [
        {
          event_time: '2026-04-15T12:00:00.000Z',
          validity_duration: 'PT2592000S',
          event_type: 'explicit',
          event_state: 'consent given',
          entity_id: OWNER,
          sluice_grant_id: FIRST,
        },
        {
          event_time: '2026-04-15T12:00:00.000Z',
          validity_duration: 'until withdrawn',
          event_type: 'explicit',
          event_state: 'consent given',
          entity_id: OWNER,
          sluice_grant_id: SECOND,
        },
        {
          event_time: '2026-04-15T12:00:01.000Z',
          validity_duration: 'PT0S',
          event_type: 'explicit',
          event_state: 'consent withdrawn',
          entity_id: OWNER,
          sluice_grant_id: FIRST,
        },
      ],
      sluice_not_known: [
        'retention_period',
        'jurisdiction',
        'recipient_third_parties',
        'party_address',
        'party_name',
        'party_contact',
        'party_type',
      ],
    });
    expect(json.receipt_id).toMatch(/^[0-9a-f]{64}$/);
    expect((await make(false)).receipt_id).toBe(json.receipt_id);
  });

  it('[RCPT-9] [RCPT-11] states the terms that stand after a change, whoever agreed to it, and encloses its receipt', async () => {
    const json = (await make(true, true, true)) as { [name: string]: JsonObject };
    const purposes = (json.content as { pii_processing: { purposes: JsonObject[] } }).pii_processing.purposes;
    expect(purposes.map((p) => p.sluice_grant)).toEqual([
      { grant_id: FIRST, terms: { ...visits, fields: ['kind'] } },
      { grant_id: SECOND, terms: contacts },
    ]);
    expect((json.content as { pii_processing: JsonObject }).pii_processing.privacy_notice).toBe(
      `${String(receipt.payload.shown)} Changed on 2026-04-15T12:00:02.000Z: ${String(vectors.change.payload.shown)}`,
    );
    const events = (json.content as { event: JsonObject[] }).event;
    expect(events.map((e) => [e.event_time, e.event_state, e.sluice_grant_id]).at(2)).toEqual([
      '2026-04-15T12:00:02.000Z',
      'consent given',
      FIRST,
    ]);
    expect(json.sluice_evidence).toMatchObject({
      changes: [{ sha256: vectors.change.hash, previous: receipt.hash, term: 1, shown: vectors.change.payload.shown }],
    });
    const evidence = json.sluice_evidence as JsonObject;
    const accepted = { document: base64url(hexToBytes(vectors.changeAcceptance)) };
    const proven = must(await check(json));
    expect(proven.changes.map((c) => [c.term, c.previous])).toEqual([[1, receipt.hash]]);
    const without = { ...json, sluice_evidence: { ...evidence, changes: [] } };
    expect(await check(without)).toMatchObject({ ok: false });
    const orphan = await toConsentReceiptOf({ previous: '00'.repeat(32), term: 1 });
    expect(await check(orphan)).toEqual({ ok: false, error: { type: 'wrong-receipt' } });
    const leap = await toConsentReceiptOf({ previous: receipt.hash, term: 2 });
    expect(await check(leap)).toEqual({ ok: false, error: { type: 'wrong-receipt' } });
    const withAcceptance = toConsentReceipt({
      receipt: { ...(await opened()), document: hexToBytes(receipt.document) },
      changes: [await changed()],
      acceptances: [
        {
          ...must(await openAcceptance(base64urlToBytes(accepted.document), await changed(), deps)),
          ...{ document: base64urlToBytes(accepted.document) },
        },
      ],
      parties: [],
      events: [],
    });
    expect(must(await check(withAcceptance)).acceptances).toMatchObject([{ receipt: vectors.change.hash }]);
  });

  it('[RCPT-10] is checked by anybody from the file alone, accepted or not, with the request or its hash', async () => {
    expect(await check(await make())).toMatchObject({
      ok: true,
      value: { acceptances: [{ grants: [FIRST, SECOND] }] },
    });
    const alone = must(await check(await make(false, false)));
    expect(alone.receipt.hash).toBe(receipt.hash);
    expect(alone.acceptances).toEqual([]);
  });

  it('[RCPT-10] is refused when the request in it is not the grantee’s, whatever the owner signed', async () => {
    const owner = { did: OWNER, key: signingKeyFromSeed(fill(32, 0x21)) };
    const outcome = async (asker: DocumentSigner) => {
      const request = signDocument('sluice/sync-request/1', { to: OWNER, purpose: 'your visits' }, asker);
      const requestHash = sha256(request);
      const { givenAtMs, purpose, shown } = await opened();
      const grants = [{ grantId: FIRST, terms: visits as unknown as GrantTerms }];
      const content = { owner: OWNER, grantee: APP, requestHash, purpose, shown, grants, givenAtMs };
      const document = signReceipt(content, owner);
      const receipt = must(await openReceipt(document, { owner: OWNER, grantee: APP, requestHash }, deps));
      const json = toConsentReceipt({
        request,
        receipt: { ...receipt, document },
        changes: [],
        acceptances: [],
        parties: [],
        events: [],
      });
      return check(json);
    };
    expect(await outcome({ did: APP, key: signingKeyFromSeed(fill(32, 0x11)) })).toMatchObject({ ok: true });
    expect(await outcome(owner)).toEqual({ ok: false, error: { type: 'wrong-signer' } });
  });

  it('[RCPT-10] is refused when a document or what is said of it was changed', async () => {
    const good = (await make()) as { [name: string]: JsonObject };
    const clone = () => JSON.parse(JSON.stringify(good)) as { content: JsonObject; sluice_evidence: JsonObject };
    const put = (path: string, value: JsonValue): JsonObject => {
      const copy = clone() as unknown as JsonObject;
      const steps = path.split('/');
      const last = steps.pop() as string;
      const at = steps.reduce((node, step) => node[step] as JsonObject, copy);
      (at as { [name: string]: JsonValue })[last] = value;
      return copy;
    };
    const documentAt = (name: string): Uint8Array =>
      base64urlToBytes(
        String(
          name.split('/').reduce((node, step) => node[step] as JsonObject, good.sluice_evidence as JsonObject).document,
        ),
      );
    expect(await check(put('receipt_id', good.receipt_id as unknown as string))).toMatchObject({ ok: true });
    const first = 'content/pii_processing/purposes/0';
    for (const [path, value] of [
      ['receipt_id', '00'.repeat(32)],
      ['content/record/record_id', '00'.repeat(32)],
      ['content/record/pii_principal_id', APP],
      ['content/pii_processing/privacy_notice', 'Something milder'],
      [`${first}/purpose`, 'advertising'],
      [`${first}/retention_period`, 'P10Y'],
      [`${first}/pii_information/0/pii_attribute_id`, 'diagnosis'],
      [`${first}/pii_controllers/0`, OWNER],
      [`${first}/sluice_grant/terms/filter`, {}],
      ['content/event/0/event_time', '2020-01-01T00:00:00.000Z'],
      ['sluice_evidence/acceptances/0/accepted_at', '2020-01-01T00:00:00.000Z'],
      ['sluice_evidence/request/sha256', '00'.repeat(32)],
    ] as const)
      expect(await check(put(path, value)), path).toMatchObject({ ok: false });
    for (const name of ['request', 'receipt', 'acceptances/0'])
      for (const part of [0.02, 0.3, 0.6, 0.99]) {
        const document = documentAt(name);
        const at = Math.floor(document.length * part);
        const changed = put(`sluice_evidence/${name}/document`, base64url(flip(document, at)));
        expect(await check(changed), `${name} at ${at}`).toMatchObject({ ok: false });
      }
    for (const nothing of [null, {}, { content: {} }, []]) expect(await check(nothing)).toMatchObject({ ok: false });
  });
});
