/** Turns a vitest JSON report into honest numbers: what did not run or did not load is not a pass. */

import { relative } from 'node:path';
import { ROOT } from './project-files.mjs';

/**
 * Counts one vitest run.
 *
 * A file that fails outside its tests counts as one failure, a test that did not run as one, and a run that
 * fails although no test did (an unhandled rejection, no tests found, a crash, coverage under its floor) as one.
 *
 * @param {string | undefined} reportText the JSON report, absent when vitest died before writing it
 * @param {{ vitestPassed: boolean, isFiltered: boolean }} run whether vitest exited with 0, and whether tests were left out on request
 * @returns {{ passed: number, failed: number, problems: string[] }} the numbers and the failures in words
 */
export function testCounts(reportText, { vitestPassed, isFiltered }) {
  if (reportText === undefined) return { passed: 0, failed: 1, problems: ['vitest wrote no report'] };
  const files = JSON.parse(reportText).testResults;
  const tests = files.flatMap((file) =>
    file.assertionResults.map((test) => ({ ...test, path: relative(ROOT, file.name) })),
  );
  const ofStatus = (...statuses) => tests.filter((test) => statuses.includes(test.status));
  const idle = isFiltered ? [] : ofStatus('skipped', 'pending', 'todo', 'disabled');
  const problems = [
    ...ofStatus('failed').map((test) => `${test.path}: ${test.fullName}`),
    ...files.filter(failsOutsideTests).map((file) => `${relative(ROOT, file.name)}: failed outside its tests`),
    ...idle.map((test) => `${test.path}: did not run: ${test.fullName}`),
  ];
  if (!vitestPassed && problems.length === 0)
    problems.push(
      'vitest failed although no test did: see its output for an unhandled error, or coverage under its floor',
    );
  return { passed: ofStatus('passed').length, failed: problems.length, problems };
}

/** Sums the numbers that tests without their data wrote, one a line. */
export function notRunCount(text) {
  const numbers = text
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map(Number);
  if (!numbers.every(Number.isInteger))
    throw new Error(`SLUICE_NOT_RUN_FILE holds something else than numbers: ${text}`);
  return numbers.reduce((sum, count) => sum + count, 0);
}

function failsOutsideTests(file) {
  return file.status === 'failed' && !file.assertionResults.some((test) => test.status === 'failed');
}
