/** The one error class of the SDK (docs/style.md): a stable code, a sentence that says what to do, and no secret. */

import { shownValue } from '@sluice/core/base';
import { ERROR_TABLE, type ErrorCode } from '@sluice/core/wire';

type Sentences = { readonly what: string; readonly advice: string };

/** Codes that arise in the client itself, with what happened and what to do; a node's refusals keep their wire code. */
export const CLIENT_ERRORS = {
  STORE_LOCKED: { what: 'Another process uses this store', advice: 'Stop it, or use a store of its own.' },
  STORE_IN_USE: {
    what: 'This store holds an account already',
    advice: 'Open it, or use a store of its own for another account.',
  },
  STORE_FULL: {
    what: 'The local disk is full and nothing was saved',
    advice: 'Free some space and save again.',
  },
  STORE_CORRUPT: {
    what: 'The local store is damaged',
    advice: 'Restore the account from its recovery phrase into a new store.',
  },
  WRONG_PASSPHRASE: {
    what: 'The passphrase does not open this account',
    advice: 'Try again; if it is lost, restore the account from its recovery phrase into a new store.',
  },
  BAD_PHRASE: { what: 'The recovery phrase is not valid', advice: 'Check the twelve words and their order.' },
  NOT_RECOVERABLE: {
    what: 'The node holds no account for this recovery phrase',
    advice: 'Check the words and the node address.',
  },
  OFFLINE: {
    what: 'The node cannot be reached',
    advice: 'What was saved or queued is kept and sent when it is back; try anything else again then.',
  },
  PAUSED: {
    what: 'The owner has paused this grant',
    advice: 'What you hold is as it was then; it goes on when the owner resumes it.',
  },
  TAMPERED: {
    what: 'The node served data that does not verify, and nothing of it was used',
    advice: 'Do not trust this node; ask its operator, or move to another.',
  },
  UNKNOWN_SCHEMA: {
    what: 'The schema cannot be found',
    advice: 'Use a bundled id, a file: path or an https: address.',
  },
  BAD_SCHEMA: { what: 'The schema is not usable', advice: 'Correct it, or use another schema.' },
  BAD_NAME: {
    what: 'This is not the name of a database',
    advice: 'Use 1 to 128 letters, digits, spaces and . _ : - and start with a letter or digit.',
  },
  INVALID_RECORD: {
    what: 'The record does not match its schema, and nothing of it was saved',
    advice: 'Correct what is listed in issues and save again.',
  },
  REV_CONFLICT: {
    what: 'The record changed since it was read',
    advice: 'Read it again and save on top, or force.',
  },
  NOT_FOUND: {
    what: 'There is nothing under this id',
    advice: 'Check the id; what is new may not have arrived here yet.',
  },
  BAD_FILTER: { what: 'The filter is not valid', advice: 'Correct it at the place named.' },
  BAD_REQUEST: { what: 'The request is not valid', advice: 'Correct it, or have it made anew, and ask again.' },
  BAD_MESSAGE: {
    what: 'The message is not valid',
    advice: 'Correct it and send it again; one that you received you can only decline.',
  },
  BAD_BUNDLE: {
    what: 'The file is not a bundle that can be imported',
    advice: 'Give a FHIR R4 bundle of type transaction, batch or collection, or JSON lines.',
  },
  UNKNOWN_DID: { what: 'The DID cannot be resolved', advice: 'Check it, and that its host is reachable.' },
  NO_INBOX: {
    what: 'This DID publishes no inbox, so nothing can be sent to it',
    advice: 'Ask its owner for a DID that has one.',
  },
  MESSAGE_TOO_LARGE: { what: 'The message is over 256 KiB', advice: 'Offer a synchronization instead.' },
  ALREADY_ANSWERED: {
    what: 'This item has been answered already',
    advice: 'Its status says how; an answer cannot be changed.',
  },
  NOT_ACCEPTED: {
    what: 'The grant is for less than was asked, and nothing flows before it is accepted',
    advice: 'Look at its terms, then call accept() or drop().',
  },
  DECLINED: { what: 'The person declined', advice: 'Do without; ask again only for another reason.' },
  EXPIRED: { what: 'The time for this has passed', advice: 'Ask again.' },
  REVOKED: {
    what: 'The access was revoked, and nothing new can be read or written with it',
    advice: 'Ask the owner for new access.',
  },
  COMPLETED: {
    what: 'The grant was for one delivery, which was made, and it is complete',
    advice: 'What was delivered stays; more takes a new request.',
  },
  DISCONNECTED: { what: 'The session has ended', advice: 'Connect again.' },
  CLOSED: { what: 'This object was closed', advice: 'Open it again to go on.' },
  NOT_ALLOWED: { what: 'This account may not do that', advice: 'Use the account that owns it.' },
  OPERATION_NOT_ALLOWED: {
    what: 'The terms of this grant do not let do that',
    advice: 'Look at terms.write of the grant, or ask for other terms.',
  },
  FIELD_NOT_ALLOWED: {
    what: 'The terms of this grant do not let this field be changed',
    advice: 'Leave the field as it is, or ask for other terms.',
  },
  OUTSIDE_FILTER: {
    what: 'The record would not be one of those that this grant is for',
    advice: 'Look at terms.filter of the grant, or ask for other terms.',
  },
  OVER_QUOTA: {
    what: 'This grant takes no more writes today',
    advice: 'Write again tomorrow (UTC), or ask for terms with a larger perDay.',
  },
  NODE_REFUSED: { what: 'The node refused the request', advice: 'Ask its operator why.' },
} as const satisfies { readonly [code: string]: Sentences };

/** Codes that arise in the client itself. */
export type ClientErrorCode = keyof typeof CLIENT_ERRORS;
/** Every code that a call of the SDK rejects with. A node’s refusal keeps its code behind `NODE_`. */
export type SluiceErrorCode = ClientErrorCode | `NODE_${ErrorCode}`;

/** Tells whether the local disk was full, which passes: nothing was stored, and the same may be tried again. */
export const isStoreFull = (cause: unknown): boolean => cause instanceof SluiceError && cause.code === 'STORE_FULL';

/** For work that nobody waits for and that is done again later: only a full disk is passed over. */
export function unlessFull(cause: unknown): void {
  if (!isStoreFull(cause)) throw cause;
}

/** What every public method of the SDK rejects with. */
export class SluiceError extends Error {
  readonly code: SluiceErrorCode;
  /** Paths and reasons, where there are several. Never values of records. */
  readonly issues: readonly { readonly path: string; readonly message: string }[];

  /** `detail` says what happened in place of the code's own words; with a full stop at its end it says what to do as well. */
  constructor(code: SluiceErrorCode, detail?: string, issues: SluiceError['issues'] = []) {
    super(`${sentence(code, detail)} (${code})`);
    this.name = 'SluiceError';
    this.code = code;
    this.issues = issues;
  }
}

/** The error for what was given as a DID and is none. */
export const notADid = (given: unknown): SluiceError =>
  new SluiceError('UNKNOWN_DID', `${shownValue(given)} is not a DID. Give one such as "did:web:app.example".`);

function sentence(code: SluiceErrorCode, detail: string | undefined): string {
  if (detail?.endsWith('.')) return detail;
  const own = (CLIENT_ERRORS as { readonly [code: string]: Sentences | undefined })[code];
  if (own) return `${detail ?? own.what}. ${own.advice}`;
  const { title } = ERROR_TABLE[code.slice('NODE_'.length) as ErrorCode];
  return detail ? `${detail}. ${title}` : title;
}
