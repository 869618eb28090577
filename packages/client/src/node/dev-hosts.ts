/** The dev-hosts file: names that stand for loopback servers on this machine. One line each: `name=127.0.0.1:PORT`. */

import { readFileSync } from 'node:fs';
import { appendFile } from 'node:fs/promises';
import { isDevAddress, isDnsName } from '@sluice/core/identity';

/**
 * Reads a dev-hosts file. A later line of a name replaces an earlier one; blank lines and lines with `#` in front are skipped.
 *
 * Result: empty if there is no file, and then the fetch refuses everything. Throws on a line of another form, with its number.
 */
export function readDevHosts(path: string): ReadonlyMap<string, string> {
  const hosts = new Map<string, string>();
  const lines = readIfPresent(path).split('\n');
  for (const [index, line] of lines.entries()) {
    const text = line.trim();
    if (text === '' || text.startsWith('#')) continue;
    const [name = '', address = '', ...rest] = text.split('=');
    if (rest.length > 0 || !isDnsName(name) || !isDevAddress(address)) {
      throw new Error(`${path}:${index + 1} is not of the form name=127.0.0.1:PORT`);
    }
    hosts.set(name, address);
  }
  return hosts;
}

/**
 * Sets one name. Safe with other processes at once, and after a crash of one: a line is appended by a single write, so there is no
 * lock that could be left behind and no other line that could be lost. Throws TypeError on a name or address of another form.
 */
export async function writeDevHosts(path: string, name: string, address: string): Promise<void> {
  if (!isDnsName(name)) throw new TypeError('a dev host needs a DNS name, e.g. node.sluice.test');
  if (!isDevAddress(address)) throw new TypeError('a dev host is at 127.0.0.1:PORT');
  // The line break in front keeps the line whole after a file that was edited by hand and lacks its last one.
  await appendFile(path, `\n${name}=${address}\n`, { mode: 0o600 });
}

function readIfPresent(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return '';
    throw cause;
  }
}
