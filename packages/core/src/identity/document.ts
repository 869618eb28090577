/** Signed documents: requests, receipts and answers that one DID signs for another to read. Must not know what they say. */

import { bytesToUtf8, utf8ToBytes } from '../base/bytes.ts';
import { type Did, isDid } from '../base/ids.ts';
import { isJsonObject, type JsonObject, parseJson } from '../base/json.ts';
import { err, ok, type Result } from '../base/result.ts';
import { sha256 } from '../crypto/hash.ts';
import { type SigningKey, sign, type VerifyKey, verify } from '../crypto/sign.ts';
import { encodeCbor } from '../wire/cbor.ts';
import { bytes, fixed, nullable, oneOf, readShape, text, tuple } from '../wire/shape.ts';
import { type CardFailure, MAX_CARD_BYTES, openDeviceCard } from './device-card.ts';
import type { Identity } from './did-document.ts';
import type { DidFailure } from './did-failure.ts';
import { parseDidKey } from './did-key.ts';
import { hasUniqueKeys } from './unique-keys.ts';

/** Who signs: the identity key itself, a did:key, or a device key with the card that names it. */
export type DocumentSigner = { readonly did: Did; readonly key: SigningKey; readonly card?: Uint8Array };

/** `key` is the key that signed; `hash` is SHA-256 of the whole document and names it elsewhere. */
export type OpenedDocument = {
  readonly payload: JsonObject;
  readonly signer: Did;
  readonly key: VerifyKey;
  readonly hash: Uint8Array;
};

/**
 * malformed (form, or a payload that is no JSON object within limits), wrong-type, unresolved (the signer's DID), bad-card,
 * bad-signature (another key, or changed).
 */
export type DocumentFailure =
  | { readonly type: 'malformed' }
  | { readonly type: 'wrong-type' }
  | { readonly type: 'unresolved'; readonly cause: DidFailure }
  | { readonly type: 'bad-card'; readonly cause: CardFailure }
  | { readonly type: 'bad-signature' };

const DOMAIN = 'sluice/doc/1';
const VERSION = 1;
const MAX_TYPE_CHARS = 64;
/** The JSON text of one document, in bytes. */
export const MAX_PAYLOAD_BYTES = 64 * 1024;
/** One encoded document, in bytes. */
const MAX_DOCUMENT_BYTES = MAX_PAYLOAD_BYTES + MAX_CARD_BYTES + 2048;
const LIMITS = { maxBytes: MAX_PAYLOAD_BYTES, maxDepth: 16 };

const bodyShape = tuple(
  ['version', oneOf(VERSION)],
  ['type', text(MAX_TYPE_CHARS)],
  ['signer', text(1100)],
  ['card', nullable(bytes(MAX_CARD_BYTES))],
  ['payload', bytes(MAX_PAYLOAD_BYTES)],
);
const signedShape = tuple(['body', bytes(MAX_DOCUMENT_BYTES)], ['signature', fixed(64)]);

/**
 * Signs a document. Throws TypeError if the payload is over 64 KiB or nested deeper than 16.
 *
 * Shape: CBOR [body, signature[64]], body = CBOR [1, type, signer DID, card or null, JSON text as bytes].
 */
export function signDocument(type: string, payload: JsonObject, signer: DocumentSigner): Uint8Array {
  const json = JSON.stringify(payload);
  if (type.length > MAX_TYPE_CHARS || !parseJson(json, LIMITS).ok) throw new TypeError('the document is over a limit');
  const body = encodeCbor([VERSION, type, signer.did, signer.card ?? null, utf8ToBytes(json)]);
  return encodeCbor([body, sign(signer.key, DOMAIN, body)]);
}

/**
 * Opens a document of one expected type. The payload is parsed only once the signature holds.
 *
 * Errors: malformed, wrong-type, unresolved, bad-card, bad-signature. Freshness is the payload's own matter.
 * Source: spec/identity.md ID-19 to ID-22; vectors/identity.json.
 */
export async function openDocument(
  signed: Uint8Array,
  expectedType: string,
  resolveIdentity: (did: Did) => Promise<Result<Identity, DidFailure>>,
  nowMs: number,
): Promise<Result<OpenedDocument, DocumentFailure>> {
  const outer = readShape(signedShape, signed, MAX_DOCUMENT_BYTES);
  if (!outer.ok) return err({ type: 'malformed' });
  const body = readShape(bodyShape, outer.value.body, MAX_DOCUMENT_BYTES);
  if (!body.ok) return err({ type: 'malformed' });
  const { type, signer, card } = body.value;
  if (!isDid(signer)) return err({ type: 'malformed' });
  if (type !== expectedType) return err({ type: 'wrong-type' });
  const key = await keyOfSigner(signer, card, resolveIdentity, nowMs);
  if (!key.ok) return key;
  if (!verify(key.value, outer.value.signature, DOMAIN, outer.value.body)) return err({ type: 'bad-signature' });
  const payload = readPayload(body.value.payload);
  return payload === undefined
    ? err({ type: 'malformed' })
    : ok({ payload, signer, key: key.value, hash: sha256(signed) });
}

async function keyOfSigner(
  signer: Did,
  card: Uint8Array | null,
  resolveIdentity: (did: Did) => Promise<Result<Identity, DidFailure>>,
  nowMs: number,
): Promise<Result<VerifyKey, DocumentFailure>> {
  if (signer.startsWith('did:key:')) {
    const key = parseDidKey(signer);
    // A did:key is its own key: a card beside it would name a second one.
    return key.ok && card === null ? key : err({ type: 'malformed' });
  }
  const identity = await resolveIdentity(signer);
  if (!identity.ok) return err({ type: 'unresolved', cause: identity.error });
  if (card === null) return ok(identity.value.identityKey);
  const opened = openDeviceCard(card, identity.value.identityKey, { did: signer, nowMs });
  return opened.ok ? ok(opened.value.deviceKey) : err({ type: 'bad-card', cause: opened.error });
}

function readPayload(payload: Uint8Array): JsonObject | undefined {
  try {
    const json = bytesToUtf8(payload);
    const parsed = parseJson(json, LIMITS);
    return parsed.ok && isJsonObject(parsed.value) && hasUniqueKeys(json) ? parsed.value : undefined;
  } catch {
    return undefined;
  }
}
