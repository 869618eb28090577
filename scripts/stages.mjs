/** The stages of `npm run build`, `npm run lint` and `npm test`, and how one stage runs. */

import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from './project-files.mjs';

const SCHEMA_COMPILER = 'schemas/scripts/compile.mjs';
const SOURCE_FOLDERS = ['packages', 'apps', 'schemas', 'examples', 'bench'];
const TSC = 'node_modules/typescript7/bin/tsc';

/** Schemas become code first, since packages import that code. */
export const BUILD = [
  ...(existsSync(join(ROOT, SCHEMA_COMPILER)) ? [{ name: 'compile schemas', command: [SCHEMA_COMPILER] }] : []),
  { name: 'build', command: [TSC, '-b'] },
];

/** Biome reads the types of other packages from their build, so a build comes before the checks. */
export const CHECKS = [
  {
    name: 'format and lint',
    command: ['node_modules/@biomejs/biome/bin/biome', 'check', '--error-on-warnings', '--max-diagnostics=100'],
  },
  {
    name: 'layers and cycles',
    command: [
      'node_modules/dependency-cruiser/bin/dependency-cruise.mjs',
      ...SOURCE_FOLDERS.filter((folder) => existsSync(join(ROOT, folder))),
      '--config',
      '.dependency-cruiser.cjs',
    ],
  },
  { name: 'unused code', command: ['scripts/check-unused.mjs'] },
  { name: 'types of tests', command: [TSC, '-p', 'scripts/tsconfig.tests.json'] },
  { name: 'spec citations', command: ['scripts/check-spec.mjs'] },
  { name: 'assertions', command: ['scripts/check-tests.mjs'] },
  { name: 'public types', command: ['scripts/check-public-types.mjs'] },
  { name: 'docstrings', command: ['scripts/check-docstrings.mjs'] },
  { name: 'file sizes', command: ['scripts/check-size.mjs'] },
  { name: 'faults', command: ['scripts/check-faults.mjs'] },
  { name: 'code in docs', command: ['scripts/check-docs.mjs'] },
];

/** Runs one stage with its output shown as it comes; returns whether it passed. */
export function runStage({ name, command, env = {} }) {
  console.log(`\n== ${name}`);
  const startedMs = performance.now();
  const child = spawnSync(process.execPath, command, { cwd: ROOT, stdio: 'inherit', env: { ...process.env, ...env } });
  const passed = child.status === 0;
  const seconds = ((performance.now() - startedMs) / 1000).toFixed(1);
  console.log(`-- ${name}: ${passed ? 'ok' : `FAILED (${child.signal ?? `exit ${child.status}`})`}, ${seconds} s`);
  return passed;
}
