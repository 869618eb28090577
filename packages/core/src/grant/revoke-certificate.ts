/**
 * What a revoke leaves in the owner's hands: the node's signed word for when it took effect and how far the feed had gone, what was
 * released at most, and what the grantee still holds (spec/receipt.md).
 */

import { base64urlToBytes, bytesToBase64url, bytesToHex } from '../base/bytes.ts';
import { jsonEquals } from '../base/canonical-json.ts';
import { type Did, isDid, type SpaceId } from '../base/ids.ts';
import { isJsonObject, type JsonObject, type JsonValue } from '../base/json.ts';
import { err, ok, type Result } from '../base/result.ts';
import { type DocumentSigner, signDocument } from '../identity/document.ts';
import { isCount, type OpenedAttestation, openAttestation } from './attestation.ts';
import { instantOf, isGrantId, malformed, openSigned, type ProofDeps, type ProofFailure } from './receipt.ts';

/** Type of a node's acknowledgement as a signed document. */
const REVOKE_ACK_TYPE = 'sluice/revoke-ack/1';

/** What a node says of a revoke it has stored. */
export type RevokeAckContent = {
  readonly space: SpaceId;
  readonly grantId: string;
  /** Number of the last control entry the node holds, the revoke's own or later. */
  readonly controlHead: number;
  /** Number of the last entry of the grant's feed. */
  readonly feedHead: number;
  /** Highest number of the feed that the node has sent to the grantee, if it keeps count. */
  readonly servedTo?: number;
  /** The node's clock when the revoke was stored. */
  readonly atMs: number;
};
/** An acknowledgement that was opened and is of this node, space and grant. */
export type OpenedRevokeAck = RevokeAckContent & { readonly node: Did };

/** Signs an acknowledgement as the node. */
export const signRevokeAck = (content: RevokeAckContent, node: DocumentSigner): Uint8Array =>
  signDocument(
    REVOKE_ACK_TYPE,
    {
      space: bytesToHex(content.space),
      grantId: content.grantId,
      controlHead: content.controlHead,
      feedHead: content.feedHead,
      at: new Date(content.atMs).toISOString(),
      ...(content.servedTo === undefined ? {} : { servedTo: content.servedTo }),
    },
    node,
  );

/**
 * Opens a node's acknowledgement of the revoke of one grant.
 *
 * Source: spec/receipt.md RCPT-7; vectors/receipt.json.
 */
export async function openRevokeAck(
  document: Uint8Array,
  expected: { readonly node: Did; readonly space: SpaceId; readonly grantId: string },
  deps: ProofDeps,
): Promise<Result<OpenedRevokeAck, ProofFailure>> {
  const opened = await openSigned(document, REVOKE_ACK_TYPE, expected.node, deps);
  if (!opened.ok) return opened;
  const { space, grantId, controlHead, feedHead, servedTo, at } = opened.value.payload;
  if (!isGrantId(grantId)) return malformed('grantId');
  if (!isCount(controlHead)) return malformed('controlHead');
  if (!isCount(feedHead)) return malformed('feedHead');
  // A node that says it sent more than there is contradicts itself.
  if (servedTo !== undefined && (!isCount(servedTo) || servedTo > feedHead)) return malformed('servedTo');
  const atMs = instantOf(at);
  if (atMs === undefined) return malformed('at');
  if (space !== bytesToHex(expected.space)) return err({ type: 'wrong-party' });
  if (grantId !== expected.grantId) return err({ type: 'wrong-grants' });
  return ok({
    space: expected.space,
    grantId,
    controlHead,
    feedHead,
    ...(servedTo === undefined ? {} : { servedTo }),
    atMs,
    node: expected.node,
  });
}

/** What a revoke came to. Numbers of records are the owner's own count. */
export type RevokeCertificate = {
  readonly grantId: string;
  readonly grantee: Did;
  /** The owner's clock when it revoked. */
  readonly revokedAtMs: number;
  readonly acknowledgement: OpenedRevokeAck & { readonly document: Uint8Array };
  /** What had been put into the feed by then, whether or not the grantee fetched it. */
  readonly released: { readonly puts: number; readonly deletes: number; readonly lastNumber: number };
  /** Records the feed stood for at its last checkpoint: what the grantee holds at most, unless it attests that it wiped them. */
  readonly held: number;
  readonly attestation?: OpenedAttestation & { readonly document: Uint8Array };
};

/** A certificate as JSON, to be kept and shown. The signed documents in it are base64url. */
export function certificateToJson(c: RevokeCertificate): JsonObject {
  const { acknowledgement: ack, attestation } = c;
  return {
    grantId: c.grantId,
    grantee: c.grantee,
    revokedAt: new Date(c.revokedAtMs).toISOString(),
    acknowledgement: {
      node: ack.node,
      controlHead: ack.controlHead,
      feedHead: ack.feedHead,
      ...(ack.servedTo === undefined ? {} : { servedTo: ack.servedTo }),
      at: new Date(ack.atMs).toISOString(),
      document: bytesToBase64url(ack.document),
    },
    released: { ...c.released },
    held: c.held,
    ...(attestation
      ? {
          attestation: {
            wiped: attestation.wiped,
            reason: attestation.reason,
            at: new Date(attestation.atMs).toISOString(),
            document: bytesToBase64url(attestation.document),
          },
        }
      : {}),
  };
}

/**
 * Reads a certificate and checks it: both documents are signed by whom it names, and it says of them what they say.
 *
 * Source: spec/receipt.md RCPT-8; vectors/receipt.json.
 */
export async function openCertificate(
  json: JsonValue,
  space: SpaceId,
  deps: ProofDeps,
): Promise<Result<RevokeCertificate, ProofFailure>> {
  if (!isJsonObject(json)) return malformed('certificate');
  const { grantId, grantee, acknowledgement, released, held, attestation } = json;
  if (!isGrantId(grantId)) return malformed('grantId');
  if (!isDid(grantee)) return malformed('grantee');
  const revokedAtMs = instantOf(json.revokedAt);
  if (revokedAtMs === undefined) return malformed('revokedAt');
  if (!isJsonObject(acknowledgement) || !isDid(acknowledgement.node)) return malformed('acknowledgement');
  if (!isJsonObject(released)) return malformed('released');
  const { puts, deletes, lastNumber } = released;
  if (!isCount(puts) || !isCount(deletes) || !isCount(lastNumber)) return malformed('released');
  if (!isCount(held)) return malformed('held');
  const ackDocument = documentOf(acknowledgement);
  const ack = await openRevokeAck(ackDocument, { node: acknowledgement.node, space, grantId }, deps);
  if (!ack.ok) return ack;
  const plain = {
    grantId,
    grantee,
    revokedAtMs,
    acknowledgement: { ...ack.value, document: ackDocument },
    released: { puts, deletes, lastNumber },
    held,
  };
  if (attestation === undefined) return asStated(plain, json);
  if (!isJsonObject(attestation)) return malformed('attestation');
  const document = documentOf(attestation);
  const wiped = await openAttestation(document, { grantId, grantee }, deps);
  return wiped.ok ? asStated({ ...plain, attestation: { ...wiped.value, document } }, json) : wiped;
}

/** The certificate, if the JSON says the same as the documents in it, and nothing else. */
const asStated = (certificate: RevokeCertificate, json: JsonObject): Result<RevokeCertificate, ProofFailure> =>
  jsonEquals(certificateToJson(certificate), json) ? ok(certificate) : malformed('certificate');

/** The signed document that a part of a certificate encloses; bytes that open as nothing when it is of no such form. */
function documentOf(part: JsonObject): Uint8Array {
  try {
    return base64urlToBytes(String(part.document));
  } catch {
    return new Uint8Array(0);
  }
}
