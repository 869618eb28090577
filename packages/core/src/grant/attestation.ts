/** What a grantee says it wiped, signed by it (spec/receipt.md). It is its word: nothing here proves that a copy is gone. */

import { bytesToHex } from '../base/bytes.ts';
import type { Did } from '../base/ids.ts';
import { err, ok, type Result } from '../base/result.ts';
import { type DocumentSigner, signDocument } from '../identity/document.ts';
import { instantOf, isGrantId, malformed, openSigned, type ProofDeps, type ProofFailure } from './receipt.ts';

/** Type of an attestation as a signed document. */
const ATTESTATION_TYPE = 'sluice/attestation/1';

/** Why a copy was wiped: the owner revoked, the grant ran out, the grantee let it go, or records left a window of time. */
export type WipeReason = 'revoked' | 'expired' | 'dropped' | 'window';
const REASONS: readonly unknown[] = ['revoked', 'expired', 'dropped', 'window'] satisfies WipeReason[];

/** What was wiped of a grant, and when. */
export type AttestationContent = {
  readonly grantId: string;
  /** How many records. */
  readonly wiped: number;
  readonly atMs: number;
  readonly reason: WipeReason;
};
/** An attestation that was opened and is of the grant's grantee. `hash` is SHA-256 of the document in hex. */
export type OpenedAttestation = AttestationContent & { readonly grantee: Did; readonly hash: string };

/** Signs an attestation as the grantee. */
export const signAttestation = (content: AttestationContent, grantee: DocumentSigner): Uint8Array =>
  signDocument(
    ATTESTATION_TYPE,
    {
      grantId: content.grantId,
      wiped: content.wiped,
      at: new Date(content.atMs).toISOString(),
      reason: content.reason,
    },
    grantee,
  );

/**
 * Opens an attestation: the grantee of this very grant signed it.
 *
 * Source: spec/receipt.md RCPT-6; vectors/receipt.json.
 */
export async function openAttestation(
  document: Uint8Array,
  grant: { readonly grantId: string; readonly grantee: Did },
  deps: ProofDeps,
): Promise<Result<OpenedAttestation, ProofFailure>> {
  const opened = await openSigned(document, ATTESTATION_TYPE, grant.grantee, deps);
  if (!opened.ok) return opened;
  const { payload, signer, hash } = opened.value;
  const { grantId, wiped, reason } = payload;
  if (!isGrantId(grantId)) return malformed('grantId');
  if (!isCount(wiped)) return malformed('wiped');
  const atMs = instantOf(payload.at);
  if (atMs === undefined) return malformed('at');
  if (!isReason(reason)) return malformed('reason');
  if (grantId !== grant.grantId) return err({ type: 'wrong-grants' });
  return ok({ grantId, wiped, atMs, reason, grantee: signer, hash: bytesToHex(hash) });
}

/** Tells whether a value is a count: a whole number from 0. */
export const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && Number(value) >= 0;

const isReason = (value: unknown): value is WipeReason => REASONS.includes(value);
