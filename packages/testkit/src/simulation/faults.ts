/** What goes wrong in a run, and when; and the end of it, after which all must come right. */

import type { Chance } from './chance.ts';
import type { Participants } from './participants.ts';
import type { Scheduler } from './scheduler.ts';
import type { SimDevice } from './sim-client.ts';
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
  const { devices, reach } = participants;
  network.setFaults({
    cut: faults.pick([0, 0.01, 0.03]),
    stall: faults.pick([0, 0.01]),
    lose: faults.pick([0, 0.1]),
    slow: faults.pick([0, 0.05]),
  });
  const at = (label: string, run: () => void): void => {
    scheduler.after(faults.below(busyMs), label, undefined, run);
  };
  const any = (): SimDevice => faults.pick(devices);
  for (let i = faults.below(4); i > 0; i--) at('crash', () => participants.crashDevice(any(), faults.below(10_000)));
  for (let i = faults.below(2); i > 0; i--) at('crash', () => participants.crashNode(200 + faults.below(8_000)));
  for (let i = faults.below(3); i > 0; i--)
    at('partition', () => {
      const { name } = any();
      network.setPartitioned(name, true);
      scheduler.after(faults.below(20_000), `heal ${name}`, undefined, () => network.setPartitioned(name, false));
    });
  for (let i = faults.below(3); i > 0; i--)
    at('jump', () => {
      const device = any();
      device.offsetMs = faults.pick([-DAY_MS, -90_000, -5_000, 0, 5_000, 90_000, 600_000, DAY_MS]);
      reach.behindMs = Math.min(reach.behindMs, device.offsetMs);
      reach.aheadMs = Math.max(reach.aheadMs, device.offsetMs);
      scheduler.note(`clock ${device.name} ${device.offsetMs}`);
    });
}

/** From here on nothing goes wrong. */
export function heal({ scheduler, network, participants }: FaultsDeps): void {
  network.setFaults(CALM);
  for (const device of participants.devices) {
    network.setPartitioned(device.name, false);
    device.offsetMs = 0;
  }
  scheduler.note('healed');
}
