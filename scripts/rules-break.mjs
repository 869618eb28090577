/**
 * `npm run rules:break`: switches the rules of `rules-table.mjs` off one at a time, in a copy of the tree outside of it, and runs the
 * tests that must notice. A rule whose loss turns no test red is protected by nothing. The last line is `N passed, N failed`.
 */

import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { copyProject } from './project-copy.mjs';
import { ROOT } from './project-files.mjs';
import { applyChanges, verdictOf } from './rules-verdict.mjs';
import { RULES } from './rules-table.mjs';

const HELP = `Usage: npm run rules:break -- [options]

  --only NAME   one rule, as --list names it; may be given several times
  --minutes M   as many rules as fit, at least one, from a place in the table that the commit names: another one with each commit
  --list        the rules and where each is switched off
  --table FILE  another table of rules (a module that exports RULES)
  --help        this text

Works in a temporary copy; the tree itself is never changed. Exits 1 if a rule can be lost without a red test.`;

/** A run that takes longer hangs, which proves nothing. All seeds of a simulation take less, also beside other work. */
const LIMIT_MS = 360_000;
/** All tests of a table, before anything is switched off. */
const BASELINE_LIMIT_MS = 1_800_000;

const { values } = parseArgs({
  options: {
    only: { type: 'string', multiple: true },
    list: { type: 'boolean', default: false },
    table: { type: 'string' },
    minutes: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
});

let child;
let folder;
const clean = () => {
  child?.kill('SIGKILL');
  if (folder) rmSync(folder, { recursive: true, force: true });
};
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'])
  process.on(signal, () => {
    clean();
    process.exit(130);
  });
process.on('exit', clean);

if (values.help) console.log(HELP);
else await main();

async function main() {
  const table = values.table ? (await import(new URL(values.table, `file://${process.cwd()}/`).href)).RULES : RULES;
  const unknown = (values.only ?? []).filter((name) => !table.some((r) => r.rule === name));
  if (unknown.length > 0) {
    console.error(`no such rule: ${unknown.join(', ')}. See --list`);
    process.exitCode = 2;
    return;
  }
  const rules = table.filter((r) => !values.only || values.only.includes(r.rule));
  if (values.list) {
    for (const { rule, says, changes } of rules) console.log(`${rule}: ${says} (${changes[0].file})`);
    return;
  }
  folder = mkdtempSync(join(tmpdir(), 'sluice-rules-'));
  copyProject(ROOT, folder);
  if (values.minutes === undefined) return breakAll(rules, rules);
  const start = commitNumber() % rules.length;
  const turned = [...rules.slice(start), ...rules.slice(0, start)];
  // Whoever asks for a part has seen the tests pass: those of the first rule show that they do in the copy, too.
  const [first] = turned;
  await breakAll(turned, [first], performance.now() + Number(values.minutes) * 60_000, first.probe);
}

/** A number that is another one for another commit; 0 where there is none. */
function commitNumber() {
  const { status, stdout } = spawnSync('git', ['rev-parse', 'HEAD'], { cwd: ROOT, encoding: 'utf8' });
  return status === 0 ? Number.parseInt(stdout.slice(0, 8), 16) : 0;
}

/** Breaks the rules in turn, after `endMs` no more. The tests of `first` have to pass before, with `probe` those of that name. */
async function breakAll(rules, first, endMs = Number.POSITIVE_INFINITY, probe = undefined) {
  const baseline = await runTests([...new Set(first.flatMap((r) => r.tests))], probe, BASELINE_LIMIT_MS);
  const before = verdictOf(baseline);
  if (before.type !== 'green') {
    const what = before.type === 'red' ? before.test : before.why;
    console.error(`the tests must pass before a rule is switched off: ${what}\n${baseline.output}`);
    process.exitCode = 1;
    return;
  }
  const rows = [];
  for (const rule of rules) {
    if (rows.length > 0 && performance.now() > endMs) break;
    const startedMs = performance.now();
    const restore = applyChanges(folder, rule);
    let verdict;
    try {
      verdict = verdictOf(await runTests(rule.tests, rule.named));
    } finally {
      restore();
    }
    const seconds = ((performance.now() - startedMs) / 1000).toFixed(1);
    const red = verdict.type === 'red';
    rows.push({ red, cells: [rule.rule, placeOf(rule), red ? verdict.test : `SURVIVED: ${verdict.why}`] });
    console.log(`${red ? 'red     ' : 'SURVIVED'} ${rule.rule} (${seconds} s)`);
  }
  console.log('');
  printTable([['rule', 'mutated place', 'test that went red'], ...rows.map((r) => r.cells)]);
  const failed = rows.filter((r) => !r.red).length;
  console.log(`\n${rows.length - failed} passed, ${failed} failed`);
  if (failed > 0) process.exitCode = 1;
}

/** Runs tests in the copy, those alone whose name has `named` in it. Result: vitest's report, or undefined when there is none, and what it printed. */
function runTests(tests, named, limitMs = LIMIT_MS) {
  const report = join(folder, 'report.json');
  rmSync(report, { force: true });
  const args = ['node_modules/vitest/vitest.mjs', 'run', '--bail=1', '--reporter=json', `--outputFile=${report}`];
  const only = named === undefined ? [] : [`--testNamePattern=${named.replace(/[^\w ]/g, '\\$&')}`];
  return new Promise((resolve) => {
    let output = '';
    let timedOut = false;
    child = spawn(process.execPath, [...args, ...only, ...tests], { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] });
    const running = child;
    const timer = setTimeout(() => {
      timedOut = true;
      running.kill('SIGKILL');
    }, limitMs);
    for (const stream of [running.stdout, running.stderr])
      stream.on('data', (text) => {
        output += text;
      });
    running.on('close', (code) => {
      clearTimeout(timer);
      child = undefined;
      const json = existsSync(report) ? JSON.parse(readFileSync(report, 'utf8')) : undefined;
      resolve({ code, timedOut, json, output, wanted: tests.map((test) => join(folder, test)) });
    });
  });
}

/** The file, and the line in the real tree that is changed first. */
function placeOf({ changes: [{ file, find }] }) {
  const text = readFileSync(join(ROOT, file), 'utf8');
  return `${file}:${text.slice(0, text.indexOf(find)).split('\n').length}`;
}

function printTable(rows) {
  const widths = rows[0].map((_, i) => Math.max(...rows.map((row) => row[i].length)));
  for (const row of rows)
    console.log(
      row
        .map((cell, i) => cell.padEnd(widths[i]))
        .join(' | ')
        .trimEnd(),
    );
}
