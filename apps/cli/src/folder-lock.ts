/** One node a data folder: a second one would not hear of what the first stores. The lock of a killed process is taken over. */

import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { SluiceError } from '@sluice/client';

const NAME = 'node.lock';

/** Takes the lock of a folder; returns how to let it go. Errors: STORE_LOCKED with the pid of the process that has it. */
export function lockFolder(directory: string): () => void {
  const path = join(directory, NAME);
  for (let attempt = 0; ; attempt++) {
    try {
      writeFileSync(path, String(process.pid), { flag: 'wx', mode: 0o600 });
      return () => rmSync(path, { force: true });
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code !== 'EEXIST' || attempt > 1) throw cause;
      const pid = Number(readFileSync(path, 'utf8'));
      if (isAlive(pid))
        throw new SluiceError(
          'STORE_LOCKED',
          `Process ${pid} runs a node on this folder. Stop it, or use another --data`,
        );
      rmSync(path, { force: true });
    }
  }
}

function isAlive(pid: number): boolean {
  if (!Number.isInteger(pid) || pid <= 0) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (cause) {
    return (cause as NodeJS.ErrnoException).code === 'EPERM';
  }
}
