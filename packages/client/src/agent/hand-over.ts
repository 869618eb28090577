/**
 * What an agent is given, kept up to date by every device of the owner (spec/agent.md): its rows, the keys of its collections, the grants it
 * runs and what became of them, its card. And what comes back from it. Must not know how an agent is enrolled or ended.
 */

import { bytesToHex, type JsonObject, jsonEquals, type JsonValue, type StreamId, toStreamId } from '@sluice/core/base';
import { createDeviceCard } from '@sluice/core/identity';
import type { CtlRow } from '@sluice/core/stream';
import { bundledSchemas } from '@sluice/schemas';
import type { OpenAccount } from '../account/account.ts';
import { createKeychain, type KeychainKind, keychainShape, packBytes, unpackBytes } from '../account/keychain.ts';
import type { SchemaRegistry } from '../space/schema-registry.ts';
import { ACTIVITY_SHAPE, type ActivityLog } from '../sharing/activity-log.ts';
import type { GivenGrants } from '../sharing/given-grants.ts';
import { givenToItem } from '../sharing/grant-item.ts';
import { writesName } from '../sharing/lane/write-log.ts';
import type { GivenAgent } from './agent-item.ts';
import { packCollection, sharedKeys } from './agent-keys.ts';
import { baseRow, collectionRow, grantRow } from './agent-row.ts';

/** What the hand-over stands on. */
export type HandOverDeps = {
  readonly account: OpenAccount;
  readonly registry: SchemaRegistry;
  readonly given: GivenGrants;
  readonly log: ActivityLog;
};

/** What is shared with one agent. */
export type HandOver = {
  /** Takes up what the agent reports. */
  readonly collect: () => void;
  /** Brings rows and hand-over up to date. Rejects with SluiceError when a row cannot be stored. */
  readonly update: () => Promise<void>;
  /** When the agent last said that it runs, in ms. */
  readonly seenAtMs: () => number | undefined;
  readonly onNews: (listener: () => void) => () => void;
};

/** What of a grant's facts an agent has to know. Keys are added. */
const FACTS = ['accepted', 'dropped', 'revoked', 'completed', 'purged'] as const;

/** Opens what is shared with an agent. */
export function openHandOver({ account, registry, given, log }: HandOverDeps, agent: GivenAgent): HandOver {
  const { home, http, did, identityKey } = account;
  const announced = (): number => home.access.epoch;
  const shared = {
    handover: sharedKeys(agent.secret, 'handover', announced),
    activity: sharedKeys(agent.secret, 'activity', announced),
  };
  const handed = createKeychain(
    home.collection(`agent/${agent.id}/handover`, keychainShape, shared.handover),
    account.store.db,
  );
  const activity = home.collection(`agent/${agent.id}/activity`, ACTIVITY_SHAPE, shared.activity);

  const grants = () => given.list().filter((grant) => agent.types.includes(grant.terms.schema));

  /** Puts an item, unless it says that already. */
  const give = (kind: KeychainKind, id: string, item: JsonObject): void => {
    const known = handed.get(kind, id);
    if (!known || !jsonEquals(known as JsonValue, item as JsonValue)) handed.put(kind, id, item);
  };

  function wantedRows(): readonly CtlRow[] {
    const streamOf = (name: string): StreamId => toStreamId(unpackBytes(packCollection(home.keys, name).stream));
    return [
      baseRow(agent.key, [shared.handover.stream, shared.activity.stream]),
      ...agent.types.flatMap((type) => [
        collectionRow(agent.key, streamOf(writesName(type))),
        ...registry.ofSchema(type).map(({ collection }) => collectionRow(agent.key, streamOf(collection))),
      ]),
      ...grants()
        .filter((g) => g.isOpen)
        .map((g) => grantRow(agent.key, g.feed, g.lane)),
    ];
  }

  function handAll(): void {
    giveCard();
    for (const type of agent.types) {
      give('writes', type, packCollection(home.keys, writesName(type)));
      for (const { database, schema, collection, body } of registry.ofSchema(type)) {
        give('collection', `${database}|${schema}`, packCollection(home.keys, collection));
        if (!bundledSchemas.has(schema)) give('schema', schema, { body: body as JsonValue });
      }
    }
    for (const grant of grants()) {
      const { grantId } = grant;
      for (const name of FACTS) {
        const fact = given.facts.get(grantId, name);
        if (fact) give('grant-fact', `${grantId}/${name}`, fact);
      }
      for (const { name, fact } of given.facts.all(grantId, 'key/')) give('grant-fact', `${grantId}/key/${name}`, fact);
      if (grant.isOpen || handed.get('grant', grantId)) give('grant', grantId, givenToItem(grant));
    }
  }

  function giveCard(): void {
    if (handed.get('card', 'me')) return;
    // It has no end: what an agent has put into a feed must be read for as long as the feed stands.
    const content = { did, deviceKey: agent.key, issuedAt: http.nowMs(), name: agent.name, use: 'feeds' } as const;
    handed.put('card', 'me', { card: packBytes(createDeviceCard(content, identityKey)) });
  }

  const mine = (grantId: string): boolean => grants().some((g) => g.grantId === grantId);
  const onReport = (kind: string, id: string, item: JsonObject): void => {
    const [first = '', second = ''] = id.split('/');
    if (kind === 'grant-fact' && second === 'completed' && mine(first)) given.facts.note(first, 'completed', item);
    // An agent cannot pause a grant for everybody; it stopped by itself and says why.
    const isNew = Number(item.at) > (home.access.rows.get(second)?.ms ?? 0);
    if (kind === 'wanted' && first === 'pause' && mine(second) && isNew)
      given.setPaused(second, true).catch(() => undefined);
  };

  return {
    collect: () => {
      for (const { id, item } of handed.list('grant-fact')) onReport('grant-fact', id, item);
      let ids: ReadonlySet<string> | undefined;
      log.adopt(activity, (grantId) => {
        ids ??= new Set(grants().map((grant) => grant.grantId));
        return ids.has(grantId);
      });
    },
    update: async () => {
      const missing = wantedRows().filter((row) => !home.access.rows.has(bytesToHex(row.id)));
      // The rows first: an agent that had a grant without its row would be told that it was revoked.
      if (missing.length > 0) await home.control(missing.map((row) => ({ public: row, sealed: null })));
      if (account.closed()) return;
      account.store.db.transact(handAll);
      home.nudge();
    },
    seenAtMs: () => {
      const seen = handed.get('seen', 'me');
      return seen && Number(seen.at);
    },
    onNews: (listener) => {
      const stops = [
        handed.onArrival('wanted', (id, item) => onReport('wanted', id, item)),
        handed.onArrival('grant-fact', listener),
        activity.onChange(({ origin }) => origin === 'other' && listener()),
      ];
      return () => {
        for (const stop of stops) stop();
      };
    },
  };
}
