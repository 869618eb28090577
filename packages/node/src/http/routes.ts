/** The node's HTTP routes (spec/node.md). Each reads its input strictly, asks the service or the blobs, and answers CBOR. */

import { base64urlToBytes, bytesToBase64url, bytesToUtf8, type Clock, equalBytes, type SpaceId, toSpaceId, utf8ToBytes } from '@sluice/core/base';
import type { VerifyKey } from '@sluice/core/crypto';
import { buildDidDocument, extendsWebvhLog, verifyWebvhLog, webvhLogPath } from '@sluice/core/identity';
import {
  bytes, encodeCbor, encodePage, encodePushAnswer, fixed, formatLogName, list, type LogName, MAX_DEPOSIT, MAX_DEPOSIT_BYTES, MAX_DID_LOG_BYTES,
  MAX_DROP_BYTES, MAX_MESSAGE_BYTES, MAX_PUSH_BYTES, MAX_RECOVERY_BYTES, parseLogName, PROTOCOL_VERSION, readShape, tuple,
} from '@sluice/core/wire';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { NodeIdentity, NodeService, SpacePolicy } from '../service.ts';
import type { Outcome, Storage } from '../storage/port.ts';
import { createAuthenticator } from './authenticate.ts';
import { Problem } from './problem.ts';
import { type Bucket, createRateLimiter } from './rate-limit.ts';

export type Limits = { readonly spaces: Bucket; readonly messages: Bucket; readonly drops: Bucket };
/** For each remote address. */
export const DEFAULT_LIMITS: Limits = {
  spaces: { perSecond: 0.2, burst: 50 },
  messages: { perSecond: 200, burst: 4000 },
  drops: { perSecond: 2, burst: 100 },
};

export type RouteDeps = {
  readonly service: NodeService;
  readonly storage: Storage;
  readonly clock: Clock;
  readonly random: (length: number) => Uint8Array;
  readonly identity: NodeIdentity & { readonly sealingKey: Uint8Array };
  readonly publicUrl: string;
  readonly policy: SpacePolicy;
  readonly limits: Limits;
  readonly stopping: () => boolean;
};

/** How long an answer waits at a drop, in ms. */
const DROP_MS = 10 * 60_000;
const MAX_WAIT_S = 25;
const CBOR = 'application/cbor';

type Query = { readonly [name: string]: string | undefined };

/** Registers every route on the server. */
export function registerRoutes(app: FastifyInstance, deps: RouteDeps): void {
  const { service, storage, clock, limits } = deps;
  const authenticate = createAuthenticator(deps.publicUrl, clock);
  const spaceLimit = createRateLimiter(limits.spaces, clock, deps.random);
  const messageLimit = createRateLimiter(limits.messages, clock, deps.random);
  const dropLimit = createRateLimiter(limits.drops, clock, deps.random);

  const bodyOf = (request: FastifyRequest): Uint8Array => (request.body instanceof Uint8Array ? request.body : new Uint8Array(0));
  const signer = (request: FastifyRequest): Promise<VerifyKey> => {
    const body = bodyOf(request);
    return authenticate({ method: request.method, path: request.url, headers: request.headers, body: body.length > 0 ? body : undefined });
  };
  const limited = (limiter: typeof spaceLimit, request: FastifyRequest, cost = 1): void => {
    if (!limiter.take(request.ip, cost)) throw new Problem('RATE_LIMITED');
  };

  app.post('/v1/spaces', { bodyLimit: MAX_PUSH_BYTES }, async (request, reply) => {
    limited(spaceLimit, request);
    const key = await signer(request);
    const body = readShape(tuple(['genesis', bytes(2048)], ['push', bytes(MAX_PUSH_BYTES)]), bodyOf(request), MAX_PUSH_BYTES);
    if (!body.ok) throw new Problem('MALFORMED');
    const invite = request.headers['sluice-invite'];
    const answer = unwrap(await service.createSpace(body.value.genesis, body.value.push, key, typeof invite === 'string' ? invite : undefined));
    return cbor(reply, encodePushAnswer(answer));
  });

  app.post<{ Params: { space: string } }>('/v1/spaces/:space/push', { bodyLimit: MAX_PUSH_BYTES }, async (request, reply) => {
    const key = await signer(request);
    return cbor(reply, encodePushAnswer(unwrap(await service.push(spaceOf(request.params.space), key, bodyOf(request)))));
  });

  app.get<{ Params: { space: string }; Querystring: Query }>('/v1/spaces/:space/pull', async (request, reply) => {
    const key = await signer(request);
    const space = spaceOf(request.params.space);
    const log = parseLogName(request.query.log ?? '');
    const after = Number(request.query.after ?? 0);
    if (!log || !Number.isSafeInteger(after) || after < 0) throw new Problem('MALFORMED');
    const whole = request.query.whole === '1';
    const read = () => unwrap(service.pull(space, key, log, after, whole));
    let page = read();
    const waitMs = waitOf(request.query.wait);
    if (page.head <= after && waitMs > 0) {
      await waitForCommit(deps, space, log, waitMs);
      page = read();
    }
    return cbor(reply, encodePage(page));
  });

  app.post<{ Params: { space: string } }>('/v1/spaces/:space/inbox', { bodyLimit: MAX_DEPOSIT_BYTES }, async (request, reply) => {
    const body = readShape(list(bytes(MAX_MESSAGE_BYTES), MAX_DEPOSIT), bodyOf(request), MAX_DEPOSIT_BYTES);
    if (!body.ok) throw new Problem(body.error.type === 'too-large' ? 'TOO_LARGE' : 'MALFORMED');
    limited(messageLimit, request, body.value.length);
    return cbor(reply, encodeCbor([unwrap(await service.deposit(spaceOf(request.params.space), body.value))]));
  });

  registerRecovery(app, deps, signer, bodyOf);
  registerDidLogs(app, deps, signer, bodyOf);

  app.put<{ Params: { id: string } }>('/v1/drops/:id', { bodyLimit: MAX_DROP_BYTES }, async (request, reply) => {
    limited(dropLimit, request);
    const nowMs = clock.nowMs();
    const name = idOf(request.params.id);
    unwrap(await storage.blobs.put('drop', name, bodyOf(request), { nowMs, expiresMs: nowMs + DROP_MS, mayReplace: (old) => (old ? 'EXISTS' : 'yes') }));
    return cbor(reply, encodeCbor(null));
  });

  app.get<{ Params: { id: string }; Querystring: Query }>('/v1/drops/:id', async (request, reply) => {
    const name = idOf(request.params.id);
    const value = await takeWithin(deps, name, waitOf(request.query.wait));
    if (!value) throw new Problem('NOT_FOUND');
    return cbor(reply, value);
  });

  app.get('/.well-known/did.json', async (_request, reply) => {
    const { did, key, sealingKey } = deps.identity;
    const document = buildDidDocument({ did, identityKey: key.publicKey, sealingKey, node: { url: deps.publicUrl, did } });
    return reply.header('content-type', 'application/did+json').send(JSON.stringify(document));
  });
  app.get('/v1/info', async () => ({ did: deps.identity.did, protocol: PROTOCOL_VERSION, policy: deps.policy.type }));
  app.get('/health', async () => ({ status: 'up' }));
  app.get('/ready', async () => {
    if (deps.stopping() || !storage.ready()) throw new Problem('UNAVAILABLE');
    return { status: 'ready' };
  });
}

type Signer = (request: FastifyRequest) => Promise<VerifyKey>;
type Body = (request: FastifyRequest) => Uint8Array;
const recoveryShape = tuple(['auth', fixed(32)], ['box', bytes(MAX_RECOVERY_BYTES)]);

/** The recovery box: read and written only by the key that first wrote it. Unknown and foreign look alike. */
function registerRecovery(app: FastifyInstance, { storage, clock }: RouteDeps, signer: Signer, bodyOf: Body): void {
  const readBox = (name: string, key: VerifyKey): Uint8Array => {
    const stored = storage.blobs.get('recovery', name, clock.nowMs());
    const box = stored ? readShape(recoveryShape, stored, 2 * MAX_RECOVERY_BYTES) : undefined;
    if (!box?.ok || !equalBytes(box.value.auth, key)) throw new Problem('NOT_FOUND');
    return box.value.box;
  };
  app.get<{ Params: { locator: string } }>('/v1/recovery/:locator', async (request, reply) => {
    const key = await signer(request);
    return cbor(reply, readBox(idOf(request.params.locator), key));
  });
  app.put<{ Params: { locator: string } }>('/v1/recovery/:locator', { bodyLimit: MAX_RECOVERY_BYTES }, async (request, reply) => {
    const key = await signer(request);
    const mayReplace = (old: Uint8Array | undefined) => {
      const box = old ? readShape(recoveryShape, old, 2 * MAX_RECOVERY_BYTES) : undefined;
      return !box || (box.ok && equalBytes(box.value.auth, key)) ? ('yes' as const) : ('NOT_FOUND' as const);
    };
    unwrap(await storage.blobs.put('recovery', idOf(request.params.locator), encodeCbor([key, bodyOf(request)]), { nowMs: clock.nowMs(), mayReplace }));
    return cbor(reply, encodeCbor(null));
  });
}

/** did:webvh logs of the accounts that live here, each at the path of its own DID. */
function registerDidLogs(app: FastifyInstance, { service, storage, clock }: RouteDeps, signer: Signer, bodyOf: Body): void {
  app.get<{ Params: { scid: string } }>('/did/:scid/did.jsonl', async (request, reply) => {
    const log = storage.blobs.get('did', request.params.scid, clock.nowMs());
    if (!log) throw new Problem('NOT_FOUND');
    return reply.header('content-type', 'text/jsonl').send(log);
  });
  app.put<{ Params: { scid: string } }>('/did/:scid/did.jsonl', { bodyLimit: MAX_DID_LOG_BYTES }, async (request, reply) => {
    const key = await signer(request);
    const text = textOf(bodyOf(request));
    const verified = verifyWebvhLog(text, clock.nowMs());
    if (!verified.ok || webvhLogPath(verified.value.did) !== `/did/${request.params.scid}/did.jsonl`) throw new Problem('BAD_DID_LOG');
    const header = request.headers['sluice-space'];
    const space = typeof header === 'string' ? spaceOf(header) : undefined;
    const mayReplace = (old: Uint8Array | undefined) => {
      if (old) return extendsWebvhLog(textOf(old), text) ? ('yes' as const) : ('BAD_DID_LOG' as const);
      return space && service.isAdmin(space, key) ? ('yes' as const) : ('FORBIDDEN' as const);
    };
    unwrap(await storage.blobs.put('did', request.params.scid, utf8ToBytes(text), { nowMs: clock.nowMs(), mayReplace }));
    return cbor(reply, encodeCbor(null));
  });
}

function textOf(input: Uint8Array): string {
  try {
    return bytesToUtf8(input);
  } catch {
    throw new Problem('MALFORMED');
  }
}

const cbor = (reply: FastifyReply, body: Uint8Array): FastifyReply =>
  reply.header('content-type', CBOR).send(Buffer.from(body.buffer, body.byteOffset, body.length));

function unwrap<T>(outcome: Outcome<T>): T {
  if (!outcome.ok) throw new Problem(outcome.code);
  return outcome.value;
}

/** A 32-byte id in base64url, given back in its one spelling. */
function idOf(text: string): string {
  try {
    const id = base64urlToBytes(text);
    if (id.length === 32) return bytesToBase64url(id);
  } catch {
    // Answered below like any other wrong form.
  }
  throw new Problem('MALFORMED');
}
const spaceOf = (text: string): SpaceId => toSpaceId(base64urlToBytes(idOf(text)));

function waitOf(text: string | undefined): number {
  const seconds = Number(text ?? 0);
  if (!Number.isFinite(seconds) || seconds < 0) throw new Problem('MALFORMED');
  return Math.min(seconds, MAX_WAIT_S) * 1000;
}

function waitForCommit({ storage, clock }: RouteDeps, space: SpaceId, log: LogName, waitMs: number): Promise<void> {
  const name = formatLogName(log);
  return new Promise((resolve) => {
    const done = (): void => {
      stop();
      cancel();
      resolve();
    };
    const stop = storage.onCommit((touched) => {
      if (touched.some((t) => equalBytes(t.space, space) && (t.log === name || t.log === 'ctl'))) done();
    });
    const cancel = clock.timer(waitMs, done);
  });
}

/** Looks for an answer until it is there or the time is over. */
async function takeWithin({ storage, clock, stopping }: RouteDeps, name: string, waitMs: number): Promise<Uint8Array | undefined> {
  const until = clock.monotonicMs() + waitMs;
  for (;;) {
    const value = storage.blobs.get('drop', name, clock.nowMs()) ? await storage.blobs.take('drop', name, clock.nowMs()) : undefined;
    if (value || stopping() || clock.monotonicMs() >= until) return value;
    await new Promise<void>((resolve) => void clock.timer(Math.min(100, Math.max(1, until - clock.monotonicMs())), resolve));
  }
}

