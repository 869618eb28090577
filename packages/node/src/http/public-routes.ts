/** What anybody may ask a node: its DID document, what it offers, whether it is up and ready. */

import { buildDidDocument } from '@sluice/core/identity';
import {
  MAX_BATCH_ENTRIES,
  MAX_BODY_BYTES,
  MAX_DEPOSIT,
  MAX_DEPOSIT_BYTES,
  MAX_DID_LOG_BYTES,
  MAX_DROP_BYTES,
  MAX_FRAME_BYTES,
  MAX_MESSAGE_BYTES,
  MAX_PUSH_BYTES,
  MAX_RECOVERY_BYTES,
  PROTOCOL_VERSION,
} from '@sluice/core/wire';
import type { FastifyInstance } from 'fastify';
import { Problem } from './problem.ts';
import { MAX_WAIT_S } from './request.ts';
import type { RouteDeps } from './route-deps.ts';

/** Sizes in bytes, counts in items, `waitS` in seconds. */
const LIMITS = {
  pushBytes: MAX_PUSH_BYTES,
  bodyBytes: MAX_BODY_BYTES,
  batchEntries: MAX_BATCH_ENTRIES,
  frameBytes: MAX_FRAME_BYTES,
  messageBytes: MAX_MESSAGE_BYTES,
  depositMessages: MAX_DEPOSIT,
  depositBytes: MAX_DEPOSIT_BYTES,
  recoveryBytes: MAX_RECOVERY_BYTES,
  didLogBytes: MAX_DID_LOG_BYTES,
  dropBytes: MAX_DROP_BYTES,
  waitS: MAX_WAIT_S,
};

/** Registers the routes. */
export function registerPublicRoutes(app: FastifyInstance, deps: RouteDeps): void {
  const { did, key, sealingKey } = deps.identity;
  const node = { url: deps.publicUrl, did };
  const didDocument = Buffer.from(
    JSON.stringify(buildDidDocument({ did, identityKey: key.publicKey, sealingKey, node })),
  );

  app.get('/.well-known/did.json', async (_request, reply) =>
    reply.header('content-type', 'application/did+json').send(didDocument),
  );

  app.get('/v1/info', async () => ({
    did,
    version: deps.version,
    protocol: PROTOCOL_VERSION,
    policy: deps.policy.type,
    limits: LIMITS,
    nowMs: deps.clock.nowMs(),
  }));

  app.get('/health', async () => ({ status: 'up' }));

  app.get('/ready', async (request) => {
    if (!isStorageReady(deps, request.id)) throw new Problem('UNAVAILABLE');
    return { status: 'ready' };
  });
}

function isStorageReady({ storageReady, logger }: RouteDeps, requestId: string): boolean {
  try {
    return storageReady();
  } catch (cause) {
    logger.error({ requestId, err: cause }, 'the storage does not answer');
    return false;
  }
}
