/** The child programs of the fault tests, each made into one file: it starts several times faster than its hundreds of sources. */

import { copyFileSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const NAMES = ['node-process', 'client-process', 'subscriber-process'] as const;
export type ProgramName = (typeof NAMES)[number];
export type Programs = {
  /** The file to start. */
  readonly path: (name: ProgramName) => string;
  readonly remove: () => void;
};

const HERE = dirname(fileURLToPath(import.meta.url));
/** Under the root's `node_modules`, so that the one native package, which cannot be bundled, is found from there. */
const CACHE = join(dirname(createRequire(import.meta.url).resolve('esbuild/package.json')), '..', '.cache', 'faults');

/** Makes the programs from the sources as they are now. */
export async function makePrograms(): Promise<Programs> {
  mkdirSync(CACHE, { recursive: true });
  const directory = mkdtempSync(join(CACHE, 'run-'));
  // A node reads its version beside its code.
  copyFileSync(join(HERE, '../../../node/package.json'), join(directory, 'package.json'));
  await build({
    entryPoints: NAMES.map((name) => join(HERE, `${name}.ts`)),
    outdir: join(directory, 'bin'),
    outExtension: { '.js': '.mjs' },
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    conditions: ['@sluice/source'],
    external: ['@photostructure/sqlite'],
    // Packages of the older module form call `require`.
    banner: { js: "import { createRequire as r } from 'node:module'; const require = r(import.meta.url);" },
    logLevel: 'warning',
  });
  return {
    path: (name) => join(directory, 'bin', `${name}.mjs`),
    remove: () => rmSync(directory, { recursive: true, force: true }),
  };
}
