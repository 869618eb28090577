/** The benchmark: every figure from processes that talk over loopback, beside this machine's own limits in the same run. */

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { type Limit, measureLimits } from './limits.ts';
import { runRound } from './round.ts';

const HELP = `Usage: npm run bench -- [options]

  --rounds N       rounds; the median is reported (default 5)
  --records N      records of 1 KB (default 10000)
  --sync MODE      FULL, NORMAL or both (default both): SQLite's synchronous setting of node and clients
  --json FILE      also write everything measured
  --help`;

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    records: { type: 'string', default: '10000' },
    sync: { type: 'string', default: 'both' },
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
type Figures = { readonly [name: string]: number };
const results: { [mode: string]: Figures[] } = {};
const limits: Limit[] = await measureLimits();
print('This machine by itself');
for (const limit of limits) print(`  ${limit.name.padEnd(52)} ${format(limit.value).padStart(10)} ${limit.unit}`);

for (let round = 1; round <= rounds; round++) {
  for (const mode of modes) {
    const directory = mkdtempSync(join(tmpdir(), 'sluice-bench-'));
    mkdirSync(join(directory, 'node'));
    print(`\nround ${round} of ${rounds}, synchronous=${mode}, load ${loadavg()[0]?.toFixed(2)}`);
    const figures = await runRound({ directory, synchronous: mode, records: Number(values.records), print });
    results[mode] = [...(results[mode] ?? []), figures];
    rmSync(directory, { recursive: true, force: true });
  }
}

const TARGETS: { readonly [name: string]: string } = {
  'ingest, records/s': 'at least 8000',
  'initial sync, records/s': 'at least 10000',
  'filtered feed, ms': 'under 300',
  'filtered feed, wire bytes per match': 'under 1600',
  'live p50, ms': 'under 4',
  'live p99, ms': 'under 15',
  'last of 50 grantees, ms': 'under 50',
  'messages sealed and signed, /s': 'at least 2500',
  'messages drained and verified, /s': 'at least 3000',
  'open and first query, ms': 'under 150',
  'node disk per record, bytes': 'under 1500',
  'node memory, MB': 'under 200',
};

print('\nMedian of the rounds (least to most)');
print(`| figure | wanted | ${modes.join(' | ')} |`);
print(`|---|---|${modes.map(() => '---|').join('')}`);
const names = [
  ...new Set(
    Object.values(results)
      .flat()
      .flatMap((f) => Object.keys(f)),
  ),
];
for (const name of names) {
  const cells = modes.map((mode) => {
    const all = (results[mode] ?? []).map((f) => f[name] ?? Number.NaN).sort((a, b) => a - b);
    return `${format(all[Math.floor(all.length / 2)] ?? Number.NaN)} (${format(all[0] ?? Number.NaN)} to ${format(all.at(-1) ?? Number.NaN)})`;
  });
  print(`| ${name} | ${TARGETS[name] ?? ''} | ${cells.join(' | ')} |`);
}
if (values.json)
  writeFileSync(
    values.json,
    `${JSON.stringify({ date: new Date().toISOString(), node: process.version, limits, results }, null, 2)}\n`,
  );

function format(value: number): string {
  if (value >= 1000) return Math.round(value).toLocaleString('en');
  return value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2);
}
