/** The proof of a consent: what was asked, what was agreed, signed by the owner's side (spec/grant.md). */

import { bytesToHex } from '../base/bytes.ts';
import type { Did } from '../base/ids.ts';
import type { JsonObject, JsonValue } from '../base/json.ts';
import type { GrantTerms } from './terms.ts';

/** Type of a receipt as a signed document. */
export const RECEIPT_TYPE = 'sluice/receipt/1';

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
};

/** The payload of a receipt, to be signed as a document of type `RECEIPT_TYPE`. */
export function receiptPayload(r: ReceiptContent): JsonObject {
  return {
    owner: r.owner,
    grantee: r.grantee,
    request: bytesToHex(r.requestHash),
    purpose: r.purpose,
    shown: r.shown,
    grants: r.grants.map((g) => ({ grantId: g.grantId, terms: g.terms as unknown as JsonValue })),
    givenAt: new Date(r.givenAtMs).toISOString(),
    withdrawal: 'The owner revokes the grant at any time in the Vault; what was delivered before stays delivered.',
  };
}
