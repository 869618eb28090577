/** `npm test` counts what happened, not what vitest calls a success. */

import { describe, expect, it } from 'vitest';
import { notRunCount, testCounts } from './test-counts.mjs';

type Status = 'passed' | 'failed' | 'skipped' | 'pending' | 'todo';

const file = (status: 'passed' | 'failed', ...tests: Status[]) => ({
  name: 'x.test.ts',
  status,
  assertionResults: tests.map((each, index) => ({ status: each, fullName: `test ${index}` })),
});
const count = (files: object[], vitestPassed: boolean, isFiltered = false) =>
  testCounts(JSON.stringify({ testResults: files }), { vitestPassed, isFiltered });

describe('test counts', () => {
  it('counts passed and failed tests', () => {
    const counts = count([file('passed', 'passed', 'passed'), file('failed', 'passed', 'failed')], false);
    expect(counts).toMatchObject({ passed: 3, failed: 1 });
    expect(counts.problems[0]).toContain('test 1');
  });

  it('counts a file that does not load as one failure', () => {
    expect(count([file('passed', 'passed'), file('failed')], false)).toMatchObject({ passed: 1, failed: 1 });
  });

  it('counts a test that did not run as a failure, unless tests were chosen by name', () => {
    const files = [file('passed', 'passed', 'skipped', 'todo')];
    expect(count(files, true)).toMatchObject({ passed: 1, failed: 2 });
    expect(count(files, true, true)).toMatchObject({ passed: 1, failed: 0 });
  });

  it('counts a run that fails although every test passed', () => {
    expect(count([file('passed', 'passed')], false)).toMatchObject({ passed: 1, failed: 1 });
  });

  it('counts a missing report as a failure', () => {
    expect(testCounts(undefined, { vitestPassed: true, isFiltered: false })).toMatchObject({ passed: 0, failed: 1 });
  });

  it('sums the tests that lack their data and refuses anything but numbers', () => {
    expect(notRunCount('')).toBe(0);
    expect(notRunCount('3\n4\n')).toBe(7);
    expect(() => notRunCount('3\nmany\n')).toThrow('numbers');
  });
});
