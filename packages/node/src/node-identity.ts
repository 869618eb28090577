/** The node's own key: made once, kept in a file that only its user can read. */

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { bytesToHex, hexToBytes, type Random } from '@sluice/core/base';
import { createSigningKey, type SigningKey, signingKeyFromSeed } from '@sluice/core/crypto';

/**
 * Loads the node's key, or makes it and writes it with mode 0600.
 *
 * Shape: 64 hex digits and a line end. Throws if the file is of another form: a new key would be a new node.
 */
export function loadOrCreateNodeIdentity(path: string, random: Random): SigningKey {
  const text = readIfThere(path);
  if (text !== undefined) {
    if (!/^[0-9a-f]{64}\n?$/.test(text)) throw new Error(`the node's key file is damaged: ${path}`);
    return signingKeyFromSeed(hexToBytes(text.trim()));
  }
  const key = createSigningKey(random);
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  // `wx`: of two processes that start at once, one fails instead of running with a key that is not in the file.
  writeFileSync(path, `${bytesToHex(key.seed.reveal())}\n`, { mode: 0o600, flag: 'wx' });
  return key;
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw cause;
  }
}
