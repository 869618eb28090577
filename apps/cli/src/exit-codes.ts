/** Exit codes of `sluice`, and which error ends with which: one table. */

import { type ClientErrorCode, SluiceError } from '@sluice/client';

export const EXIT = {
  ok: 0,
  failed: 1,
  usage: 2,
  declined: 3,
  offline: 4,
  refused: 5,
  locked: 6,
  invalid: 7,
  partial: 8,
  interrupted: 130,
} as const;

/** What each code means, for help and documentation. */
export const EXIT_MEANINGS: readonly (readonly [number, string])[] = [
  [EXIT.ok, 'done'],
  [EXIT.failed, 'something unexpected went wrong'],
  [EXIT.usage, 'wrong use of a command'],
  [EXIT.declined, 'the person declined, or the time ran out'],
  [EXIT.offline, 'the node cannot be reached'],
  [EXIT.refused, 'refused: passphrase, rights, revoked, answered before'],
  [EXIT.locked, 'another process uses the store'],
  [EXIT.invalid, 'the input is not valid, or what it names does not exist'],
  [EXIT.partial, 'done in part: what was left out is listed'],
  [EXIT.interrupted, 'stopped by a signal; what was done is kept'],
];

/** Every code of the client itself, so that none is forgotten, and those of a node's refusals that are not `failed`. */
const BY_CODE: { readonly [code in ClientErrorCode]: number } & { readonly [code: string]: number } = {
  DECLINED: EXIT.declined,
  NOT_ACCEPTED: EXIT.refused,
  EXPIRED: EXIT.declined,
  OFFLINE: EXIT.offline,
  NODE_UNAVAILABLE: EXIT.offline,
  STORE_FULL: EXIT.failed,
  STORE_CORRUPT: EXIT.failed,
  TAMPERED: EXIT.failed,
  CLOSED: EXIT.failed,
  NODE_REFUSED: EXIT.failed,
  STORE_LOCKED: EXIT.locked,
  STORE_IN_USE: EXIT.refused,
  WRONG_PASSPHRASE: EXIT.refused,
  NOT_ALLOWED: EXIT.refused,
  OPERATION_NOT_ALLOWED: EXIT.refused,
  FIELD_NOT_ALLOWED: EXIT.refused,
  OUTSIDE_FILTER: EXIT.refused,
  OVER_QUOTA: EXIT.refused,
  PAUSED: EXIT.refused,
  NOT_RECOVERABLE: EXIT.refused,
  ALREADY_ANSWERED: EXIT.refused,
  REV_CONFLICT: EXIT.refused,
  REVOKED: EXIT.refused,
  COMPLETED: EXIT.refused,
  DISCONNECTED: EXIT.refused,
  NODE_FORBIDDEN: EXIT.refused,
  NODE_REVOKED: EXIT.refused,
  NODE_INVITE_REQUIRED: EXIT.refused,
  BAD_NAME: EXIT.invalid,
  BAD_FILTER: EXIT.invalid,
  BAD_REQUEST: EXIT.invalid,
  BAD_MESSAGE: EXIT.invalid,
  BAD_BUNDLE: EXIT.invalid,
  BAD_PHRASE: EXIT.invalid,
  BAD_SCHEMA: EXIT.invalid,
  UNKNOWN_SCHEMA: EXIT.invalid,
  UNKNOWN_DID: EXIT.invalid,
  NO_INBOX: EXIT.invalid,
  MESSAGE_TOO_LARGE: EXIT.invalid,
  INVALID_RECORD: EXIT.invalid,
  NOT_FOUND: EXIT.invalid,
};

/** An input that cannot be used, found before anything was done. */
export class UsageError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'UsageError';
  }
}

/** Work that a signal stopped half way. */
export class Interrupted extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'Interrupted';
  }
}

/** Says that a command did what it could, and left something out. It has printed its result already. */
export class DoneInPart extends Error {}

/** What the operating system refuses, in words; the path is the one that was given. */
const SYSTEM: { readonly [code: string]: (path: string) => string } = {
  ENOENT: (path) => `There is no file ${path}. Check the name.`,
  EISDIR: (path) => `${path} is a folder. Name a file.`,
  EACCES: (path) => `${path} may not be read or written by this user. Check its permissions.`,
  EPERM: (path) => `${path} may not be read or written by this user. Check its permissions.`,
  ENOTDIR: (path) => `A part of ${path} is a file, not a folder.`,
  EADDRINUSE: () => 'Another process listens on this port. Choose another with --port (0: any free one).',
  EADDRNOTAVAIL: () => 'This machine has no such address. Choose another with --host.',
};

export type Told = { readonly error: string; readonly message: string; readonly exitCode: number };

/** What is told of an error: a stable code, a sentence, the exit code. Secrets are in none of them. */
export function tellError(cause: unknown): Told {
  if (cause instanceof SluiceError)
    return { error: cause.code, message: cause.message, exitCode: BY_CODE[cause.code] ?? EXIT.failed };
  if (cause instanceof UsageError) return { error: 'USAGE', message: cause.message, exitCode: EXIT.usage };
  if (cause instanceof Interrupted) return { error: 'INTERRUPTED', message: cause.message, exitCode: EXIT.interrupted };
  const { code, path, message } = cause as Partial<NodeJS.ErrnoException>;
  const system = code === undefined ? undefined : SYSTEM[code];
  if (system) return { error: 'SYSTEM', message: system(path ?? 'it'), exitCode: EXIT.invalid };
  return {
    error: 'UNEXPECTED',
    message: `Something unexpected went wrong: ${message ?? String(cause)}`,
    exitCode: EXIT.failed,
  };
}
