/**
 * Looks on: reads what the node stores at every commit, and says which invariant is broken as soon as one is. It takes keys from the
 * owner's account and nothing else from the code under test.
 */

import { bytesToHex, canonicalJson, equalBytes, type JsonValue, type SpaceId, toWriterId } from '@sluice/core/base';
import { type AeadKey, type VerifyKey, writerId } from '@sluice/core/crypto';
import type { Account, GivenGrant } from '@sluice/client';
import type { FieldFormats } from '@sluice/core/filter';
import { type GrantTerms, openFeedPut } from '@sluice/core/grant';
import type { MergeRules } from '@sluice/core/record';
import { decodeHeader, decodePush, type LogName, type Page, type PageEntry, type PushAnswer } from '@sluice/core/wire';
import type { Storage } from '@sluice/node';
import { type Blame, type ClockReach, createFeedModel, type FeedModel } from './feed-model.ts';
import { createOwnHistory, type OwnHistory, type OwnKeys } from './own-history.ts';

/** Who looks on. */
export type Oracle = {
  /** Reads what the node has stored since the last look. */
  readonly look: (storage: Storage) => void;
  /** Hears of grants that a device of the owner has. */
  readonly learn: (given: readonly GivenGrant[]) => void;
  /** Hears of terms that the owner set, under their number; two devices may have set others under the same. */
  readonly learnTerms: (grantId: string, term: number, terms: GrantTerms) => void;
  /** Somebody sends something to be stored. Returns what is to be called when the node has answered. */
  readonly onPush: (requester: VerifyKey, push: Uint8Array) => (answers: PushAnswer) => void;
  /** The node hands a page of a log to somebody. */
  readonly onServed: (requester: VerifyKey, log: LogName, page: Page) => void;
  readonly posts: OwnHistory;
  readonly notes: OwnHistory;
  readonly feeds: () => readonly FeedModel[];
  readonly isRevoked: (grantId: string) => boolean;
};

/** What the oracle needs to know of the world. */
export type OracleDeps = {
  readonly space: SpaceId;
  readonly keys: OwnKeys;
  readonly formats: FieldFormats;
  readonly merges: MergeRules;
  /** A later key of a grant, by its commitment, from any running device of the owner. */
  readonly keyOf: (grantId: string, commitment: string) => AeadKey | undefined;
  readonly reach: () => ClockReach;
  readonly blame: Blame;
};

const NOBODY = toWriterId(new Uint8Array(16));

/** Nobody has looked yet. */
export function createOracle(deps: OracleDeps): Oracle {
  const { space, blame } = deps;
  const posts = createOwnHistory(deps.keys, 'social_post', deps.merges);
  const notes = createOwnHistory(deps.keys, 'note', deps.merges);
  const feeds = new Map<string, FeedModel>();
  const revoked = new Map<string, number>();
  /** Keys of agents that may do nothing any more. */
  const shutOut = new Set<string>();
  const nonces = new Set<string>();
  /** The number of the terms that an append stated, by the header of each entry in it. */
  const stated = new Map<string, number>();
  /** The number of the terms that the node holds everybody to, by grant. */
  const inForce = new Map<string, number>();
  /** Terms, each once, by grant and number. */
  const versions = new Map<string, Map<string, GrantTerms>>();
  let ownCursor = 0;
  let ctlHead = 0;

  const readAll = (storage: Storage, log: LogName, after: number, onEntry: (item: PageEntry) => void): number => {
    for (let cursor = after; ; ) {
      const page = storage.readPage({ space, log, after: cursor, except: NOBODY, whole: false, nowMs: 0 });
      for (const item of page.entries) onEntry(item);
      cursor = page.cursor;
      if (!page.more) return cursor;
    }
  };
  const checkNonce = (item: PageEntry): void => {
    if (!item.body) return;
    const nonce = bytesToHex(item.body.subarray(0, 24));
    if (nonces.has(nonce)) blame('I12', 'a nonce was used twice');
    nonces.add(nonce);
  };

  /** No key of another grant opens an entry. */
  const checkKeys = (model: FeedModel, item: PageEntry): void => {
    const header = decodeHeader(item.header);
    if (!item.body || !header.ok) return;
    const entry = { header: item.header, body: item.body };
    for (const other of feeds.values())
      if (other !== model && other.keys().some((key) => openFeedPut({ stream: model.grant.feed, key }, entry).ok))
        blame('I12', 'an entry of one grant opens with the key of another');
  };

  const lookAtRows = (storage: Storage): void => {
    const head = storage.head(space, { type: 'ctl' });
    if (head === ctlHead) return;
    ctlHead = head;
    for (const row of storage.accessState(space)?.rows.values() ?? []) {
      if (row.role === 'grantee') inForce.set(bytesToHex(row.id), row.term);
      if (row.status !== 'revoked') continue;
      // The row that lets an agent in at all is named by its key.
      if (row.role === 'agent' && equalBytes(row.id, writerId(row.key as VerifyKey))) shutOut.add(bytesToHex(row.key));
      if (row.role !== 'grantee') continue;
      const id = bytesToHex(row.id);
      const [target] = row.access;
      if (target && !revoked.has(id))
        revoked.set(id, storage.head(space, { type: 'stream', stream: target.target as never }));
    }
  };

  const modelOf = (grant: GivenGrant): FeedModel =>
    createFeedModel(
      grant,
      deps.formats,
      posts,
      deps.reach,
      deps.keyOf,
      (header) => [...(versions.get(`${grant.grantId}/${stated.get(bytesToHex(header))}`)?.values() ?? [])],
      blame,
    );

  return {
    posts,
    notes,
    feeds: () => [...feeds.values()],
    isRevoked: (grantId) => revoked.has(grantId),
    learn: (given) => {
      for (const grant of given) if (!feeds.has(grant.grantId)) feeds.set(grant.grantId, modelOf(grant));
    },
    learnTerms: (grantId, term, terms) => {
      const name = `${grantId}/${term}`;
      const same = versions.get(name) ?? new Map<string, GrantTerms>();
      versions.set(name, same.set(canonicalJson(terms as unknown as JsonValue), terms));
    },
    onPush: (requester, push) => {
      const parts = decodePush(push);
      for (const part of parts.ok ? parts.value : [])
        if (part.type === 'feed') for (const { header } of part.entries) stated.set(bytesToHex(header), part.term);
      const wasShutOut = shutOut.has(bytesToHex(requester));
      return (answers) => {
        if (wasShutOut && answers.parts.some((answer) => answer.type === 'ok'))
          blame('I6', 'an agent has written something after it was shut out');
      };
    },
    look: (storage) => {
      ownCursor = readAll(storage, { type: 'own' }, ownCursor, (item) => {
        checkNonce(item);
        posts.add(item);
        notes.add(item);
      });
      for (const model of feeds.values()) {
        const log = { type: 'stream', stream: model.grant.feed } as const;
        if (storage.head(space, log) === model.cursor) continue;
        const { grantId } = model.grant;
        model.cursor = readAll(storage, log, model.cursor, (item) => {
          checkNonce(item);
          if ((stated.get(bytesToHex(item.header)) ?? 0) < (inForce.get(grantId) ?? 0))
            blame('I6', `the feed of ${grantId.slice(0, 8)} took an entry on terms that were changed before`);
          checkKeys(model, item);
          model.add(item);
        });
        const end = revoked.get(model.grant.grantId);
        if (end !== undefined && model.cursor > end)
          blame('I6', `the feed of ${model.grant.grantId.slice(0, 8)} took an entry after its revoke was stored`);
      }
      lookAtRows(storage);
    },
    onServed: (requester, log, page) => {
      if (page.entries.length > 0 && shutOut.has(bytesToHex(requester)))
        blame('I6', `an agent was served the log ${log.type} after it was shut out`);
      if (log.type !== 'stream' || page.entries.length === 0) return;
      const model = [...feeds.values()].find((m) => bytesToHex(m.grant.feed) === bytesToHex(log.stream));
      if (!model || !revoked.has(model.grant.grantId)) return;
      if (bytesToHex(requester) === bytesToHex(model.grant.granteeKey))
        blame('I6', `the feed of ${model.grant.grantId.slice(0, 8)} was served after its revoke was stored`);
    },
  };
}

/** The records that every device of the owner shows, as one text to compare. */
export async function stateOf(account: Account, schema: string): Promise<string> {
  const store = await account.vault.openDatastore(schema);
  const records = await store.getMany({}, { limit: 10_000 });
  return records
    .map((record) => JSON.stringify(record))
    .sort()
    .join('\n');
}
