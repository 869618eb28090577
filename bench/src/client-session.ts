/** What the steps of one client process share: its account, its grants, and what it has seen. */

import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createSystemClock } from '@sluice/core/base';
import type { Account, GrantHandle, Platform } from '@sluice/client';
import { createNodePlatform, openNodeStore } from '@sluice/client/node';
import { publishApp, TEST_ARGON2 } from '@sluice/testkit';

/** A record that came to a grantee, in ms of the machine's clock. */
export type Seen = { readonly id: string; readonly version: number; readonly at: number };
export type Session = {
  account: Account;
  grants: GrantHandle[];
  readonly seen: Seen[];
  readonly base: { readonly platform: Platform; readonly passphrase: string; readonly argon2: typeof TEST_ARGON2 };
  readonly openStore: (path: string) => ReturnType<typeof openNodeStore>;
  /** Bytes of every connection that was opened from here on. */
  readonly countBytes: () => () => number;
};

export type Args = { readonly [name: string]: string };
export type Steps = { readonly [name: string]: (args: Args) => Promise<unknown> };

/** The system's monotonic clock in ms: the same for every process of the machine. */
export const nowMs = (): number => Number(process.hrtime.bigint()) / 1e6;

export const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Looks every 2 ms until there is something. */
export async function waitFor<T>(look: () => T | undefined): Promise<T> {
  for (;;) {
    const value = look();
    if (value !== undefined) return value;
    await pause(2);
  }
}

/** Notes whatever comes to the session's grants. */
export function followAll({ grants, seen }: Session): void {
  for (const grant of grants)
    grant.changes((change) => {
      if (change.type === 'put') seen.push({ id: grant.id, version: Number(change.record?.version), at: nowMs() });
    });
}

/** Serves the account's DID document, as an app does at its origin. Returns the port. */
export async function publish(account: Account): Promise<number> {
  const server = createServer((request, response) => publishApp(account, request, response));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  server.unref();
  return (server.address() as AddressInfo).port;
}

/** Starts a session whose account is made by a step. */
export function createSession(hostsFile: string, synchronous: string): Session {
  const hosts = (): Map<string, string> => new Map(JSON.parse(readFileSync(hostsFile, 'utf8')) as [string, string][]);
  const system = createNodePlatform({ clock: createSystemClock(), devHosts: hosts });
  const connections: { bytes: number }[] = [];
  const platform: Platform = {
    ...system,
    openSocket: (url, events) => {
      const connection = { bytes: 0 };
      connections.push(connection);
      const socket = system.openSocket(url, {
        ...events,
        onMessage: (bytes) => {
          connection.bytes += bytes.length;
          events.onMessage(bytes);
        },
      });
      return {
        ...socket,
        send: (bytes) => {
          connection.bytes += bytes.length;
          socket.send(bytes);
        },
      };
    },
  };
  let account: Account | undefined;
  return {
    get account() {
      if (!account) throw new Error('no step has opened an account yet');
      return account;
    },
    set account(next) {
      account = next;
    },
    grants: [],
    seen: [],
    base: { platform, passphrase: 'bench', argon2: TEST_ARGON2 },
    openStore: (path) => openNodeStore(path, { synchronous: synchronous === 'NORMAL' ? 'NORMAL' : 'FULL' }),
    countBytes: () => {
      const from = connections.length;
      return () => connections.slice(from).reduce((sum, { bytes }) => sum + bytes, 0);
    },
  };
}
