/**
 * `npm run simulate:break`: takes the rules of `simulate-table.mjs` away one at a time, as `npm run rules:break` does with its own table, and
 * has the simulation notice. Fewer seeds than in a test run, so that each rule takes about a minute.
 */

import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { ROOT } from './project-files.mjs';

const SEEDS = '100';
const { status } = spawnSync(
  process.execPath,
  [join(ROOT, 'scripts/rules-break.mjs'), '--table', 'scripts/simulate-table.mjs', ...process.argv.slice(2)],
  { cwd: ROOT, stdio: 'inherit', env: { SLUICE_SIM_SECONDS: '0', SLUICE_SIM_SEEDS: SEEDS, ...process.env } },
);
process.exitCode = status ?? 1;
