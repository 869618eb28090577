/** Who does what, and when: the operations of `workload.ts`, drawn over a span of time, and what people do sooner or later once all is quiet. */

import type { Chance } from './chance.ts';
import type { App } from './listening.ts';
import type { Participants } from './participants.ts';
import type { Scheduler } from './scheduler.ts';
import { START_MS, type SimDevice } from './sim-client.ts';
import type { Template } from './template.ts';
import {
  changeOf,
  consentOf,
  decideOf,
  deleteOf,
  editOf,
  type Ledger,
  noteOf,
  type Operation,
  requestOf,
  shutOutAgent,
  tidyOf,
  writeOf,
} from './workload.ts';

/** What is planned over. */
export type PlanDeps = {
  readonly scheduler: Scheduler;
  readonly participants: Participants;
  readonly start: Template;
  readonly chance: Chance;
  readonly ledger: Ledger;
  readonly onError: (cause: unknown) => void;
  readonly count: (what: string) => void;
};

/** A change of every record that is left, whoever is there to make it. */
export function touchAll(deps: PlanDeps): void {
  const draw = deps.chance.fork('touch');
  const [owner] = deps.participants.owners;
  for (let i = 0; i < 4; i++)
    if (owner) perform(deps, owner, editOf(draw, deps.ledger, START_MS + deps.scheduler.nowMs()));
}

const TIDY_MS = 7_000;

/** Draws what is done within the next `busyMs`. */
export function plan(deps: PlanDeps, operations: number, busyMs: number): void {
  const { scheduler, participants, ledger, start } = deps;
  const { owners, apps, follow } = participants;
  const draw = deps.chance.fork('workload');
  const at = (run: () => void): void => {
    scheduler.after(draw.below(busyMs), 'do', undefined, run);
  };
  const soon = (run: () => void): void => {
    scheduler.after(draw.below(busyMs / 3), 'do', undefined, run);
  };
  const nowMs = (): number => START_MS + scheduler.nowMs();
  const owner = (): SimDevice => draw.pick(owners);
  /** Early, so that there is something to decide on for most of the time. */
  const ask = (app: App): void =>
    soon(() => {
      const asked = requestOf(draw, start.owner, nowMs(), () => {
        if (app.running) follow(app, app.running);
      });
      perform(deps, app, asked);
    });
  for (let i = 0; i < 2 + draw.below(3); i++) ask(draw.pick(apps));
  /** At one device, or by two who do not know of each other. */
  const change = (): void => {
    const made = draw.happens(0.3) ? owners : [owner()];
    for (const device of made) perform(deps, device, changeOf(draw, nowMs()));
  };
  for (let i = 0; i < operations; i++)
    at(() => {
      const kind = draw.below(100);
      if (kind < 50) perform(deps, owner(), editOf(draw, ledger, nowMs()));
      else if (kind < 60) perform(deps, owner(), deleteOf(draw, ledger));
      else if (kind < 65) perform(deps, owner(), noteOf(draw, ledger));
      else if (kind < 83) perform(deps, owner(), consentOf(draw));
      else if (kind < 88) perform(deps, owner(), decideOf(draw));
      else if (kind < 97) change();
      else perform(deps, owner(), tidyOf(draw, false));
    });
  if (participants.agent() && draw.happens(0.4)) at(() => perform(deps, owner(), shutOutAgent()));
  for (let i = 0; i < operations / 2; i++)
    at(() => {
      const able = apps.filter((app) => [...app.handles.values()].some((handle) => handle.terms.write));
      const app = draw.pick(able.length > 0 ? able : apps);
      perform(deps, app, writeOf(draw, ledger, nowMs(), app));
    });
}

/** Sooner or later somebody decides what waits for a decision, and lets go on what was paused. */
export function tidy(deps: PlanDeps): void {
  const { scheduler, chance, participants } = deps;
  const [owner] = participants.owners;
  const draw = chance.fork(`tidy ${scheduler.stepNumber()}`);
  if (owner) perform(deps, owner, tidyOf(draw, true));
  for (const app of participants.apps)
    for (const handle of app.handles.values())
      if (handle.status() === 'offered') handle.accept().catch(() => undefined);
  scheduler.after(TIDY_MS, 'tidy', undefined, () => tidy(deps));
}

function perform({ scheduler, count, onError }: PlanDeps, device: SimDevice, operation: Operation): void {
  const { running: account, life } = device;
  if (!account || !life?.alive) return scheduler.note(`${device.name} is down`);
  const [kind] = operation.name.split(' ');
  operation.run(account).then(
    (outcome) => {
      if (!life.alive) return;
      operation.acknowledged?.();
      count(`${kind}: ${outcome.split(' ')[0]}`);
      scheduler.note(`${device.name} ${operation.name}: ${outcome}`);
    },
    (cause: unknown) => {
      if (!life.alive) return;
      const code = (cause as { readonly code?: string }).code;
      if (code === undefined || (cause as Error).name !== 'SluiceError') return onError(cause);
      count(`${kind}: ${code}`);
      scheduler.note(`${device.name} ${operation.name}: ${code}`);
    },
  );
}
