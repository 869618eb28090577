/** The one error class of the SDK (STYLE section 4): a stable code, a sentence that says what to do, and no secret. */

import type { ErrorCode } from '@sluice/core/wire';

/** Codes that arise in the client itself; a node's refusals keep their wire code. */
export const CLIENT_ERRORS = {
  STORE_LOCKED: 'Another process uses this store. Stop it, or use a store of its own.',
  STORE_IN_USE: 'This store holds an account already. Open it, or use a store of its own for another account.',
  STORE_FULL: 'The local disk is full. Nothing was saved; free some space and save again.',
  STORE_CORRUPT: 'The local store is damaged. Restore the account from its recovery phrase into a new store.',
  WRONG_PASSPHRASE: 'The passphrase does not open this account.',
  BAD_PHRASE: 'The recovery phrase is not valid. Check the twelve words and their order.',
  NOT_RECOVERABLE: 'The node holds no account for this recovery phrase. Check the words and the node address.',
  OFFLINE: 'The node cannot be reached. Changes are kept and sent when it is back.',
  TAMPERED: 'The node served data that does not verify. Nothing of it was used; do not trust this node.',
  UNKNOWN_SCHEMA: 'The schema cannot be found. Use a bundled id, a file: path or an https: address.',
  BAD_SCHEMA: 'The schema is not usable. See the issues listed.',
  BAD_NAME: 'A database is named by 1 to 128 letters, digits, spaces and . _ : - and starts with a letter or digit.',
  INVALID_RECORD: 'The record does not match its schema. See the issues listed.',
  REV_CONFLICT: 'The record changed since it was read. Read it again and save on top, or force.',
  NOT_FOUND: 'There is no record with this id.',
  BAD_FILTER: 'The filter is not valid.',
  BAD_REQUEST: 'The request is not valid.',
  BAD_MESSAGE: 'The message is not valid.',
  BAD_BUNDLE: 'The file is not a bundle that can be imported.',
  UNKNOWN_DID: 'The DID cannot be resolved. Check it, and that its host is reachable.',
  NO_INBOX: 'This DID publishes no inbox, so nothing can be sent to it.',
  MESSAGE_TOO_LARGE: 'The message is over 256 KiB. Offer a synchronization instead.',
  ALREADY_ANSWERED: 'This item has been answered already.',
  DECLINED: 'The person declined.',
  EXPIRED: 'The time for this has passed.',
  REVOKED: 'The access was revoked. Nothing new can be read or written with it.',
  DISCONNECTED: 'The session has ended. Connect again.',
  CLOSED: 'This object was closed.',
  NOT_ALLOWED: 'This account may not do that.',
  NODE_REFUSED: 'The node refused the request.',
} as const;

export type ClientErrorCode = keyof typeof CLIENT_ERRORS;
export type SluiceErrorCode = ClientErrorCode | `NODE_${ErrorCode}`;

/** What every public method of the SDK rejects with. */
export class SluiceError extends Error {
  readonly code: SluiceErrorCode;
  /** Paths and reasons, where there are several. Never values of records. */
  readonly issues: readonly { readonly path: string; readonly message: string }[];

  constructor(code: SluiceErrorCode, detail?: string, issues: SluiceError['issues'] = []) {
    super(detail ? `${detail} (${code})` : `${CLIENT_ERRORS[code as ClientErrorCode] ?? code} (${code})`);
    this.name = 'SluiceError';
    this.code = code;
    this.issues = issues;
  }
}
