/** The node's plain requests: create a space, deposit, recovery box, DID log, drops. Signed where the node asks for it. */

import {
  bytesToBase64url,
  bytesToUtf8,
  err,
  isJsonObject,
  ok,
  parseJson,
  type Result,
  type RowId,
  type SpaceId,
} from '@sluice/core/base';
import type { SigningKey } from '@sluice/core/crypto';
import { signRequest } from '@sluice/core/identity';
import {
  decodePushAnswer,
  encodeCbor,
  type ErrorCode,
  isErrorCode,
  MAX_DID_LOG_BYTES,
  MAX_DROP_BYTES,
  MAX_RECOVERY_BYTES,
  type PushAnswer,
} from '@sluice/core/wire';
import type { FetchAnswer, NodeAddress, Platform } from '../platform.ts';

/** Why a request to a node had no good answer. */
export type NodeFailure =
  | { readonly type: 'offline' }
  | { readonly type: 'refused'; readonly code: ErrorCode; readonly nowMs?: number };

type Call = {
  readonly method: 'GET' | 'PUT' | 'POST';
  readonly path: string;
  readonly key?: SigningKey;
  readonly body?: Uint8Array;
  readonly contentType?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly maxBytes?: number;
  readonly timeoutMs?: number;
};

const TIMEOUT_MS = 20_000;
const MAX_ACK_BYTES = 16 * 1024;

/** The requests of a node’s HTTP interface, signed by one key (spec/node.md). */
export type NodeHttp = {
  /** This clock, or the node's once a request was refused because they differ. */
  readonly nowMs: () => number;
  readonly createSpace: (
    genesis: Uint8Array,
    push: Uint8Array,
    key: SigningKey,
    invite?: string,
  ) => Promise<Result<PushAnswer, NodeFailure>>;
  /** The node's acknowledgement of a revoke, still to be opened. */
  readonly revokeAck: (space: SpaceId, row: RowId, key: SigningKey) => Promise<Result<Uint8Array, NodeFailure>>;
  readonly deposit: (space: SpaceId, messages: readonly Uint8Array[]) => Promise<Result<null, NodeFailure>>;
  readonly getRecovery: (locator: Uint8Array, auth: SigningKey) => Promise<Result<Uint8Array, NodeFailure>>;
  readonly putRecovery: (locator: Uint8Array, auth: SigningKey, box: Uint8Array) => Promise<Result<null, NodeFailure>>;
  readonly putDidLog: (
    path: string,
    log: string,
    key: SigningKey,
    space: SpaceId,
  ) => Promise<Result<null, NodeFailure>>;
  readonly putDrop: (id: Uint8Array, answer: Uint8Array) => Promise<Result<null, NodeFailure>>;
  /** Waits up to `waitS` seconds for an answer; undefined when there is none yet. */
  readonly takeDrop: (id: Uint8Array, waitS: number) => Promise<Result<Uint8Array | undefined, NodeFailure>>;
};

/** Creates the plain-request side of a node. */
export function createNodeHttp(platform: Platform, node: Pick<NodeAddress, 'url'>): NodeHttp {
  /** How far the node's clock is from ours, in ms, as far as it mattered. */
  let aheadMs = 0;
  const nowMs = (): number => platform.clock.nowMs() + aheadMs;
  const call = async (c: Call): Promise<Result<FetchAnswer, NodeFailure>> => {
    const answer = await callOnce(c);
    if (answer.ok || answer.error.type !== 'refused' || answer.error.nowMs === undefined) return answer;
    const { code, nowMs: nodeMs } = answer.error;
    if (code !== 'EXPIRED' && code !== 'CLOCK_SKEW') return answer;
    aheadMs = nodeMs - platform.clock.nowMs();
    // What is stamped in the body is for the caller to stamp anew; a signature is made anew here.
    return code === 'EXPIRED' && c.key ? callOnce(c) : answer;
  };
  const callOnce = async (c: Call): Promise<Result<FetchAnswer, NodeFailure>> => {
    const url = new URL(c.path, node.url);
    const signed = c.key
      ? await signRequest({
          method: c.method,
          url: url.href,
          ...(c.body ? { body: c.body } : {}),
          key: c.key,
          clock: { nowMs },
          random: platform.random,
        })
      : {};
    const headers = {
      ...c.headers,
      ...signed,
      ...(c.body ? { 'content-type': c.contentType ?? 'application/cbor' } : {}),
    };
    const answer = await platform.fetchBytes(url, {
      method: c.method,
      headers,
      ...(c.body ? { body: c.body } : {}),
      maxBytes: c.maxBytes ?? 1024 * 1024,
      timeoutMs: c.timeoutMs ?? TIMEOUT_MS,
    });
    if (!answer.ok) return err({ type: 'offline' });
    return answer.value.status < 300 ? ok(answer.value) : err(refusal(answer.value));
  };
  const done = async (c: Call): Promise<Result<null, NodeFailure>> => {
    const answer = await call(c);
    return answer.ok ? ok(null) : answer;
  };
  const recoveryPath = (locator: Uint8Array): string => `/v1/recovery/${bytesToBase64url(locator)}`;

  return {
    nowMs,
    createSpace: async (genesis, push, key, invite) => {
      const headers: Record<string, string> = invite ? { 'sluice-invite': invite } : {};
      const answer = await call({
        method: 'POST',
        path: '/v1/spaces',
        key,
        body: encodeCbor([genesis, push]),
        headers,
      });
      if (!answer.ok) return answer;
      const decoded = decodePushAnswer(answer.value.body);
      return decoded.ok ? ok(decoded.value) : err({ type: 'offline' });
    },
    revokeAck: async (space, row, key) => {
      const path = `/v1/spaces/${bytesToBase64url(space)}/revokes/${bytesToBase64url(row)}`;
      const answer = await call({ method: 'GET', path, key, maxBytes: MAX_ACK_BYTES });
      return answer.ok ? ok(answer.value.body) : answer;
    },
    deposit: (space, messages) =>
      done({ method: 'POST', path: `/v1/spaces/${bytesToBase64url(space)}/inbox`, body: encodeCbor([...messages]) }),
    getRecovery: async (locator, auth) => {
      const answer = await call({
        method: 'GET',
        path: recoveryPath(locator),
        key: auth,
        maxBytes: 2 * MAX_RECOVERY_BYTES,
      });
      return answer.ok ? ok(answer.value.body) : answer;
    },
    putRecovery: (locator, auth, box) => done({ method: 'PUT', path: recoveryPath(locator), key: auth, body: box }),
    putDidLog: (path, log, key, space) =>
      done({
        method: 'PUT',
        path,
        key,
        body: new TextEncoder().encode(log),
        contentType: 'text/jsonl',
        headers: { 'sluice-space': bytesToBase64url(space) },
        maxBytes: MAX_DID_LOG_BYTES,
      }),
    putDrop: (id, answer) => done({ method: 'PUT', path: `/v1/drops/${bytesToBase64url(id)}`, body: answer }),
    takeDrop: async (id, waitS) => {
      const path = `/v1/drops/${bytesToBase64url(id)}?wait=${waitS}`;
      const answer = await call({ method: 'GET', path, maxBytes: MAX_DROP_BYTES, timeoutMs: (waitS + 10) * 1000 });
      if (answer.ok) return ok(answer.value.body);
      return answer.error.type === 'refused' && answer.error.code === 'NOT_FOUND' ? ok(undefined) : answer;
    },
  };
}

/** Reads a problem document; an answer that is none counts as a failure of the node. */
function refusal(answer: FetchAnswer): NodeFailure {
  const text = answer.body.length <= 16_384 ? safeText(answer.body) : undefined;
  const problem = text === undefined ? undefined : parseJson(text, { maxBytes: 16_384, maxDepth: 4 });
  if (!problem?.ok || !isJsonObject(problem.value) || !isErrorCode(problem.value.code))
    return { type: 'refused', code: 'INTERNAL' };
  const { code, nowMs } = problem.value;
  return { type: 'refused', code, ...(typeof nowMs === 'number' ? { nowMs } : {}) };
}

function safeText(bytes: Uint8Array): string | undefined {
  try {
    return bytesToUtf8(bytes);
  } catch {
    return undefined;
  }
}
