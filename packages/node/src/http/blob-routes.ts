/** Named values over HTTP: recovery boxes, DID logs, drops (spec/node.md NODE-10 to NODE-18). */

import { equalBytes, utf8ToBytes } from '@sluice/core/base';
import type { VerifyKey } from '@sluice/core/crypto';
import { extendsWebvhLog, verifyWebvhLog, webvhLogUrl } from '@sluice/core/identity';
import {
  bytes,
  encodeCbor,
  type ErrorCode,
  fixed,
  MAX_DID_LOG_BYTES,
  MAX_DROP_BYTES,
  MAX_RECOVERY_BYTES,
  readShape,
  tuple,
} from '@sluice/core/wire';
import type { FastifyInstance } from 'fastify';
import { Problem } from './problem.ts';
import {
  bodyOf,
  goneSignal,
  headerOf,
  idOf,
  type Query,
  sendCbor,
  sizeLimit,
  spaceOf,
  textOf,
  unwrap,
  waitMsOf,
} from './request.ts';
import type { RouteDeps } from './route-deps.ts';

type BoxRoute = { Params: { locator: string } };
type DidRoute = { Params: { scid: string } };
type DropRoute = { Params: { id: string }; Querystring: Query };
type MayReplace = (old: Uint8Array | undefined) => ErrorCode | 'yes';

/** How long an answer waits at a drop, in ms. */
const DROP_MS = 10 * 60_000;
const DONE = encodeCbor(null);
/** A box with the key that wrote it first. */
const storedBoxShape = tuple(['auth', fixed(32)], ['box', bytes(MAX_RECOVERY_BYTES)]);

/** Registers the routes of recovery boxes. */
export function registerRecoveryRoutes(app: FastifyInstance, { blobs, clock, limiters, signer }: RouteDeps): void {
  /** The box if this key wrote it. */
  const openedBy = (stored: Uint8Array, key: VerifyKey): Uint8Array | undefined => {
    const read = readShape(storedBoxShape, stored, 2 * MAX_RECOVERY_BYTES);
    // Only this module writes boxes: another shape is a damaged database, not a request's fault.
    if (!read.ok) throw new Error('a stored recovery box cannot be read');
    return equalBytes(read.value.auth, key) ? read.value.box : undefined;
  };

  app.get<BoxRoute>('/v1/recovery/:locator', async (request, reply) => {
    const key = await signer(request);
    const stored = blobs.get('recovery', idOf(request.params.locator), clock.nowMs());
    const box = stored && openedBy(stored, key);
    if (!box) throw new Problem('NOT_FOUND');
    return sendCbor(reply, box);
  });

  app.put<BoxRoute>('/v1/recovery/:locator', sizeLimit(MAX_RECOVERY_BYTES), async (request, reply) => {
    limiters.check('writes', request);
    const key = await signer(request);
    const box = bodyOf(request);
    if (box.length === 0) throw new Problem('MALFORMED');
    const mayReplace: MayReplace = (old) => (!old || openedBy(old, key) ? 'yes' : 'NOT_FOUND');
    const name = idOf(request.params.locator);
    unwrap(await blobs.put('recovery', name, encodeCbor([key, box]), { nowMs: clock.nowMs(), mayReplace }));
    return sendCbor(reply, DONE);
  });
}

/** Registers the routes of did:webvh logs, each at the path of its own DID. */
export function registerDidRoutes(app: FastifyInstance, deps: RouteDeps): void {
  const { blobs, clock, limiters, publicUrl, service, signer } = deps;

  app.get<DidRoute>('/did/:scid/did.jsonl', async (request, reply) => {
    const log = blobs.get('did', request.params.scid, clock.nowMs());
    if (!log) throw new Problem('NOT_FOUND');
    return reply.header('content-type', 'text/jsonl').send(Buffer.from(log));
  });

  app.put<DidRoute>('/did/:scid/did.jsonl', sizeLimit(MAX_DID_LOG_BYTES), async (request, reply) => {
    limiters.check('writes', request);
    const key = await signer(request);
    const text = textOf(bodyOf(request));
    const { scid } = request.params;
    const verified = verifyWebvhLog(text, clock.nowMs());
    if (!verified.ok || verified.value.scid !== scid) throw new Problem('BAD_DID_LOG');
    const isHere = webvhLogUrl(verified.value.did).href === `${publicUrl}/did/${scid}/did.jsonl`;
    const spaceText = headerOf(request, 'sluice-space');
    const space = spaceText === undefined ? undefined : spaceOf(spaceText);
    const mayReplace: MayReplace = (old) => {
      // A stored log may go on to another node; only a log that lives here is taken up.
      if (old) return extendsWebvhLog(textOf(old), text) ? 'yes' : 'BAD_DID_LOG';
      if (!isHere) return 'BAD_DID_LOG';
      return space && service.isAdmin(space, key) ? 'yes' : 'FORBIDDEN';
    };
    unwrap(await blobs.put('did', scid, utf8ToBytes(text), { nowMs: clock.nowMs(), mayReplace }));
    return sendCbor(reply, DONE);
  });
}

/** Registers the routes of drops: one answer, left once and read once. */
export function registerDropRoutes(app: FastifyInstance, deps: RouteDeps): void {
  const { blobs, clock, limiters, wakeups, isStopping } = deps;
  const newsName = (id: string): string => `drop/${id}`;

  app.put<DropRoute>('/v1/drops/:id', sizeLimit(MAX_DROP_BYTES), async (request, reply) => {
    limiters.check('drops', request);
    const id = idOf(request.params.id);
    const answer = bodyOf(request);
    if (answer.length === 0) throw new Problem('MALFORMED');
    const nowMs = clock.nowMs();
    // The same bytes again are a repeat after a lost answer.
    const mayReplace: MayReplace = (old) => (!old || equalBytes(old, answer) ? 'yes' : 'EXISTS');
    unwrap(await blobs.put('drop', id, answer, { nowMs, expiresMs: nowMs + DROP_MS, mayReplace }));
    wakeups.wake(newsName(id));
    return sendCbor(reply, DONE);
  });

  app.get<DropRoute>('/v1/drops/:id', async (request, reply) => {
    limiters.check('drops', request);
    const id = idOf(request.params.id);
    const untilMs = clock.monotonicMs() + waitMsOf(request.query);
    const gone = goneSignal(reply);
    for (;;) {
      const isThere = blobs.get('drop', id, clock.nowMs()) !== undefined;
      // Not taken for a client that has gone: the one read would be lost.
      const answer = isThere && !gone.aborted ? await blobs.take('drop', id, clock.nowMs()) : undefined;
      if (answer) return sendCbor(reply, answer);
      const leftMs = untilMs - clock.monotonicMs();
      if (leftMs <= 0 || gone.aborted || isStopping()) throw new Problem('NOT_FOUND');
      await wakeups.wait(newsName(id), leftMs, gone);
    }
  });
}
