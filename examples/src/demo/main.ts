/** The demo: separate processes for node, person and apps play every scenario, and each claim about them is measured. */

import { mkdtempSync, rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { readFileSync } from 'node:fs';
import { writeDevHosts } from '@sluice/client/node';
import { scanBundle } from './bundle-scan.ts';
import { createClaims, heading } from './claims.ts';
import { startProcess } from './process-link.ts';
import type { Stage } from './stage.ts';
import { playConnect } from './play-connect.ts';
import { playEnd } from './play-end.ts';
import { playFanOut } from './play-fan-out.ts';
import { playRequests } from './play-requests.ts';
import { playSend } from './play-send.ts';
import { playSynchronize } from './play-synchronize.ts';

const HELP = `Usage: npm run demo -- [options]

  --bundle FILE        a FHIR R4 bundle to play with (default: a small one of our own)
  --as-of ISO          the demo's present time (default: a day after the bundle's newest immunization or observation)
  --node-double KIND   honest (default), leaks, serves-after-revoke: prove that the claims can fail
  --keep               keep the temporary folder
  --help`;

const { values } = parseArgs({
  options: {
    bundle: { type: 'string' },
    'as-of': { type: 'string' },
    'node-double': { type: 'string', default: 'honest' },
    keep: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});
if (values.help) {
  process.stdout.write(`${HELP}\n`);
  process.exit(0);
}

const DAY_MS = 24 * 3600 * 1000;
const print = (line: string): void => void process.stdout.write(`${line}\n`);
const bundleFile = values.bundle ?? fileURLToPath(new URL('../../data/bundle.json', import.meta.url));
const scan = scanBundle(readFileSync(bundleFile, 'utf8'));
const asOfMs = values['as-of'] ? Date.parse(values['as-of']) : scan.newestMs + DAY_MS;
const directory = mkdtempSync(join(tmpdir(), 'sluice-demo-'));
const devHosts = join(directory, 'dev-hosts');
const claims = createClaims(print);
const started: { readonly stop: () => Promise<void> }[] = [];

const start = async (name: string, script: string, args: readonly string[]) => {
  const link = await startProcess(name, new URL(script, import.meta.url), args);
  started.push(link);
  return link;
};
const ext = import.meta.url.endsWith('.ts') ? 'ts' : 'js';

let failed = true;
try {
  print(heading('Sluice demo'));
  print(`  bundle ${bundleFile.split('/').at(-1)}, present time ${new Date(asOfMs).toISOString()}`);
  const { mkdirSync } = await import('node:fs');
  for (const part of ['node', 'person', 'apps']) mkdirSync(join(directory, part));
  const node = await start('node', `./node-process.${ext}`, [
    join(directory, 'node'),
    String(asOfMs),
    values['node-double'],
  ]);
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
    all: () => started as never,
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
  if (!values.keep) rmSync(directory, { recursive: true, force: true });
}

const holding = claims.all().filter((c) => c.holds).length;
print('');
print(heading(failed ? 'Some claims do not hold.' : 'Every claim holds.'));
print(`${holding} claims pass, ${claims.all().length - holding} fail`);
process.exit(failed ? 1 : 0);
