/** The command behind `npm run simulate`: long runs, and one seed again with its whole protocol. */

import { parseArgs } from 'node:util';
import { failureReport, lineText } from './report.ts';
import { simulate } from './simulation.ts';

const HELP = `Usage: npm run simulate -- [options]

  --seeds N    so many seeds (100)
  --from S     the first of them (1)
  --seed S     this one
  --trace      prints everything that happens
  --keep-on    goes on after a seed that fails
  --help       this text

Exits 1 if something that must hold is broken in any of them.`;

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '100' },
    from: { type: 'string', default: '1' },
    seed: { type: 'string' },
    trace: { type: 'boolean', default: false },
    'keep-on': { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});
if (values.help) console.log(HELP);
else await run();

async function run(): Promise<void> {
  const first = Number(values.seed ?? values.from);
  const count = values.seed === undefined ? Number(values.seeds) : 1;
  const total = new Map<string, number>();
  let failed = 0;
  let steps = 0;
  const startMs = performance.now();
  for (let seed = first; seed < first + count; seed++) {
    const result = await simulate({ seed, ...(values.trace ? { onLine: (l) => console.log(lineText(l)) } : {}) });
    steps += result.steps;
    for (const [what, times] of Object.entries(result.tally)) total.set(what, (total.get(what) ?? 0) + times);
    if (result.violations.length === 0) continue;
    failed++;
    console.log(failureReport(result));
    if (!values['keep-on']) break;
  }
  for (const [what, times] of [...total].sort()) console.log(`${String(times).padStart(8)} ${what}`);
  const seconds = (performance.now() - startMs) / 1000;
  console.log(`${steps} steps in ${seconds.toFixed(0)} s; ${failed} of the seeds from ${first} failed`);
  if (failed > 0) process.exitCode = 1;
}
