/** Exit codes of `sluice`, and which error ends with which: one table. */

import { SluiceError } from '@sluice/client';

export const EXIT = { ok: 0, failed: 1, usage: 2, declined: 3, offline: 4, refused: 5, locked: 6, invalid: 7 } as const;

const BY_CODE: { readonly [code: string]: number } = {
  DECLINED: EXIT.declined,
  EXPIRED: EXIT.declined,
  OFFLINE: EXIT.offline,
  NODE_UNAVAILABLE: EXIT.offline,
  STORE_LOCKED: EXIT.locked,
  STORE_IN_USE: EXIT.refused,
  WRONG_PASSPHRASE: EXIT.refused,
  NOT_ALLOWED: EXIT.refused,
  REVOKED: EXIT.refused,
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
  INVALID_RECORD: EXIT.invalid,
  NOT_FOUND: EXIT.invalid,
};

/** The exit code of an error. */
export const exitCodeOf = (cause: unknown): number =>
  cause instanceof SluiceError ? (BY_CODE[cause.code] ?? EXIT.failed) : EXIT.failed;

/** An input that cannot be used, found before anything was done. */
export class UsageError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'UsageError';
  }
}
