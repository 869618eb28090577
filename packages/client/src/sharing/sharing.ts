/**
 * Scenario 4: ask for a stream of somebody's data, preview, consent, read, revoke. The requester's and the owner's side of one protocol;
 * every account has both.
 */

import { isDid } from '@sluice/core/base';
import { type Agents, createAgents } from '../agent/agents.ts';
import { keyFromMs } from '../agent/agent-item.ts';
import type { OpenAccount } from '../account/account.ts';
import type { Context } from '../context.ts';
import { notADid, unlessFull } from '../errors.ts';
import type { InboxItem, Mailbox } from '../messaging/mailbox.ts';
import { type ActivityLog, createActivityLog } from './activity-log.ts';
import type { Report } from './activity-report.ts';
import type { GrantHandle } from './grant-handle.ts';
import type { GivenGrant, GrantView, ReceivedGrant } from './grant-item.ts';
import { createGrantLife, type GrantLife } from './grant-life.ts';
import { type ChangePreview, createConsent, type Narrowings, type RequestPreview } from './consent.ts';
import { createGivenGrants, type Waiting } from './given-grants.ts';
import { noteRequests } from './note-requests.ts';
import { createReceipts, type Receipts } from './receipts.ts';
import { ownersUnheard } from './owner-words.ts';
import {
  createRequester,
  type DatastoreSyncOptions,
  type PendingRequest,
  type RequestOptions,
  type SentRequest,
} from './requester.ts';
import type { Narrowing } from './narrowing.ts';
import { createWords } from './words.ts';

/** Both sides of synchronizing a part of somebody’s records. */
export type Sharing = {
  /** Asks a person for a stream. Errors: UNKNOWN_SCHEMA, BAD_FILTER, BAD_REQUEST, UNKNOWN_DID, NO_INBOX, OFFLINE. */
  readonly request: (did: string, options: RequestOptions) => Promise<SentRequest>;
  /** Asks in the form of Verida's message, for software that reads it, with the signed request beside it. Errors as `request`. */
  readonly requestDatastoreSync: (did: string, options: DatastoreSyncOptions) => Promise<SentRequest>;
  /** Takes up a request that was made before, perhaps by an earlier process. */
  readonly pending: (id: string) => PendingRequest;
  /** Requests of others that wait for this person. */
  readonly requests: () => Promise<readonly InboxItem[]>;
  /** What a consent would reveal. Errors: BAD_REQUEST with what does not fit the request, BAD_FILTER, NOT_FOUND. */
  readonly preview: (requestId: string, narrowing?: Narrowings) => Promise<RequestPreview>;
  /** What a change of a grant would reveal and take away. Errors: as `preview`. */
  readonly previewChange: (grantId: string, narrowing: Narrowing) => Promise<ChangePreview>;
  /** Agrees to a request, as it is or narrowed. Errors: ALREADY_ANSWERED, EXPIRED, BAD_REQUEST, OFFLINE. */
  readonly consent: (requestId: string, narrowing?: Narrowings) => Promise<readonly GivenGrant[]>;
  readonly decline: (requestId: string) => Promise<void>;
  readonly grants: {
    /** Grants this account gave. */
    readonly list: () => readonly GrantView[];
    /** Grants this account received. */
    readonly received: () => readonly ReceivedGrant[];
    readonly open: (grantId: string) => Promise<GrantHandle>;
  };
  /** Proofs of the consents this account gave. */
  readonly receipts: Receipts;
  /** What happened between this account and those it was asked by: of an owner on all its devices the same. */
  readonly activity: Pick<ActivityLog, 'list' | 'keep' | 'kept'>;
  /** What a grantee knew at an instant, from the activity log. */
  readonly report: (grantee: string, atMs: number) => Promise<Report>;
  /** Ends a grant. From this call on nothing is sealed to it; from the node's answer on nothing is served or accepted. */
  readonly revoke: GrantLife['revoke'];
  readonly pause: GrantLife['pause'];
  readonly resume: GrantLife['resume'];
  readonly change: GrantLife['change'];
  readonly rotateKey: GrantLife['rotateKey'];
  readonly certificate: GrantLife['certificate'];
  /** What grantees wrote, and the owner's say in it. */
  readonly writes: GrantLife['writes'];
  /** The always-on agents of this account. */
  readonly agents: Agents;
  /** Starts the agent over every active grant of this account. */
  readonly start: () => Promise<void>;
  /** Whether every feed reflects the records as they are. */
  readonly feedsUpToDate: () => boolean;
  /** What waits for this person, or for something of theirs to be awake. */
  readonly waiting: () => Waiting;
  readonly close: () => void;
};
/** What sharing is built over. */
export type SharingDeps = { readonly account: OpenAccount; readonly mailbox: Mailbox; readonly vault: Context };

/** Creates the sharing side of an account. */
export function createSharing({ account, mailbox, vault }: SharingDeps): Sharing {
  const words = createWords(account, mailbox);
  const requester = createRequester(account, mailbox, words, vault.registry.load);
  const { clock, random } = account.platform;
  const log = createActivityLog({ engine: account.home, clock, random });
  const incoming = noteRequests(mailbox, log.note);
  const given = createGivenGrants(account, vault, vault.registry.load, log.note, (grantId) =>
    keyFromMs(account.keychain, grantId),
  );
  const agents = createAgents({ account, vault, given, log });
  const consents = createConsent(account, mailbox, vault, vault.registry.load, given, words, log.note);
  const life = createGrantLife(account, mailbox, given, words, log, vault.registry.load);
  const { request, requestDatastoreSync, pending } = requester;
  const { requests, preview, previewChange, consent, decline } = consents;
  const { revoke, pause, resume, change, rotateKey, certificate, writes } = life;
  const { list, keep, kept } = log;
  const grants = { list: given.list, received: requester.received, open: requester.open };
  const receipts = createReceipts(account, mailbox, given);
  return {
    request,
    requestDatastoreSync,
    pending,
    requests,
    preview,
    previewChange,
    consent,
    decline,
    grants,
    receipts,
    activity: { list, keep, kept },
    report: async (grantee, atMs) => {
      if (!isDid(grantee)) throw notADid(grantee);
      return log.report(grantee, atMs);
    },
    revoke,
    pause,
    resume,
    change,
    rotateKey,
    certificate,
    writes,
    agents,
    start: async () => {
      await given.start();
      life.start();
      incoming.catchUp();
      requester.catchUp();
      words.start(function* () {
        yield* ownersUnheard(account, given);
        yield* requester.unheard();
      });
      try {
        log.prune();
      } catch (cause) {
        // What is too old stays until there is room to say that it goes.
        unlessFull(cause);
      }
      agents.start();
    },
    feedsUpToDate: given.feedsUpToDate,
    waiting: given.waiting,
    close: () => {
      words.close();
      requester.close();
      given.close();
      life.close();
      agents.close();
    },
  };
}
