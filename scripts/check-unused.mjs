/**
 * Checks that every file, export and dependency has a user (knip, set up in knip.config.ts).
 *
 * Twice: once with the tests as users, and once for the files and dependencies of shipped code without them, so that helpers of tests
 * are not shipped.
 */

import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from './project-files.mjs';
import { report } from './report.mjs';

const KNIP = join(ROOT, 'node_modules/knip/bin/knip.js');
const RUNS = [
  ['with tests', '--no-progress'],
  ['without tests', '--no-progress', '--production', '--include', 'files,dependencies,unlisted,unresolved'],
];

const problems = existsSync(KNIP) ? RUNS.flatMap(runKnip) : ['knip is not installed: run npm ci'];
report('unused', problems, `${RUNS.length} runs of knip`);

function runKnip([name, ...args]) {
  const child = spawnSync(process.execPath, [KNIP, ...args], { cwd: ROOT, encoding: 'utf8' });
  return child.status === 0 ? [] : [`${name}:\n${child.stdout}${child.stderr}`.trimEnd()];
}
