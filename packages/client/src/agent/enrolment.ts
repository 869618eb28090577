/**
 * How an agent is enrolled (spec/agent.md): the request it signs with its own key, and the answer of the owner that is sealed to it. Neither
 * carries anything secret in clear.
 */

import {
  base64urlToBytes,
  bytesToBase64url,
  type Did,
  err,
  isDid,
  type JsonValue,
  ok,
  type Result,
  toSpaceId,
  type SpaceId,
  utf8ToBytes,
} from '@sluice/core/base';
import {
  canSealTo,
  type HpkeKeyPair,
  openHpke,
  sealHpke,
  type SigningKey,
  toVerifyKey,
  type VerifyKey,
} from '@sluice/core/crypto';
import {
  type DidResolver,
  type DocumentSigner,
  encodeMultikey,
  openDocument,
  signDocument,
} from '@sluice/core/identity';
import type { NodeAddress } from '../platform.ts';

const REQUEST_TYPE = 'sluice/agent-request/1';
const ANSWER_TYPE = 'sluice/agent-answer/1';
const INFO = utf8ToBytes('sluice/agent/1');

/** What an agent asks with. `dropUrl`: the node at which it waits for the answer, if it does. */
export type AgentRequest = {
  readonly key: VerifyKey;
  readonly hpkeKey: Uint8Array;
  readonly dropUrl?: string;
  readonly hash: Uint8Array;
};

/** What an owner gives an agent: where its space is, and the secret that they share. */
export type Enrolment = {
  readonly owner: Did;
  readonly node: NodeAddress;
  readonly space: SpaceId;
  readonly genesis: Uint8Array;
  readonly secret: Uint8Array;
};

/** Signs a request with the agent's own key. */
export function signAgentRequest(key: SigningKey, hpkeKey: Uint8Array, dropUrl: string | undefined): Uint8Array {
  const did = `did:key:${encodeMultikey('ed25519', key.publicKey)}` as Did;
  const payload = { hpkeKey: bytesToBase64url(hpkeKey), ...(dropUrl === undefined ? {} : { dropUrl }) };
  return signDocument(REQUEST_TYPE, payload, { did, key });
}

/** Opens a request. Errors: a sentence. Source: spec/agent.md AGT-1. */
export async function openAgentRequest(document: Uint8Array, nowMs: number): Promise<Result<AgentRequest, string>> {
  const opened = await openDocument(document, REQUEST_TYPE, unresolved, nowMs);
  if (!opened.ok) return err('it is not signed by the agent it names');
  const { payload, key, hash } = opened.value;
  const { dropUrl } = payload;
  if (dropUrl !== undefined && (typeof dropUrl !== 'string' || !dropUrl.startsWith('https://') || dropUrl.length > 512))
    return err('it names no place for the answer');
  const hpkeKey = bytesOf(payload.hpkeKey, 32);
  if (!hpkeKey || !(await canSealTo(hpkeKey))) return err('its keys are not of the right form');
  return ok({ key: toVerifyKey(key), hpkeKey, hash, ...(dropUrl === undefined ? {} : { dropUrl }) });
}

/** Seals an answer to the agent, inside it the owner's signature over the request's hash. */
export function sealAgentAnswer(
  request: AgentRequest,
  { node, space, genesis, secret }: Omit<Enrolment, 'owner'>,
  signer: DocumentSigner,
): Promise<Uint8Array> {
  const payload = {
    request: bytesToBase64url(request.hash),
    nodeUrl: node.url,
    nodeDid: node.did,
    space: bytesToBase64url(space),
    genesis: bytesToBase64url(genesis),
    secret: bytesToBase64url(secret),
  };
  return sealHpke(request.hpkeKey, INFO, request.hash, signDocument(ANSWER_TYPE, payload, signer));
}

/** Opens an answer. Errors: a sentence. Source: spec/agent.md AGT-2. */
export async function openAgentAnswer(
  sealed: Uint8Array,
  requestHash: Uint8Array,
  hpke: HpkeKeyPair,
  resolver: DidResolver,
  nowMs: number,
): Promise<Result<Enrolment, string>> {
  const plain = await openHpke(hpke, INFO, requestHash, sealed);
  if (!plain.ok) return err('it does not belong to this agent’s request');
  const opened = await openDocument(plain.value, ANSWER_TYPE, resolver.resolve, nowMs);
  if (!opened.ok || opened.value.payload.request !== bytesToBase64url(requestHash))
    return err('it is not signed by its owner for this request');
  const { payload, signer } = opened.value;
  const space = bytesOf(payload.space, 32);
  const genesis = bytesOf(payload.genesis);
  const secret = bytesOf(payload.secret, 32);
  const { nodeUrl, nodeDid } = payload;
  if (!space || !genesis || !secret || typeof nodeUrl !== 'string' || !isDid(nodeDid)) return err('it lacks a key');
  return ok({ owner: signer, node: { url: nodeUrl, did: nodeDid }, space: toSpaceId(space), genesis, secret });
}

/** A request names a key and nothing that would have to be looked up. */
const unresolved = async (): Promise<Result<never, { readonly type: 'not-found' }>> => err({ type: 'not-found' });

function bytesOf(value: JsonValue | undefined, length?: number): Uint8Array | undefined {
  if (typeof value !== 'string') return undefined;
  try {
    const bytes = base64urlToBytes(value);
    return length === undefined || bytes.length === length ? bytes : undefined;
  } catch {
    return undefined;
  }
}
