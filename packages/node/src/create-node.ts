/** The storage node, assembled: storage, service, HTTP and live connections behind one `close`. */

import type { AddressInfo } from 'node:net';
import { bytesToBase64url, type Clock, type Random } from '@sluice/core/base';
import { createHpkeKeyPair } from '@sluice/core/crypto';
import type { ErrorCode } from '@sluice/core/wire';
import Fastify from 'fastify';
import { type Logger, pino } from 'pino';
import { Problem, problemDocument } from './http/problem.ts';
import { DEFAULT_LIMITS, type Limits, registerRoutes } from './http/routes.ts';
import { createLiveServer } from './live/live-server.ts';
import { createService, type NodeIdentity, type SpacePolicy } from './service.ts';
import type { Storage } from './storage/port.ts';

export type NodeDeps = {
  readonly storage: Storage;
  readonly clock: Clock;
  readonly random: Random;
  readonly identity: NodeIdentity;
  /** The node's https address as others know it; signatures are bound to it. */
  readonly publicUrl: string;
  readonly policy: SpacePolicy;
  readonly listen: { readonly host?: string; readonly port: number };
  readonly logger?: Logger;
  readonly limits?: Limits;
};
export type SluiceNode = {
  /** Where it really listens, e.g. `http://127.0.0.1:40123`. */
  readonly url: string;
  readonly port: number;
  readonly close: () => Promise<void>;
};

const CORS = {
  'access-control-allow-origin': '*',
  'access-control-allow-methods': 'GET, PUT, POST, OPTIONS',
  'access-control-allow-headers': 'content-type, content-digest, signature, signature-input, sluice-invite, sluice-space',
  'cache-control': 'no-store',
};

/** Starts a node. Resolves when it listens. */
export async function createNode(deps: NodeDeps): Promise<SluiceNode> {
  const { storage, clock, random, identity, publicUrl, policy } = deps;
  const logger = deps.logger ?? pino({ level: 'silent' });
  let stopping = false;
  const service = createService({ storage, clock, random, did: identity.did, policy });
  const app = Fastify({ logger: false, genReqId: () => bytesToBase64url(random(9)), routerOptions: { maxParamLength: 200 }, forceCloseConnections: true });

  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => {
    const buffer = body as Buffer;
    done(null, new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.byteLength));
  });
  app.addHook('onRequest', async (request, reply) => {
    reply.headers(CORS);
    if (request.method === 'OPTIONS') return reply.code(204).send();
    if (stopping) throw new Problem('UNAVAILABLE');
    return undefined;
  });
  app.addHook('onResponse', async (request, reply) => {
    // The route's pattern, never the address: ids and queries stay out of the log.
    logger.info({ requestId: request.id, method: request.method, route: request.routeOptions.url ?? 'none', status: reply.statusCode, ms: Math.round(reply.elapsedTime) }, 'request');
  });
  const problem = (code: ErrorCode, requestId: string) => problemDocument(code, requestId, clock.nowMs());
  app.setErrorHandler((error, request, reply) => {
    const code = codeOf(error);
    if (code === 'INTERNAL') logger.error({ requestId: request.id, err: error }, 'request failed');
    const { status, headers, body } = problem(code, request.id);
    return reply.code(status).headers(headers).send(body);
  });
  app.setNotFoundHandler((request, reply) => {
    const { status, headers, body } = problem('NOT_FOUND', request.id);
    return reply.code(status).headers(headers).send(body);
  });
  const sealingKey = createHpkeKeyPair(random).publicKey;
  registerRoutes(app, { service, storage, clock, random, identity: { ...identity, sealingKey }, publicUrl, policy, limits: deps.limits ?? DEFAULT_LIMITS, stopping: () => stopping });
  const live = createLiveServer(app.server, { service, did: identity.did, clock, random });
  await app.listen({ host: deps.listen.host ?? '127.0.0.1', port: deps.listen.port });
  const { port } = app.server.address() as AddressInfo;
  logger.info({ port, did: identity.did }, 'node listens');

  return {
    url: `http://127.0.0.1:${port}`,
    port,
    close: async () => {
      if (stopping) return;
      stopping = true;
      live.close();
      await app.close();
      await storage.close();
      logger.info('node stopped');
    },
  };
}

function codeOf(error: unknown): ErrorCode {
  if (error instanceof Problem) return error.code;
  const status = (error as { statusCode?: number }).statusCode;
  if (status === 413) return 'TOO_LARGE';
  return status !== undefined && status >= 400 && status < 500 ? 'MALFORMED' : 'INTERNAL';
}
