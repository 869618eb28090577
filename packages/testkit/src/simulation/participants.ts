/**
 * Who takes part in a run: the node and the devices of all accounts, each started, ended at any moment and started again on what its disk has kept.
 * Must not know what they are told to do.
 */

import type { Account, GrantHandle } from '@sluice/client';
import { base64urlToBytes } from '@sluice/core/base';
import { toAeadKey } from '@sluice/core/crypto';
import type { Chance } from './chance.ts';
import type { Blame, ClockReach } from './feed-model.ts';
import { createOracle, type Oracle } from './oracle.ts';
import type { Life, Scheduler } from './scheduler.ts';
import {
  type ClientWorld,
  createSimClock,
  createSimDevice,
  killDevice,
  type SimDevice,
  startDevice,
} from './sim-client.ts';
import type { SimNetwork } from './sim-network.ts';
import { type SimNode, startSimNode } from './sim-node.ts';
import { type CommitHook, copyDisk, crashDisk, type SimDisk } from './sim-store.ts';
import { APPS, OWNER_DEVICES, SIM_NODE, type Template } from './template.ts';
import { followGrants } from './workload.ts';

/** A device of an app's account. */
export type App = SimDevice & {
  readonly handles: Map<string, GrantHandle>;
  /** Requests that were answered. */
  readonly answered: Set<string>;
  /** Whether a message was dropped because its sender's clock was ahead, or this one's behind. */
  missed: boolean;
};

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
  /** Every device. */
  readonly devices: readonly SimDevice[];
  readonly node: () => SimNode | undefined;
  /** Who looks on; undefined until the first device of the owner is up. */
  readonly oracle: () => Oracle | undefined;
  /** How far clocks were off at most. */
  readonly reach: { -readonly [K in keyof ClockReach]: ClockReach[K] };
  readonly startAll: () => void;
  readonly crashDevice: (device: SimDevice, backMs: number) => void;
  readonly crashNode: (backMs: number) => void;
  /** Has an app open what it was granted, and wait for the answers to what it asked. */
  readonly follow: (app: App, account: Account) => void;
  readonly killAll: () => void;
};

/** Nobody runs yet. */
export function createParticipants(deps: ParticipantsDeps): Participants {
  const { scheduler, network, start, chance, faults, isCalm, blame, onError, count } = deps;
  const reach: Participants['reach'] = { behindMs: 0, aheadMs: 0 };
  const nodeDisk = copyDisk(start.node);
  let nodeLife: Life | undefined;
  let node: SimNode | undefined;
  let oracle: Oracle | undefined;
  const world: ClientWorld = {
    scheduler,
    network,
    node: () => node,
    chance: chance.fork('clients'),
    documents: start.documents,
  };
  const deviceOf = (name: string): SimDevice => createSimDevice(name, copyDisk(start.disks.get(name) as SimDisk));
  const owners = OWNER_DEVICES.map(deviceOf);
  const apps: App[] = APPS.map((name) => ({
    ...deviceOf(name),
    handles: new Map(),
    answered: new Set(),
    missed: false,
  }));
  const devices: readonly SimDevice[] = [...owners, ...apps];

  /** Which commits survive: all when a process dies, only what was synced for certain when the power goes. */
  const loseOf = (disk: SimDisk): void => {
    const total = disk.commits.length;
    const keep = faults.happens(0.5) ? total : disk.synced + faults.below(total - disk.synced + 1);
    crashDisk(disk, keep);
    scheduler.note(`kept ${keep} of ${total}`);
  };

  const crashDevice = (device: SimDevice, backMs: number): void => {
    if (!device.life?.alive) return;
    count('crashes of clients');
    scheduler.note(`crash ${device.name}`);
    killDevice(world, device);
    loseOf(device.disk);
    scheduler.after(backMs, `start ${device.name}`, undefined, () => startClient(device));
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
  const hookOf = (crash: () => void, isAlive: () => boolean): CommitHook => {
    const maybe = (): void => {
      if (!isCalm() && isAlive() && faults.happens(0.004)) crash();
    };
    return { before: maybe, after: maybe };
  };

  function startNode(): void {
    const life: Life = { name: 'node', alive: true };
    nodeLife = life;
    node = startSimNode({
      life,
      disk: nodeDisk,
      hook: hookOf(
        () => crashNode(200 + faults.below(3_000)),
        () => node?.host.life === life,
      ),
      clock: createSimClock(scheduler, life, () => 0),
      random: chance.fork(`node ${scheduler.stepNumber()}`).bytes,
      identity: SIM_NODE,
      watch: (service) => ({
        ...service,
        pull: (space, requester, log, after, whole) => {
          const outcome = service.pull(space, requester, log, after, whole);
          if (outcome.ok && life.alive) oracle?.onServed(requester, log, outcome.value);
          return outcome;
        },
      }),
      onStorage: (storage) => {
        oracle?.look(storage);
        storage.onCommit(() => life.alive && oracle?.look(storage));
      },
    });
    if (life.alive) network.setHost(node.host);
  }

  function startClient(device: SimDevice): void {
    const app = apps.find((a) => a === device);
    app?.handles.clear();
    const hook = hookOf(
      () => crashDevice(device, 200 + faults.below(5_000)),
      () => device.life?.alive === true,
    );
    const work = startDevice(world, device, hook);
    const life = device.life;
    work.then(
      (account) => {
        if (!life?.alive) return;
        scheduler.note(`up ${device.name}`);
        account.mailbox.onRejected((reason) => {
          // Dated by a clock that had just jumped. The answer it carries never comes, to whichever app it was.
          if (reason === 'from-the-future') for (const one of apps) one.missed = true;
          else blame('I2', `${device.name} dropped a message: ${reason}`);
        });
        account.open.onAlarm((alarm) =>
          blame('no alarm', `${device.name}: ${alarm.type} ${'what' in alarm ? alarm.what : ''}`),
        );
        if (!app) oracle ??= oracleOf(account);
        if (app) follow(app, account);
      },
      (cause: unknown) => {
        if (life?.alive) onError(cause);
      },
    );
  }

  function oracleOf(account: Account): Oracle {
    const made = createOracle({
      space: account.open.home.keys.space,
      keys: account.open.home.keys,
      ...start.shape,
      given: () => owners.flatMap((owner) => (owner.life?.alive ? (owner.account?.sharing.grants.list() ?? []) : [])),
      keyOf: (grantId, commitment) => {
        for (const { account: known } of owners) {
          const fact = known?.open.keychain.get('grant-fact', `${grantId}/key/${commitment}`);
          if (typeof fact?.key === 'string') return toAeadKey(base64urlToBytes(fact.key));
        }
        return undefined;
      },
      reach: () => reach,
      blame,
    });
    if (node) made.look(node.storage);
    return made;
  }

  const follow = (app: App, account: Account): void => {
    const { life } = app;
    followGrants(
      account,
      app.handles,
      app.answered,
      (handle) => {
        scheduler.note(`opened ${app.name} ${handle.id.slice(0, 8)}`);
        handle.onAlarm((alarm) => blame('no alarm', `${app.name} ${handle.id.slice(0, 8)}: ${alarm.what}`));
      },
      (again) => void scheduler.after(2_000, `again ${app.name}`, life, again),
    );
  };

  return {
    world,
    owners,
    apps,
    devices,
    node: () => node,
    oracle: () => oracle,
    reach,
    startAll: () => {
      startNode();
      for (const device of devices) startClient(device);
    },
    crashDevice,
    crashNode,
    follow,
    killAll: () => {
      for (const device of devices) killDevice(world, device);
    },
  };
}
