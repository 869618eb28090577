/**
 * Scenario 4: ask for a stream of somebody's data, preview, consent, read, revoke. The requester's and the owner's side of one protocol;
 * every account has both.
 */

import type { OpenAccount } from '../account/account.ts';
import type { Context } from '../context.ts';
import type { InboxItem, Mailbox } from '../messaging/mailbox.ts';
import type { GrantHandle } from './grant-handle.ts';
import type { GivenGrant, ReceivedGrant } from './grant-item.ts';
import { createConsent, type RequestPreview } from './consent.ts';
import { createGivenGrants } from './given-grants.ts';
import { createReceipts, type Receipts } from './receipts.ts';
import { createRequester, type PendingRequest, type RequestOptions, type SentRequest } from './requester.ts';
import type { Narrowing } from './terms.ts';

/** Both sides of synchronizing a part of somebody’s records. */
export type Sharing = {
  /** Asks a person for a stream. Errors: UNKNOWN_SCHEMA, BAD_FILTER, BAD_REQUEST, UNKNOWN_DID, NO_INBOX, OFFLINE. */
  readonly request: (did: string, options: RequestOptions) => Promise<SentRequest>;
  /** Takes up a request that was made before, perhaps by an earlier process. */
  readonly pending: (id: string) => PendingRequest;
  /** Requests of others that wait for this person. */
  readonly requests: () => Promise<readonly InboxItem[]>;
  readonly preview: (requestId: string, narrowing?: Narrowing) => Promise<RequestPreview>;
  /** Agrees to a request, as it is or narrowed. Errors: ALREADY_ANSWERED, EXPIRED, BAD_REQUEST, OFFLINE. */
  readonly consent: (requestId: string, narrowing?: Narrowing) => Promise<readonly GivenGrant[]>;
  readonly decline: (requestId: string) => Promise<void>;
  readonly grants: {
    /** Grants this account gave. */
    readonly list: () => readonly GivenGrant[];
    /** Grants this account received. */
    readonly received: () => readonly ReceivedGrant[];
    readonly open: (grantId: string) => Promise<GrantHandle>;
  };
  /** Proofs of the consents this account gave. */
  readonly receipts: Receipts;
  /** Ends a grant: from the node's answer on, nothing is served or accepted. */
  readonly revoke: (grantId: string) => Promise<void>;
  /** Starts the agent over every active grant of this account. */
  readonly start: () => Promise<void>;
  /** Whether every feed reflects the records as they are. */
  readonly feedsUpToDate: () => boolean;
  readonly close: () => void;
};
/** What sharing is built over. */
export type SharingDeps = { readonly account: OpenAccount; readonly mailbox: Mailbox; readonly vault: Context };

/** Creates the sharing side of an account. */
export function createSharing({ account, mailbox, vault }: SharingDeps): Sharing {
  const requester = createRequester(account, mailbox, vault.registry.load);
  const given = createGivenGrants(account, vault, vault.registry.load);
  const consents = createConsent(account, mailbox, vault, vault.registry.load, given);
  const { request, pending, close } = requester;
  const { requests, preview, consent, decline } = consents;
  const { revoke, start, feedsUpToDate } = given;
  const grants = { list: given.list, received: requester.received, open: requester.open };
  const receipts = createReceipts(account, mailbox, given.list);
  return {
    request,
    pending,
    requests,
    preview,
    consent,
    decline,
    grants,
    receipts,
    revoke,
    start,
    feedsUpToDate,
    close,
  };
}
