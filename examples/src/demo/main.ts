/** The demo: separate processes for node, person and apps play every scenario, and each claim about them is measured. */

import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { writeDevHosts } from '@sluice/client/node';
import { createClaims, dim, heading } from './claims.ts';
import { readDemoOptions } from './demo-options.ts';
import { type ProcessLink, startProcess } from './process-link.ts';
import type { Stage } from './stage.ts';
import { playConnect } from './play-connect.ts';
import { playEnd } from './play-end.ts';
import { playFanOut } from './play-fan-out.ts';
import { playRequests } from './play-requests.ts';
import { playSend } from './play-send.ts';
import { playSynchronize } from './play-synchronize.ts';

const asked = readDemoOptions(process.argv.slice(2));
if (asked.type !== 'run') {
  (asked.type === 'help' ? process.stdout : process.stderr).write(`${asked.text}\n`);
  process.exit(asked.type === 'help' ? 0 : 2);
}

const { bundleFile, scan, asOfMs, double, keep } = asked.options;
const startedMs = performance.now();
const print = (line: string): void => void process.stdout.write(`${line}\n`);
const directory = mkdtempSync(join(tmpdir(), 'sluice-demo-'));
const devHosts = join(directory, 'dev-hosts');
const claims = createClaims(print);
const started: ProcessLink[] = [];

const start = async (name: string, script: string, args: readonly string[]) => {
  const link = await startProcess(name, new URL(script, import.meta.url), args);
  started.push(link);
  return link;
};
const ext = import.meta.url.endsWith('.ts') ? 'ts' : 'js';

let failed = true;
try {
  print(heading('Sluice demo'));
  print(
    '  A storage node, a person and six applications, each a process of its own. Each claim is measured: pass or FAIL.',
  );
  print(
    dim('  “node +” shows what the node has of a step: own records, ctl (access), inbox, feed (what a grant reveals).'),
  );
  print(`  bundle ${bundleFile.split('/').at(-1)}, present time ${new Date(asOfMs).toISOString()} for all of them`);
  for (const part of ['node', 'person', 'apps']) mkdirSync(join(directory, part));
  const node = await start('node', `./node-process.${ext}`, [join(directory, 'node'), String(asOfMs), double]);
  await writeDevHosts(devHosts, 'node.sluice.test', `127.0.0.1:${await node.call<number>('port')}`);
  const person = await start('person', `./person-process.${ext}`, [
    join(directory, 'person'),
    devHosts,
    String(asOfMs),
  ]);
  const app = (host: string) =>
    start(host, `./app-process.${ext}`, [join(directory, 'apps', host), devHosts, String(asOfMs), `https://${host}`]);
  const { did, phrase } = await person.call<{ did: string; phrase: string }>('create');
  const stage: Stage = {
    directory,
    devHosts,
    bundleFile,
    scan,
    print,
    claims,
    node,
    person,
    did,
    phrase,
    app,
    all: () => started,
    asOfMs,
    startPerson: (name, store, at) => start(name, `./person-process.${ext}`, [store, devHosts, String(at)]),
  };
  await playSend(stage);
  await playRequests(stage);
  await playConnect(stage);
  await playFanOut(stage);
  await playSynchronize(stage);
  await playEnd(stage);
  failed = claims.all().some((c) => !c.holds);
} catch (cause) {
  print(`  the demo broke off: ${cause instanceof Error ? (cause.stack ?? cause.message) : String(cause)}`);
} finally {
  for (const process of started.reverse()) await process.stop();
  if (!keep) rmSync(directory, { recursive: true, force: true });
}

const holding = claims.all().filter((c) => c.holds).length;
print('');
print(heading(failed ? 'Some claims do not hold.' : 'Every claim holds.'));
print(
  `${holding} claims pass, ${claims.all().length - holding} fail, in ${((performance.now() - startedMs) / 1000).toFixed(1)} s`,
);
if (keep) print(`What everybody stored is in ${directory}`);
process.exit(failed ? 1 : 0);
