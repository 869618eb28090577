/** What a grantee may change: which operations, on which fields, whether the owner looks first, and how much a day. */

import { isJsonObject } from '../base/json.ts';
import { isFieldPath, MAX_FIELDS } from './field-term.ts';

/** One thing that a grantee may do to records. */
export type WriteOperation = 'insert' | 'update' | 'delete';
/** `propose`: each write waits for the owner's yes. `auto`: the owner's agent takes it if it keeps the terms. */
export type WritePolicy = 'propose' | 'auto';
/** How a grantee may write. `fields`: the top-level fields it may set; absent means all. `perDay`: writes a day. */
export type WriteTerms = {
  readonly operations: readonly WriteOperation[];
  readonly fields?: readonly string[];
  readonly policy: WritePolicy;
  readonly perDay: number;
};

/** Writes a day that terms allow when they name no other number. */
export const DEFAULT_WRITES_PER_DAY = 10_000;
/** The most writes a day that terms can name. */
const MAX_WRITES_PER_DAY = 1_000_000;
const OPERATIONS: readonly WriteOperation[] = ['insert', 'update', 'delete'];
const MEMBERS = ['operations', 'fields', 'policy', 'perDay'];

/**
 * Reads untrusted write terms into their normal form.
 *
 * Result: undefined when they are not well formed. Source: spec/grant.md GRANT-22.
 */
export function parseWriteTerms(input: unknown): WriteTerms | undefined {
  // A member that is not understood may be one that allows less.
  if (!isJsonObject(input) || Object.keys(input).some((name) => !MEMBERS.includes(name))) return undefined;
  const { operations, fields, policy = 'propose', perDay = DEFAULT_WRITES_PER_DAY } = input;
  if (!Array.isArray(operations) || operations.length === 0) return undefined;
  if (!operations.every((o) => (OPERATIONS as readonly unknown[]).includes(o))) return undefined;
  if (policy !== 'propose' && policy !== 'auto') return undefined;
  if (typeof perDay !== 'number' || !Number.isInteger(perDay) || perDay < 1 || perDay > MAX_WRITES_PER_DAY)
    return undefined;
  const names = fields === undefined ? undefined : parseNames(fields);
  if (fields !== undefined && !names) return undefined;
  return {
    operations: OPERATIONS.filter((o) => operations.includes(o)),
    ...(names ? { fields: names } : {}),
    policy,
    perDay,
  };
}

function parseNames(input: unknown): readonly string[] | undefined {
  if (!Array.isArray(input) || input.length === 0 || input.length > MAX_FIELDS) return undefined;
  const names = input.filter((name): name is string => isFieldPath(name) && !name.includes('.'));
  return names.length === input.length ? [...new Set(names)].sort() : undefined;
}
