/** `npm run wire:pin [-- --same-version]`: writes the hash of the wire schema beside the protocol version. */

import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { ROOT } from './project-files.mjs';
import { decidePin, LOCK_PATH, wireSchemaHash } from './wire-schema.mjs';

const moduleAt = (path) => import(pathToFileURL(join(ROOT, path)).href);
const { PROTOCOL_VERSION } = await moduleAt('packages/core/src/wire/schema.ts');
const { PINNED_SHAPES } = await moduleAt('scripts/pinned-shapes.mjs');
const lockPath = join(ROOT, LOCK_PATH);
const lock = existsSync(lockPath) ? JSON.parse(readFileSync(lockPath, 'utf8')) : undefined;
const current = { version: PROTOCOL_VERSION, hash: wireSchemaHash(PINNED_SHAPES) };

const decision = decidePin(lock, current, process.argv.includes('--same-version'));
if (decision.write) writeFileSync(lockPath, `${JSON.stringify(current, null, 2)}\n`);
if (decision.problem === undefined) console.log(decision.message);
else {
  console.error(decision.message);
  process.exitCode = 1;
}
