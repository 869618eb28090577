import { mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { openNodeStore } from './node-store.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'sluice-store-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

it('[DS-11] the lock of a killed process does not hold against the next one of its pid, as in a container', () => {
  const lock = join(directory, 'store.lock');
  writeFileSync(lock, String(process.pid));
  const before = new Date(Date.now() - process.uptime() * 1000 - 60_000);
  utimesSync(lock, before, before);
  const store = openNodeStore(directory);
  expect(() => openNodeStore(directory)).toThrow(/has this store open already/);
  // Whatever the file says of its age: what this process holds it holds.
  utimesSync(lock, before, before);
  expect(() => openNodeStore(directory)).toThrow(/has this store open already/);
  store.db.close();
  store.release();
  const again = openNodeStore(directory);
  again.db.close();
  again.release();
});
