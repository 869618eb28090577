/** Seals: one signature for a batch of entries, chained for each writer (spec/seal.md). */

import { concatBytes, equalBytes } from '../base/bytes.ts';
import type { StreamId } from '../base/ids.ts';
import { err, ok, type Result } from '../base/result.ts';
import { sha256 } from '../crypto/hash.ts';
import { writerId } from '../crypto/keys.ts';
import { type SigningKey, sign, type VerifyKey, verify } from '../crypto/sign.ts';
import type { Entry } from '../wire/entry.ts';
import { decodeHeader, type Header } from '../wire/header.ts';
import { encodeSeal, encodeSealBody, ENTRY_HASH_BYTES, type ParsedSeal, parseSeal } from '../wire/seal.ts';
import { entryHash } from './sealed-entry.ts';

const DOMAIN = 'sluice/seal/1';

/** `previous` of a writer's first seal in a stream. */
export const NO_SEAL = new Uint8Array(32);

/** Why a seal does not count: its form, or its signature. */
export type SealFailure = { readonly type: 'malformed' } | { readonly type: 'bad-seal' };

/** The hash that the next seal and readers' pins name a seal by. */
export const sealHash = (seal: Uint8Array): Uint8Array => sha256(seal);

/** Seals a batch whose entries are numbered `firstN`, `firstN + 1`, ... */
export function createSeal(
  key: SigningKey,
  stream: StreamId,
  firstN: number,
  entries: readonly Entry[],
  previous: Uint8Array,
): Uint8Array {
  const hashes = concatBytes(...entries.map(entryHash));
  const signed = encodeSealBody({ stream, writer: writerId(key.publicKey), firstN, hashes, previous });
  return encodeSeal(signed, sign(key, DOMAIN, signed));
}

/**
 * Reads a seal and checks that `publicKey` is its writer's key and signed it.
 *
 * Errors: malformed, bad-seal (foreign writer or signature).
 * Source: spec/seal.md SEAL-2, SEAL-3.
 */
export function openSeal(input: Uint8Array, publicKey: VerifyKey): Result<ParsedSeal, SealFailure> {
  const seal = parseSeal(input);
  if (!seal.ok) return err({ type: 'malformed' });
  if (!equalBytes(writerId(publicKey), seal.value.writer)) return err({ type: 'bad-seal' });
  return verify(publicKey, seal.value.signature, DOMAIN, seal.value.signed)
    ? ok(seal.value)
    : err({ type: 'bad-seal' });
}

/** Tells whether the entry is the one that the seal lists as number `n`. */
export function isSealedAs(seal: ParsedSeal, n: number, entry: Entry): boolean {
  const at = (n - seal.firstN) * ENTRY_HASH_BYTES;
  if (at < 0 || at >= seal.hashes.length) return false;
  return equalBytes(seal.hashes.subarray(at, at + ENTRY_HASH_BYTES), entryHash(entry));
}

/**
 * Checks that a batch is exactly what its seal lists, in order, by the seal's writer.
 *
 * Result: the decoded headers in order.
 * Errors: malformed (a header), bad-seal (count, hash, writer or number).
 */
export function checkBatch(seal: ParsedSeal, entries: readonly Entry[]): Result<readonly Header[], SealFailure> {
  if (entries.length !== seal.count) return err({ type: 'bad-seal' });
  const headers: Header[] = [];
  for (const [i, entry] of entries.entries()) {
    const header = decodeHeader(entry.header);
    if (!header.ok) return err({ type: 'malformed' });
    const { writer, n } = header.value;
    if (n !== seal.firstN + i || !equalBytes(writer, seal.writer) || !isSealedAs(seal, n, entry))
      return err({ type: 'bad-seal' });
    headers.push(header.value);
  }
  return ok(headers);
}
