/**
 * Who takes part in a run: the node, the devices of all accounts, perhaps an always-on agent, each started, ended at any moment and started again
 * on what its disk has kept. Must not know what they are told to do.
 */

import { type Account, type AlwaysOnAgent, SluiceError } from '@sluice/client';
import { SqliteFailure } from '@sluice/sqlite';
import type { Chance } from './chance.ts';
import type { Blame, ClockReach } from './feed-model.ts';
import { type App, createHeardKeys, listenToGrant } from './listening.ts';
import { createOracle, type Oracle } from './oracle.ts';
import type { Life, Scheduler } from './scheduler.ts';
import {
  type ClientWorld,
  createSimClock,
  createSimProcess,
  killProcess,
  openAccount,
  openAgent,
  restoreAccount,
  type SimAgent,
  type SimDevice,
  type SimProcess,
  startProcess,
} from './sim-client.ts';
import type { SimNetwork } from './sim-network.ts';
import { type SimNode, startSimNode } from './sim-node.ts';
import { type CommitHook, copyDisk, crashDisk, createSimDisk, type SimDisk } from './sim-store.ts';
import { AGENT, APPS, NODE_ORIGIN, OWNER_DEVICES, SIM_NODE, type Template } from './template.ts';
import { followGrants } from './workload.ts';

/** What participants are run with. */
export type ParticipantsDeps = {
  readonly scheduler: Scheduler;
  readonly network: SimNetwork;
  readonly start: Template;
  readonly chance: Chance;
  /** Decides on crashes. */
  readonly faults: Chance;
  /** Whether there are no faults any more. */
  readonly isCalm: () => boolean;
  readonly blame: Blame;
  readonly onError: (cause: unknown) => void;
  readonly count: (what: string) => void;
};

/** The participants of one run. */
export type Participants = {
  readonly world: ClientWorld;
  readonly owners: readonly SimDevice[];
  readonly apps: readonly App[];
  readonly agent: () => SimAgent | undefined;
  /** All of them but the node. */
  readonly processes: () => readonly SimProcess<unknown>[];
  readonly node: () => SimNode | undefined;
  /** The clock and the disk of the node's machine. */
  readonly host: { offsetMs: number; isFull: boolean };
  /** Who looks on; undefined until the first device of the owner is up. */
  readonly oracle: () => Oracle | undefined;
  /** How far clocks were off at most. */
  readonly reach: { -readonly [K in keyof ClockReach]: ClockReach[K] };
  readonly startAll: () => void;
  /** Ends a process, and starts it again later. */
  readonly crash: (process: SimProcess<unknown>, backMs: number) => void;
  readonly crashNode: (backMs: number) => void;
  /** Has an app open what it was granted, and wait for the answers to what it asked. */
  readonly follow: (app: App, account: Account) => void;
  /** A new device of the owner, and of every app that was granted something, each restored from its phrase. */
  readonly addDevices: () => void;
  /** All devices of the owner but the newest are gone for good, and its agent with them. */
  readonly leaveOwner: () => void;
  readonly killAll: () => void;
};

/** Nobody runs yet. */
export function createParticipants(deps: ParticipantsDeps): Participants {
  const { scheduler, network, start, chance, faults, isCalm, blame, onError, count } = deps;
  const reach: Participants['reach'] = { behindMs: 0, aheadMs: 0 };
  const heard = createHeardKeys();
  const nodeDisk = copyDisk(start.node);
  const host = { offsetMs: 0, isFull: false };
  let nodeLife: Life | undefined;
  let node: SimNode | undefined;
  /** What the node last had, whether or not it is up. */
  let stored: SimNode['storage'] | undefined;
  let oracle: Oracle | undefined;
  const world: ClientWorld = {
    scheduler,
    network,
    node: () => node,
    chance: chance.fork('clients'),
    documents: start.documents,
  };
  const processOf = <T>(name: string): SimProcess<T> =>
    createSimProcess<T>(name, copyDisk(start.disks.get(name) as SimDisk));
  const owners = OWNER_DEVICES.map((name) => processOf<Account>(name));
  const appOf = (process: SimDevice, host: string, isLate: boolean): App => ({
    ...process,
    ...{ did: `did:web:${host}.sim.test`, isLate },
    ...{ handles: new Map(), own: new Map(), verdicts: new Map(), answered: new Set() },
  });
  const apps = APPS.map((name) => appOf(processOf<Account>(name), name, false));
  const cast = chance.fork('cast').happens(0.5) ? processOf<AlwaysOnAgent>(AGENT) : undefined;
  let agent = cast;
  const starts = new Map<SimProcess<unknown>, () => void>([
    ...owners.map((owner) => [owner, () => run(owner, openAccount, onOwnerUp)] as const),
    ...apps.map((app) => [app, () => startApp(app)] as const),
    ...(cast ? [[cast, () => run(cast, openAgent, onAgentUp)] as const] : []),
  ]);

  /** Which commits survive: all when a process dies, only what was synced for certain when the power goes. */
  const loseOf = (disk: SimDisk): void => {
    const total = disk.commits.length;
    const keep = faults.happens(0.5) ? total : disk.synced + faults.below(total - disk.synced + 1);
    crashDisk(disk, keep);
    scheduler.note(`kept ${keep} of ${total}`);
  };

  const crash = (process: SimProcess<unknown>, backMs: number): void => {
    if (!process.life?.alive) return;
    count('crashes of clients');
    scheduler.note(`crash ${process.name}`);
    killProcess(world, process);
    loseOf(process.disk);
    scheduler.after(backMs, `start ${process.name}`, undefined, () => starts.get(process)?.());
  };
  const crashNode = (backMs: number): void => {
    if (!nodeLife?.alive) return;
    count('crashes of the node');
    scheduler.note('crash node');
    nodeLife.alive = false;
    network.setHost(undefined);
    network.cutAll();
    node?.detach();
    node = undefined;
    loseOf(nodeDisk);
    scheduler.after(backMs, 'start node', undefined, startNode);
  };

  /** Right before or right after a commit is where a crash costs most. */
  const hookOf = (crashIt: () => void, isAlive: () => boolean, full: () => Error | undefined): CommitHook => {
    const maybe = (): void => {
      if (!isCalm() && isAlive() && faults.happens(0.004)) crashIt();
    };
    return {
      before: maybe,
      after: maybe,
      full: () => {
        const failure = isAlive() ? full() : undefined;
        if (failure) count('commits on a full disk');
        return failure;
      },
    };
  };

  function startNode(): void {
    // Who runs it makes room before.
    if (host.isFull) return void scheduler.after(1_000, 'start node', undefined, startNode);
    const life: Life = { name: 'node', alive: true };
    nodeLife = life;
    const hears = (): Oracle | undefined => (life.alive ? oracle : undefined);
    node = startSimNode({
      life,
      disk: nodeDisk,
      hook: hookOf(
        () => crashNode(200 + faults.below(3_000)),
        () => node?.host.life === life,
        () => (host.isFull ? new SqliteFailure('full') : undefined),
      ),
      clock: createSimClock(scheduler, life, () => host.offsetMs),
      random: chance.fork(`node ${scheduler.stepNumber()}`).bytes,
      identity: SIM_NODE,
      watch: (service) => ({
        ...service,
        push: async (space, requester, push) => {
          const onTaken = hears()?.onPush(requester, push);
          const outcome = await service.push(space, requester, push);
          if (outcome.ok) onTaken?.(outcome.value);
          return outcome;
        },
        pull: (space, requester, log, after, whole) => {
          const outcome = service.pull(space, requester, log, after, whole);
          if (outcome.ok) hears()?.onServed(requester, log, outcome.value);
          return outcome;
        },
      }),
      onStorage: (storage) => {
        stored = storage;
        oracle?.look(storage);
        storage.onCommit(() => hears()?.look(storage));
      },
    });
    if (life.alive) network.setHost(node.host);
  }

  /** Starts a process. `onUp` is called when it runs, unless it has ended by then. */
  function run<T>(
    process: SimProcess<T>,
    open: Parameters<typeof startProcess<T>>[3],
    onUp: (running: T, process: SimProcess<T>) => void,
  ): void {
    if (process.isFull) {
      scheduler.after(1_000, `start ${process.name}`, undefined, () => run(process, open, onUp));
      return;
    }
    const hook = hookOf(
      () => crash(process, 200 + faults.below(5_000)),
      () => process.life?.alive === true,
      () => (process.isFull ? new SluiceError('STORE_FULL') : undefined),
    );
    const work = startProcess(world, process, hook, open);
    const { life } = process;
    work.then(
      (running) => {
        if (!life?.alive) return;
        scheduler.note(`up ${process.name}`);
        onUp(running, process);
      },
      (cause: unknown) => {
        if (!life?.alive) return;
        if (!(cause instanceof SluiceError) || cause.code !== 'STORE_FULL') return onError(cause);
        killProcess(world, process);
        scheduler.after(1_000, `start ${process.name}`, undefined, () => starts.get(process)?.());
      },
    );
  }

  function onAccountUp(account: Account, { name }: SimDevice): void {
    account.mailbox.onRejected((reason) => blame('I2', `${name} dropped a message: ${reason}`));
    account.open.onAlarm((alarm) => blame('no alarm', `${name}: ${alarm.type} ${'what' in alarm ? alarm.what : ''}`));
  }
  function onOwnerUp(account: Account, owner: SimDevice): void {
    onAccountUp(account, owner);
    oracle ??= oracleOf(account);
    heard.listen(account, oracle);
    if (node) oracle.look(node.storage);
  }
  function startApp(app: App): void {
    app.handles.clear();
    app.own.clear();
    run(app, openAccount, onAppUp(app));
  }
  function onAppUp(app: App): (account: Account) => void {
    return (account) => {
      onAccountUp(account, app);
      follow(app, account);
    };
  }
  function onAgentUp(running: AlwaysOnAgent): void {
    running.work()?.engine.onAlarm((alarm) => blame('no alarm', `the agent: ${alarm.type}`));
  }

  function oracleOf({ open: { home } }: Account): Oracle {
    const { space, tagSecret } = home.keys;
    const epochs = new Map(home.keys.epochs);
    const epochKey = (epoch: number) => {
      const named = epochs.has(epoch) ? undefined : stored?.accessState(space)?.epochs.get(epoch);
      const key = named && heard.epochKey(named.commitment);
      if (key) epochs.set(epoch, key);
      return epochs.get(epoch);
    };
    return createOracle({
      space,
      keys: { tagSecret, epochKey },
      ...start.shape,
      keyOf: heard.grantKey,
      reach: () => reach,
      blame,
    });
  }

  const follow = (app: App, account: Account): void => {
    const { life } = app;
    followGrants(
      account,
      app.handles,
      app.answered,
      (handle) => listenToGrant(scheduler, blame, app, handle),
      (again) => void scheduler.after(2_000, `again ${app.name}`, life, again),
    );
  };

  const leave = (process: SimProcess<unknown>): void => {
    killProcess(world, process);
    starts.delete(process);
  };
  const restored = (first: string, name: string) => restoreAccount(start.phrases.get(first) ?? '', NODE_ORIGIN, name);

  return {
    ...{ world, owners, apps, host, reach },
    agent: () => agent,
    processes: () => [...starts.keys()],
    addDevices: () => {
      const tablet = createSimProcess<Account>('tablet', createSimDisk());
      owners.push(tablet);
      starts.set(tablet, () => run(tablet, restored(OWNER_DEVICES[0], tablet.name), onOwnerUp));
      starts.get(tablet)?.();
      for (const name of APPS) {
        if (apps.every((app) => app.name !== name || app.handles.size === 0)) continue;
        const app = appOf(createSimProcess<Account>(`${name}-new`, createSimDisk()), name, true);
        apps.push(app);
        starts.set(app, () => run(app, restored(name, app.name), onAppUp(app)));
        starts.get(app)?.();
      }
    },
    leaveOwner: () => {
      for (const owner of owners.splice(0, owners.length - 1)) leave(owner);
      if (agent) leave(agent);
      agent = undefined;
    },
    node: () => node,
    oracle: () => oracle,
    startAll: () => {
      startNode();
      for (const begin of starts.values()) begin();
    },
    ...{ crash, crashNode, follow },
    killAll: () => {
      for (const process of starts.keys()) killProcess(world, process);
    },
  };
}
