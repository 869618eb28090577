/** A client store on disk in Node: one SQLite file, owned by one process at a time. */

import { linkSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { type DbOptions, openDb, type SqliteFailure } from '@sluice/sqlite';
import { type OpenedStore, SluiceError } from '../index.ts';

const LOCK = 'store.lock';
/** The locks that this process took and has not released. */
const held = new Set<string>();

/**
 * Opens or creates the store in a directory (mode 0700).
 *
 * Errors: STORE_LOCKED with the pid of the process that uses it; STORE_FULL and STORE_CORRUPT, from this and every later use.
 */
export function openNodeStore(directory: string, options: DbOptions = {}): OpenedStore {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const lock = resolve(directory, LOCK);
  takeLock(lock);
  held.add(lock);
  const release = (): void => {
    held.delete(lock);
    rmSync(lock, { force: true });
  };
  try {
    return { db: openDb(join(directory, 'store.db'), { ...options, toError }), release };
  } catch (cause) {
    release();
    throw cause;
  }
}

/** What a person can do something about has a code of its own. */
function toError(failure: SqliteFailure): Error {
  if (failure.code === 'full') return new SluiceError('STORE_FULL');
  return failure.code === 'corrupt' ? new SluiceError('STORE_CORRUPT') : failure;
}

/** The lock names its process, so that the lock of a killed one does not lock its owner out. */
function takeLock(path: string): void {
  for (let attempt = 0; ; attempt++) {
    try {
      // Linked with its content, so that nobody finds a lock that names no process yet.
      const own = `${path}.${process.pid}`;
      writeFileSync(own, String(process.pid), { mode: 0o600 });
      try {
        linkSync(own, path);
      } finally {
        rmSync(own, { force: true });
      }
      return;
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code !== 'EEXIST' || attempt > 2) throw cause;
      const pid = readPid(path);
      if (pid !== undefined && pid !== process.pid && isAlive(pid))
        throw new SluiceError('STORE_LOCKED', `Process ${pid} uses this store`);
      if (pid === process.pid && (held.has(path) || !isOlder(path)))
        throw new SluiceError('STORE_LOCKED', `This process (${pid}) has this store open already`);
      rmSync(path, { force: true });
    }
  }
}

/** Whether a lock was there before this process: in a container the next process often has the pid of the one that was killed. */
function isOlder(path: string): boolean {
  try {
    return statSync(path).mtimeMs < Date.now() - process.uptime() * 1000;
  } catch {
    return true;
  }
}

function readPid(path: string): number | undefined {
  try {
    const pid = Number(readFileSync(path, 'utf8'));
    return Number.isInteger(pid) && pid > 0 ? pid : undefined;
  } catch {
    return undefined;
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (cause) {
    return (cause as NodeJS.ErrnoException).code === 'EPERM';
  }
}
