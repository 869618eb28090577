/** Nobody changes the wire by accident: the schema's hash is pinned beside the protocol version. */

import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { PINNED_SHAPES } from '../../../../scripts/pinned-shapes.mjs';
import { wireSchemaHash } from '../../../../scripts/wire-schema.mjs';
import { PROTOCOL_VERSION } from './schema.ts';

const LOCK_URL = new URL('./schema.lock.json', import.meta.url);
const ADVICE =
  'the wire schema differs from its pin: raise PROTOCOL_VERSION in packages/core/src/wire/schema.ts and run npm run wire:pin ' +
  '(or, when no released node or client can tell the difference, npm run wire:pin -- --same-version), then commit schema.lock.json';

describe('wire schema', () => {
  it('is pinned beside the protocol version', () => {
    const lock: unknown = existsSync(LOCK_URL) ? JSON.parse(readFileSync(LOCK_URL, 'utf8')) : undefined;
    expect(lock, ADVICE).toEqual({ version: PROTOCOL_VERSION, hash: wireSchemaHash(PINNED_SHAPES) });
  });
});
