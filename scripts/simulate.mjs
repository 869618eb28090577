/** `npm run simulate`: plays seeds of the simulation, from source. */

import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { ROOT } from './project-files.mjs';

const MAIN = join(ROOT, 'packages/testkit/src/simulation/main.ts');
const { status } = spawnSync(
  process.execPath,
  ['-C', '@sluice/source', '--import', 'tsx', MAIN, ...process.argv.slice(2)],
  { cwd: ROOT, stdio: 'inherit' },
);
process.exitCode = status ?? 1;
