/** An owner's device in a process of its own, to be killed: it opens a store, and writes down each write it starts and each that resolved. */

import { writeSync } from 'node:fs';
import { createSystemClock, toDid } from '@sluice/core/base';
import { Account } from '@sluice/client';
import { createNodePlatform, openNodeStore } from '@sluice/client/node';
import { NODE_ORIGIN, TEST_ARGON2 } from '../test-network.ts';
import { serveSteps } from './child-link.ts';
import { createHeldSockets } from './held-sockets.ts';
import { readState, writeOps } from './workload.ts';

const [store = '', port = '0'] = process.argv.slice(2);
const NODE_HOST = new URL(NODE_ORIGIN).host;
/** No server is at this port, so connecting there fails at once. */
const NOWHERE = '127.0.0.1:1';
const NODE = `127.0.0.1:${port}`;
const hosts = new Map([[NODE_HOST, NOWHERE]]);
const real = createNodePlatform({ clock: createSystemClock(), devHosts: () => hosts });
const sockets = createHeldSockets(real.openSocket);
const platform = { ...real, openSocket: sockets.openSocket };
sockets.hold();
let account: Account;

type WriteArgs = { readonly seed: string; readonly from: number; readonly friend: string; readonly width: number };

/** Written through at once: what is not in the pipe when the process is killed was not acknowledged to anybody. */
const note = (text: string): void => void writeSync(1, `${text}\n`);

serveSteps({
  /** Opens the store of a process that was killed, and tells what is in it while the node cannot give any of it back. */
  open: async () => {
    account = await Account.open({
      platform,
      store: openNodeStore(store),
      passphrase: 'test passphrase',
      argon2: TEST_ARGON2,
    });
    account.open.onAlarm((alarm) => note(`alarm ${JSON.stringify(alarm)}`));
    return { state: [...(await readState(account))], unsent: account.open.home.store.outboxSize() };
  },
  findNode: async () => {
    hosts.set(NODE_HOST, NODE);
    sockets.release();
  },
  /** Learns who the friend is, so that messages can be kept for them; nothing else is heard of the node. */
  meet: async ({ friend }: { readonly friend: string }) => {
    hosts.set(NODE_HOST, NODE);
    const look = () => account.open.resolver.resolve(toDid(friend));
    // The first look may join one that was under way, and found nothing.
    const found = (await look()).ok || (await look()).ok;
    hosts.set(NODE_HOST, NOWHERE);
    return found;
  },
  /** Writes on and on, up to `width` writes at once. */
  write: async ({ seed, from, friend, width }: WriteArgs) => {
    const events = {
      started: (n: number) => note(`start ${n}`),
      resolved: (n: number, how: string, id = '') => note(`done ${n} ${how} ${id}`),
    };
    await writeOps(account, toDid(friend), seed, from, width, events, () => false);
  },
  synced: async () => {
    await account.synced();
    return { state: [...(await readState(account))], unsent: account.open.home.store.outboxSize() };
  },
  close: () => account.close(),
});
