/**
 * One simulated run: two devices of an owner, apps with grants, one node, a bad network and bad clocks, all of it decided by a seed; then
 * everything heals, and what must hold is checked. The same seed gives the same run.
 */

import { createChance, type Chance } from './chance.ts';
import { type FaultsDeps, heal, planFaults } from './faults.ts';
import { type Flaw, flawOf } from './judgement.ts';
import { createParticipants } from './participants.ts';
import { plan, type PlanDeps, tidy, touchAll } from './plan.ts';
import { createScheduler, type Scheduler, type TraceLine } from './scheduler.ts';
import { createSimNetwork } from './sim-network.ts';
import { inSurroundings, turn } from './surroundings.ts';
import { type Template, template } from './template.ts';
import { createLedger } from './workload.ts';

/** What is simulated, and how much of it. */
export type SimulationOptions = {
  readonly seed: number;
  /** Operations of people and apps. */
  readonly operations?: number;
  /** Hears every line of the protocol. */
  readonly onLine?: (line: TraceLine) => void;
};
/** A rule that was broken. */
export type Violation = Flaw & { readonly step: number };
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
/** Seeds from one to the next that ends with new devices: making them takes long. */
const FRESH_EVERY = 6;
/** How old the accounts are when a run begins. */
const AGE_MS = 30 * 86_400_000;

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

function createRun({ seed, operations = 40, onLine }: SimulationOptions, start: Template, chance: Chance): Run {
  const scheduler: Scheduler = createScheduler(turn, start.endMs + AGE_MS, onLine);
  const beginMs = scheduler.nowMs();
  const network = createSimNetwork(scheduler, chance.fork('network'));
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

  let calm = false;
  const ledger = createLedger();
  const faults = chance.fork('faults');
  const common = { scheduler, network, start, chance, faults, blame, onError, count };
  const participants = createParticipants({ ...common, isCalm: () => calm });
  const deps: PlanDeps & FaultsDeps = { ...common, participants, ledger };
  const judge = (): Promise<Flaw | undefined> => flawOf({ participants, ledger, nowMs: scheduler.nowMs });

  const playUntil = async (untilMs: number): Promise<void> => {
    while (violations.length === 0 && scheduler.stepNumber() < MAX_STEPS && (await scheduler.step(untilMs)));
    if (scheduler.stepNumber() >= MAX_STEPS) blame('I15', 'there is no end of events');
  };

  /** Lets time pass until nothing is left to be done, and a while longer, in which nothing may change. */
  const settle = async (): Promise<void> => {
    const endMs = scheduler.nowMs() + HEALED_MS;
    let open: Flaw | undefined;
    while (violations.length === 0 && scheduler.nowMs() < endMs) {
      await playUntil(scheduler.nowMs() + LOOK_MS);
      open = await judge();
      await turn();
      if (open) continue;
      await playUntil(scheduler.nowMs() + 5 * LOOK_MS);
      open = await judge();
      // Something may just have come: what holds must hold twice.
      if (!open) return;
    }
    if (open && violations.length === 0) blame(open.invariant, open.text);
  };

  /** Whoever comes new sees what those see who were there all the time, and can go on alone. */
  const meetNewDevices = async (): Promise<void> => {
    if (violations.length > 0) return;
    count('new devices');
    participants.addDevices();
    await settle();
    if (violations.length > 0) return;
    participants.leaveOwner();
    touchAll(deps);
    await settle();
  };

  return {
    onError,
    play: async () => {
      participants.startAll();
      plan(deps, operations, BUSY_MS);
      planFaults(deps, BUSY_MS);
      await playUntil(beginMs + BUSY_MS);
      calm = true;
      heal(deps);
      tidy(deps);
      await settle();
      if (seed % FRESH_EVERY === 0) await meetNewDevices();
      const result = { seed, steps: scheduler.stepNumber(), traceHash: scheduler.traceHash(), violations, tally };
      for (const model of participants.oracle()?.feeds() ?? [])
        tally.checkpoints = (tally.checkpoints ?? 0) + model.checkpoints();
      participants.killAll();
      return { ...result, lines: scheduler.lines() };
    },
  };
}
