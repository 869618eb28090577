/** Connect: the request an app signs and the sealed answer an owner gives (spec/connect.md). Neither carries anything secret in clear. */

import {
  base64urlToBytes,
  bytesToBase64url,
  type Did,
  err,
  isDid,
  isJsonObject,
  type JsonObject,
  type JsonValue,
  ok,
  type Result,
  toRowId,
  toSpaceId,
  utf8ToBytes,
  type RowId,
} from '@sluice/core/base';
import {
  canSealTo,
  checkCommitment,
  type EpochKey,
  type HpkeKeyPair,
  keyCommitment,
  openHpke,
  sealHpke,
  toEpochKey,
  toTagSecret,
  toVerifyKey,
  type VerifyKey,
} from '@sluice/core/crypto';
import { type DidResolver, didWebOrigin, type DocumentSigner, openDocument, signDocument } from '@sluice/core/identity';
import { isWebAddress } from '../messaging/inbox-item.ts';
import type { SpaceKeys } from '../space/space-keys.ts';

const REQUEST_TYPE = 'sluice/connect-request/1';
const ANSWER_TYPE = 'sluice/connect-answer/1';
const INFO = utf8ToBytes('sluice/connect-answer/1');
const MAX_NAME = 128;

/** A connect request that was opened and checked. `origin` is what the signature proves. */
export type ConnectRequest = {
  readonly app: Did;
  readonly context: string;
  readonly sessionKey: VerifyKey;
  readonly hpkeKey: Uint8Array;
  /** Where the answer is left: a one-use drop at the app's node. */
  readonly dropUrl: string;
  readonly expiresAtMs: number;
  readonly hash: Uint8Array;
  /** The https origin that the app's DID speaks for: what a person is shown. */
  readonly origin: string;
};

/** What the Vault leaves at the drop: the keys of the silo, or that the person declined. */
export type ConnectAnswer =
  | {
      readonly type: 'approved';
      readonly owner: Did;
      readonly keys: SpaceKeys;
      readonly row: RowId;
      readonly expiresAtMs: number;
    }
  | { readonly type: 'declined'; readonly owner: Did };

/** Signs a request. Result: the document; its SHA-256 names the drop. */
export function signConnectRequest(
  r: Pick<ConnectRequest, 'context' | 'sessionKey' | 'hpkeKey' | 'dropUrl' | 'expiresAtMs' | 'origin'>,
  nonce: Uint8Array,
  signer: DocumentSigner,
): Uint8Array {
  return signDocument(
    REQUEST_TYPE,
    {
      context: r.context,
      sessionKey: bytesToBase64url(r.sessionKey),
      hpkeKey: bytesToBase64url(r.hpkeKey),
      dropUrl: r.dropUrl,
      expiresAt: r.expiresAtMs,
      origin: r.origin,
      nonce: bytesToBase64url(nonce),
    },
    signer,
  );
}

/**
 * Opens and verifies a request.
 *
 * Errors: a sentence that says what is wrong with it. The origin shown must be the one that the signing DID is bound to.
 * Source: spec/connect.md CON-1 to CON-4.
 */
export async function openConnectRequest(
  document: Uint8Array,
  resolver: DidResolver,
  nowMs: number,
): Promise<Result<ConnectRequest, string>> {
  const opened = await openDocument(document, REQUEST_TYPE, resolver.resolve, nowMs);
  if (!opened.ok) return err('the request is not signed by the app it names');
  const { payload, signer, hash } = opened.value;
  const { context, sessionKey, hpkeKey, dropUrl, expiresAt, origin } = payload;
  if (typeof context !== 'string' || context.length === 0 || context.length > MAX_NAME)
    return err('the context has no usable name');
  if (typeof origin !== 'string' || didWebOrigin(signer) !== origin)
    return err('the request shows an origin that is not the app’s own');
  if (typeof dropUrl !== 'string' || !dropUrl.startsWith('https://') || dropUrl.length > 512)
    return err('the request names no place for the answer');
  if (typeof expiresAt !== 'number' || expiresAt <= nowMs)
    return err('the request has expired; ask the app for a new one');
  const keys = keysOf(sessionKey, hpkeKey);
  // Found out at the answer, it would come when the app is let in already, and be in the way of every later key of its silo.
  if (!keys || !(await canSealTo(keys.hpkeKey))) return err('the keys are not of the right form');
  return ok({ app: signer, context, dropUrl, expiresAtMs: expiresAt, hash, origin, ...keys });
}

function keysOf(
  session: JsonValue | undefined,
  hpke: JsonValue | undefined,
): Pick<ConnectRequest, 'sessionKey' | 'hpkeKey'> | undefined {
  try {
    return { sessionKey: toVerifyKey(bytesOf(session, 32)), hpkeKey: bytesOf(hpke, 32) };
  } catch {
    return undefined;
  }
}

/** What the owner answers; its DID is that of the signature. */
export type ConnectReply = Omit<Extract<ConnectAnswer, { type: 'approved' }>, 'owner'> | { readonly type: 'declined' };

/** Seals an answer to the request's key, inside it the owner's signature over the request's hash. */
export function sealConnectAnswer(
  request: ConnectRequest,
  answer: ConnectReply,
  signer: DocumentSigner,
): Promise<Uint8Array> {
  const common = { request: bytesToBase64url(request.hash), type: answer.type };
  const payload: JsonObject =
    answer.type === 'declined'
      ? common
      : { ...common, ...keysToJson(answer.keys), row: bytesToBase64url(answer.row), expiresAt: answer.expiresAtMs };
  return sealHpke(request.hpkeKey, INFO, request.hash, signDocument(ANSWER_TYPE, payload, signer));
}

/** Opens an answer. Errors: a sentence. Source: spec/connect.md CON-5, CON-6. */
export async function openConnectAnswer(
  sealed: Uint8Array,
  requestHash: Uint8Array,
  hpke: HpkeKeyPair,
  resolver: DidResolver,
  nowMs: number,
): Promise<Result<ConnectAnswer, string>> {
  const plain = await openHpke(hpke, INFO, requestHash, sealed);
  if (!plain.ok) return err('the answer does not belong to this request');
  const opened = await openDocument(plain.value, ANSWER_TYPE, resolver.resolve, nowMs);
  if (!opened.ok || opened.value.payload.request !== bytesToBase64url(requestHash))
    return err('the answer is not signed by its owner for this request');
  const { payload, signer } = opened.value;
  if (payload.type === 'declined') return ok({ type: 'declined', owner: signer });
  try {
    return ok({
      type: 'approved',
      owner: signer,
      keys: jsonToKeys(payload),
      row: toRowId(bytesOf(payload.row, 16)),
      expiresAtMs: Number(payload.expiresAt),
    });
  } catch {
    return err('the answer lacks a key');
  }
}

/** What a session gets of a space's keys: to read and write its collections, and nothing that controls the space. */
export function keysToJson(keys: SpaceKeys): JsonObject {
  const epochs: Record<string, JsonValue> = {};
  for (const [n, key] of keys.epochs)
    epochs[String(n)] = { key: bytesToBase64url(key), commitment: bytesToBase64url(keyCommitment(key)) };
  return {
    space: bytesToBase64url(keys.space),
    genesis: bytesToBase64url(keys.genesis),
    nodeUrl: keys.node.url,
    nodeDid: keys.node.did,
    tagSecret: bytesToBase64url(keys.tagSecret),
    epochs,
  };
}

/** Reads the keys of a session back. Throws TypeError on another form, and on a key that is not the one committed to. */
export function jsonToKeys(json: JsonObject): SpaceKeys {
  if (!isDid(json.nodeDid) || !isWebAddress(json.nodeUrl) || !isJsonObject(json.epochs))
    throw new TypeError('not the keys of a session');
  const epochs = new Map<number, EpochKey>(
    Object.entries(json.epochs).map(([n, item]) => [Number(n), committedKey(item)]),
  );
  return {
    space: toSpaceId(bytesOf(json.space, 32)),
    genesis: bytesOf(json.genesis),
    node: { url: json.nodeUrl, did: json.nodeDid },
    tagSecret: toTagSecret(bytesOf(json.tagSecret, 32)),
    epochs,
  };
}

function committedKey(item: JsonValue): EpochKey {
  const key = isJsonObject(item) ? bytesOf(item.key, 32) : undefined;
  if (!key || !isJsonObject(item) || !checkCommitment(key, bytesOf(item.commitment, 32)))
    throw new TypeError('not the key that was committed to');
  return toEpochKey(key);
}

function bytesOf(value: JsonValue | undefined, length?: number): Uint8Array {
  const bytes = typeof value === 'string' ? base64urlToBytes(value) : undefined;
  if (!bytes || (length !== undefined && bytes.length !== length)) throw new TypeError('not bytes of the right length');
  return bytes;
}
