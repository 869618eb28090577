/** An owner's device in a process of its own, to be killed: it opens a store, and writes down each write it starts and each that resolved. */

import { writeSync } from 'node:fs';
import { createSystemClock, toDid } from '@sluice/core/base';
import { Account, type Alarm } from '@sluice/client';
import { createNodePlatform, openNodeStore } from '@sluice/client/node';
import { TEST_ARGON2 } from '../test-network.ts';
import { serveSteps } from './child-link.ts';
import { readState, writeOps } from './workload.ts';

const [store = '', port = '0'] = process.argv.slice(2);
const hosts = new Map([['node.sluice.test', `127.0.0.1:${port}`]]);
const platform = createNodePlatform({ clock: createSystemClock(), devHosts: () => hosts });
const alarms: Alarm[] = [];
let account: Account;
let stopped = false;

/** Written through at once: what is not in the pipe when the process is killed was not acknowledged to anybody. */
const note = (text: string): void => void writeSync(1, `${text}\n`);

serveSteps({
  /** Opens the store of a process that was killed, and tells what is in it before the node can have given any of it back. */
  open: async () => {
    account = await Account.open({
      platform,
      store: openNodeStore(store),
      passphrase: 'test passphrase',
      argon2: TEST_ARGON2,
    });
    account.open.onAlarm((alarm) => alarms.push(alarm));
    return [...(await readState(account))];
  },
  synced: async () => {
    await account.synced();
    return { outbox: account.open.home.store.outboxSize(), alarms };
  },
  write: async ({ seed, from, friend }: { readonly seed: string; readonly from: number; readonly friend: string }) => {
    const events = {
      started: (n: number) => note(`start ${n}`),
      resolved: (n: number, how: string, id = '') => note(`done ${n} ${how} ${id}`),
    };
    await writeOps(account, toDid(friend), seed, from, 4, events, () => stopped);
  },
  close: async () => {
    stopped = true;
    await account.close();
  },
});
