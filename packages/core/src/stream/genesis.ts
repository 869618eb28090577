/** The birth of a space: a record signed by the space's root key, whose hash is the space id (spec/ctl.md). */

import { concatBytes, utf8ToBytes } from '../base/bytes.ts';
import { type Did, isDid, type SpaceId, type StreamId, toSpaceId, toStreamId } from '../base/ids.ts';
import type { Random } from '../base/random.ts';
import { err, ok, type Result } from '../base/result.ts';
import { sha256 } from '../crypto/hash.ts';
import { type SigningKey, sign, toVerifyKey, type VerifyKey, verify } from '../crypto/sign.ts';
import { encodeCbor } from '../wire/cbor.ts';
import { STREAM_KIND } from '../wire/header.ts';
import { bytes, fixed, oneOf, readShape, text, tuple } from '../wire/shape.ts';

const DOMAIN = 'sluice/genesis/1';
const CTL_STREAM = utf8ToBytes('sluice/ctl-stream/1\0');
const INBOX_STREAM = utf8ToBytes('sluice/inbox-stream/1\0');
const MAX_BYTES = 2048;

/** The birth of a space, opened and verified. */
export type Genesis = { readonly space: SpaceId; readonly root: VerifyKey; readonly node: Did };

const recordShape = tuple(['version', oneOf(1)], ['root', fixed(32)], ['node', text(1100)], ['nonce', fixed(16)]);
const signedShape = tuple(['record', bytes(MAX_BYTES)], ['signature', fixed(64)]);
/** For the pin of the wire schema. @internal */
export const GENESIS_SHAPES = { record: recordShape, signed: signedShape };

/** Creates a signed genesis for a space on one node. */
export function createGenesis(
  root: SigningKey,
  node: Did,
  random: Random,
): { readonly space: SpaceId; readonly signed: Uint8Array } {
  const record = encodeCbor([1, root.publicKey, node, random(16)]);
  return { space: toSpaceId(sha256(record)), signed: encodeCbor([record, sign(root, DOMAIN, record)]) };
}

/**
 * Reads and verifies a genesis.
 *
 * Errors: malformed (shape, key, DID or signature: one error on purpose).
 * Source: spec/ctl.md CTL-1.
 */
export function openGenesis(input: Uint8Array): Result<Genesis, { readonly type: 'malformed' }> {
  const outer = readShape(signedShape, input, MAX_BYTES);
  if (!outer.ok) return err({ type: 'malformed' });
  const inner = readShape(recordShape, outer.value.record, MAX_BYTES);
  if (!inner.ok || !isDid(inner.value.node)) return err({ type: 'malformed' });
  const root = toVerifyKey(inner.value.root);
  if (!verify(root, outer.value.signature, DOMAIN, outer.value.record)) return err({ type: 'malformed' });
  return ok({ space: toSpaceId(sha256(outer.value.record)), root, node: inner.value.node });
}

/** The one ctl stream of a space. */
export const ctlStreamId = (space: SpaceId): StreamId => publicStreamId(STREAM_KIND.ctl, CTL_STREAM, space);

/** The one inbox stream of a space. */
export const inboxStreamId = (space: SpaceId): StreamId => publicStreamId(STREAM_KIND.inbox, INBOX_STREAM, space);

const publicStreamId = (kind: number, domain: Uint8Array, space: SpaceId): StreamId =>
  toStreamId(concatBytes(Uint8Array.of(kind), sha256(domain, space).subarray(0, 15)));
