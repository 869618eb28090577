/** What the routes are given. */

import type { Clock } from '@sluice/core/base';
import type { VerifyKey } from '@sluice/core/crypto';
import type { FastifyRequest } from 'fastify';
import type { Logger } from 'pino';
import type { NodeIdentity, NodeService, SpacePolicy } from '../service.ts';
import type { BlobTable, Storage } from '../storage/port.ts';
import type { Limiters } from './limiters.ts';
import type { Wakeups } from './wakeups.ts';

/** What the routes share. */
export type RouteDeps = {
  readonly service: NodeService;
  readonly blobs: BlobTable;
  readonly storageReady: Storage['ready'];
  readonly clock: Clock;
  readonly identity: NodeIdentity & { readonly sealingKey: Uint8Array };
  readonly publicUrl: string;
  readonly policy: SpacePolicy;
  readonly limiters: Limiters;
  /** The key that signed the request; throws a Problem if none did. */
  readonly signer: (request: FastifyRequest) => Promise<VerifyKey>;
  /** News of spaces and drops. */
  readonly wakeups: Wakeups;
  readonly isStopping: () => boolean;
  readonly version: string;
  readonly logger: Logger;
};
