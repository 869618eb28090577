/** The table of rules fits the source of today, and a rule that can be lost unnoticed is reported. */

import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ROOT } from './project-files.mjs';
import { RULES } from './rules-table.mjs';
import { RULES as SIMULATED } from './simulate-table.mjs';
import { applyChanges, verdictOf } from './rules-verdict.mjs';

const REQUIRED = [
  ...['commitment', 'aad', 'seal', 'target', 'nonce', 'epoch', 'feed head', 'basis', 'revoke', 'sender'],
  ...['id choice', 'clock', 'size', 'projection', 'window'],
];

describe.each([
  ['the table of rules', RULES],
  ['the table of the simulation', SIMULATED],
])('%s', (_, table) => {
  it('holds every rule once, with tests that exist', () => {
    const names = table.map((r) => r.rule);
    expect(new Set(names).size).toBe(names.length);
    const tests = table.flatMap((r) => r.tests);
    expect(tests.filter((test) => !existsSync(join(ROOT, test)))).toEqual([]);
    // A name that no test has would run none, and say nothing.
    const has = (test: string, named: string) => readFileSync(join(ROOT, test), 'utf8').includes(named);
    const lost = table.filter(({ named, tests }) => named && !tests.some((test) => has(test, named)));
    expect(lost.map((r) => r.rule)).toEqual([]);
  });

  it.each(table.map((rule) => ({ name: rule.rule, rule })))('finds where to switch off: $name', ({ rule }) => {
    for (const { file, find, replace } of rule.changes) {
      expect(readFileSync(join(ROOT, file), 'utf8').split(find).length - 1, find).toBe(1);
      expect(replace).not.toBe(find);
    }
  });
});

it('the table of rules holds those that everything stands on', () => {
  const names = RULES.map((r) => r.rule);
  expect(REQUIRED.filter((name) => !names.includes(name))).toEqual([]);
});

describe('docs/mutations.md', () => {
  it('names lines that there are', () => {
    const page = readFileSync(join(ROOT, 'docs/mutations.md'), 'utf8');
    const named = [...page.matchAll(/`((?:rules|simulate): [^`]+)`/g)].map(([, name]) => name);
    const names = [...RULES.map((r) => `rules: ${r.rule}`), ...SIMULATED.map((r) => `simulate: ${r.rule}`)];
    expect(named.length).toBeGreaterThan(14);
    expect(named.filter((name) => !names.includes(name ?? ''))).toEqual(['rules: NAME', 'simulate: NAME']);
  });
});

describe('switching a rule off', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'sluice-rules-test-'));
    writeFileSync(join(folder, 'a.ts'), 'one two two\n');
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  const text = () => readFileSync(join(folder, 'a.ts'), 'utf8');
  const rule = (find: string) => ({
    rule: 'r',
    changes: [
      { file: 'a.ts', find: 'one', replace: '$1' },
      { file: 'a.ts', find, replace: '' },
    ],
  });

  it('changes the file as written, and back', () => {
    const restore = applyChanges(folder, rule('two two'));
    expect(text()).toBe('$1 \n');
    restore();
    expect(text()).toBe('one two two\n');
  });

  it('fails loudly, and changes nothing, when a place is not found exactly once', () => {
    for (const find of ['two', 'three']) {
      expect(() => applyChanges(folder, rule(find))).toThrow(/found (2|0) times/);
      expect(text()).toBe('one two two\n');
    }
  });
});

describe('the verdict on a run', () => {
  const suite = (status: string, results: readonly string[]) => ({
    name: '/x/a.test.ts',
    status,
    assertionResults: results.map((result) => ({ status: result, title: `a ${result} test` })),
  });
  const run = (more: object) => ({ code: 1, timedOut: false, json: undefined, wanted: ['/x/a.test.ts'], ...more });

  it('is red only when a test failed', () => {
    const failed = { testResults: [suite('failed', ['passed', 'failed'])] };
    expect(verdictOf(run({ json: failed }))).toEqual({ type: 'red', test: 'a failed test' });
    expect(verdictOf(run({ code: 0, json: { testResults: [suite('passed', ['passed'])] } })).type).toBe('green');
  });

  it('is unclear when the tests hang, cannot be loaded, or did not run', () => {
    const unclear = [
      { timedOut: true },
      {},
      { json: { testResults: [suite('failed', [])] } },
      { code: 0, json: { testResults: [] } },
      { json: { testResults: [suite('passed', ['passed'])] } },
    ];
    expect(unclear.map((more) => verdictOf(run(more)).type)).toEqual(unclear.map(() => 'unclear'));
  });
});

describe('npm run rules:break', () => {
  const start = (...args: string[]) => {
    const child = spawnSync(process.execPath, ['scripts/rules-break.mjs', ...args], { cwd: ROOT, encoding: 'utf8' });
    return { exitCode: child.status, output: child.stdout + child.stderr };
  };

  it('reports a rule that no test protects as failed, in a tree of its own', () => {
    const folder = mkdtempSync(join(tmpdir(), 'sluice-rules-table-'));
    const file = 'packages/core/src/base/result.ts';
    const before = readFileSync(join(ROOT, file), 'utf8');
    const find = 'export const ok =';
    const tests = ['packages/core/src/base/canonical-json.test.ts'];
    const table = [
      { rule: 'idle', says: 'a change without effect', changes: [{ file, find, replace: `\n${find}` }], tests },
      {
        rule: 'real',
        says: 'keys are in order',
        changes: [{ file: 'packages/core/src/base/canonical-json.ts', find: '.sort()', replace: '.sort().reverse()' }],
        tests,
      },
    ];
    writeFileSync(join(folder, 'table.mjs'), `export const RULES = ${JSON.stringify(table)};\n`);
    const { exitCode, output } = start('--table', join(folder, 'table.mjs'));
    rmSync(folder, { recursive: true, force: true });
    expect(output).toMatch(/idle +\| packages\/core\/src\/base\/result\.ts:\d+ +\| SURVIVED: every test passed/);
    expect(output).toMatch(/real +\| packages\/core\/src\/base\/canonical-json\.ts:\d+ +\| \S/);
    expect(output).toContain('1 passed, 1 failed');
    expect(exitCode).toBe(1);
    expect(readFileSync(join(ROOT, file), 'utf8')).toBe(before);
  });

  it('lists the rules, helps, and refuses a name it does not know', () => {
    expect(start('--list').output.split('\n').length).toBeGreaterThan(REQUIRED.length);
    expect(start('--help').output).toContain('--only NAME');
    expect(start('--only', 'nothing')).toMatchObject({ exitCode: 2 });
  });
});
