/** The node's own key: made once, kept in a file that only its user can read. */

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { hexToBytes, bytesToHex, type Random } from '@sluice/core/base';
import { createSigningKey, type SigningKey, signingKeyFromSeed } from '@sluice/core/crypto';

/** Loads the key, or makes it and writes it with mode 0600. */
export function loadOrCreateNodeKey(path: string, random: Random): SigningKey {
  try {
    return signingKeyFromSeed(hexToBytes(readFileSync(path, 'utf8').trim()));
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'ENOENT') throw cause;
  }
  const key = createSigningKey(random);
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  writeFileSync(path, `${bytesToHex(key.seed.reveal())}\n`, { mode: 0o600, flag: 'wx' });
  return key;
}
