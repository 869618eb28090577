/** The benchmark: every figure from processes that talk over loopback, beside this machine's own limits in the same run. */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { type Bounds, FIGURES } from './figures.ts';
import { type Limit, measureLimits } from './limits.ts';
import { runBase } from './round.ts';
import { SHARING } from './sharing-round.ts';

const WORKLOADS = { base: runBase, ...SHARING };
const HELP = `Usage: npm run bench -- [options]

  --rounds N       rounds; the median is reported (default 5)
  --records N      records of 1 KB (default 10000)
  --sync MODE      FULL, NORMAL or both (default both): SQLite's synchronous setting of node and clients
  --only NAMES     some workloads: ${Object.keys(WORKLOADS).join(',')} (default all)
  --grants COUNTS  grants of one collection, for the curve (default 1,10,100,1000)
  --json FILE      also write everything measured, every round of it
  --help`;

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    records: { type: 'string', default: '10000' },
    sync: { type: 'string', default: 'both' },
    only: { type: 'string', default: Object.keys(WORKLOADS).join(',') },
    grants: { type: 'string', default: '1,10,100,1000' },
    json: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
});
if (values.help) {
  process.stdout.write(`${HELP}\n`);
  process.exit(0);
}

const rounds = Number(values.rounds);
const modes = values.sync === 'both' ? ['FULL', 'NORMAL'] : [values.sync];
const print = (line: string): void => void process.stdout.write(`${line}\n`);
const chosen = Object.entries(WORKLOADS).filter(([name]) => values.only.split(',').includes(name));
type Figures = { readonly [name: string]: number };
const results: { [mode: string]: Figures[] } = {};
const limits: Limit[] = await measureLimits();
print('This machine by itself');
for (const limit of limits) print(`  ${limit.name.padEnd(52)} ${format(limit.value).padStart(10)} ${limit.unit}`);

for (let round = 1; round <= rounds; round++) {
  for (const mode of modes) {
    const directory = mkdtempSync(join(tmpdir(), 'sluice-bench-'));
    print(`\nround ${round} of ${rounds}, synchronous=${mode}, load ${loadavg()[0]?.toFixed(2)}`);
    const figures: { [name: string]: number } = {};
    const note = (name: string, value: number): void => {
      figures[name] = value;
      print(`  ${name}: ${format(value)}`);
    };
    for (const [, run] of chosen)
      await run(
        { directory, synchronous: mode, records: Number(values.records), grants: values.grants.split(',').map(Number) },
        note,
      );
    results[mode] = [...(results[mode] ?? []), figures];
    rmSync(directory, { recursive: true, force: true });
  }
}

const bounds = (synchronous: string): Bounds => ({
  of: (name) => limits.find((limit) => limit.name === name)?.value ?? Number.NaN,
  synchronous,
});
const boundOf = (name: string): string => {
  const each = modes.map((mode) => FIGURES[name]?.bound?.(bounds(mode)) ?? '');
  return [...new Set(each)].join(' / ');
};
const sorted = (mode: string, name: string): number[] =>
  (results[mode] ?? []).map((figures) => figures[name] ?? Number.NaN).sort((a, b) => a - b);
const median = (values: readonly number[]): number => values[Math.floor(values.length / 2)] ?? Number.NaN;

print('\nMedian of the rounds (least to most)');
print(`| figure | wanted | ${modes.join(' | ')} | this machine by itself | best peers measured |`);
print(`|---|---|${modes.map(() => '---|').join('')}---|---|`);
const names = [
  ...new Set(
    Object.values(results)
      .flat()
      .flatMap((f) => Object.keys(f)),
  ),
];
for (const name of names) {
  const cells = modes.map((mode) => {
    const all = sorted(mode, name);
    return `${format(median(all))} (${format(all[0] ?? Number.NaN)} to ${format(all.at(-1) ?? Number.NaN)})`;
  });
  const { wanted = '', peers = '' } = FIGURES[name] ?? {};
  print(`| ${name} | ${wanted} | ${cells.join(' | ')} | ${boundOf(name)} | ${peers} |`);
}

const head = { date: new Date().toISOString(), node: process.version, rounds, limits };
const medians = Object.fromEntries(
  modes.map((mode) => [mode, Object.fromEntries(names.map((name) => [name, median(sorted(mode, name))]))]),
);
print(`\n${JSON.stringify({ ...head, medians })}`);
if (values.json) writeFileSync(values.json, `${JSON.stringify({ ...head, medians, results }, null, 2)}\n`);

function format(value: number): string {
  if (value >= 1000) return Math.round(value).toLocaleString('en');
  return value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2);
}
