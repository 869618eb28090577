/**
 * A consent as JSON in the structure of ISO/IEC TS 27560:2023: receipt metadata, record header, PII processing, parties, events. The
 * signed documents go with it, so that whoever holds the file can check it. What is not known is left out and named under `not_known`.
 *
 * Source of the field names: the mapping table and section numbers (6.3.4.1 privacy_notice and on) in the W3C community group's guide
 * "Consent Records and Receipts as per ISO/IEC TS 27560:2023 using DPV", https://w3id.org/dpv/guides/consent-27560, and for the nesting
 * the sample receipt by that guide's editor, github.com/coolharsh55/dpv-consent-record receipt.json. Names of ours begin with `sluice_`.
 */

import { base64urlToBytes, bytesToBase64url, bytesToHex, hexToBytes, utf8ToBytes } from '../base/bytes.ts';
import { canonicalJson, jsonEquals } from '../base/canonical-json.ts';
import { type Did, isDid } from '../base/ids.ts';
import { isJsonObject, type JsonObject, type JsonValue } from '../base/json.ts';
import { err, ok, type Result } from '../base/result.ts';
import { sha256 } from '../crypto/hash.ts';
import { piiInformation } from './pii-information.ts';
import {
  malformed,
  type OpenedAcceptance,
  type OpenedReceipt,
  openAcceptance,
  openReceipt,
  openSigned,
  type ProofDeps,
  type ProofFailure,
  REQUEST_TYPE,
  standsAbove,
} from './receipt.ts';

/** The structure, and the version of ours. */
const CONSENT_RECEIPT_SCHEMA = 'ISO/IEC TS 27560:2023; sluice/receipt/1';

/** A party of a consent: as much as is known of it. */
export type ConsentParty = {
  readonly id: Did;
  readonly role: 'PII principal' | 'PII controller' | 'PII processor';
  readonly name?: string;
  readonly url?: string;
  readonly email?: string;
  readonly address?: string;
  readonly type?: string;
};
/** What happened to a grant of the consent after it was given. */
export type ConsentEvent = {
  readonly grantId: string;
  readonly atMs: number;
  readonly state: 'withdrawn' | 'expired';
  /** Who brought it about. */
  readonly entity: Did;
};
/** What a consent receipt is made of. */
export type ConsentReceiptParts = {
  /** The request's document, if it is still there; its hash is in the receipt. */
  readonly request?: Uint8Array;
  readonly receipt: OpenedReceipt & { readonly document: Uint8Array };
  /** The receipts of changed terms of its grants, in any order. */
  readonly changes: readonly (OpenedReceipt & { readonly document: Uint8Array })[];
  /** What the grantee accepted, at once or grant by grant, and of the changes. */
  readonly acceptances: readonly (OpenedAcceptance & { readonly document: Uint8Array })[];
  readonly parties: readonly ConsentParty[];
  readonly events: readonly ConsentEvent[];
  /** Where the sealed records lie until the grantee fetches them. */
  readonly storage?: string;
};

type Grant = OpenedReceipt['grants'][number];

const LANGUAGE = 'en';
/** Fields that TS 27560 asks for in each purpose and party. */
const ASKED_OF_PURPOSE = ['retention_period', 'storage_locations', 'jurisdiction', 'recipient_third_parties'];
const ASKED_OF_PARTY = ['party_address', 'party_name', 'party_contact', 'party_type'];

/** Turns a consent into a consent receipt of ISO/IEC TS 27560. The same parts always give the same JSON. */
export function toConsentReceipt(parts: ConsentReceiptParts): JsonObject {
  const { receipt, acceptances } = parts;
  const changes = parts.changes.toSorted((a, b) => (standsAbove(a, b) ? 1 : -1));
  const purposes = receipt.grants.map((grant) => purposeOf(inForce(grant, changes), parts));
  const parties = parts.parties.map(partyOf);
  const content: JsonObject = {
    record: { schema_version: CONSENT_RECEIPT_SCHEMA, record_id: receipt.hash, pii_principal_id: receipt.owner },
    pii_processing: { privacy_notice: noticeOf(receipt, changes), language: LANGUAGE, purposes },
    party_identification: parties,
    event: [
      ...receipt.grants.map((g) =>
        event(g.grantId, receipt.givenAtMs, 'given', receipt.owner, validity(g, receipt.givenAtMs)),
      ),
      ...changes.flatMap((change) =>
        change.grants.map((g) =>
          event(g.grantId, change.givenAtMs, 'given', receipt.owner, validity(g, change.givenAtMs)),
        ),
      ),
      ...parts.events.map((e) => event(e.grantId, e.atMs, e.state, e.entity, 'PT0S')),
    ],
    sluice_not_known: [...absent(ASKED_OF_PURPOSE, purposes), ...absent(ASKED_OF_PARTY, parties)],
  };
  return {
    schema_version: CONSENT_RECEIPT_SCHEMA,
    receipt_id: bytesToHex(sha256(utf8ToBytes(canonicalJson(content)))),
    content,
    sluice_evidence: {
      request: {
        sha256: receipt.request,
        ...(parts.request ? { document: bytesToBase64url(parts.request) } : {}),
      },
      receipt: { sha256: receipt.hash, document: bytesToBase64url(receipt.document) },
      changes: changes.map((c) => ({
        sha256: c.hash,
        previous: c.previous ?? '',
        term: c.term,
        shown: c.shown,
        document: bytesToBase64url(c.document),
      })),
      acceptances: acceptances.map((a) => ({
        sha256: a.hash,
        accepted_at: new Date(a.acceptedAtMs).toISOString(),
        grants: a.grants,
        document: bytesToBase64url(a.document),
      })),
    },
  };
}

/** What the owner was shown at first, and at each change that stands. */
function noticeOf(receipt: OpenedReceipt, changes: ConsentReceiptParts['changes']): string {
  const standing = receipt.grants.flatMap(
    ({ grantId }) => changes.findLast((change) => change.grants.some((g) => g.grantId === grantId)) ?? [],
  );
  return [
    receipt.shown,
    ...standing.map((change) => `Changed on ${new Date(change.givenAtMs).toISOString()}: ${change.shown}`),
  ].join(' ');
}

/** The terms of a grant that stand after these changes, of which later ones come later. */
const inForce = (grant: Grant, changes: ConsentReceiptParts['changes']): Grant =>
  changes.flatMap((change) => change.grants).findLast((g) => g.grantId === grant.grantId) ?? grant;

/** What a consent receipt proves once it was checked. */
export type ProvenConsent = {
  readonly receipt: OpenedReceipt;
  readonly changes: readonly OpenedReceipt[];
  readonly acceptances: readonly OpenedAcceptance[];
};

/**
 * Checks a consent receipt that somebody shows: both sides signed, each document names the one before, and what the receipt says of
 * the processing is what was signed. Parties and later events are the word of whoever made the file.
 *
 * Source: spec/receipt.md RCPT-10.
 */
export async function openConsentReceipt(
  json: JsonValue,
  deps: ProofDeps,
): Promise<Result<ProvenConsent, ProofFailure>> {
  const content = objectAt(json, 'content');
  const evidence = objectAt(json, 'sluice_evidence');
  const owner = objectAt(content, 'record')?.pii_principal_id;
  const grantee = firstOf(objectAt(content, 'pii_processing')?.purposes)?.pii_controllers;
  const stated = { request: objectAt(evidence, 'request'), receipt: objectAt(evidence, 'receipt') };
  if (!content || !isDid(owner) || !Array.isArray(grantee) || !isDid(grantee[0])) return malformed('content');
  const request = bytesAt(stated.request, 'document');
  const requestHash = request ? sha256(request) : hashAt(stated.request);
  const document = bytesAt(stated.receipt, 'document');
  if (!requestHash || !document) return malformed('sluice_evidence');
  const receipt = await openReceipt(document, { owner, grantee: grantee[0], requestHash }, deps);
  if (!receipt.ok) return receipt;
  const asked = request ? await openSigned(request, REQUEST_TYPE, receipt.value.grantee, deps) : undefined;
  if (asked && !asked.ok) return asked;
  const changes = await changesOf(evidence?.changes, receipt.value, deps);
  if (!changes.ok) return changes;
  const acceptances = await acceptancesOf(evidence?.acceptances, [receipt.value, ...changes.value], deps);
  if (!acceptances.ok) return acceptances;
  const again = toConsentReceipt({
    ...(request ? { request } : {}),
    receipt: { ...receipt.value, document },
    changes: changes.value,
    acceptances: acceptances.value,
    parties: [],
    events: [],
    ...storageOf(content),
  });
  for (const [whole, name] of [
    [content, 'record'],
    [content, 'pii_processing'],
    [json, 'sluice_evidence'],
  ] as const) {
    const signed = objectAt(name === 'sluice_evidence' ? again : objectAt(again, 'content'), name);
    if (!jsonEquals(objectAt(whole, name) ?? null, signed ?? null)) return malformed(name);
  }
  const id = bytesToHex(sha256(utf8ToBytes(canonicalJson(content))));
  if (!isJsonObject(json) || json.receipt_id !== id) return malformed('receipt_id');
  return ok({ receipt: receipt.value, changes: changes.value, acceptances: acceptances.value });
}

/** Each change is between the same two, of a grant of the consent, and follows the receipt or another change of that grant by one. */
async function changesOf(
  stated: JsonValue | undefined,
  receipt: OpenedReceipt,
  deps: ProofDeps,
): Promise<Result<ConsentReceiptParts['changes'], ProofFailure>> {
  const documents = documentsIn(stated);
  if (!documents) return malformed('sluice_evidence');
  const changes: ConsentReceiptParts['changes'][number][] = [];
  for (const document of documents) {
    const opened = await openReceipt(document, { ...receipt, requestHash: hexToBytes(receipt.request) }, deps);
    if (!opened.ok) return opened;
    changes.push({ ...opened.value, document });
  }
  const before = new Map<string, OpenedReceipt>([receipt, ...changes].map((r) => [r.hash, r]));
  for (const change of changes) {
    const previous = before.get(change.previous ?? '');
    const grantId = change.grants[0]?.grantId;
    const follows = previous?.term === change.term - 1 && previous.grants.some((g) => g.grantId === grantId);
    if (!follows) return err({ type: 'wrong-receipt' });
  }
  return ok(changes);
}

async function acceptancesOf(
  stated: JsonValue | undefined,
  receipts: readonly OpenedReceipt[],
  deps: ProofDeps,
): Promise<Result<ConsentReceiptParts['acceptances'], ProofFailure>> {
  const documents = documentsIn(stated);
  if (!documents) return malformed('sluice_evidence');
  const acceptances: (OpenedAcceptance & { readonly document: Uint8Array })[] = [];
  for (const document of documents) {
    const opened = await firstThatFits(receipts, (receipt) => openAcceptance(document, receipt, deps));
    if (!opened.ok) return opened;
    acceptances.push({ ...opened.value, document });
  }
  return ok(acceptances);
}

/** The acceptance of whichever receipt it names; where it names none, what is wrong with it. */
async function firstThatFits<T>(
  receipts: readonly OpenedReceipt[],
  open: (receipt: OpenedReceipt) => Promise<Result<T, ProofFailure>>,
): Promise<Result<T, ProofFailure>> {
  let opened: Result<T, ProofFailure> = err({ type: 'wrong-receipt' });
  for (const receipt of receipts) {
    opened = await open(receipt);
    if (opened.ok || opened.error.type !== 'wrong-receipt') return opened;
  }
  return opened;
}

function documentsIn(stated: JsonValue | undefined): readonly Uint8Array[] | undefined {
  if (!Array.isArray(stated)) return undefined;
  const documents = (stated as readonly JsonValue[]).flatMap((part) =>
    isJsonObject(part) ? (bytesAt(part, 'document') ?? []) : [],
  );
  return documents.length === stated.length ? documents : undefined;
}

function purposeOf(grant: Grant, { receipt, storage }: ConsentReceiptParts): JsonObject {
  const { terms } = grant;
  return {
    purpose: receipt.purpose,
    lawful_basis: 'consent',
    pii_information: piiInformation(terms),
    pii_controllers: [receipt.grantee],
    collection_method: ['records of the PII principal that match the filter, delivered by its own software'],
    processing_method: terms.access === 'readwrite' ? ['read', 'write'] : [terms.access ?? 'read'],
    ...(storage === undefined ? {} : { storage_locations: [storage] }),
    ...(terms.retention === undefined ? {} : { retention_period: terms.retention }),
    withdrawal_method: receipt.withdrawal,
    sluice_grant: { grant_id: grant.grantId, terms },
  };
}

const partyOf = (p: ConsentParty): JsonObject => ({
  party_id: p.id,
  ...(p.address === undefined ? {} : { party_address: p.address }),
  ...(p.email === undefined ? {} : { party_email: p.email, party_contact: p.email }),
  ...(p.url === undefined ? {} : { party_url: p.url }),
  ...(p.name === undefined ? {} : { party_name: p.name }),
  party_role: p.role,
  ...(p.type === undefined ? {} : { party_type: p.type }),
});

const event = (grantId: string, atMs: number, state: string, entity: Did, validityDuration: string): JsonObject => ({
  event_time: new Date(atMs).toISOString(),
  validity_duration: validityDuration,
  event_type: 'explicit',
  event_state: `consent ${state}`,
  entity_id: entity,
  sluice_grant_id: grantId,
});

/** How long a consent holds: an ISO 8601 duration where it has an end, and words where it has none. */
function validity({ terms }: Grant, givenAtMs: number): string {
  const { duration } = terms;
  if (duration === 'once') return 'one delivery';
  if (!isJsonObject(duration) || typeof duration.until !== 'string') return 'until withdrawn';
  return `PT${Math.max(0, Math.round((Date.parse(duration.until) - givenAtMs) / 1000))}S`;
}

const absent = (names: readonly string[], objects: readonly JsonObject[]): readonly string[] =>
  names.filter((name) => !objects.every((o) => name in o));

const objectAt = (value: JsonValue | undefined, name: string): JsonObject | undefined => {
  const inner = isJsonObject(value) ? value[name] : undefined;
  return isJsonObject(inner) ? inner : undefined;
};

const firstOf = (value: JsonValue | undefined): JsonObject | undefined => {
  const first: unknown = Array.isArray(value) ? value[0] : undefined;
  return isJsonObject(first) ? first : undefined;
};

/** The hash of a request that is named but not enclosed. */
const hashAt = (part: JsonObject | undefined): Uint8Array | undefined =>
  typeof part?.sha256 === 'string' && /^[0-9a-f]{64}$/.test(part.sha256) ? hexToBytes(part.sha256) : undefined;

const storageOf = (content: JsonObject): { readonly storage?: string } => {
  const locations: unknown = firstOf(objectAt(content, 'pii_processing')?.purposes)?.storage_locations;
  const first: unknown = Array.isArray(locations) ? locations[0] : undefined;
  return typeof first === 'string' ? { storage: first } : {};
};

function bytesAt(part: JsonObject | undefined, name: string): Uint8Array | undefined {
  try {
    return typeof part?.[name] === 'string' ? base64urlToBytes(part[name]) : undefined;
  } catch {
    return undefined;
  }
}
