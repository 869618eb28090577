/**
 * Real input that is not part of this repository: found beside it, or where `SLUICE_REAL_DATA` says. Tests on it register only when it is
 * there; otherwise their number is reported, so that they are neither passed nor forgotten. For tests only: it needs vitest.
 */

import { appendFileSync, existsSync, readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe } from 'vitest';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));

/** Paths of the real FHIR R4 bundles, sorted; none when there is no such data. `SLUICE_REAL_DATA` is relative to the repository. */
export function realFhirBundles(): string[] {
  const folder = join(resolve(ROOT, process.env.SLUICE_REAL_DATA || '../shared/data'), 'fhir');
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .filter((name) => name.endsWith('.json'))
    .sort()
    .map((name) => join(folder, name));
}

/**
 * Registers a suite on real data.
 *
 * Without the data it registers nothing, prints `not run: N` and appends N to the file that `SLUICE_NOT_RUN_FILE` names.
 * Units: `testCount` is the number of tests that the body registers.
 */
export function describeRealData(title: string, testCount: number, body: () => void): void {
  if (realFhirBundles().length > 0) {
    describe(title, body);
    return;
  }
  if (process.env.SLUICE_NOT_RUN_FILE) appendFileSync(process.env.SLUICE_NOT_RUN_FILE, `${testCount}\n`);
  process.stdout.write(`not run: ${testCount} (${title})\n`);
}
