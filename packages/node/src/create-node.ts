/** The storage node, assembled: storage, service, HTTP and live connections behind one `close`. */

import { readFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Clock, Random } from '@sluice/core/base';
import { hkdf, hpkeKeyPairFromSecret } from '@sluice/core/crypto';
import { didWebOrigin } from '@sluice/core/identity';
import { type Logger, type LoggerOptions, pino } from 'pino';
import { createAuthenticator } from './http/authenticate.ts';
import { registerDidRoutes, registerDropRoutes, registerRecoveryRoutes } from './http/blob-routes.ts';
import { createHttpServer } from './http/http-server.ts';
import { createLimiters, type Limits } from './http/limiters.ts';
import { registerPublicRoutes } from './http/public-routes.ts';
import { bodyOf } from './http/request.ts';
import type { RouteDeps } from './http/route-deps.ts';
import { registerSpaceRoutes, spaceNewsName } from './http/space-routes.ts';
import { createWakeups } from './http/wakeups.ts';
import { createLiveServer } from './live/live-server.ts';
import { createService, type NodeIdentity, type SpacePolicy } from './service.ts';
import type { Storage } from './storage/port.ts';

/** What a node runs with. */
export type NodeDeps = {
  /** Closed with the node. */
  readonly storage: Storage;
  readonly clock: Clock;
  readonly random: Random;
  /** `sealingKey` is an X25519 public key; without it the one that follows from the signing key is published. */
  readonly identity: NodeIdentity & { readonly sealingKey?: Uint8Array };
  /** The https origin of the node as others know it, e.g. `https://node.example`; signatures are bound to it. */
  readonly publicUrl: string;
  readonly policy: SpacePolicy;
  /** `host` is 127.0.0.1 unless given. `proxies` are the reverse proxies whose `x-forwarded-for` is believed. */
  readonly listen: { readonly host?: string; readonly port: number; readonly proxies?: readonly string[] };
  readonly logger?: Logger | LoggerOptions;
  readonly limits?: Limits;
};
/** A running node. */
export type SluiceNode = {
  /** Where it really listens, e.g. `http://127.0.0.1:40123`. */
  readonly url: string;
  readonly port: number;
  /** Live connections at present. */
  readonly connections: () => number;
  /** Stops accepting, answers what is in progress, ends live connections and closes the storage; takes at most 5 seconds. */
  readonly close: () => Promise<void>;
};

const CLOSE_MS = 5000;

/**
 * Starts a node. Resolves when it listens.
 *
 * Throws TypeError if `publicUrl` is no https origin or not the one its DID speaks for.
 */
export async function createNode(deps: NodeDeps): Promise<SluiceNode> {
  const { storage, clock, random, identity, publicUrl, policy, listen } = deps;
  if (didWebOrigin(identity.did) !== publicUrl) throw new TypeError('publicUrl is not the https origin of the DID');
  const logger = createLogger(deps.logger);
  let stopping = false;
  const isStopping = (): boolean => stopping;

  const service = createService({ storage, clock, random, identity, policy });
  const limiters = createLimiters(deps.limits ?? {}, clock, random, listen.proxies ?? []);
  const authenticate = createAuthenticator(publicUrl, clock);
  const wakeups = createWakeups(clock);
  const stopNews = storage.onCommit((touched) => {
    for (const { space } of touched) wakeups.wake(spaceNewsName(space));
  });

  const app = createHttpServer({ clock, random, logger, isStopping });
  const routeDeps: RouteDeps = {
    service,
    blobs: storage.blobs,
    storageReady: () => storage.ready(),
    clock,
    identity: { ...identity, sealingKey: identity.sealingKey ?? sealingKeyOf(identity) },
    publicUrl,
    policy,
    limiters,
    signer: (request) => {
      limiters.check('requests', request);
      const body = bodyOf(request);
      const { method, url: path, headers } = request;
      return authenticate({ method, path, headers, body: body.length > 0 ? body : undefined });
    },
    wakeups,
    isStopping,
    version: readVersion(),
    logger,
  };
  registerSpaceRoutes(app, routeDeps);
  registerRecoveryRoutes(app, routeDeps);
  registerDidRoutes(app, routeDeps);
  registerDropRoutes(app, routeDeps);
  registerPublicRoutes(app, routeDeps);
  const mayOpen = (request: IncomingMessage): boolean => limiters.take('sockets', request) === 0;
  const live = createLiveServer(app.server, { service, did: identity.did, clock, random, logger, isStopping, mayOpen });

  try {
    await app.listen({ host: listen.host ?? '127.0.0.1', port: listen.port });
  } catch (cause) {
    // Nothing of it may go on running; the storage stays its owner's.
    await live.close();
    stopNews();
    throw cause;
  }
  const address = app.server.address() as AddressInfo;
  logger.info({ port: address.port, did: identity.did }, 'node listens');

  const stop = async (): Promise<void> => {
    stopping = true;
    wakeups.wakeAll();
    const cancelCut = clock.timer(CLOSE_MS, () => app.server.closeAllConnections());
    await Promise.all([live.close(), app.close()]);
    cancelCut();
    stopNews();
    await storage.close();
    logger.info('node stopped');
  };
  let stopped: Promise<void> | undefined;
  return {
    url: urlOf(address),
    port: address.port,
    connections: live.count,
    close: () => {
      stopped ??= stop();
      return stopped;
    },
  };
}

function createLogger(logger: Logger | LoggerOptions = { level: 'silent' }): Logger {
  return 'child' in logger ? (logger as Logger) : pino(logger as LoggerOptions);
}

/** The address to reach it from this machine. */
function urlOf({ address, family, port }: AddressInfo): string {
  const host = address === '0.0.0.0' ? '127.0.0.1' : address === '::' ? '::1' : address;
  return `http://${family === 'IPv6' ? `[${host}]` : host}:${port}`;
}

const sealingKeyOf = ({ key }: NodeIdentity): Uint8Array =>
  hpkeKeyPairFromSecret(hkdf(key.seed.reveal(), 'node-sealing')).publicKey;

function readVersion(): string {
  const text = readFileSync(new URL('../package.json', import.meta.url), 'utf8');
  return String((JSON.parse(text) as { readonly version?: unknown }).version);
}
