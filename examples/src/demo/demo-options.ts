/** What the demo was asked to do, checked before anything starts: a wrong option or file ends with a sentence, not with a stack. */

import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { type Scan, scanBundle } from './bundle-scan.ts';

export type DemoOptions = {
  readonly bundleFile: string;
  readonly scan: Scan;
  /** The demo's present time in ms since the Unix epoch. */
  readonly asOfMs: number;
  readonly double: string;
  readonly keep: boolean;
};
export type Asked =
  | { readonly type: 'run'; readonly options: DemoOptions }
  | { readonly type: 'help'; readonly text: string }
  | { readonly type: 'wrong'; readonly text: string };

const HELP = `Usage: npm run demo -- [options]

Plays the four ways of sharing with a node, a person and six applications, each a process of its own, on a temporary
folder. Every claim is measured; the exit code is 0 if all hold, 1 if one does not, 2 if the demo cannot be started so.

  --bundle FILE        a FHIR R4 bundle to play with (default: a small one of our own)
  --as-of ISO          the demo's present time (default: a day after the bundle's newest immunization or observation)
  --node-double KIND   honest (default), leaks, serves-after-revoke: prove that the claims can fail
  --keep               keep the temporary folder and say where it is
  --help

Examples:
  npm run demo
  npm run demo -- --bundle my-records.json
  npm run demo -- --node-double leaks`;

const DOUBLES = ['honest', 'leaks', 'serves-after-revoke'];
const DAY_MS = 24 * 3600 * 1000;
const OWN_BUNDLE = new URL('../../data/bundle.json', import.meta.url);

/** Reads the command line of the demo. */
export function readDemoOptions(args: readonly string[]): Asked {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: {
        bundle: { type: 'string' },
        'as-of': { type: 'string' },
        'node-double': { type: 'string', default: 'honest' },
        keep: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    });
    if (values.help) return { type: 'help', text: HELP };
    const double = values['node-double'];
    if (!DOUBLES.includes(double)) throw new Error(`--node-double is one of ${DOUBLES.join(', ')}`);
    const bundleFile = values.bundle ?? fileURLToPath(OWN_BUNDLE);
    const scan = readScan(bundleFile);
    const asOfMs = values['as-of'] === undefined ? scan.newestMs + DAY_MS : Date.parse(values['as-of']);
    if (Number.isNaN(asOfMs))
      throw new Error('--as-of takes a date or an instant, e.g. 2026-04-03 or 2026-04-03T12:00:00Z');
    return { type: 'run', options: { bundleFile, scan, asOfMs, double, keep: values.keep } };
  } catch (cause) {
    return {
      type: 'wrong',
      text: `${cause instanceof Error ? cause.message : String(cause)}\n(npm run demo -- --help)`,
    };
  }
}

function readScan(file: string): Scan {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (cause) {
    throw new Error(`${file} cannot be read (${(cause as NodeJS.ErrnoException).code}). Check the name.`);
  }
  let scan: Scan | undefined;
  try {
    scan = scanBundle(text);
  } catch {
    throw new Error(`${file} is not a FHIR R4 bundle: it is no JSON with "resourceType": "Bundle" and entries.`);
  }
  if (!Number.isFinite(scan.newestMs))
    throw new Error(`${file} holds no Immunization or Observation with a date, so there is nothing to synchronize.`);
  return scan;
}
