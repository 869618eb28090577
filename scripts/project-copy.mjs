/** Copies the project, so that something can be broken in it. */

import { cpSync, mkdirSync, readdirSync, readlinkSync, symlinkSync } from 'node:fs';
import { basename, join } from 'node:path';

const LEFT_OUT = new Set(['node_modules', '.git', 'dist', 'dist-node', 'coverage']);
const WORKSPACE_SCOPE = '@sluice';

/**
 * Copies the sources of `root` into `folder`. Installed packages are linked one by one, so that the workspace packages resolve
 * to the copy and not to the tree it was made from.
 */
export function copyProject(root, folder) {
  cpSync(root, folder, {
    recursive: true,
    filter: (path) => path === root || (!LEFT_OUT.has(basename(path)) && !path.endsWith('.tsbuildinfo')),
  });
  const installed = join(root, 'node_modules');
  mkdirSync(join(folder, 'node_modules', WORKSPACE_SCOPE), { recursive: true });
  for (const name of readdirSync(installed)) {
    if (name === WORKSPACE_SCOPE || name === '.vite' || name === '.cache') continue;
    symlinkSync(join(installed, name), join(folder, 'node_modules', name));
  }
  // The links of workspaces are relative, so the same text leads into the copy.
  for (const name of readdirSync(join(installed, WORKSPACE_SCOPE))) {
    const target = readlinkSync(join(installed, WORKSPACE_SCOPE, name));
    symlinkSync(target, join(folder, 'node_modules', WORKSPACE_SCOPE, name));
  }
}
