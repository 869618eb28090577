/** A throw-away project with the real configuration, in which the tests of the checks plant violations. */

import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
const SHARED_FILES = ['package.json', 'biome.json', 'tsconfig.base.json', '.dependency-cruiser.cjs', 'knip.config.ts'];
const WORKSPACES = ['core', 'client', 'node', 'sqlite', 'testkit'];

export type Outcome = { readonly exitCode: number; readonly output: string };

/** A planted project: `write` adds a file, `read` returns one, `run` starts node there with a script and arguments. */
export type PlantedProject = {
  write(path: string, text: string): void;
  read(path: string): string;
  run(script: string, ...args: string[]): Outcome;
  remove(): void;
};

/** Creates the project in a temporary folder: scripts, configuration and package.json files, but no sources. */
export function createPlantedProject(): PlantedProject {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-checks-'));
  for (const file of SHARED_FILES) cpSync(join(ROOT, file), join(folder, file));
  for (const file of readdirSync(join(ROOT, 'scripts')).filter((name) => /\.(mjs|json)$/.test(name))) {
    cpSync(join(ROOT, 'scripts', file), join(folder, 'scripts', file));
  }
  linkModules(folder);
  const write = (path: string, text: string) => {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  };
  return {
    write,
    read: (path) => readFileSync(join(folder, path), 'utf8'),
    run: (script, ...args) => {
      const child = spawnSync(process.execPath, [script, ...args], { cwd: folder, encoding: 'utf8' });
      return { exitCode: child.status ?? -1, output: child.stdout + child.stderr };
    },
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}

/** Installed packages are linked one by one, so that `@sluice/*` can point into the planted project. */
function linkModules(folder: string): void {
  mkdirSync(join(folder, 'node_modules/@sluice'), { recursive: true });
  for (const name of readdirSync(join(ROOT, 'node_modules')).filter((entry) => entry !== '@sluice')) {
    symlinkSync(join(ROOT, 'node_modules', name), join(folder, 'node_modules', name));
  }
  for (const name of WORKSPACES) {
    cpSync(join(ROOT, 'packages', name, 'package.json'), join(folder, 'packages', name, 'package.json'));
    symlinkSync(join(folder, 'packages', name), join(folder, 'node_modules/@sluice', name));
  }
}
