/** Synchronization requests as signed documents: what an app asks, and the fresh keys it asks with (spec/grant.md). */

import {
  base64urlToBytes,
  bytesToBase64url,
  type Did,
  type Err,
  err,
  isJsonObject,
  type JsonObject,
  type JsonValue,
  ok,
  type Result,
  shownValue,
} from '@sluice/core/base';
import { canSealTo, toVerifyKey, type VerifyKey } from '@sluice/core/crypto';
import { type GrantTerms, MAX_REQUEST_ITEMS, MAX_SCHEMA_ID, parseTerms } from '@sluice/core/grant';
import { type DidResolver, type DocumentSigner, openDocument, signDocument } from '@sluice/core/identity';
import { SluiceError } from '../errors.ts';
import type { LoadedSchema } from '../schema/index.ts';

/** Type of a message that asks for a stream. */
export const SYNC_REQUEST = 'inbox/type/syncRequest';
/** Type of a message that hands over the keys of grants. */
export const SYNC_GRANT = 'inbox/type/syncGrant';
/** Type of the message with which a grantee accepts what it was given. */
export const SYNC_ACCEPT = 'inbox/type/syncAccept';
/** Type of the message with which a grantee gives grants up. */
export const SYNC_DROP = 'inbox/type/syncDrop';
/** Type of the message that says that an owner changed the terms of a grant. */
export const SYNC_TERMS = 'inbox/type/syncTerms';
/** Type of the message that says that a copy is gone since its grant ended. */
export const SYNC_WIPED = 'inbox/type/syncWiped';
/** Type of the message that says that the owner has heard what a grantee gave up or wiped. */
export const SYNC_HEARD = 'inbox/type/syncHeard';
/** Type of a message that says that a request was declined. */
export const STATUS = 'inbox/type/status';
const DOCUMENT_TYPE = 'sluice/sync-request/1';
/** In UTF-16 units. */
export const MAX_PURPOSE = 500;

/** An item whose schema is not known here. Its other terms mean nothing without. */
export type UnknownItem = { readonly unknownSchema: string };
/** Tells whether an item is of a schema that is not known here. */
export const isUnknown = (item: GrantTerms | UnknownItem): item is UnknownItem => 'unknownSchema' in item;

/** A request that was opened and checked. */
export type SyncRequest = {
  readonly items: readonly (GrantTerms | UnknownItem)[];
  readonly purpose: string;
  readonly expiresAtMs: number;
  /** The pairwise keys of the grantee for this request alone. */
  readonly signKey: VerifyKey;
  readonly hpkeKey: Uint8Array;
  readonly from: Did;
  /** SHA-256 of the signed document. */
  readonly hash: Uint8Array;
};

/**
 * Signs something, unless it is more than a signed document holds (ID-22). `what` names it. Errors: BAD_REQUEST.
 */
export function signWithin(what: string, sign: () => Uint8Array): Uint8Array {
  try {
    return sign();
  } catch (cause) {
    if (!(cause instanceof TypeError)) throw cause;
    throw new SluiceError(
      'BAD_REQUEST',
      `${what} is more than a signed document holds, which is 64 KiB, and lists and objects 16 deep. Ask for less at once, or with a simpler filter.`,
    );
  }
}

/** Signs a request. Result: the document, to be sent in a message. */
export function signSyncRequest(
  request: Pick<SyncRequest, 'items' | 'purpose' | 'expiresAtMs' | 'signKey' | 'hpkeKey'> & { readonly to: Did },
  signer: DocumentSigner,
): Uint8Array {
  const payload: JsonObject = {
    to: request.to,
    items: request.items,
    purpose: request.purpose,
    expiresAt: request.expiresAtMs,
    signKey: bytesToBase64url(request.signKey),
    hpkeKey: bytesToBase64url(request.hpkeKey),
  };
  return signDocument(DOCUMENT_TYPE, payload, signer);
}

/** What a request is checked against. */
export type OpenRequestDeps = {
  readonly resolver: DidResolver;
  /** Undefined for a schema that is not known here: a stranger names it, so it is not looked for elsewhere. */
  readonly loadSchema: (id: string) => Promise<LoadedSchema | undefined>;
  readonly nowMs: number;
  readonly owner: Did;
};

/** Why a request cannot be answered. `isLate`: it stood for a time that has passed. */
export type BadRequest = { readonly type: 'bad-request'; readonly text: string; readonly isLate?: true };

/** Opens a request that came in a message from `from`. Every check of form, signature, addressee and filter is here. */
export async function openSyncRequest(
  document: Uint8Array,
  from: Did,
  deps: OpenRequestDeps,
): Promise<Result<SyncRequest, BadRequest>> {
  const bad = (text: string): Err<BadRequest> => err({ type: 'bad-request', text });
  const opened = await openDocument(document, DOCUMENT_TYPE, deps.resolver.resolve, deps.nowMs);
  if (!opened.ok) return bad('it is not signed by who it says it is from');
  const { payload, signer, hash } = opened.value;
  if (signer !== from) return bad('it is not signed by its sender');
  if (payload.to !== deps.owner) return bad('it is addressed to somebody else');
  const { items, purpose, expiresAt, signKey, hpkeKey } = payload;
  if (!Array.isArray(items) || items.length === 0 || items.length > MAX_REQUEST_ITEMS)
    return bad(`its items are ${shownValue(items)}; allowed is a list of 1 to ${MAX_REQUEST_ITEMS}`);
  if (typeof purpose !== 'string' || purpose.length > MAX_PURPOSE)
    return bad(`its purpose is not a text of at most ${MAX_PURPOSE} characters`);
  if (typeof expiresAt !== 'number') return bad('it does not say until when it stands');
  if (expiresAt <= deps.nowMs) return err({ type: 'bad-request', text: 'its time has passed', isLate: true });
  const keys = readKeys(signKey, hpkeKey);
  if (!keys) return bad('its signKey or hpkeKey is no key of 32 bytes in base64url');
  // Found out at the consent, it would come when the grant stands at the node already.
  if (!(await canSealTo(keys.hpkeKey))) return bad('its hpkeKey is a key that nothing can be sealed to');
  const terms: (GrantTerms | UnknownItem)[] = [];
  for (const [i, item] of items.entries()) {
    const read = await readTerms(item as JsonValue, deps.loadSchema);
    if (!read.ok) return bad(`items.${i}: ${read.error}`);
    terms.push(read.value);
  }
  return ok({ items: terms, purpose, expiresAtMs: expiresAt, ...keys, from, hash });
}

async function readTerms(
  item: JsonValue,
  loadSchema: OpenRequestDeps['loadSchema'],
): Promise<Result<GrantTerms | UnknownItem, string>> {
  if (!isJsonObject(item) || typeof item.schema !== 'string' || item.schema.length > MAX_SCHEMA_ID)
    return err(`its schema is missing, or over ${MAX_SCHEMA_ID} characters`);
  const loaded = await loadSchema(item.schema).then(ok, (cause: unknown) => {
    if (cause instanceof SluiceError) return err(`its schema ${shownValue(item.schema)} cannot be found`);
    throw cause;
  });
  if (!loaded.ok) return loaded;
  const schema = loaded.value;
  if (!schema) return ok({ unknownSchema: item.schema });
  const parsed = parseTerms(item, schema.formats);
  if (!parsed.ok) return err(parsed.error.text);
  if (parsed.value.terms.schemaHash !== schema.hash)
    return err(`the schema ${shownValue(schema.id)} is another one here than the one that the requester means`);
  return ok(parsed.value.terms);
}

function readKeys(
  sign: JsonValue | undefined,
  hpke: JsonValue | undefined,
): { signKey: VerifyKey; hpkeKey: Uint8Array } | undefined {
  try {
    if (typeof sign !== 'string' || typeof hpke !== 'string') return undefined;
    const hpkeKey = base64urlToBytes(hpke);
    return hpkeKey.length === 32 ? { signKey: toVerifyKey(base64urlToBytes(sign)), hpkeKey } : undefined;
  } catch {
    return undefined;
  }
}

/** The bytes of a signed document in a message; undefined where there is none of that form. */
export function documentOf(value: JsonValue | undefined): Uint8Array | undefined {
  try {
    return typeof value === 'string' ? base64urlToBytes(value) : undefined;
  } catch {
    return undefined;
  }
}
