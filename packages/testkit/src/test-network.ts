/** A network in one process: a real node on loopback, and platforms whose names resolve to it. For tests, demos and benchmarks. */

import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { Account, type Platform } from '@sluice/client';
import { createNodePlatform, openNodeStore } from '@sluice/client/node';
import { type Clock, createSystemClock, type Random, systemRandom, toDid } from '@sluice/core/base';
import { createSigningKey } from '@sluice/core/crypto';
import {
  createNode,
  type Limits,
  type NodeDeps,
  openSqliteStorage,
  type SluiceNode,
  type SqliteStorage,
  type Storage,
} from '@sluice/node';
import { publishApp } from './publish-app.ts';

export const NODE_ORIGIN = 'https://node.sluice.test';
/** The cheapest passphrase cost the format allows in tests. */
export const TEST_ARGON2 = { memoryKiB: 1024, passes: 1, lanes: 1 } as const;

export type NetworkOptions = {
  readonly clock?: Clock;
  /** The clock of a participant by name, where it differs from the network's. */
  readonly clockOf?: (participant: string) => Clock | undefined;
  readonly random?: Random;
  /** Randomness of each participant by name (`node`, a person's, an app's host), instead of one for all. */
  readonly randomOf?: (participant: string) => Random;
  readonly logger?: NodeDeps['logger'];
  readonly synchronous?: 'FULL' | 'NORMAL';
  readonly limits?: Limits;
  /** Wraps the node's storage, e.g. to play a hostile node. */
  readonly wrapStorage?: (storage: SqliteStorage) => Storage;
};

export type Persona = {
  readonly account: Account;
  readonly phrase: string;
  readonly store: string;
  readonly origin?: string;
};

export type TestNetwork = {
  readonly directory: string;
  readonly node: SluiceNode;
  readonly storage: Storage;
  readonly clock: Clock;
  readonly platform: Platform;
  /** Creates a person's account in a fresh store. It is closed with the network. */
  readonly person: (name: string) => Promise<Persona>;
  /** Creates an app's account and publishes its DID document at its origin. */
  readonly app: (origin: string) => Promise<Persona>;
  readonly restore: (persona: Persona, name: string) => Promise<Account>;
  readonly reopen: (persona: Persona, options?: { readonly maxPages?: number }) => Promise<Account>;
  readonly stopNode: () => Promise<void>;
  /** Starts the node again at its port; `database` names another file of the network's directory, as after a restore from a backup. */
  readonly startNode: (database?: string) => Promise<void>;
  readonly close: () => Promise<void>;
};

/** Starts a network. Everything it starts listens on loopback at a free port and stops with `close`. */
export async function createTestNetwork(options: NetworkOptions = {}): Promise<TestNetwork> {
  const { clock = createSystemClock(), random: common = systemRandom, randomOf = () => common } = options;
  const random = randomOf('node');
  const directory = mkdtempSync(join(tmpdir(), 'sluice-net-'));
  const hosts = new Map<string, string>();
  const servers: Server[] = [];
  const accounts = new Set<Account>();
  const key = createSigningKey(random);
  const platformOf = (participant: string): Platform =>
    createNodePlatform({
      clock: options.clockOf?.(participant) ?? clock,
      random: randomOf(participant),
      devHosts: () => hosts,
    });
  const platform = platformOf('network');
  let storage: Storage;
  let node: SluiceNode;

  const startNode = async (port = 0, database = 'node.db'): Promise<void> => {
    const real = openSqliteStorage({ path: join(directory, database), synchronous: options.synchronous ?? 'FULL' });
    storage = options.wrapStorage ? options.wrapStorage(real) : real;
    node = await createNode({
      storage,
      clock,
      random,
      identity: { did: toDid('did:web:node.sluice.test'), key },
      publicUrl: NODE_ORIGIN,
      policy: { type: 'open' },
      listen: { port },
      ...(options.logger ? { logger: options.logger } : {}),
      ...(options.limits ? { limits: options.limits } : {}),
    });
    hosts.set('node.sluice.test', `127.0.0.1:${node.port}`);
  };
  await startNode();

  const open = (account: Account): Account => {
    accounts.add(account);
    return account;
  };
  const base = { node: NODE_ORIGIN, passphrase: 'test passphrase', argon2: TEST_ARGON2 };

  return {
    directory,
    get node() {
      return node;
    },
    get storage() {
      return storage;
    },
    clock,
    platform,
    person: async (name) => {
      const store = join(directory, name);
      const { account, phrase } = await Account.create({
        ...base,
        platform: platformOf(name),
        store: openNodeStore(store),
        deviceName: name,
      });
      return { account: open(account), phrase, store };
    },
    app: async (origin) => {
      const { host } = new URL(origin);
      const store = join(directory, host);
      const { account, phrase } = await Account.create({
        ...base,
        platform: platformOf(host),
        store: openNodeStore(store),
        appOrigin: origin,
      });
      const server = createServer((request, response) => publishApp(account, request, response));
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      servers.push(server);
      hosts.set(host, `127.0.0.1:${(server.address() as AddressInfo).port}`);
      return { account: open(account), phrase, store, origin };
    },
    restore: async (persona, name) =>
      open(
        await Account.restore({
          ...base,
          platform: platformOf(name),
          store: openNodeStore(join(directory, name)),
          phrase: persona.phrase,
          deviceName: name,
        }),
      ),
    reopen: async (persona, options) =>
      open(
        await Account.open({
          ...base,
          platform: platformOf(`${basename(persona.store)} again`),
          store: openNodeStore(persona.store, options),
        }),
      ),
    stopNode: () => node.close(),
    startNode: (database) => startNode(node.port, database),
    close: async () => {
      for (const account of accounts) await account.close().catch(() => undefined);
      for (const server of servers) server.close();
      await node.close();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}
