/** The message that follows a consent: keys, terms and receipt, as the owner makes it and the requester checks it (spec/grant.md). */

import {
  base64urlToBytes,
  bytesToBase64url,
  bytesToHex,
  type Did,
  hexToBytes,
  isDid,
  isJsonObject,
  type JsonObject,
  jsonEquals,
  type JsonValue,
  type SpaceId,
  type StreamId,
  toGrantId,
  toSpaceId,
  toStreamId,
  utf8ToBytes,
} from '@sluice/core/base';
import {
  type AeadKey,
  checkCommitment,
  type HpkeKeyPair,
  keyCommitment,
  openHpke,
  sealHpke,
  toAeadKey,
} from '@sluice/core/crypto';
import { type GrantTerms, MAX_REQUEST_ITEMS, openReceipt, parseTerms, wrongNarrowing } from '@sluice/core/grant';
import type { DidResolver } from '@sluice/core/identity';
import { encodeCbor, fixed, list, readShape, STREAM_KIND, tuple } from '@sluice/core/wire';
import { SluiceError } from '../errors.ts';
import { isWebAddress } from '../messaging/inbox-item.ts';
import type { NodeAddress } from '../platform.ts';
import { isNarrowed, type LoadSchema } from './terms.ts';

/** HPKE info of the keys that a consent hands over; the AAD is the request's hash. */
const KEYS_INFO = utf8ToBytes('sluice/grant-keys/1');
const keysShape = list(tuple(['key', fixed(32)], ['commitment', fixed(32)]), MAX_REQUEST_ITEMS);
const MAX_KEYS_BYTES = 4096;

/** One grant as its grantee gets it. */
export type HandedGrant = {
  /** 16 bytes in hex. */
  readonly grantId: string;
  readonly asked: GrantTerms;
  readonly terms: GrantTerms;
  /** Whether they are less than what was asked. */
  readonly narrowed: boolean;
  readonly feed: StreamId;
  /** Where the grantee writes, if it may. */
  readonly lane?: StreamId;
  readonly key: AeadKey;
};
/** An answer to a request, opened and checked against what was asked. */
export type SyncGrant = {
  readonly grants: readonly HandedGrant[];
  readonly node: NodeAddress;
  readonly space: SpaceId;
  /** The signed proof of the consent. */
  readonly receipt: Uint8Array;
};

/** The data of a grant message. The keys are sealed to the key that the request named. */
export async function syncGrantData(
  grant: SyncGrant,
  request: { readonly id: string; readonly hash: Uint8Array; readonly hpkeKey: Uint8Array },
): Promise<JsonObject> {
  const keys = encodeCbor(grant.grants.map((g) => [g.key, keyCommitment(g.key)]));
  return {
    replyId: request.id,
    grants: grant.grants.map(({ grantId, terms, feed, lane }) => ({
      grantId,
      terms: terms,
      feed: bytesToBase64url(feed),
      ...(lane ? { lane: bytesToBase64url(lane) } : {}),
    })),
    node: { url: grant.node.url, did: grant.node.did },
    space: bytesToBase64url(grant.space),
    keys: bytesToBase64url(await sealHpke(request.hpkeKey, KEYS_INFO, request.hash, keys)),
    receipt: bytesToBase64url(grant.receipt),
  };
}

/** What an answer is checked against. */
export type ReadGrantDeps = {
  /** Who answered; the receipt must be signed by it. */
  readonly from: Did;
  /** Who asked; the receipt must name it. */
  readonly self: Did;
  readonly requestHash: Uint8Array;
  /** What was asked: one grant for each, in this order. */
  readonly asked: readonly GrantTerms[];
  readonly hpke: HpkeKeyPair;
  readonly resolver: DidResolver;
  readonly loadSchema: LoadSchema;
  readonly nowMs: number;
};

/**
 * Reads a grant message against the request it answers.
 *
 * Errors: BAD_MESSAGE with what does not fit. Source: spec/grant.md GRANT-6, GRANT-7, GRANT-12.
 */
export async function readSyncGrant(data: JsonObject, deps: ReadGrantDeps): Promise<SyncGrant> {
  const { grants, node, space, keys, receipt } = data;
  if (!Array.isArray(grants) || grants.length === 0) throw bad('it holds no list of grants');
  if (grants.length !== deps.asked.length) throw bad('it holds not one grant for each item that was asked');
  if (!isJsonObject(node) || !isDid(node.did) || !isWebAddress(node.url)) throw bad('it names no node');
  const proof = bytesOf(receipt, 'receipt');
  await checkReceipt(proof, grants, deps);
  const grantKeys = await openKeys(bytesOf(keys, 'keys'), deps);
  if (grantKeys.length !== grants.length) throw bad('it has not one key for each grant');
  const handed: HandedGrant[] = [];
  for (const [i, given] of grants.entries())
    handed.push(await readHanded(given as JsonValue, deps.asked[i] as GrantTerms, grantKeys[i] as AeadKey, deps));
  const spaceId = bytesOf(space, 'space', 32);
  return { grants: handed, node: { url: node.url, did: node.did }, space: toSpaceId(spaceId), receipt: proof };
}

/** The receipt must be the owner's, for this requester and request, and speak of the very grants that the message hands over. */
async function checkReceipt(receipt: Uint8Array, grants: readonly JsonValue[], deps: ReadGrantDeps): Promise<void> {
  const { from: owner, self: grantee, requestHash, resolver, nowMs } = deps;
  const opened = await openReceipt(receipt, { owner, grantee, requestHash }, { resolve: resolver.resolve, nowMs });
  if (!opened.ok || opened.value.term !== 0) throw bad('the receipt does not belong to this request');
  const stated = grants.map((g) => (isJsonObject(g) ? { grantId: g.grantId ?? null, terms: g.terms ?? null } : null));
  if (!jsonEquals(opened.value.grants, stated)) throw bad('the receipt is for other grants');
}

async function openKeys(sealed: Uint8Array, { hpke, requestHash }: ReadGrantDeps): Promise<AeadKey[]> {
  const opened = await openHpke(hpke, KEYS_INFO, requestHash, sealed);
  const read = opened.ok ? readShape(keysShape, opened.value, MAX_KEYS_BYTES) : opened;
  if (!read.ok) throw bad('the keys cannot be opened');
  return read.value.map(({ key, commitment }) => {
    const grantKey = toAeadKey(key);
    if (!checkCommitment(grantKey, commitment)) throw bad('a key is not the one that was committed to');
    return grantKey;
  });
}

async function readHanded(
  given: JsonValue,
  asked: GrantTerms,
  key: AeadKey,
  deps: ReadGrantDeps,
): Promise<HandedGrant> {
  if (!isJsonObject(given) || !isJsonObject(given.terms)) throw bad('a grant has no terms');
  const { grantId, terms } = given;
  if (typeof grantId !== 'string' || !/^[0-9a-f]{32}$/.test(grantId)) throw bad('a grant has no id');
  const schema = await deps.loadSchema(asked.schema);
  const parsed = parseTerms(terms, schema.formats);
  if (!parsed.ok) throw bad(`the terms of a grant cannot be read: ${parsed.error.text}`);
  const wrong = wrongNarrowing(asked, parsed.value.terms);
  if (wrong) throw bad(`a grant is not for what was asked: ${wrong}`);
  const feed = bytesOf(given.feed, 'feed', 16);
  if (feed[0] !== STREAM_KIND.feed) throw bad('a grant names no feed');
  const lane = parsed.value.terms.write ? bytesOf(given.lane, 'lane', 16) : undefined;
  if (lane && lane[0] !== STREAM_KIND.lane) throw bad('a grant names no lane');
  return {
    grantId: bytesToHex(toGrantId(hexToBytes(grantId))),
    asked,
    terms: parsed.value.terms,
    narrowed: isNarrowed(asked, parsed.value.terms),
    feed: toStreamId(feed),
    ...(lane ? { lane: toStreamId(lane) } : {}),
    key,
  };
}

function bytesOf(value: JsonValue | undefined, name: string, length?: number): Uint8Array {
  try {
    const bytes = base64urlToBytes(String(value));
    if (length === undefined || bytes.length === length) return bytes;
  } catch {
    // Said below: to the reader it is one and the same.
  }
  throw bad(`its ${name} is not of the right form`);
}

const bad = (what: string): SluiceError => new SluiceError('BAD_MESSAGE', `The answer cannot be used: ${what}`);
