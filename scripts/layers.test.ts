/** Every rule of .dependency-cruiser.cjs stops a planted violation, and the allowed imports pass. */

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createPlantedProject, type PlantedProject } from './planted-project.ts';

const CORE_LAYERS = ['base', 'wire', 'crypto', 'identity', 'stream', 'record', 'filter', 'grant'];
const DEPCRUISE = 'node_modules/dependency-cruiser/bin/dependency-cruise.mjs';

/** [rule that must fire, file, what it imports] */
const FORBIDDEN: readonly (readonly [string, string, string])[] = [
  ...CORE_LAYERS.slice(0, -1).map((layer, index) => {
    const above = CORE_LAYERS[index + 1] ?? '';
    return [`core-layer-${layer}`, `packages/core/src/${layer}/up.ts`, `../${above}/index.ts`] as const;
  }),
  ['core-layer-base', 'packages/core/src/base/lazy.ts', '../grant/index.ts'],
  ['core-unlisted-layer', 'packages/core/src/base/to-unlisted.ts', '../unlisted/index.ts'],
  ['no-cycles', 'packages/core/src/wire/cycle.ts', './ring.ts'],
  ['core-imports', 'packages/core/src/base/to-client.ts', '@sluice/client'],
  ['core-imports-tests', 'packages/core/src/base/to-client.test.ts', '@sluice/client'],
  ['sqlite-imports', 'packages/sqlite/src/to-core.ts', '@sluice/core/base'],
  ['client-imports', 'packages/client/src/to-node.ts', '@sluice/node'],
  ['client-imports', 'packages/client/src/to-sqlite.ts', '@sluice/sqlite'],
  ['client-imports', 'packages/client/src/to-testkit.ts', '@sluice/testkit'],
  ['client-imports-tests', 'packages/client/src/to-node.test.ts', '@sluice/node'],
  ['client-node-imports', 'packages/client/src/node/to-node.ts', '@sluice/node'],
  ['client-core-without-node', 'packages/client/src/to-own-node.ts', './node/index.ts'],
  ['node-imports', 'packages/node/src/to-client.ts', '@sluice/client'],
  ['no-node-builtins', 'packages/core/src/base/builtin.ts', 'node:fs'],
  ['no-node-builtins', 'packages/core/src/base/bare-builtin.ts', 'fs'],
  ['no-node-builtins', 'packages/client/src/builtin.ts', 'node:sqlite'],
  ['no-reaching-in', 'packages/node/src/reach.ts', '../../core/src/wire/index.ts'],
  ['no-reaching-in', 'packages/node/src/reach-modules.ts', '../../../node_modules/@sluice/core/src/wire/index.ts'],
  ['no-unresolvable', 'packages/node/src/reach-by-name.ts', '@sluice/core/src/wire/index.ts'],
  ['no-build-output', 'packages/node/src/reach-dist.ts', '../../core/dist/wire/index.js'],
  ['no-own-name', 'packages/core/src/grant/own-name.ts', '@sluice/core/wire'],
  ['declared-packages', 'packages/core/src/base/undeclared.ts', 'fastify'],
  ['no-dev-packages', 'packages/core/src/base/development.ts', 'fast-check'],
  ['test-code-stays-in-tests', 'packages/core/src/base/uses-oracle.ts', './naive.oracle.ts'],
  ['vault-without-crypto', 'apps/vault/src/crypto.ts', '@sluice/core/crypto'],
  ['vault-without-crypto', 'apps/vault/src/builtin.ts', 'node:crypto'],
  ['vault-without-crypto', 'apps/vault/src/noble.ts', '@noble/hashes/sha2.js'],
  ['vault-without-node', 'apps/vault/src/node.ts', '@sluice/node'],
];

/** [file, what it imports] */
const ALLOWED: readonly (readonly [string, string])[] = [
  ...CORE_LAYERS.slice(1).map((layer) => [`packages/core/src/${layer}/down.ts`, '../base/index.ts'] as const),
  ['packages/core/src/base/registry.ts', '@noble/hashes/sha2.js'],
  ['packages/core/src/base/fine.test.ts', 'node:fs'],
  ['packages/core/src/base/fine.prop.test.ts', 'fast-check'],
  ['packages/client/src/fine.ts', '@sluice/core/grant'],
  ['packages/client/src/fine.test.ts', '@sluice/testkit'],
  ['packages/client/src/node/fine.ts', '@sluice/sqlite'],
  ['packages/client/src/node/builtin.ts', 'node:fs'],
  ['packages/sqlite/src/fine.ts', 'node:sqlite'],
  ['packages/node/src/fine.ts', '@sluice/core/crypto'],
  ['packages/node/src/store.ts', '@sluice/sqlite'],
  ['packages/testkit/src/network.ts', '@sluice/node'],
  ['apps/vault/src/fine.ts', '@sluice/client'],
];

let project: PlantedProject;
let found: string;

beforeAll(() => {
  project = createPlantedProject();
  for (const layer of CORE_LAYERS) project.write(`packages/core/src/${layer}/index.ts`, 'export const door = 1;\n');
  for (const name of ['client', 'node', 'sqlite', 'testkit']) {
    project.write(`packages/${name}/src/index.ts`, 'export const door = 1;\n');
  }
  project.write('packages/core/src/unlisted/index.ts', 'export const door = 1;\n');
  project.write('packages/client/src/node/index.ts', 'export const door = 1;\n');
  project.write('packages/core/src/base/naive.oracle.ts', 'export const door = 1;\n');
  project.write('packages/core/dist/wire/index.js', 'export const door = 1;\n');
  project.write(
    'packages/core/src/wire/ring.ts',
    "import type { ring } from './cycle.ts';\nexport type Ring = typeof ring;\n",
  );
  const dependencies = {
    '@sluice/client': '0.1.0',
    '@sluice/core': '0.1.0',
    '@sluice/node': '0.1.0',
    '@noble/hashes': '2.4.0',
  };
  project.write('apps/vault/package.json', JSON.stringify({ name: '@sluice/vault', type: 'module', dependencies }));
  for (const [, file, imported] of FORBIDDEN) project.write(file, importing(file, imported));
  for (const [file, imported] of ALLOWED) project.write(file, importing(file, imported));
  found = project.run(DEPCRUISE, 'packages', 'apps', '--config', '.dependency-cruiser.cjs', '--no-progress').output;
});
afterAll(() => project.remove());

describe('layers', () => {
  it.each(FORBIDDEN)('%s stops %s importing %s', (rule, file) => {
    expect(found).toContain(`error ${rule}: ${file} →`);
  });

  it.each(ALLOWED)('%s may import %s', (file) => {
    expect(found).not.toMatch(new RegExp(`: ${file.replaceAll('.', '\\.')} →`));
  });
});

function importing(file: string, imported: string): string {
  if (file.endsWith('lazy.ts')) return `export const lazy = () => import('${imported}');\n`;
  return `import * as other from '${imported}';\nexport const ring = other;\n`;
}
