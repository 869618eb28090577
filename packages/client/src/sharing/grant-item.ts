/** Grants as keychain items: what the owner keeps of a grant it gave, and the grantee of one it received. */

import {
  isDid,
  type JsonObject,
  type JsonValue,
  toDid,
  toSpaceId,
  toStreamId,
  type Did,
  type SpaceId,
  type StreamId,
} from '@sluice/core/base';
import {
  type AeadKey,
  type GrantSecret,
  type SigningKey,
  signingKeyFromSeed,
  toAeadKey,
  toGrantSecret,
} from '@sluice/core/crypto';
import type { GrantTerms } from '@sluice/core/grant';
import { packBytes, unpackBytes } from '../account/keychain.ts';
import type { NodeAddress } from '../platform.ts';

/** How a given grant stands. `completed` is a once-off one that was delivered. */
export type GivenStatus = 'active' | 'completed' | 'revoked';

/** A grant that this account gave. */
export type GivenGrant = {
  readonly grantId: string;
  readonly requestId: string;
  readonly grantee: Did;
  readonly purpose: string;
  readonly space: SpaceId;
  readonly collection: string;
  readonly terms: GrantTerms;
  readonly feed: StreamId;
  readonly key: AeadKey;
  readonly secret: GrantSecret;
  readonly granteeKey: Uint8Array;
  readonly status: GivenStatus;
  readonly givenAtMs: number;
  readonly receipt: Uint8Array;
  readonly revokedAtMs?: number;
  /** Why this device cannot keep the grant's feed up to date. */
  readonly problem?: string;
};

/** A grant that this account received. */
export type ReceivedGrant = {
  readonly grantId: string;
  readonly requestId: string;
  readonly owner: Did;
  readonly purpose: string;
  readonly terms: GrantTerms;
  readonly node: NodeAddress;
  readonly space: SpaceId;
  readonly feed: StreamId;
  readonly key: AeadKey;
  readonly pairwise: SigningKey;
  readonly receivedAtMs: number;
  readonly receipt: Uint8Array;
};

const json = (terms: GrantTerms): JsonValue => terms as unknown as JsonValue;
const terms = (value: JsonValue | undefined): GrantTerms => value as unknown as GrantTerms;

/** Turns a given grant into an item of the keychain. */
export function givenToItem(g: GivenGrant): JsonObject {
  return {
    requestId: g.requestId,
    grantee: g.grantee,
    purpose: g.purpose,
    space: packBytes(g.space),
    collection: g.collection,
    terms: json(g.terms),
    feed: packBytes(g.feed),
    key: packBytes(g.key),
    secret: packBytes(g.secret),
    granteeKey: packBytes(g.granteeKey),
    status: g.status,
    givenAt: g.givenAtMs,
    receipt: packBytes(g.receipt),
    ...(g.revokedAtMs === undefined ? {} : { revokedAt: g.revokedAtMs }),
  };
}

/** Reads a given grant from the keychain. */
export function itemToGiven(grantId: string, item: JsonObject): GivenGrant {
  return {
    grantId,
    requestId: String(item.requestId),
    grantee: toDid(String(item.grantee)),
    purpose: String(item.purpose),
    space: toSpaceId(unpackBytes(item.space)),
    collection: String(item.collection),
    terms: terms(item.terms),
    feed: toStreamId(unpackBytes(item.feed)),
    key: toAeadKey(unpackBytes(item.key)),
    secret: toGrantSecret(unpackBytes(item.secret)),
    granteeKey: unpackBytes(item.granteeKey),
    status: item.status as GivenStatus,
    givenAtMs: Number(item.givenAt),
    receipt: unpackBytes(item.receipt),
    ...(typeof item.revokedAt === 'number' ? { revokedAtMs: item.revokedAt } : {}),
  };
}

/** Turns a received grant into an item of the keychain. */
export function receivedToItem(g: ReceivedGrant): JsonObject {
  return {
    requestId: g.requestId,
    owner: g.owner,
    purpose: g.purpose,
    terms: json(g.terms),
    nodeUrl: g.node.url,
    nodeDid: g.node.did,
    space: packBytes(g.space),
    feed: packBytes(g.feed),
    key: packBytes(g.key),
    pairwise: packBytes(g.pairwise.seed.reveal()),
    receivedAt: g.receivedAtMs,
    receipt: packBytes(g.receipt),
  };
}

/** Reads a received grant from the keychain. */
export function itemToReceived(grantId: string, item: JsonObject): ReceivedGrant {
  if (!isDid(item.nodeDid)) throw new TypeError('the keychain item lacks the node');
  return {
    grantId,
    requestId: String(item.requestId),
    owner: toDid(String(item.owner)),
    purpose: String(item.purpose),
    terms: terms(item.terms),
    node: { url: String(item.nodeUrl), did: item.nodeDid },
    space: toSpaceId(unpackBytes(item.space)),
    feed: toStreamId(unpackBytes(item.feed)),
    key: toAeadKey(unpackBytes(item.key)),
    pairwise: signingKeyFromSeed(unpackBytes(item.pairwise)),
    receivedAtMs: Number(item.receivedAt),
    receipt: unpackBytes(item.receipt),
  };
}
