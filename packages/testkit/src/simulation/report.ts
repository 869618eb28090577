/** A failed run in words: what is broken, how to see it again, and the last that happened. */

import type { TraceLine } from './scheduler.ts';
import type { SimulationResult } from './simulation.ts';

const SHOWN_LINES = 40;

/** One line of the protocol. */
export const lineText = ({ step, atMs, text }: TraceLine): string => `${step} ${(atMs / 1000).toFixed(3)} ${text}`;

/** The report of a run in which something is broken. */
export function failureReport({ seed, steps, violations, lines }: SimulationResult): string {
  const [first] = violations;
  return [
    `seed ${seed}: ${first?.invariant} is broken at step ${first?.step} of ${steps}`,
    String(first?.text),
    ...lines.slice(-SHOWN_LINES).map(lineText),
    `see all of it with: npm run simulate -- --seed ${seed} --trace`,
  ].join('\n');
}
