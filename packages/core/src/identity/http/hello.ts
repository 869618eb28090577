/** The first frame of a live connection: a key signs the node's name and the nonce of this connection. */

import { equalBytes } from '../../base/bytes.ts';
import type { Did } from '../../base/ids.ts';
import { err, ok, type Result } from '../../base/result.ts';
import { type SigningKey, sign, toVerifyKey, type VerifyKey, verify } from '../../crypto/sign.ts';
import { encodeCbor } from '../../wire/cbor.ts';
import { bytes, fixed, oneOf, readShape, text, tuple, uint } from '../../wire/shape.ts';

/** malformed, bad-signature, wrong-node (signed for another node), wrong-nonce (for another connection), clock-skew. */
export type HelloFailure = {
  readonly type: 'malformed' | 'bad-signature' | 'wrong-node' | 'wrong-nonce' | 'clock-skew';
};

const DOMAIN = 'sluice/hello/1';
const MAX_BYTES = 1536;
/** How far the signer's clock may be from the node's, in ms. */
const MAX_SKEW_MS = 300_000;

const helloShape = tuple(
  ['version', oneOf(1)],
  ['key', fixed(32)],
  ['node', text(1100)],
  ['nonce', fixed(16)],
  ['nowMs', uint()],
);
const signedShape = tuple(['hello', bytes(MAX_BYTES)], ['signature', fixed(64)]);

/**
 * Signs the hello of one connection.
 *
 * Shape: CBOR [hello, signature[64]], hello = CBOR [1, key[32], node DID, connection nonce[16], ms].
 */
export function signHello(key: SigningKey, nodeDid: Did, connectionNonce: Uint8Array, nowMs: number): Uint8Array {
  const hello = encodeCbor([1, key.publicKey, nodeDid, connectionNonce, nowMs]);
  return encodeCbor([hello, sign(key, DOMAIN, hello)]);
}

/**
 * Verifies a hello at the node it should be for, and returns the key that signed it.
 *
 * Errors: malformed, bad-signature, wrong-node, wrong-nonce, clock-skew (over 5 minutes). Source: spec/http.md HTTP-8, HTTP-9.
 */
export function verifyHello(
  signed: Uint8Array,
  nodeDid: Did,
  connectionNonce: Uint8Array,
  nowMs: number,
): Result<VerifyKey, HelloFailure> {
  const outer = readShape(signedShape, signed, MAX_BYTES);
  const hello = outer.ok ? readShape(helloShape, outer.value.hello, MAX_BYTES) : outer;
  if (!outer.ok || !hello.ok) return err({ type: 'malformed' });
  const key = toVerifyKey(hello.value.key);
  if (!verify(key, outer.value.signature, DOMAIN, outer.value.hello)) return err({ type: 'bad-signature' });
  if (hello.value.node !== nodeDid) return err({ type: 'wrong-node' });
  if (!equalBytes(hello.value.nonce, connectionNonce)) return err({ type: 'wrong-nonce' });
  return Math.abs(hello.value.nowMs - nowMs) > MAX_SKEW_MS ? err({ type: 'clock-skew' }) : ok(key);
}
