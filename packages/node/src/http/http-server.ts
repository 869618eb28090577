/** The HTTP server around the routes: raw bodies, CORS, one log line a request, and every failure as a problem document. */

import type { Socket } from 'node:net';
import { bytesToBase64url, type Clock, type Random } from '@sluice/core/base';
import type { ErrorCode } from '@sluice/core/wire';
import Fastify, { type FastifyError, type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import type { Logger } from 'pino';
import { Problem, problemAnswer, rawProblem } from './problem.ts';

/** What the HTTP server runs with. */
export type HttpServerDeps = {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly isStopping: () => boolean;
};

/** A request must have arrived whole within this time, in ms. */
const REQUEST_TIMEOUT_MS = 60_000;
/** A did:webvh path or a stream name fits easily. */
const MAX_PARAM_CHARS = 200;

/** Browser apps of any origin may call; nothing is ever sent by cookies, so there are no credentials to allow. */
const CORS = {
  'access-control-allow-origin': '*',
  'access-control-expose-headers': 'retry-after',
};
const PREFLIGHT = {
  'access-control-allow-methods': 'GET, PUT, POST',
  'access-control-allow-headers':
    'content-type, content-digest, signature, signature-input, sluice-invite, sluice-space',
  'access-control-max-age': '86400',
};

/** Creates the server without routes. */
export function createHttpServer(deps: HttpServerDeps): FastifyInstance {
  const { clock, random, logger, isStopping } = deps;
  const newId = (): string => bytesToBase64url(random(9));

  const fail = (error: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply => {
    const problem = problemOf(error, request);
    if (problem.code === 'INTERNAL') logger.error({ requestId: request.id, err: error }, 'request failed');
    const { status, headers, body } = problemAnswer(problem, request.id, clock.nowMs());
    return reply.code(status).headers(headers).send(Buffer.from(body));
  };

  const app = Fastify({
    // The framework's own log lines would hold addresses and URLs.
    logger: false,
    genReqId: newId,
    requestIdHeader: false,
    requestTimeout: REQUEST_TIMEOUT_MS,
    // A HEAD of a drop would read it.
    exposeHeadRoutes: false,
    routerOptions: { maxParamLength: MAX_PARAM_CHARS },
    forceCloseConnections: 'idle',
    return503OnClosing: false,
    frameworkErrors: (error, request, reply) => void fail(error, request, reply),
    clientErrorHandler: (error, socket) =>
      refuseSocket(error, socket, () => rawProblem('MALFORMED', newId(), clock.nowMs())),
  });

  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => {
    const { buffer, byteOffset, byteLength } = body as Buffer;
    done(null, new Uint8Array(buffer, byteOffset, byteLength));
  });
  app.addHook('onRequest', async (request, reply) => {
    reply.headers({ ...CORS, 'cache-control': 'no-store' });
    if (request.method === 'OPTIONS') return reply.headers(PREFLIGHT).code(204).send();
    if (isStopping() && request.routeOptions.url !== '/health') throw new Problem('UNAVAILABLE');
    return undefined;
  });
  app.addHook('onSend', async (_request, reply) => {
    // A connection kept alive would hold up the end.
    if (isStopping()) reply.header('connection', 'close');
  });
  app.addHook('onResponse', async (request, reply) => {
    logger.info(
      {
        requestId: request.id,
        method: request.method,
        // The pattern, never the address: ids and query values stay out of the log.
        route: request.routeOptions.url ?? 'none',
        status: reply.statusCode,
        ms: Math.round(reply.elapsedTime * 10) / 10,
        bytes: Number(reply.getHeader('content-length') ?? 0),
      },
      'request',
    );
  });
  app.setErrorHandler(fail);
  app.setNotFoundHandler((request, reply) => fail(new Problem('NOT_FOUND'), request, reply));
  return app;
}

/** What the framework refuses is the client's fault; everything else that is no Problem is the node's. */
function problemOf(error: unknown, request: FastifyRequest): Pick<Problem, 'code' | 'retryAfterS'> {
  if (error instanceof Problem) return error;
  const { code = '', statusCode = 500 } = error as Partial<FastifyError>;
  const isRefused = code.startsWith('FST_ERR_') || request.raw.readableAborted;
  const name: ErrorCode = !isRefused || statusCode >= 500 ? 'INTERNAL' : statusCode === 413 ? 'TOO_LARGE' : 'MALFORMED';
  return { code: name, retryAfterS: undefined };
}

/** Bytes that never became a request: malformed HTTP, headers that are too large or too slow. */
function refuseSocket(error: Error & { readonly code?: string }, socket: Socket, answer: () => string): void {
  if (error.code === 'ECONNRESET' || !socket.writable) socket.destroy();
  else socket.end(answer());
}
