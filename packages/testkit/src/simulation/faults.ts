/** What goes wrong in a run, and when; and the end of it, after which all must come right. */

import type { Chance } from './chance.ts';
import type { Participants } from './participants.ts';
import type { Scheduler } from './scheduler.ts';
import type { SimProcess } from './sim-client.ts';
import { CALM, type SimNetwork } from './sim-network.ts';

/** What faults are made with. */
export type FaultsDeps = {
  readonly scheduler: Scheduler;
  readonly network: SimNetwork;
  readonly participants: Participants;
  readonly faults: Chance;
};

const DAY_MS = 86_400_000;

/** Draws what goes wrong within the next `busyMs`. */
export function planFaults({ scheduler, network, participants, faults }: FaultsDeps, busyMs: number): void {
  const { owners, reach } = participants;
  const processes = participants.processes();
  network.setFaults({
    cut: faults.pick([0, 0.01, 0.03]),
    stall: faults.pick([0, 0.01]),
    lose: faults.pick([0, 0.1]),
    slow: faults.pick([0, 0.05]),
  });
  const at = (label: string, run: () => void): void => {
    scheduler.after(faults.below(busyMs), label, undefined, run);
  };
  const any = (): SimProcess<unknown> => faults.pick(processes);
  for (let i = faults.below(4); i > 0; i--) at('crash', () => participants.crash(any(), faults.below(10_000)));
  for (let i = faults.below(2); i > 0; i--) at('crash', () => participants.crashNode(200 + faults.below(8_000)));
  const keepAway = ({ name }: SimProcess<unknown>, forMs: number): void => {
    network.setPartitioned(name, true);
    scheduler.after(forMs, `heal ${name}`, undefined, () => network.setPartitioned(name, false));
  };
  for (let i = faults.below(3); i > 0; i--) at('partition', () => keepAway(any(), faults.below(20_000)));
  // Nobody of the owner is there, but for an agent.
  if (faults.happens(0.2))
    at('away', () => {
      for (const owner of owners) keepAway(owner, 20_000);
    });
  const jump = (machine: { offsetMs: number }, name: string, offsetMs: number): void => {
    machine.offsetMs = offsetMs;
    reach.behindMs = Math.min(reach.behindMs, offsetMs);
    reach.aheadMs = Math.max(reach.aheadMs, offsetMs);
    scheduler.note(`clock ${name} ${offsetMs}`);
  };
  for (let i = faults.below(3); i > 0; i--)
    at('jump', () => {
      const process = any();
      jump(process, process.name, faults.pick([-DAY_MS, -90_000, -5_000, 0, 5_000, 90_000, 600_000, DAY_MS]));
    });
  if (faults.happens(0.2))
    at('jump', () => jump(participants.host, 'node', faults.pick([-90_000, -5_000, 5_000, 90_000])));
  const fill = (machine: { isFull: boolean }, name: string): void => {
    machine.isFull = true;
    scheduler.note(`full ${name}`);
    scheduler.after(faults.below(12_000), `room ${name}`, undefined, () => {
      machine.isFull = false;
    });
  };
  if (faults.happens(0.4))
    at('full', () => {
      const process = any();
      fill(process, process.name);
    });
  if (faults.happens(0.2)) at('full', () => fill(participants.host, 'node'));
}

/** From here on nothing goes wrong. */
export function heal({ scheduler, network, participants }: FaultsDeps): void {
  network.setFaults(CALM);
  for (const device of participants.processes()) {
    network.setPartitioned(device.name, false);
    device.offsetMs = 0;
    device.isFull = false;
  }
  participants.host.offsetMs = 0;
  participants.host.isFull = false;
  scheduler.note('healed');
}
