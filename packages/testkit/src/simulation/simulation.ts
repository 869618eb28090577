/**
 * One simulated run: two devices of an owner, apps with grants, one node, a bad network and bad clocks, all of it decided by a seed; then
 * everything heals, and what must hold is checked. The same seed gives the same run.
 */

import type { Account, GrantHandle } from '@sluice/client';
import { base64urlToBytes } from '@sluice/core/base';
import { toAeadKey } from '@sluice/core/crypto';
import { createChance, type Chance } from './chance.ts';
import { createOracle, type Oracle, stateOf } from './oracle.ts';
import { type ClockReach, differenceOf } from './feed-model.ts';
import { createScheduler, type Life, type Scheduler, type TraceLine } from './scheduler.ts';
import {
  type ClientWorld,
  createSimClock,
  createSimDevice,
  killDevice,
  type SimDevice,
  START_MS,
  startDevice,
} from './sim-client.ts';
import { CALM, createSimNetwork, type SimNetwork } from './sim-network.ts';
import { type SimNode, startSimNode } from './sim-node.ts';
import { type CommitHook, copyDisk, crashDisk, type SimDisk } from './sim-store.ts';
import { inSurroundings, turn } from './surroundings.ts';
import { APPS, OWNER_DEVICES, SIM_NODE, type Template, template } from './template.ts';
import {
  consentOf,
  createLedger,
  decideOf,
  deleteOf,
  editOf,
  followGrants,
  type Ledger,
  noteOf,
  type Operation,
  requestOf,
  tidyOf,
  writeOf,
} from './workload.ts';

/** What is simulated, and how much of it. */
export type SimulationOptions = {
  readonly seed: number;
  /** Operations of people and apps. */
  readonly operations?: number;
  /** Hears every line of the protocol. */
  readonly onLine?: (line: TraceLine) => void;
};
/** A rule that was broken. */
export type Violation = { readonly invariant: string; readonly step: number; readonly text: string };
/** What became of a run. */
export type SimulationResult = {
  readonly seed: number;
  readonly steps: number;
  readonly traceHash: string;
  readonly violations: readonly Violation[];
  readonly lines: readonly TraceLine[];
  readonly tally: { readonly [what: string]: number };
};

/** How long people and apps are at work, in virtual ms. */
const BUSY_MS = 60_000;
/** After this long without faults everything must be in step, in virtual ms: the longest pause of a retry, and some time to work. */
const HEALED_MS = 420_000;
const LOOK_MS = 2_000;
const MAX_STEPS = 60_000;
const DAY_MS = 86_400_000;
/** How old the accounts are when a run begins. */
const AGE_MS = 30 * DAY_MS;

/** Runs one seed. */
export async function simulate(options: SimulationOptions): Promise<SimulationResult> {
  const start = await template();
  const chance = createChance(`seed ${options.seed}`);
  const run: { current?: Run } = {};
  return inSurroundings(
    chance.fork('system').bytes,
    (cause) => run.current?.onError(cause),
    () => {
      run.current = createRun(options, start, chance);
      return run.current.play();
    },
  );
}

type Run = { readonly play: () => Promise<SimulationResult>; readonly onError: (cause: unknown) => void };
type App = SimDevice & {
  readonly handles: Map<string, GrantHandle>;
  /** Requests that were answered. */
  readonly answered: Set<string>;
  /** Whether a message was dropped because its sender's clock was ahead, or this one's behind. */
  missed: boolean;
};

function createRun({ seed, operations = 40, onLine }: SimulationOptions, start: Template, chance: Chance): Run {
  const scheduler: Scheduler = createScheduler(turn, start.endMs + AGE_MS, onLine);
  const beginMs = scheduler.nowMs();
  const network: SimNetwork = createSimNetwork(scheduler, chance.fork('network'));
  const violations: Violation[] = [];
  const tally: { [what: string]: number } = {};
  const count = (what: string): void => {
    tally[what] = (tally[what] ?? 0) + 1;
  };
  const blame = (invariant: string, text: string): void => {
    violations.push({ invariant, step: scheduler.stepNumber(), text });
    scheduler.note(`VIOLATION ${invariant} ${text}`);
  };
  const onError = (cause: unknown): void => {
    blame('no error', cause instanceof Error ? (cause.stack ?? cause.message) : String(cause));
  };

  const ledger: Ledger = createLedger();
  const faults = chance.fork('faults');
  const reach: { -readonly [K in keyof ClockReach]: ClockReach[K] } = { behindMs: 0, aheadMs: 0 };
  let calm = false;

  const nodeDisk = copyDisk(start.node);
  let nodeLife: Life | undefined;
  let node: SimNode | undefined;
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
  let oracle: Oracle | undefined;

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
      if (!calm && isAlive() && faults.happens(0.004)) crash();
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

  const perform = (device: SimDevice, operation: Operation): void => {
    const { account, life } = device;
    if (!account || !life?.alive) return scheduler.note(`${device.name} is down`);
    operation.run(account).then(
      (outcome) => {
        if (!life.alive) return;
        operation.acknowledged?.();
        count(`${operation.name.split(' ')[0]}: ${outcome.split(' ')[0]}`);
        scheduler.note(`${device.name} ${operation.name}: ${outcome}`);
      },
      (cause: unknown) => {
        if (!life.alive) return;
        const code = (cause as { readonly code?: string }).code;
        if (code === undefined || (cause as Error).name !== 'SluiceError') return onError(cause);
        count(`${operation.name.split(' ')[0]}: ${code}`);
        scheduler.note(`${device.name} ${operation.name}: ${code}`);
      },
    );
  };

  const plan = (): void => {
    const draw = chance.fork('workload');
    const at = (run: () => void, label: string): void => {
      scheduler.after(draw.below(BUSY_MS), label, undefined, run);
    };
    const owner = (): SimDevice => draw.pick(owners);
    const ask = (app: App): void =>
      at(() => {
        const asked = requestOf(draw, start.owner, START_MS + scheduler.nowMs(), () => {
          if (app.account) follow(app, app.account);
        });
        perform(app, asked);
      }, 'do');
    for (let i = 0; i < 1 + draw.below(3); i++) ask(draw.pick(apps));
    for (let i = 0; i < operations; i++)
      at(() => {
        const kind = draw.below(100);
        if (kind < 55) perform(owner(), editOf(draw, ledger, START_MS + scheduler.nowMs()));
        else if (kind < 65) perform(owner(), deleteOf(draw, ledger));
        else if (kind < 75) perform(owner(), noteOf(draw, ledger));
        else if (kind < 93) perform(owner(), consentOf(draw));
        else if (kind < 97) perform(owner(), decideOf(draw));
        else perform(owner(), tidyOf(draw, false));
      }, 'do');
    for (let i = 0; i < operations / 2; i++)
      at(() => {
        const app = draw.pick(apps);
        perform(app, writeOf(draw, ledger, START_MS + scheduler.nowMs(), app.handles));
      }, 'do');
    planFaults();
  };

  function planFaults(): void {
    network.setFaults({
      cut: faults.pick([0, 0.01, 0.03]),
      stall: faults.pick([0, 0.01]),
      lose: faults.pick([0, 0.1]),
      slow: faults.pick([0, 0.05]),
    });
    const at = (label: string, run: () => void): void => {
      scheduler.after(faults.below(BUSY_MS), label, undefined, run);
    };
    const all: readonly SimDevice[] = [...owners, ...apps];
    for (let i = faults.below(4); i > 0; i--) at('crash', () => crashDevice(faults.pick(all), faults.below(10_000)));
    for (let i = faults.below(2); i > 0; i--) at('crash', () => crashNode(200 + faults.below(8_000)));
    for (let i = faults.below(3); i > 0; i--)
      at('partition', () => {
        const { name } = faults.pick(all);
        network.setPartitioned(name, true);
        scheduler.after(faults.below(20_000), `heal ${name}`, undefined, () => network.setPartitioned(name, false));
      });
    for (let i = faults.below(3); i > 0; i--)
      at('jump', () => {
        const device = faults.pick(all);
        device.offsetMs = faults.pick([-DAY_MS, -90_000, -5_000, 0, 5_000, 90_000, 600_000, DAY_MS]);
        reach.behindMs = Math.min(reach.behindMs, device.offsetMs);
        reach.aheadMs = Math.max(reach.aheadMs, device.offsetMs);
        scheduler.note(`clock ${device.name} ${device.offsetMs}`);
      });
  }

  function heal(): void {
    calm = true;
    network.setFaults(CALM);
    for (const device of [...owners, ...apps]) {
      network.setPartitioned(device.name, false);
      device.offsetMs = 0;
    }
    scheduler.note('healed');
    tidy();
  }

  /** Sooner or later somebody decides what waits for a decision, and lets go on what was paused. */
  function tidy(): void {
    const [owner] = owners;
    const draw = chance.fork(`tidy ${scheduler.stepNumber()}`);
    if (owner) perform(owner, tidyOf(draw, true));
    for (const app of apps)
      for (const handle of app.handles.values())
        if (handle.status() === 'offered') handle.accept().catch(() => undefined);
    scheduler.after(7_000, 'tidy', undefined, tidy);
  }

  /** What is not as it must be once all is quiet; undefined when nothing is. */
  async function unsettled(): Promise<{ readonly invariant: string; readonly text: string } | undefined> {
    const look = oracle;
    const accounts = owners.flatMap((o) => (o.account ? [o.account] : []));
    if (!look || !node || accounts.length < owners.length) return { invariant: 'I15', text: 'somebody is not up' };
    look.look(node.storage);
    for (const [schema, history] of [
      ['social/post', look.posts],
      ['note', look.notes],
    ] as const) {
      const want = [...history.documentsAt().values()]
        .map((d) => JSON.stringify(d))
        .sort()
        .join('\n');
      for (const [i, account] of accounts.entries()) {
        const got = await stateOf(account, schema);
        if (got !== want)
          return { invariant: 'I1', text: `${owners[i]?.name} shows of ${schema}\n${got}\ninstead of\n${want}` };
      }
    }
    const lost = lostWrite(look);
    if (lost) return { invariant: 'I2', text: `the acknowledged write ${lost} is in no state` };
    if (!accounts.every((account) => account.sharing.feedsUpToDate()))
      return { invariant: 'I15', text: 'a feed is behind' };
    return unsettledGrant(look);
  }

  function lostWrite(look: Oracle): string | undefined {
    const posts = look.posts.documentsAt();
    const has = (id: string, token: string, all: ReturnType<Oracle['posts']['documentsAt']>): boolean =>
      ((all.get(id)?.tags as string[] | undefined) ?? []).includes(token);
    const lost = ledger.saved.find(({ id, token }) => !ledger.deleted.has(id) && !has(id, token, posts));
    if (lost) return `${lost.token} of ${lost.id}`;
    const notes = look.notes.documentsAt();
    return ledger.notes.find((token) => ![...notes.keys()].some((id) => has(id, token, notes)));
  }

  async function unsettledGrant(
    look: Oracle,
  ): Promise<{ readonly invariant: string; readonly text: string } | undefined> {
    const nowMs = START_MS + scheduler.nowMs();
    const grants = owners[0]?.account?.sharing.grants.list() ?? [];
    for (const grant of grants) {
      const model = look.feeds().find((m) => m.grant.grantId === grant.grantId);
      const app = apps.find((a) => `did:web:${a.name}.sim.test` === grant.grantee);
      const name = `${grant.grantId.slice(0, 8)} of ${app?.name}`;
      if (!model || !app) return { invariant: 'I15', text: `nobody watches ${name}` };
      const handle = app.handles.get(grant.grantId);
      // Its end comes to a grantee when the node next closes its subscription, which need not be soon.
      if (grant.status === 'purged' || grant.status === 'expired') continue;
      if (grant.status === 'revoked') {
        const status = handle?.status();
        if (status !== undefined && status !== 'revoked' && status !== 'expired')
          return { invariant: 'I15', text: `${name} is revoked and says ${status}` };
        continue;
      }
      if (look.isRevoked(grant.grantId)) return { invariant: 'I15', text: `${name} is revoked at the node alone` };
      if (!handle) {
        // Two devices may answer one request before they hear of each other: its asker takes one of the answers.
        if (app.missed || app.answered.has(grant.requestId)) continue;
        return { invariant: 'I15', text: `${name} has not come to its grantee` };
      }
      if (grant.status === 'offered' && app.missed) continue;
      if (handle.pending().length > 0) return { invariant: 'I7', text: `${name} has writes without an effect` };
      const records = await handle.datastore().getMany({}, { limit: 10_000 });
      const got = new Map(records.map((record) => [String(record._id), record]));
      if (grant.terms.duration === 'once') {
        const done = model.ended() && handle.status() === 'completed';
        const wrong = done ? differenceOf(model.shown(nowMs), got) : 'it has not ended';
        if (wrong) return { invariant: 'I4', text: `${name}, once: ${wrong}` };
        continue;
      }
      const wrong = differenceOf(model.expected(look.posts.documentsAt(), nowMs), got);
      if (wrong) return { invariant: 'I4', text: `${name} ${wrong}` };
      if (handle.status() !== 'live') return { invariant: 'I15', text: `${name} says ${handle.status()}` };
    }
    return undefined;
  }

  const playUntil = async (untilMs: number): Promise<void> => {
    while (violations.length === 0 && scheduler.stepNumber() < MAX_STEPS && (await scheduler.step(untilMs)));
    if (scheduler.stepNumber() >= MAX_STEPS) blame('I15', 'there is no end of events');
  };

  return {
    onError,
    play: async () => {
      startNode();
      for (const device of [...owners, ...apps]) startClient(device);
      plan();
      await playUntil(beginMs + BUSY_MS);
      heal();
      await settle();
      const result = { seed, steps: scheduler.stepNumber(), traceHash: scheduler.traceHash(), violations, tally };
      for (const model of oracle?.feeds() ?? []) tally.checkpoints = (tally.checkpoints ?? 0) + model.checkpoints();
      for (const device of [...owners, ...apps]) killDevice(world, device);
      return { ...result, lines: scheduler.lines() };
    },
  };

  /** Lets time pass until nothing is left to be done, and a while longer, in which nothing may change. */
  async function settle(): Promise<void> {
    const endMs = scheduler.nowMs() + HEALED_MS;
    let open: Awaited<ReturnType<typeof unsettled>>;
    while (violations.length === 0 && scheduler.nowMs() < endMs) {
      await playUntil(scheduler.nowMs() + LOOK_MS);
      open = await unsettled();
      await turn();
      if (open) continue;
      await playUntil(scheduler.nowMs() + 5 * LOOK_MS);
      open = await unsettled();
      // Something may just have come: what holds must hold twice.
      if (!open) return;
    }
    if (open && violations.length === 0) blame(open.invariant, open.text);
  }
}
