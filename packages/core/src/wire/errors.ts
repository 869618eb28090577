/** The closed table of wire errors (spec/errors.md): code, HTTP status, whether trying again helps, and a sentence. */

import { oneOf, type Shape } from './shape.ts';

/** Whether trying again helps: never, after doing what the title says, or after a while. */
export type Retry = 'never' | 'after' | 'backoff';
type Row = { readonly status: number; readonly retry: Retry; readonly title: string };

/** Every code that a node refuses with (spec/errors.md). */
export const ERROR_TABLE = {
  MALFORMED: {
    status: 400,
    retry: 'never',
    title: 'The request is not of the form the protocol defines. Correct or update the client.',
  },
  UNSUPPORTED_VERSION: {
    status: 400,
    retry: 'never',
    title: 'The node does not speak this protocol version. Update the client.',
  },
  UNAUTHENTICATED: {
    status: 401,
    retry: 'never',
    title:
      'The request is not signed, or its signature does not verify for this node. Sign it for the address of this node.',
  },
  EXPIRED: { status: 401, retry: 'after', title: 'The signature is outside its time. Check the clock and sign again.' },
  REPLAYED: { status: 401, retry: 'after', title: 'This signed request was seen before. Sign a fresh one.' },
  FORBIDDEN: {
    status: 403,
    retry: 'never',
    title: 'The key has no access row that allows this. Ask the owner for access.',
  },
  REVOKED: { status: 403, retry: 'never', title: 'The access was revoked. Ask the owner for new access.' },
  PAUSED: {
    status: 403,
    retry: 'after',
    title: 'The owner has paused this access. Wait until it goes on.',
  },
  INVITE_REQUIRED: {
    status: 403,
    retry: 'never',
    title: 'This node creates spaces only for invited accounts. Ask its operator for an invite.',
  },
  NOT_FOUND: {
    status: 404,
    retry: 'never',
    title: 'The node holds nothing under this name. Check the name and the address of the node.',
  },
  EXISTS: {
    status: 409,
    retry: 'never',
    title: 'Something else is stored under this name. Use another name, or keep what is there.',
  },
  CLOCK_SKEW: {
    status: 409,
    retry: 'after',
    title: 'The entry is stamped too far in the future. Stamp it again by the node clock.',
  },
  KEY_EPOCH: {
    status: 409,
    retry: 'after',
    title: 'The entry is sealed under an old key epoch. Fetch the new key and seal again.',
  },
  STALE_HEAD: { status: 409, retry: 'after', title: 'The feed has moved on. Read it and compare again.' },
  CLOSED: {
    status: 409,
    retry: 'never',
    title: 'The feed is complete and takes no more entries. Give a new grant to go on.',
  },
  GAP: { status: 409, retry: 'after', title: 'A number is missing before this entry. Send the missing entries first.' },
  FORK: {
    status: 409,
    retry: 'never',
    title:
      'Other bytes are stored under this writer and number. The store may be a restored backup: join as a new device.',
  },
  BAD_SEAL: {
    status: 422,
    retry: 'never',
    title: 'The seal does not verify for its writer and entries. Seal them again.',
  },
  BAD_CTL: {
    status: 422,
    retry: 'never',
    title:
      'The control entry is not signed by a key that may sign it, or breaks its chain. Read the log and sign again.',
  },
  BAD_DID_LOG: {
    status: 422,
    retry: 'never',
    title: 'The DID log is invalid or does not extend the stored one. Fetch the stored log and extend that.',
  },
  TOO_LARGE: { status: 413, retry: 'never', title: 'The request is over a size limit. Send less at a time.' },
  RATE_LIMITED: { status: 429, retry: 'backoff', title: 'Too many requests. Wait and try again.' },
  QUOTA: { status: 429, retry: 'backoff', title: 'The space or inbox is full. Remove something or raise the quota.' },
  LANE_FULL: {
    status: 429,
    retry: 'backoff',
    title:
      'The lane holds as many entries as it may until the owner has decided, or got as many as it may today. Wait.',
  },
  INTERNAL: {
    status: 500,
    retry: 'backoff',
    title: 'The node failed. Try again; its operator finds the cause in the log under the request id.',
  },
  UNAVAILABLE: { status: 503, retry: 'backoff', title: 'The node is starting, stopping or overloaded. Try again.' },
  DISK_FULL: {
    status: 507,
    retry: 'backoff',
    title: 'The disk of the node is full. Nothing was stored; try again when there is space.',
  },
} as const satisfies { readonly [code: string]: Row };

/** A code of the table. */
export type ErrorCode = keyof typeof ERROR_TABLE;

/** All codes of the table. */
export const ERROR_CODES = Object.keys(ERROR_TABLE) as readonly ErrorCode[];
/** The shape of a code. */
export const errorCodeShape: Shape<ErrorCode> = oneOf(...ERROR_CODES);
/** Tells whether a value is a code of the table. */
export const isErrorCode = (value: unknown): value is ErrorCode =>
  typeof value === 'string' && Object.hasOwn(ERROR_TABLE, value);
