/** One process of a client in a simulation: the real account, or agent, over a simulated disk, started and ended as often as it takes. */

import {
  Account,
  Agent,
  type AlwaysOnAgent,
  type FetchAnswer,
  type FetchFailure,
  type OpenedStore,
  type Platform,
} from '@sluice/client';
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
/** One process with a disk and a clock of its own, running or not. */
export type SimProcess<T> = {
  readonly name: string;
  readonly disk: SimDisk;
  /** How far its clock is off, in ms. */
  offsetMs: number;
  /** Whether its disk has no room at present. */
  isFull: boolean;
  life: Life | undefined;
  store: SimStore | undefined;
  /** What runs in it, once it is up. */
  running: T | undefined;
};
/** A device of an account. */
export type SimDevice = SimProcess<Account>;
/** Where an always-on agent runs. */
export type SimAgent = SimProcess<AlwaysOnAgent>;

/** A clock of one process: it shows virtual time, off by what `offsetMs` says, and its timers end with it. */
export function createSimClock(scheduler: Scheduler, life: Life, offsetMs: () => number): Clock {
  return {
    nowMs: () => Math.floor(START_MS + scheduler.nowMs() + offsetMs()),
    monotonicMs: () => scheduler.nowMs(),
    timer: (delayMs, run) => scheduler.after(delayMs, `timer ${life.name}`, life, run),
  };
}

/** A process that was never started. */
export const createSimProcess = <T>(name: string, disk: SimDisk): SimProcess<T> => ({
  name,
  disk,
  offsetMs: 0,
  isFull: false,
  life: undefined,
  store: undefined,
  running: undefined,
});

/** What a process is given. */
function platformOf(world: ClientWorld, device: SimProcess<unknown>, life: Life, chance: Chance): Platform {
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

/** Starts a process on its disk: `make` says what runs in it. */
export async function startProcess<T>(
  world: ClientWorld,
  process: SimProcess<T>,
  hook: CommitHook,
  make: (platform: Platform, store: OpenedStore) => Promise<T>,
): Promise<T> {
  const { name } = process;
  const life: Life = { name, alive: true };
  const store = openSimStore(process.disk, hook);
  process.life = life;
  process.store = store;
  const platform = platformOf(world, process, life, world.chance.fork(`${name}/${world.scheduler.stepNumber()}`));
  const running = await make(platform, { db: store.db, release: () => undefined });
  if (life.alive) process.running = running;
  return running;
}

const SECRETS = { passphrase: SIM_PASSPHRASE, argon2: SIM_ARGON2 } as const;
/** Opens the account that a store holds. */
export const openAccount = (platform: Platform, store: OpenedStore): Promise<Account> =>
  Account.open({ platform, store, ...SECRETS });
/** Makes a new device of an account. */
export const restoreAccount =
  (phrase: string, node: string, deviceName: string) =>
  (platform: Platform, store: OpenedStore): Promise<Account> =>
    Account.restore({ platform, store, phrase, node, deviceName, ...SECRETS });
/** Opens the agent that a store holds. */
export const openAgent = (platform: Platform, store: OpenedStore): Promise<AlwaysOnAgent> =>
  Agent.open({ platform, store, ...SECRETS });

/** Ends a process at once. Nothing of what it holds in memory is kept. */
export function killProcess(world: Pick<ClientWorld, 'network'>, process: SimProcess<unknown>): void {
  if (!process.life?.alive) return;
  process.life.alive = false;
  process.store?.detach();
  process.running = undefined;
  world.network.cutAll(process.name);
}
