/** Spaces over HTTP: create, push, pull, deposit (spec/node.md NODE-3 to NODE-9). */

import { bytesToHex, type SpaceId } from '@sluice/core/base';
import {
  bytes,
  encodeCbor,
  encodePage,
  encodePushAnswer,
  list,
  MAX_DEPOSIT,
  MAX_DEPOSIT_BYTES,
  MAX_PUSH_BYTES,
  parseLogName,
  tuple,
} from '@sluice/core/wire';
import type { FastifyInstance } from 'fastify';
import type { Outcome } from '../storage/port.ts';
import { depositCost } from './limiters.ts';
import { Problem } from './problem.ts';
import {
  bodyOf,
  cborBody,
  countOf,
  goneSignal,
  headerOf,
  type Query,
  sendCbor,
  sizeLimit,
  rowOf,
  spaceOf,
  unwrap,
  waitMsOf,
} from './request.ts';
import type { RouteDeps } from './route-deps.ts';

type SpaceRoute = { Params: { space: string }; Querystring: Query };

const MAX_GENESIS_BYTES = 2048;
/** CBOR heads around the parts of a body. */
const FRAMING_BYTES = 1024;
const MAX_CREATE_BYTES = MAX_PUSH_BYTES + MAX_GENESIS_BYTES + FRAMING_BYTES;
const createShape = tuple(['genesis', bytes(MAX_GENESIS_BYTES)], ['push', bytes(MAX_PUSH_BYTES)]);
/** Wider than what is allowed, so that too many or too large messages are told apart from malformed ones. */
const depositShape = list(bytes(MAX_DEPOSIT_BYTES), 10 * MAX_DEPOSIT);

/** The name under which news of a space travels inside the node. A commit to any of its logs counts: ctl may end a reader's access. */
export const spaceNewsName = (space: SpaceId): string => `space/${bytesToHex(space)}`;

/** Registers the routes. */
export function registerSpaceRoutes(app: FastifyInstance, deps: RouteDeps): void {
  const { service, limiters, signer, clock, wakeups, isStopping } = deps;

  app.post('/v1/spaces', sizeLimit(MAX_CREATE_BYTES), async (request, reply) => {
    limiters.check('spaces', request);
    const key = await signer(request);
    const { genesis, push } = cborBody(request, createShape, MAX_CREATE_BYTES);
    const answer = await service.createSpace(genesis, push, key, headerOf(request, 'sluice-invite'));
    return sendCbor(reply, encodePushAnswer(unwrap(answer)));
  });

  app.post<SpaceRoute>('/v1/spaces/:space/push', sizeLimit(MAX_PUSH_BYTES), async (request, reply) => {
    const key = await signer(request);
    const answer = await service.push(spaceOf(request.params.space), key, bodyOf(request));
    return sendCbor(reply, encodePushAnswer(unwrap(unknownAsForbidden(answer))));
  });

  app.get<SpaceRoute>('/v1/spaces/:space/pull', async (request, reply) => {
    const key = await signer(request);
    const { query } = request;
    const space = spaceOf(request.params.space);
    const log = parseLogName(typeof query.log === 'string' ? query.log : '');
    if (!log) throw new Problem('MALFORMED');
    const after = countOf(query, 'after');
    const whole = countOf(query, 'whole') === 1;
    const untilMs = clock.monotonicMs() + waitMsOf(query);
    const gone = goneSignal(reply);
    for (;;) {
      // Asked anew after each wait: access may have ended meanwhile.
      const page = unwrap(service.pull(space, key, log, after, whole));
      const leftMs = untilMs - clock.monotonicMs();
      if (page.head !== after || leftMs <= 0 || gone.aborted || isStopping()) return sendCbor(reply, encodePage(page));
      await wakeups.wait(spaceNewsName(space), leftMs, gone);
    }
  });

  app.get<{ Params: { space: string; row: string } }>('/v1/spaces/:space/revokes/:row', async (request, reply) => {
    const key = await signer(request);
    const { space, row } = request.params;
    return sendCbor(reply, unwrap(service.revokeAck(spaceOf(space), key, rowOf(row))));
  });

  app.post<SpaceRoute>(
    '/v1/spaces/:space/inbox',
    sizeLimit(MAX_DEPOSIT_BYTES + FRAMING_BYTES),
    async (request, reply) => {
      const messages = cborBody(request, depositShape, MAX_DEPOSIT_BYTES + FRAMING_BYTES);
      limiters.check('messages', request, depositCost(messages));
      const stored = unwrap(await service.deposit(spaceOf(request.params.space), messages));
      return sendCbor(reply, encodeCbor([stored]));
    },
  );
}

/** To somebody without access an unknown space looks like a forbidden one, so that nobody can probe for spaces. */
const unknownAsForbidden = <T>(outcome: Outcome<T>): Outcome<T> =>
  !outcome.ok && outcome.code === 'NOT_FOUND' ? { ok: false, code: 'FORBIDDEN' } : outcome;
