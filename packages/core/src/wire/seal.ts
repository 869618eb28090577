/** Seals: a writer's signed list of the entries of one batch (spec/seal.md). The signature itself is made in the stream layer. */

import type { StreamId, WriterId } from '../base/ids.ts';
import { err, ok, type Result } from '../base/result.ts';
import { encodeCbor } from './cbor.ts';
import { MAX_BATCH_ENTRIES } from './limits.ts';
import { bytes, fixed, oneOf, readShape, tuple, uint, type WireFailure } from './shape.ts';

/** Size of the hash that a seal lists for each entry. */
export const ENTRY_HASH_BYTES = 32;
/** Size of the largest seal: a full batch of hashes, and what stands around them. */
export const MAX_SEAL_BYTES = MAX_BATCH_ENTRIES * ENTRY_HASH_BYTES + 512;

/** Shape: `hashes` is count * 32 bytes; `previous` is the hash of the writer's previous seal in this stream, zeros for the first. */
export type SealBody = {
  readonly stream: StreamId;
  readonly writer: WriterId;
  readonly firstN: number;
  readonly hashes: Uint8Array;
  readonly previous: Uint8Array;
};
/** A seal that was read, with the bytes its signature is over. */
export type ParsedSeal = SealBody & {
  readonly signed: Uint8Array;
  readonly signature: Uint8Array;
  readonly count: number;
};

const bodyShape = tuple(
  ['version', oneOf(1)],
  ['stream', fixed<StreamId>(16)],
  ['writer', fixed<WriterId>(16)],
  ['firstN', uint()],
  ['hashes', bytes(MAX_BATCH_ENTRIES * ENTRY_HASH_BYTES)],
  ['previous', fixed(32)],
);
const sealShape = tuple(['signed', bytes(MAX_SEAL_BYTES)], ['signature', fixed(64)]);
/** The shapes of a seal and of what it signs. */
export const sealShapes = { body: bodyShape, seal: sealShape };

/** Encodes the bytes that the writer signs. */
export const encodeSealBody = (s: SealBody): Uint8Array =>
  encodeCbor([1, s.stream, s.writer, s.firstN, s.hashes, s.previous]);

/** Joins the signed bytes and their signature. */
export const encodeSeal = (signed: Uint8Array, signature: Uint8Array): Uint8Array => encodeCbor([signed, signature]);

/** Reads a seal without checking its signature. Errors: malformed, too-large. */
export function parseSeal(input: Uint8Array): Result<ParsedSeal, WireFailure> {
  const outer = readShape(sealShape, input, MAX_SEAL_BYTES);
  if (!outer.ok) return outer;
  const inner = readShape(bodyShape, outer.value.signed, MAX_SEAL_BYTES);
  if (!inner.ok) return inner;
  const { stream, writer, firstN, hashes, previous } = inner.value;
  const count = hashes.length / ENTRY_HASH_BYTES;
  if (!Number.isInteger(count) || count === 0 || firstN === 0) return err({ type: 'malformed' });
  return ok({ stream, writer, firstN, hashes, previous, count, ...outer.value });
}
