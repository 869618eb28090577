/** Why a DID did not resolve. One closed union for every method. */

import type { Did } from '../base/ids.ts';

/**
 * malformed (not the form), unsupported-method, not-found, unreachable (try again), too-large, refused (the fetch policy forbids the
 * address), mismatch (the document is about another DID), moved (the log continues under another DID), invalid-log (hash, proof, key or
 * time), deactivated, rollback (the log does not continue the version seen before).
 */
export type DidFailure =
  | { readonly type: 'malformed' }
  | { readonly type: 'unsupported-method' }
  | { readonly type: 'not-found' }
  | { readonly type: 'unreachable' }
  | { readonly type: 'too-large' }
  | { readonly type: 'refused' }
  | { readonly type: 'mismatch' }
  | { readonly type: 'moved'; readonly to: Did }
  | { readonly type: 'invalid-log' }
  | { readonly type: 'deactivated' }
  | { readonly type: 'rollback'; readonly pinned: string };

/** The same failure as a sentence for a person; it names no key and no address. */
export function describeDidFailure(failure: DidFailure): string {
  switch (failure.type) {
    case 'malformed':
      return 'The DID or its document is not of the form the protocol defines.';
    case 'unsupported-method':
      return 'This DID method is not supported; use did:web, did:webvh or did:key.';
    case 'not-found':
      return 'Nothing is published under this DID.';
    case 'unreachable':
      return 'The host of this DID does not answer.';
    case 'too-large':
      return 'The document of this DID is over the size limit.';
    case 'refused':
      return 'The address of this DID is not one that may be fetched.';
    case 'mismatch':
      return 'The document published under this DID is about another DID.';
    case 'moved':
      return `This DID has moved to ${failure.to}.`;
    case 'invalid-log':
      return 'The history of this DID does not verify.';
    case 'deactivated':
      return 'This DID was deactivated by its owner.';
    case 'rollback':
      return 'The host serves an older or another history of this DID than was seen before.';
  }
}
