/** Plays the example applications of synchronization on a network in one process: `npm run examples`. */

import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { playAdNetwork } from './ad-network-story.ts';
import { playBridge } from './bridge-story.ts';
import { playClinic } from './clinic-story.ts';
import { playContacts } from './contacts-story.ts';

const HELP = `Usage: npm run examples -- [--bundle FILE]...

Plays the example applications of docs/synchronization.md with a node, people and applications in one process.

  --bundle FILE   a FHIR R4 bundle for the clinic, which plays once on each (default: a small one of our own)
  --help`;

const print = (line: string): void => void process.stdout.write(`${line}\n`);
const tell = (line: string): void => print(`  ${line}`);

/** Plays everything. Returns the exit code. */
async function main(args: readonly string[]): Promise<number> {
  const { values } = parseArgs({
    args: [...args],
    options: { bundle: { type: 'string', multiple: true }, help: { type: 'boolean' } },
  });
  if (values.help) {
    print(HELP);
    return 0;
  }
  const bundles = values.bundle ?? [fileURLToPath(new URL('../../data/bundle.json', import.meta.url))];
  for (const bundle of bundles) readFileSync(bundle); // a wrong name is said before anything starts
  let isWrong = false;
  for (const bundle of bundles) {
    print(`A clinic reads six months and writes back (${basename(bundle)})`);
    const { read, inTheFile } = await playClinic(bundle, tell);
    if (read.join() !== inTheFile.join()) isWrong = true;
  }
  print('An ad network follows three people, each as they allow');
  await playAdNetwork(tell);
  print('One phone number in three applications');
  await playContacts(tell);
  print('A club kept equal between two people by one application');
  await playBridge('one', tell);
  print('The same by two applications that know nothing of each other');
  await playBridge('two', tell);
  if (!isWrong) return 0;
  print('The clinic did not read what the file holds.');
  return 1;
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (cause) {
  process.stderr.write(`${cause instanceof Error ? cause.message : String(cause)}\n`);
  process.exitCode = 2;
}
