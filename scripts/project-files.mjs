/** Lists the files of this repository for the checks: tracked or new, never ignored or generated. */

import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { dirname, join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';

export const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));

const IGNORED_FOLDERS = new Set(['node_modules', '.git', 'dist', 'dist-node', 'coverage', '.sluice']);

/**
 * Paths relative to the root, with `/`, sorted.
 *
 * An unpacked source archive has no git; there the folder is walked instead.
 */
export function projectFiles() {
  const listed = fromGit() ?? fromFolder(ROOT);
  return [...new Set(listed)].filter((path) => existsSync(join(ROOT, path))).sort();
}

/** Tests and the contract suites that tests run. */
export const isTestFile = (path) => /\.(test|contract)\.tsx?$/.test(path);

/** Files that a build step wrote. */
export const isGenerated = (path) => path.includes('/generated/');

function fromGit() {
  if (!existsSync(join(ROOT, '.git'))) return undefined;
  const args = ['ls-files', '-z', '--cached', '--others', '--exclude-standard'];
  const output = execFileSync('git', args, { cwd: ROOT, encoding: 'utf8', maxBuffer: 1 << 26 });
  return output.split('\0').filter((path) => path !== '');
}

function fromFolder(folder) {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    if (entry.isDirectory()) return IGNORED_FOLDERS.has(entry.name) ? [] : fromFolder(join(folder, entry.name));
    return entry.isFile() ? [relative(ROOT, join(folder, entry.name)).split(sep).join('/')] : [];
  });
}
