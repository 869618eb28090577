/** Wrapping under a passphrase: Argon2id, then the AEAD. */

import { argon2id } from 'hash-wasm';
import type { Random } from '../base/random.ts';
import { utf8ToBytes } from '../base/bytes.ts';
import { err, ok, type Result } from '../base/result.ts';
import { encodeCbor } from '../wire/cbor.ts';
import { bytes, fixed, oneOf, readShape, tuple, uint } from '../wire/shape.ts';
import { openAead, sealAead, toAeadKey } from './aead.ts';

export type Argon2Params = { readonly memoryKiB: number; readonly passes: number; readonly lanes: number };
export const DEFAULT_ARGON2: Argon2Params = { memoryKiB: 65_536, passes: 3, lanes: 1 };
const FLOOR: Argon2Params = { memoryKiB: 19_456, passes: 2, lanes: 1 };
const outer = tuple(['head', bytes(256)], ['box', bytes(65_536)]);
const head = tuple(['version', oneOf(1)], ['salt', fixed(16)], ['memoryKiB', uint(4_194_304)], ['passes', uint(64)], ['lanes', uint(16)]);

async function derive(passphrase: string, salt: Uint8Array, p: Argon2Params) {
  return toAeadKey(await argon2id({ password: utf8ToBytes(passphrase.normalize('NFKC')), salt, parallelism: p.lanes, iterations: p.passes, memorySize: p.memoryKiB, hashLength: 32, outputType: 'binary' }));
}
export async function wrapWithPassphrase(secret: Uint8Array, passphrase: string, params: Argon2Params = DEFAULT_ARGON2, random: Random): Promise<Uint8Array> {
  const salt = random(16);
  const encoded = encodeCbor([1, salt, params.memoryKiB, params.passes, params.lanes]);
  return encodeCbor([encoded, sealAead(await derive(passphrase, salt, params), encoded, secret, random)]);
}
export async function unwrapWithPassphrase(wrapped: Uint8Array, passphrase: string, options: { readonly allowWeak?: boolean } = {}): Promise<Result<Uint8Array, { readonly type: 'cannot-open' }>> {
  const read = readShape(outer, wrapped, 70_000);
  const params = read.ok ? readShape(head, read.value.head, 256) : read;
  if (!read.ok || !params.ok) return err({ type: 'cannot-open' });
  const p = params.value;
  if (!options.allowWeak && (p.memoryKiB < FLOOR.memoryKiB || p.passes < FLOOR.passes)) return err({ type: 'cannot-open' });
  const opened = openAead(await derive(passphrase, p.salt, p), read.value.head, read.value.box);
  return opened.ok ? ok(opened.value) : err({ type: 'cannot-open' });
}
