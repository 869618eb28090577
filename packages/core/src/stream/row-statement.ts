/** What a node states, under its own key, of an access row and of what was served under it (spec/ctl.md). */

import type { RowId, SpaceId } from '../base/ids.ts';
import { err, ok, type Result } from '../base/result.ts';
import { type SigningKey, sign, type VerifyKey, verify } from '../crypto/sign.ts';
import { encodeCbor } from '../wire/cbor.ts';
import { bytes, fixed, nullable, oneOf, readShape, type ShapeOf, tuple, uint } from '../wire/shape.ts';

const DOMAIN = 'sluice/row-statement/1';
const MAX_BYTES = 1024;

const statementShape = tuple(
  ['version', oneOf(1)],
  ['space', fixed<SpaceId>(32)],
  ['row', fixed<RowId>(16)],
  ['status', oneOf('active', 'paused', 'revoked')],
  /** Head of the control log. */
  ['ctlHead', uint()],
  /** Head of the row's feed. */
  ['feedHead', uint()],
  /** Up to which number of the feed pages were served; null where the node does not remember, as after it was started anew. */
  ['served', nullable(uint())],
  ['nowMs', uint()],
);
const signedShape = tuple(['statement', bytes(MAX_BYTES)], ['signature', fixed(64)]);
/** For the pin of the wire schema. */
export const ROW_STATEMENT_SHAPES = { statement: statementShape, signed: signedShape };

/** How a row stands at a node, and how far its feed was served. Units: log numbers, ms. */
export type RowStatement = Omit<ShapeOf<typeof statementShape>, 'version'>;

/** Signs a statement with the node's key. */
export function signRowStatement(key: SigningKey, s: RowStatement): Uint8Array {
  const statement = encodeCbor([1, s.space, s.row, s.status, s.ctlHead, s.feedHead, s.served, s.nowMs]);
  return encodeCbor([statement, sign(key, DOMAIN, statement)]);
}

/** Reads a statement and checks that the node signed it. Errors: malformed, bad-signature. */
export function openRowStatement(
  input: Uint8Array,
  node: VerifyKey,
): Result<RowStatement, { readonly type: 'malformed' | 'bad-signature' }> {
  const outer = readShape(signedShape, input, 2 * MAX_BYTES);
  const inner = outer.ok ? readShape(statementShape, outer.value.statement, MAX_BYTES) : outer;
  if (!outer.ok || !inner.ok) return err({ type: 'malformed' });
  if (!verify(node, outer.value.signature, DOMAIN, outer.value.statement)) return err({ type: 'bad-signature' });
  const { version: _, ...statement } = inner.value;
  return ok(statement);
}
