/** A received grant in use: the grantee's live view of what one owner reveals. */

import { equalBytes, type JsonObject } from '@sluice/core/base';
import { filterFailureText, parseFilter } from '@sluice/core/filter';
import type { GrantTerms } from '@sluice/core/grant';
import { type Identity, openDeviceCard } from '@sluice/core/identity';
import type { OpenAccount } from '../account/account.ts';
import { DEFAULT_LIMIT, type FindOptions } from '../datastore.ts';
import { SluiceError } from '../errors.ts';
import type { LiveLink } from '../link/live-link.ts';
import type { LoadedSchema } from '../schema/index.ts';
import { type FeedAlarm, type FeedChange, type FeedStatus, openFeedReader } from './feed/feed-reader.ts';
import type { ReceivedGrant } from './grant-item.ts';

/** The records that a grant reveals, read only. */
export type GrantDatastore = {
  readonly get: (id: string) => Promise<JsonObject | undefined>;
  readonly getOne: (filter?: JsonObject, options?: Omit<FindOptions, 'limit'>) => Promise<JsonObject | undefined>;
  readonly getMany: (filter?: JsonObject, options?: FindOptions) => Promise<JsonObject[]>;
  readonly count: () => Promise<number>;
};

/** A grant as the one who received it uses it. */
export type GrantHandle = {
  readonly id: string;
  readonly owner: string;
  readonly terms: GrantTerms;
  readonly receipt: Uint8Array;
  readonly status: () => FeedStatus;
  /** Calls back for every record that enters, changes or leaves. Returns how to stop. */
  readonly changes: (callback: (change: FeedChange) => void) => () => void;
  readonly onStatus: (callback: (status: FeedStatus) => void) => () => void;
  readonly onAlarm: (callback: (alarm: FeedAlarm) => void) => () => void;
  /** The records revealed, read-only. */
  readonly datastore: () => GrantDatastore;
  /** Resolves at the next verified checkpoint. Errors: REVOKED, TAMPERED, OFFLINE after `timeoutMs`. */
  readonly upToDate: (timeoutMs?: number) => Promise<void>;
  /** Removes the local copy; returns how many records it held. */
  readonly wipe: () => number;
  /** Bytes on this grant's connection so far. */
  readonly traffic: LiveLink['traffic'];
  readonly close: () => void;
};

const UP_TO_DATE_MS = 60_000;

/** Opens a received grant over a connection made with its pairwise key. */
export function openGrantHandle(
  account: OpenAccount,
  grant: ReceivedGrant,
  owner: Identity,
  schema: LoadedSchema,
  link: LiveLink,
): GrantHandle {
  const { clock } = account.platform;
  // One card speaks for many checkpoints: it is verified once, and again when it may have expired.
  let known: { readonly signer: Uint8Array; readonly card: Uint8Array; readonly untilMs: number } | undefined;
  const reader = openFeedReader({
    db: account.store.db,
    link,
    clock,
    space: grant.space,
    keys: { stream: grant.feed, key: grant.key },
    formats: schema.formats,
    isOwnersDevice: (signer, card) => {
      const nowMs = clock.nowMs();
      if (known && nowMs < known.untilMs && equalBytes(known.signer, signer) && equalBytes(known.card, card))
        return true;
      const opened = openDeviceCard(card, owner.identityKey, { did: grant.owner, nowMs });
      if (!opened.ok || !equalBytes(opened.value.deviceKey, signer)) return false;
      known = { signer, card, untilMs: opened.value.expiresAt ?? Number.POSITIVE_INFINITY };
      return true;
    },
  });
  reader.start();
  const find = (filter: JsonObject = {}, options: FindOptions = {}): JsonObject[] => {
    const parsed = parseFilter(filter, schema.formats);
    if (!parsed.ok) throw new SluiceError('BAD_FILTER', filterFailureText(parsed.error));
    return reader.query(parsed.value, { limit: DEFAULT_LIMIT, ...options });
  };
  return {
    id: grant.grantId,
    owner: grant.owner,
    terms: grant.terms,
    receipt: grant.receipt,
    status: reader.status,
    changes: reader.onChange,
    onStatus: reader.onStatus,
    onAlarm: reader.onAlarm,
    datastore: () => ({
      get: async (id) => reader.get(id),
      getOne: async (filter, options = {}) => find(filter, { ...options, limit: 1 })[0],
      getMany: async (filter, options) => find(filter, options),
      count: async () => reader.count(),
    }),
    upToDate: (timeoutMs = UP_TO_DATE_MS) => reader.upToDate(timeoutMs),
    wipe: reader.wipe,
    traffic: link.traffic,
    close: () => {
      reader.close();
      link.close();
    },
  };
}
