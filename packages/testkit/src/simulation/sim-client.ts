/** One device of an account in a simulation: the real account over a simulated disk, started and ended as often as it takes. */

import { Account, type FetchAnswer, type FetchFailure, type OpenedStore, type Platform } from '@sluice/client';
import { type Clock, err, ok, type Result } from '@sluice/core/base';
import type { Chance } from './chance.ts';
import type { SimNetwork } from './sim-network.ts';
import type { SimNode } from './sim-node.ts';
import type { Life, Scheduler } from './scheduler.ts';
import { type CommitHook, openSimStore, type SimDisk, type SimStore } from './sim-store.ts';

/** Cheap on purpose: a passphrase protects nobody here. */
export const SIM_ARGON2 = { memoryKiB: 8, passes: 1, lanes: 1 } as const;
export const SIM_PASSPHRASE = 'simulated';

/** Where virtual time starts. */
export const START_MS = Date.parse('2026-03-01T12:00:00Z');

/** The surroundings that all clients share. */
export type ClientWorld = {
  readonly scheduler: Scheduler;
  readonly network: SimNetwork;
  readonly node: () => SimNode | undefined;
  readonly chance: Chance;
  /** Documents that apps publish, by host. */
  readonly documents: ReadonlyMap<string, string>;
};
/** One device, running or not. */
export type SimDevice = {
  readonly name: string;
  readonly disk: SimDisk;
  /** How far its clock is off, in ms. */
  offsetMs: number;
  life: Life | undefined;
  store: SimStore | undefined;
  account: Account | undefined;
};

/** A clock of one process: it shows virtual time, off by what `offsetMs` says, and its timers end with it. */
export function createSimClock(scheduler: Scheduler, life: Life, offsetMs: () => number): Clock {
  return {
    nowMs: () => Math.floor(START_MS + scheduler.nowMs() + offsetMs()),
    monotonicMs: () => scheduler.nowMs(),
    timer: (delayMs, run) => scheduler.after(delayMs, `timer ${life.name}`, life, run),
  };
}

/** A device that was never started. */
export const createSimDevice = (name: string, disk: SimDisk): SimDevice => ({
  name,
  disk,
  offsetMs: 0,
  life: undefined,
  store: undefined,
  account: undefined,
});

/** What a device's process is given. */
function platformOf(world: ClientWorld, device: SimDevice, life: Life, chance: Chance): Platform {
  const { scheduler, network } = world;
  const clock = createSimClock(scheduler, life, () => device.offsetMs);
  const fetchBytes: Platform['fetchBytes'] = async (url, request): Promise<Result<FetchAnswer, FetchFailure>> => {
    const published = world.documents.get(url.host);
    if (published !== undefined) return ok({ status: 200, headers: {}, body: new TextEncoder().encode(published) });
    const answer = await network.request(
      life,
      `${request.method ?? 'GET'} ${url.pathname.split('/')[2]}`,
      request.timeoutMs,
      () => {
        const node = world.node();
        return node ? node.host.fetch(url, request) : Promise.resolve(undefined);
      },
    );
    return answer ? ok(answer) : err({ type: 'unreachable' });
  };
  return {
    clock,
    random: chance.bytes,
    fetchBytes,
    fetchText: async (url, limits) => {
      const answer = await fetchBytes(url, limits);
      if (!answer.ok) return answer;
      return answer.value.status === 200 ? ok(new TextDecoder().decode(answer.value.body)) : err({ type: 'not-found' });
    },
    openSocket: (_url, events) =>
      network.connect(life, { onOpen: events.onOpen, onFrame: events.onMessage, onClose: events.onClose }),
  };
}

/** Starts a process on the device's disk: what `make` does with it becomes its account. */
export async function startDevice(
  world: ClientWorld,
  device: SimDevice,
  hook: CommitHook,
  make: (platform: Platform, store: OpenedStore) => Promise<Account> = openAgain,
): Promise<Account> {
  const life: Life = { name: device.name, alive: true };
  const store = openSimStore(device.disk, hook);
  device.life = life;
  device.store = store;
  const platform = platformOf(world, device, life, world.chance.fork(`${device.name}/${world.scheduler.stepNumber()}`));
  const account = await make(platform, { db: store.db, release: () => undefined });
  if (life.alive) device.account = account;
  return account;
}

const openAgain = (platform: Platform, store: OpenedStore): Promise<Account> =>
  Account.open({ platform, store, passphrase: SIM_PASSPHRASE, argon2: SIM_ARGON2 });

/** Ends the device's process at once. Nothing of what it holds in memory is kept. */
export function killDevice(world: Pick<ClientWorld, 'network'>, device: SimDevice): void {
  if (!device.life?.alive) return;
  device.life.alive = false;
  device.store?.detach();
  device.account = undefined;
  world.network.cutAll(device.name);
}
