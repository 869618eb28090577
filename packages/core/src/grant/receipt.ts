/**
 * The proof of a consent, signed by both sides and linked by hashes: the request, the owner's receipt that names it, the grantee's
 * acceptance that names the receipt (spec/receipt.md). Must not know how they travel or are kept.
 */

import { bytesToHex } from '../base/bytes.ts';
import { type Did, isDid } from '../base/ids.ts';
import { isJsonObject, type JsonObject, type JsonValue } from '../base/json.ts';
import { err, ok, type Result } from '../base/result.ts';
import type { Identity } from '../identity/did-document.ts';
import type { DidFailure } from '../identity/did-failure.ts';
import {
  type DocumentFailure,
  type DocumentSigner,
  type OpenedDocument,
  openDocument,
  signDocument,
} from '../identity/document.ts';
import { type GrantTerms, MAX_REQUEST_ITEMS } from './terms.ts';

/** Type of a request as a signed document (GRANT-17). */
export const REQUEST_TYPE = 'sluice/sync-request/1';
/** Type of a receipt as a signed document. */
export const RECEIPT_TYPE = 'sluice/receipt/1';
/** Type of an acceptance as a signed document. */
const ACCEPTANCE_TYPE = 'sluice/acceptance/1';

/** The highest number of terms. */
const MAX_TERM = 2 ** 32 - 1;

/** What the owner agreed to, as the owner signs it (GRANT-18). */
export type ReceiptContent = {
  readonly owner: Did;
  readonly grantee: Did;
  readonly requestHash: Uint8Array;
  readonly purpose: string;
  /** The sentence the owner read before pressing. */
  readonly shown: string;
  readonly grants: readonly { readonly grantId: string; readonly terms: GrantTerms }[];
  readonly givenAtMs: number;
  /** Of changed terms: the receipt of the terms before, by its SHA-256 in hex, and the number of these, from 1. */
  readonly change?: { readonly previous: string; readonly term: number };
};

/** The payload of a receipt, to be signed as a document of type `RECEIPT_TYPE`. */
export function receiptPayload(r: ReceiptContent): JsonObject {
  return {
    owner: r.owner,
    grantee: r.grantee,
    request: bytesToHex(r.requestHash),
    purpose: r.purpose,
    shown: r.shown,
    grants: r.grants.map((g) => ({ grantId: g.grantId, terms: g.terms })),
    givenAt: new Date(r.givenAtMs).toISOString(),
    withdrawal: 'The owner revokes the grant at any time in the Vault; what was delivered before stays delivered.',
    ...(r.change ?? {}),
  };
}

/** Signs a receipt as the owner. Throws TypeError when it is over the limits of a document. */
export const signReceipt = (content: ReceiptContent, owner: DocumentSigner): Uint8Array =>
  signDocument(RECEIPT_TYPE, receiptPayload(content), owner);

/** A receipt that was opened and whose form was checked. The terms are as signed; whoever acts on them parses them. */
export type OpenedReceipt = {
  readonly owner: Did;
  readonly grantee: Did;
  /** SHA-256 of the request, in hex. */
  readonly request: string;
  readonly purpose: string;
  readonly shown: string;
  readonly grants: readonly { readonly grantId: string; readonly terms: JsonObject }[];
  readonly givenAtMs: number;
  readonly withdrawal: string;
  /** Of changed terms: the receipt of the terms before, by its SHA-256 in hex. */
  readonly previous?: string;
  /** Number of the terms: 0 as first given. */
  readonly term: number;
  /** SHA-256 of the receipt, in hex: what an acceptance names it by. */
  readonly hash: string;
};

/** What the grantee accepted, as the grantee signs it. */
export type AcceptanceContent = {
  /** SHA-256 of the receipt, in hex. */
  readonly receipt: string;
  /** Ids of the grants of that receipt that are accepted. */
  readonly grants: readonly string[];
  readonly acceptedAtMs: number;
};
/** An acceptance that was opened and fits its receipt. `hash` is SHA-256 of the document in hex. */
export type OpenedAcceptance = AcceptanceContent & { readonly grantee: Did; readonly hash: string };

/** Signs an acceptance as the grantee. */
export const signAcceptance = (content: AcceptanceContent, grantee: DocumentSigner): Uint8Array =>
  signDocument(
    ACCEPTANCE_TYPE,
    {
      receipt: content.receipt,
      grants: content.grants,
      acceptedAt: new Date(content.acceptedAtMs).toISOString(),
    },
    grantee,
  );

/** How documents are opened: whose keys count, and at which time a device's card must hold. */
export type ProofDeps = {
  readonly resolve: (did: Did) => Promise<Result<Identity, DidFailure>>;
  readonly nowMs: number;
};

/**
 * document (not signed by whom it names, or no document of this type), malformed (a field is missing or of another form), wrong-signer,
 * wrong-party (it is between others), wrong-request, wrong-receipt, wrong-grants (of another consent, or named twice).
 */
export type ProofFailure =
  | { readonly type: 'document'; readonly cause: DocumentFailure }
  | { readonly type: 'malformed'; readonly field: string }
  | { readonly type: 'wrong-signer' }
  | { readonly type: 'wrong-party' }
  | { readonly type: 'wrong-request' }
  | { readonly type: 'wrong-receipt' }
  | { readonly type: 'wrong-grants' };

/**
 * Opens a receipt: the owner signed it, for this grantee, in answer to this request. Without a `requestHash` the request is the receipt's
 * own word; that is for an owner who has the receipt, but no longer the request.
 *
 * Source: spec/receipt.md RCPT-1 to RCPT-3; vectors/receipt.json.
 */
export async function openReceipt(
  document: Uint8Array,
  expected: { readonly owner: Did; readonly grantee: Did; readonly requestHash?: Uint8Array },
  deps: ProofDeps,
): Promise<Result<OpenedReceipt, ProofFailure>> {
  const opened = await openSigned(document, RECEIPT_TYPE, expected.owner, deps);
  if (!opened.ok) return opened;
  const receipt = readReceipt(opened.value);
  if (!receipt.ok) return receipt;
  const { owner, grantee, request } = receipt.value;
  if (owner !== expected.owner || grantee !== expected.grantee) return err({ type: 'wrong-party' });
  const isForThat = expected.requestHash === undefined || request === bytesToHex(expected.requestHash);
  return isForThat ? receipt : err({ type: 'wrong-request' });
}

/**
 * Opens an acceptance: the grantee of the receipt signed it, and it names that receipt and grants of it.
 *
 * Source: spec/receipt.md RCPT-4, RCPT-5; vectors/receipt.json.
 */
export async function openAcceptance(
  document: Uint8Array,
  receipt: Pick<OpenedReceipt, 'grantee' | 'hash' | 'grants'>,
  deps: ProofDeps,
): Promise<Result<OpenedAcceptance, ProofFailure>> {
  const opened = await openSigned(document, ACCEPTANCE_TYPE, receipt.grantee, deps);
  if (!opened.ok) return opened;
  const { payload, signer, hash } = opened.value;
  const acceptedAtMs = instantOf(payload.acceptedAt);
  if (acceptedAtMs === undefined) return malformed('acceptedAt');
  if (payload.receipt !== receipt.hash) return err({ type: 'wrong-receipt' });
  const { grants } = payload;
  if (!isList(grants) || grants.length === 0 || !grants.every(isGrantId)) return malformed('grants');
  const known = new Set(receipt.grants.map((g) => g.grantId));
  if (new Set(grants).size !== grants.length || !grants.every((id) => known.has(id)))
    return err({ type: 'wrong-grants' });
  return ok({ receipt: receipt.hash, grants, acceptedAtMs, grantee: signer, hash: bytesToHex(hash) });
}

/** Opens a document that must be signed by one DID. */
export async function openSigned(
  document: Uint8Array,
  type: string,
  signer: Did,
  { resolve, nowMs }: ProofDeps,
): Promise<Result<OpenedDocument, ProofFailure>> {
  let isAnothers = false;
  // Whoever else it names is not looked up: that would make of a document that counts for nothing one that cannot be judged now.
  const resolveSigner: ProofDeps['resolve'] = async (did) => {
    isAnothers = did !== signer;
    return isAnothers ? err({ type: 'not-found' }) : resolve(did);
  };
  const opened = await openDocument(document, type, resolveSigner, nowMs);
  if (isAnothers) return err({ type: 'wrong-signer' });
  return opened.ok ? opened : err({ type: 'document', cause: opened.error });
}

function readReceipt({ payload, hash }: OpenedDocument): Result<OpenedReceipt, ProofFailure> {
  const { owner, grantee, request, purpose, shown, withdrawal } = payload;
  if (!isDid(owner)) return malformed('owner');
  if (!isDid(grantee)) return malformed('grantee');
  if (!isHash(request)) return malformed('request');
  if (typeof purpose !== 'string') return malformed('purpose');
  if (typeof shown !== 'string') return malformed('shown');
  if (typeof withdrawal !== 'string') return malformed('withdrawal');
  const givenAtMs = instantOf(payload.givenAt);
  if (givenAtMs === undefined) return malformed('givenAt');
  const grants = readGrants(payload.grants);
  if (!grants) return malformed('grants');
  if (new Set(grants.map((g) => g.grantId)).size !== grants.length) return err({ type: 'wrong-grants' });
  const change = readChange(payload);
  if (!change || (change.term > 0 && grants.length !== 1)) return malformed('term');
  const said = { owner, grantee, request, purpose, shown, grants, givenAtMs, withdrawal };
  return ok({ ...said, ...change, hash: bytesToHex(hash) });
}

/** Whether changed terms follow others, and as which number. */
function readChange({ previous, term }: JsonObject): Pick<OpenedReceipt, 'previous' | 'term'> | undefined {
  if (previous === undefined && term === undefined) return { term: 0 };
  if (!isHash(previous) || !isTermNumber(term)) return undefined;
  return { previous, term };
}

const isHash = (value: JsonValue | undefined): value is string =>
  typeof value === 'string' && /^[0-9a-f]{64}$/.test(value);
const isTermNumber = (value: JsonValue | undefined): value is number =>
  typeof value === 'number' && Number.isInteger(value) && value > 0 && value <= MAX_TERM;

/**
 * Tells whether terms stand above others: of a higher number, or of the same and with the greater receipt. Two devices of an owner may
 * give one number to two changes, and all who hear of both come to the same one.
 */
export const standsAbove = (
  a: Pick<OpenedReceipt, 'term' | 'hash'>,
  b: Pick<OpenedReceipt, 'term' | 'hash'>,
): boolean => a.term > b.term || (a.term === b.term && a.hash > b.hash);

function readGrants(value: JsonValue | undefined): OpenedReceipt['grants'] | undefined {
  if (!isList(value) || value.length === 0 || value.length > MAX_REQUEST_ITEMS) return undefined;
  const grants = value.flatMap((g) =>
    isJsonObject(g) && isGrantId(g.grantId) && isJsonObject(g.terms) ? [{ grantId: g.grantId, terms: g.terms }] : [],
  );
  return grants.length === value.length ? grants : undefined;
}

/** Tells whether a value is a grant's id as JSON has it: 16 bytes in lower-case hex. */
export const isGrantId = (value: JsonValue | undefined): value is string =>
  typeof value === 'string' && /^[0-9a-f]{32}$/.test(value);

/** Reads an instant as proofs write it, and in no other form: two texts for one time would be two proofs. */
export function instantOf(value: JsonValue | undefined): number | undefined {
  if (typeof value !== 'string') return undefined;
  const ms = Date.parse(value);
  return Number.isNaN(ms) || new Date(ms).toISOString() !== value ? undefined : ms;
}

/** A field of a proof that is missing or of another form. */
export const malformed = (field: string): Result<never, ProofFailure> => err({ type: 'malformed', field });

const isList = (value: JsonValue | undefined): value is readonly JsonValue[] => Array.isArray(value);
