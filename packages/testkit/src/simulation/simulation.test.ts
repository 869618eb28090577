import { describe, expect, it } from 'vitest';
import { failureReport } from './report.ts';
import { simulate, type SimulationResult } from './simulation.ts';

/** How long seeds are run for, in s, and how many there are at least. */
const BUDGET_S = Number(process.env.SLUICE_SIM_SECONDS ?? 180);
const LEAST_SEEDS = Number(process.env.SLUICE_SIM_SEEDS ?? 300);
const LIMIT_MS = 900_000;

const expectSound = (result: SimulationResult): void => {
  if (result.violations.length > 0) throw new Error(failureReport(result));
  expect(result.steps).toBeGreaterThan(100);
};

describe('the client, the agent and the node, simulated', () => {
  it('one seed gives one run', async () => {
    const [first, second] = [await simulate({ seed: 7 }), await simulate({ seed: 7 })];
    expect(second.traceHash).toBe(first.traceHash);
    expect(second.tally).toEqual(first.tally);
    expect((await simulate({ seed: 8 })).traceHash).not.toBe(first.traceHash);
  });

  it(
    'what must hold holds, whatever the network, the clocks and the power do',
    async () => {
      const endMs = performance.now() + BUDGET_S * 1000;
      const total = new Map<string, number>();
      let seeds = 0;
      let steps = 0;
      for (; seeds < LEAST_SEEDS || performance.now() < endMs; seeds++) {
        const result = await simulate({ seed: seeds + 1 });
        expectSound(result);
        steps += result.steps;
        for (const [what, times] of Object.entries(result.tally)) total.set(what, (total.get(what) ?? 0) + times);
      }
      console.log(`simulated ${seeds} seeds in ${steps} steps`);
      // A world in which little happens would prove little.
      expect(total.get('checkpoints')).toBeGreaterThan(seeds);
      expect(total.get('crashes of clients')).toBeGreaterThan(seeds);
      expect(total.get('crashes of the node')).toBeGreaterThan(seeds / 4);
      for (const rare of [
        'revoke: done',
        'pause: done',
        'rotateKey: done',
        'narrow: answered',
        'write: insert',
        'write: update',
        'change: done',
        'shut-out: done',
        'new devices',
        'commits on a full disk',
      ])
        expect([rare, (total.get(rare) ?? 0) > seeds / 40]).toEqual([rare, true]);
    },
    LIMIT_MS,
  );
});
