/**
 * Which files are the starts of the program: whatever they do not reach is unused (`npm run lint`, "unused code").
 *
 * Two runs. The first counts tests as users. The second, with `--production`, does not: what it finds is kept alive by its tests alone.
 * A `!` marks what counts in both.
 */

import type { KnipConfig } from 'knip';

const isProduction = process.argv.includes('--production');
const SHIPPED = ['src/**/*.ts!', '!src/**/*{.test,.contract,.oracle,-fixture}.ts!'];

const config: KnipConfig = {
  // Types are part of the signatures in their file; a value that only its own file uses needs no export.
  ignoreExportsUsedInFile: isProduction || { interface: true, type: true },
  treatConfigHintsAsErrors: true,
  // It is all tests.
  ignoreWorkspaces: isProduction ? ['packages/testkit'] : [],
  workspaces: {
    '.': {
      entry: ['scripts/*.mjs', 'scripts/*.test.ts'],
      project: ['scripts/**'],
      // Started by its path, in scripts/stages.mjs.
      ignoreDependencies: ['dependency-cruiser'],
    },
    // What its indexes export is for the packages here, and no API of its own.
    'packages/core': { project: SHIPPED, includeEntryExports: true },
    'packages/client': { project: SHIPPED },
    'packages/node': { project: SHIPPED },
    'packages/sqlite': { project: SHIPPED },
    'packages/testkit': { entry: ['src/faults/*-process.ts', 'src/simulation/main.ts'], project: ['src/**/*.ts'] },
    schemas: { entry: ['scripts/*.mjs'], project: [...SHIPPED, 'scripts/*.mjs'], ignore: ['src/generated/**'] },
    'apps/cli': { entry: ['src/main.ts!'], project: SHIPPED },
    examples: {
      entry: ['src/*.ts!', 'src/demo/{main,*-process,node-doubles}.ts!', 'src/sync/{main,life}.ts!'],
      project: SHIPPED,
    },
    bench: { entry: ['src/{main,*-process}.ts!'], project: SHIPPED },
  },
};

export default config;
