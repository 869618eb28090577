/**
 * `npm test`: build, checks, tests; all of them even when one fails. The last line is `N passed, N failed`.
 *
 * The numbers count every test and, as one each, every build stage and check. Arguments go to vitest; without any, the run also has to reach
 * the coverage floor of vitest.config.ts.
 * Tests that need data which is absent append their number to the file SLUICE_NOT_RUN_FILE and count in neither number.
 * With SLUICE_COUNTS_FILE set, the numbers go to that file as JSON and the last line is left to the caller.
 */

import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BUILD, CHECKS, runStage } from './stages.mjs';
import { notRunCount, testCounts } from './test-counts.mjs';

const folder = mkdtempSync(join(tmpdir(), 'sluice-test-'));
const resultPath = join(folder, 'vitest.json');
const notRunPath = join(folder, 'not-run');
const counts = { passed: 0, failed: 0 };
const failures = [];

for (const stage of [...BUILD, ...CHECKS]) {
  if (runStage(stage)) counts.passed++;
  else {
    counts.failed++;
    failures.push(stage.name);
  }
}

const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${resultPath}`];
const isFiltered = process.argv.length > 2;
const vitestPassed = runStage({
  name: isFiltered ? 'tests' : 'tests and coverage',
  command: [
    'node_modules/vitest/vitest.mjs',
    'run',
    ...reporters,
    ...(isFiltered ? process.argv.slice(2) : ['--coverage']),
  ],
  env: { SLUICE_NOT_RUN_FILE: notRunPath },
});
const tests = testCounts(readIfThere(resultPath), { vitestPassed, isFiltered });
counts.passed += tests.passed;
counts.failed += tests.failed;
failures.push(...tests.problems);

const notRun = notRunCount(readIfThere(notRunPath) ?? '');
rmSync(folder, { recursive: true, force: true });

console.log('');
for (const failure of failures) console.log(`FAILED: ${failure}`);
if (notRun > 0) console.log(`not run: ${notRun} (set SLUICE_REAL_DATA)`);
if (process.env.SLUICE_COUNTS_FILE) writeFileSync(process.env.SLUICE_COUNTS_FILE, JSON.stringify(counts));
else console.log(`${counts.passed} passed, ${counts.failed} failed`);
process.exitCode = counts.failed > 0 ? 1 : 0;

function readIfThere(path) {
  return existsSync(path) ? readFileSync(path, 'utf8') : undefined;
}
