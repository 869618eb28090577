/** What a grantee may change: which operations, on which fields, whether the owner looks first, and how much a day. */

import { isJsonObject } from '../base/json.ts';
import { ok, type Result } from '../base/result.ts';
import { isFieldName } from '../record/index.ts';
import { type FieldTerm, isFieldPath, isSeenWhole, MAX_FIELDS } from './field-term.ts';
import { strayMember, wrong } from './wrong-part.ts';

/** One thing that a grantee may do to records. */
export type WriteOperation = 'insert' | 'update' | 'delete';
/**
 * How a grantee may write. `fields`: the top-level fields it may set; absent means all. `policy`: each write waits for the owner's yes, or the
 * owner's agent takes it if it keeps the terms. `perDay`: writes a day.
 */
export type WriteTerms = {
  readonly operations: readonly WriteOperation[];
  readonly fields?: readonly string[];
  readonly policy: 'propose' | 'auto';
  readonly perDay: number;
};

/**
 * Whether a grantee may set a top-level field. Without a list of its own it may set what it sees whole: a field of which it sees a part
 * would lose the rest. Source: spec/lane.md LANE-6.
 */
export const maySet = (write: WriteTerms, fields: readonly FieldTerm[] | undefined, name: string): boolean =>
  isFieldName(name) && (write.fields ? write.fields.includes(name) : isSeenWhole(fields, name));

/** Writes a day that terms allow when they name no other number. */
const DEFAULT_WRITES_PER_DAY = 10_000;
/** The most writes a day that terms can name. */
const MAX_WRITES_PER_DAY = 1_000_000;
/** The largest body of a record that a grantee has written, in bytes: sealed and padded, a larger one might not fit an entry. */
export const MAX_WRITTEN_BYTES = 900_000;
const OPERATIONS: readonly WriteOperation[] = ['insert', 'update', 'delete'];
const MEMBERS = ['operations', 'fields', 'policy', 'perDay'];

/**
 * Reads untrusted write terms into their normal form.
 *
 * Result: or a sentence on what is wrong, which starts with its place. Source: spec/grant.md GRANT-22.
 */
export function parseWriteTerms(input: unknown): Result<WriteTerms, string> {
  if (!isJsonObject(input)) return wrong('write', input, `an object of ${MEMBERS.join(', ')}`);
  // A member that is not understood may be one that allows less.
  const stray = Object.keys(input).find((name) => !MEMBERS.includes(name));
  if (stray !== undefined) return strayMember('write', stray, MEMBERS);
  const { operations, fields, policy = 'propose', perDay = DEFAULT_WRITES_PER_DAY } = input;
  const known = `some of ${OPERATIONS.join(', ')}`;
  if (!Array.isArray(operations) || operations.length === 0)
    return wrong('write.operations', operations, `a list of ${known}`);
  const other = operations.findIndex((o) => !(OPERATIONS as readonly unknown[]).includes(o));
  if (other >= 0) return wrong(`write.operations.${other}`, operations[other], known);
  if (policy !== 'propose' && policy !== 'auto') return wrong('write.policy', policy, '"propose" or "auto"');
  if (typeof perDay !== 'number' || !Number.isInteger(perDay) || perDay < 1 || perDay > MAX_WRITES_PER_DAY)
    return wrong('write.perDay', perDay, 'a whole number from 1 to 1,000,000');
  const names = fields === undefined ? undefined : parseNames(fields);
  if (names && !names.ok) return names;
  return ok({
    operations: OPERATIONS.filter((o) => operations.includes(o)),
    ...(names ? { fields: names.value } : {}),
    policy,
    perDay,
  });
}

function parseNames(input: unknown): Result<readonly string[], string> {
  if (!Array.isArray(input) || input.length === 0 || input.length > MAX_FIELDS)
    return wrong('write.fields', input, `a list of 1 to ${MAX_FIELDS} names`);
  const isName = (name: unknown): name is string => isFieldPath(name) && !name.includes('.');
  const other = input.findIndex((name) => !isName(name));
  if (other >= 0)
    return wrong(
      `write.fields.${other}`,
      input[other],
      'a name of a whole field: letters, digits and _, no dots, and none of _id, _rev, schema',
    );
  return ok([...new Set(input.filter(isName))].sort());
}
