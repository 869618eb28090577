/** A network whose node is a process of its own: killed and started again on the same file, at the same port. */

import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createSystemClock, systemRandom } from '@sluice/core/base';
import { Account, type Alarm } from '@sluice/client';
import { createNodePlatform, openNodeStore } from '@sluice/client/node';
import { publishApp } from '../publish-app.ts';
import { NODE_ORIGIN, type Persona, TEST_ARGON2 } from '../test-network.ts';
import { type Child, startChild } from './child-link.ts';
import { createHeldSockets } from './held-sockets.ts';
import { makePrograms, type ProgramName } from './programs.ts';

export type FaultNetwork = {
  readonly directory: string;
  /** The node that runs now. */
  readonly node: () => Child;
  readonly person: (name: string) => Promise<Persona>;
  readonly app: (origin: string) => Promise<Persona>;
  /** A process for the person's store. It opens it at the step `open`, so that a spare one costs nothing. */
  readonly startClient: (persona: Persona) => Child;
  /** A process that takes pages of a space with a key that may read it. */
  readonly startSubscriber: (seed: string, space: string) => Child;
  /** A device that has never been here, at once closed again when `use` is done. */
  readonly withFreshDevice: <T>(persona: Persona, use: (account: Account) => Promise<T>) => Promise<T>;
  /** Kills the node and starts it again. Those of the network find it only at `findNode`. */
  readonly killNode: () => Promise<void>;
  readonly findNode: () => void;
  /** Every alarm that any account raised. */
  readonly alarms: readonly Alarm[];
  readonly close: () => Promise<void>;
};

const NODE_HOST = new URL(NODE_ORIGIN).host;
/** No server is at this port, so connecting there fails at once. */
const NOWHERE = '127.0.0.1:1';

/** Starts the node and a spare process, so that a restart does not wait for modules to load. */
export async function createFaultNetwork(): Promise<FaultNetwork> {
  const directory = mkdtempSync(join(tmpdir(), 'sluice-fault-'));
  const programs = await makePrograms();
  const startNode = (): Child => startChild(programs.path('node-process'), [directory]);
  let node = startNode();
  let spare = startNode();
  const port = await node.ask<number>('listen', { port: 0 });
  const clock = createSystemClock();
  const hosts = new Map([[NODE_HOST, `127.0.0.1:${port}`]]);
  const freshHosts = new Map(hosts);
  const real = createNodePlatform({ clock, random: systemRandom, devHosts: () => hosts });
  const sockets = createHeldSockets(real.openSocket);
  const platform = { ...real, openSocket: sockets.openSocket };
  const freshPlatform = createNodePlatform({ clock, random: systemRandom, devHosts: () => freshHosts });
  const accounts = new Set<Account>();
  const servers: Server[] = [];
  const others = new Set<Child>();
  const alarms: Alarm[] = [];
  let fresh = 0;

  const startOther = (program: ProgramName, args: readonly string[]): Child => {
    const child = startChild(programs.path(program), args);
    others.add(child);
    return child;
  };
  const keep = (account: Account): Account => {
    accounts.add(account);
    account.open.onAlarm((alarm) => alarms.push(alarm));
    return account;
  };
  const base = { node: NODE_ORIGIN, passphrase: 'test passphrase', argon2: TEST_ARGON2 };

  return {
    directory,
    node: () => node,
    alarms,
    person: async (name) => {
      const store = join(directory, name);
      const { account, phrase } = await Account.create({ ...base, platform, store: openNodeStore(store) });
      return { account: keep(account), phrase, store };
    },
    app: async (origin) => {
      const { host } = new URL(origin);
      const store = join(directory, host);
      const { account, phrase } = await Account.create({
        ...base,
        platform,
        store: openNodeStore(store),
        appOrigin: origin,
      });
      const server = createServer((request, response) => publishApp(account, request, response));
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      servers.push(server);
      const address = `127.0.0.1:${(server.address() as AddressInfo).port}`;
      hosts.set(host, address);
      freshHosts.set(host, address);
      return { account: keep(account), phrase, store, origin };
    },
    startClient: ({ store }) => startOther('client-process', [store, String(port)]),
    startSubscriber: (seed, space) => startOther('subscriber-process', [String(port), seed, space]),
    withFreshDevice: async ({ phrase }, use) => {
      const store = openNodeStore(join(directory, `fresh-${fresh++}`));
      const account = keep(await Account.restore({ ...base, platform: freshPlatform, store, phrase }));
      try {
        await account.synced();
        return await use(account);
      } finally {
        accounts.delete(account);
        await account.close();
      }
    },
    killNode: async () => {
      hosts.set(NODE_HOST, NOWHERE);
      sockets.hold();
      await node.kill();
      node = spare;
      await node.ask<number>('listen', { port });
      spare = startNode();
    },
    findNode: () => {
      hosts.set(NODE_HOST, `127.0.0.1:${port}`);
      sockets.release();
    },
    close: async () => {
      for (const account of accounts) await account.close().catch(() => undefined);
      for (const server of servers) server.close();
      await Promise.all([node, spare, ...others].map((child) => child.kill()));
      programs.remove();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}
