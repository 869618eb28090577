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
  type HpkeKeyPair,
  hpkeKeyPairFromSecret,
  type SigningKey,
  signingKeyFromSeed,
  toAeadKey,
  toGrantSecret,
} from '@sluice/core/crypto';
import type { GrantTerms } from '@sluice/core/grant';
import { packBytes, unpackBytes } from '../account/keychain.ts';
import type { NodeAddress } from '../platform.ts';

/**
 * How a given grant stands. `offered`: on narrowed terms that the grantee has not accepted yet. `backfill`: until its first checkpoint is in the
 * feed. `completed`: a once-off one that was delivered. `purged`: ended, and nothing of it is left at the node.
 */
export type GivenState = 'offered' | 'backfill' | 'live' | 'paused' | 'completed' | 'expired' | 'revoked' | 'purged';

/** A grant that this account gave. */
export type GivenGrant = {
  readonly grantId: string;
  readonly requestId: string;
  readonly grantee: Did;
  readonly purpose: string;
  readonly space: SpaceId;
  readonly collection: string;
  /** What was asked for: the terms can be changed up to this, never beyond. */
  readonly asked: GrantTerms;
  readonly terms: GrantTerms;
  /** Raised with every change of the terms. */
  readonly term: number;
  /** It was given narrower than asked for: nothing flows until the grantee accepts it. */
  readonly narrowed: boolean;
  readonly feed: StreamId;
  /** Where the grantee writes, if it may. */
  readonly lane?: StreamId;
  /** The first key of the grant; later ones are facts. */
  readonly key: AeadKey;
  readonly secret: GrantSecret;
  /** The grantee's pairwise keys: what it signs with, and what later keys are sealed to. */
  readonly granteeKey: Uint8Array;
  readonly granteeHpke: Uint8Array;
  readonly givenAtMs: number;
  readonly receipt: Uint8Array;
};

/** A given grant as it stands. */
export type GrantView = GivenGrant & {
  readonly status: GivenState;
  /** Whether it may still reveal anything: it is offered, running or paused. */
  readonly isOpen: boolean;
  readonly revokedAtMs?: number;
  /** It was revoked here, and the node has not heard of it yet. */
  readonly isRevokePending?: boolean;
  /** Why this device cannot keep the grant's feed up to date. */
  readonly problem?: string;
};

/** A grant that this account received. */
export type ReceivedGrant = {
  readonly grantId: string;
  readonly requestId: string;
  readonly owner: Did;
  /** The owner's identity key when the grant came, for when its DID cannot be looked up. */
  readonly ownerKey: Uint8Array;
  readonly purpose: string;
  /** What was asked for, which no change of the terms goes beyond. */
  readonly asked: GrantTerms;
  readonly terms: GrantTerms;
  /** Raised with every change of the terms. */
  readonly term: number;
  /** It is narrower than what was asked for, and waits to be accepted or dropped. */
  readonly narrowed: boolean;
  readonly node: NodeAddress;
  readonly space: SpaceId;
  readonly feed: StreamId;
  readonly lane?: StreamId;
  readonly key: AeadKey;
  readonly pairwise: SigningKey;
  /** What later keys of the grant are sealed to. */
  readonly hpke: HpkeKeyPair;
  readonly receivedAtMs: number;
  /** Of the terms as first given. */
  readonly receipt: Uint8Array;
  /** Of the terms that stand, where they were changed. */
  readonly changed?: Uint8Array;
};

const json = (terms: GrantTerms): JsonValue => terms;
/** Keychain items are the account's own writing: the terms were parsed before they were kept. */
const terms = (value: JsonValue | undefined): GrantTerms => value as unknown as GrantTerms;

/** Turns a given grant into an item of the keychain. */
export function givenToItem(g: GivenGrant): JsonObject {
  return {
    requestId: g.requestId,
    grantee: g.grantee,
    purpose: g.purpose,
    space: packBytes(g.space),
    collection: g.collection,
    asked: json(g.asked),
    terms: json(g.terms),
    term: g.term,
    narrowed: g.narrowed,
    feed: packBytes(g.feed),
    ...(g.lane ? { lane: packBytes(g.lane) } : {}),
    key: packBytes(g.key),
    secret: packBytes(g.secret),
    granteeKey: packBytes(g.granteeKey),
    granteeHpke: packBytes(g.granteeHpke),
    givenAt: g.givenAtMs,
    receipt: packBytes(g.receipt),
  };
}

/** An item never changes, and is asked for again and again; keys are the dear part of it. */
const givenOf = new WeakMap<JsonObject, GivenGrant>();
const receivedOf = new WeakMap<JsonObject, ReceivedGrant>();

/** Reads a given grant from the keychain. */
export function itemToGiven(grantId: string, item: JsonObject): GivenGrant {
  const known = givenOf.get(item);
  if (known?.grantId === grantId) return known;
  const grant = readGiven(grantId, item);
  givenOf.set(item, grant);
  return grant;
}

function readGiven(grantId: string, item: JsonObject): GivenGrant {
  return {
    grantId,
    requestId: String(item.requestId),
    grantee: toDid(String(item.grantee)),
    purpose: String(item.purpose),
    space: toSpaceId(unpackBytes(item.space)),
    collection: String(item.collection),
    asked: terms(item.asked),
    terms: terms(item.terms),
    term: Number(item.term),
    narrowed: item.narrowed === true,
    feed: toStreamId(unpackBytes(item.feed)),
    ...(item.lane === undefined ? {} : { lane: toStreamId(unpackBytes(item.lane)) }),
    key: toAeadKey(unpackBytes(item.key)),
    secret: toGrantSecret(unpackBytes(item.secret)),
    granteeKey: unpackBytes(item.granteeKey),
    granteeHpke: unpackBytes(item.granteeHpke),
    givenAtMs: Number(item.givenAt),
    receipt: unpackBytes(item.receipt),
  };
}

/** Turns a received grant into an item of the keychain. */
export function receivedToItem(g: ReceivedGrant): JsonObject {
  return {
    requestId: g.requestId,
    owner: g.owner,
    ownerKey: packBytes(g.ownerKey),
    purpose: g.purpose,
    asked: json(g.asked),
    terms: json(g.terms),
    term: g.term,
    narrowed: g.narrowed,
    nodeUrl: g.node.url,
    nodeDid: g.node.did,
    space: packBytes(g.space),
    feed: packBytes(g.feed),
    ...(g.lane ? { lane: packBytes(g.lane) } : {}),
    key: packBytes(g.key),
    hpke: packBytes(g.hpke.secret.reveal()),
    pairwise: packBytes(g.pairwise.seed.reveal()),
    receivedAt: g.receivedAtMs,
    receipt: packBytes(g.receipt),
    ...(g.changed === undefined ? {} : { changed: packBytes(g.changed) }),
  };
}

/** Reads a received grant from the keychain. */
export function itemToReceived(grantId: string, item: JsonObject): ReceivedGrant {
  const known = receivedOf.get(item);
  if (known?.grantId === grantId) return known;
  const grant = readReceived(grantId, item);
  receivedOf.set(item, grant);
  return grant;
}

function readReceived(grantId: string, item: JsonObject): ReceivedGrant {
  if (!isDid(item.nodeDid)) throw new TypeError('the keychain item lacks the node');
  return {
    grantId,
    requestId: String(item.requestId),
    owner: toDid(String(item.owner)),
    ownerKey: unpackBytes(item.ownerKey),
    purpose: String(item.purpose),
    asked: terms(item.asked),
    terms: terms(item.terms),
    term: Number(item.term),
    narrowed: item.narrowed === true,
    node: { url: String(item.nodeUrl), did: item.nodeDid },
    space: toSpaceId(unpackBytes(item.space)),
    feed: toStreamId(unpackBytes(item.feed)),
    ...(item.lane === undefined ? {} : { lane: toStreamId(unpackBytes(item.lane)) }),
    key: toAeadKey(unpackBytes(item.key)),
    hpke: hpkeKeyPairFromSecret(unpackBytes(item.hpke)),
    pairwise: signingKeyFromSeed(unpackBytes(item.pairwise)),
    receivedAtMs: Number(item.receivedAt),
    receipt: unpackBytes(item.receipt),
    ...(item.changed === undefined ? {} : { changed: unpackBytes(item.changed) }),
  };
}
