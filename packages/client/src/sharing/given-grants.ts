/** The grants an account gave: the rows that open them, the agent that runs them, and their end. Must not know requests or messages. */

import { hexToBytes, type JsonObject, toRowId, utf8ToBytes } from '@sluice/core/base';
import { sealAead } from '@sluice/core/crypto';
import { type CtlRow, VERB } from '@sluice/core/stream';
import type { OpenAccount } from '../account/account.ts';
import type { Context } from '../context.ts';
import { SluiceError } from '../errors.ts';
import type { ControlChange } from '../space/control-log.ts';
import type { ActivityLog } from './activity-log.ts';
import { type Agent, createAgent } from './feed/agent.ts';
import { type GivenGrant, itemToGiven } from './grant-item.ts';
import { filterOf, type LoadSchema } from './terms.ts';

/** The grants an account gave, running and ended. */
export type GivenGrants = {
  /** Stores the access rows of new grants in one control transaction. Rejects with SluiceError. */
  readonly openRows: (grants: readonly GivenGrant[]) => Promise<void>;
  /** Starts the agent on a grant; one that cannot run here says why in the list. */
  readonly run: (grant: GivenGrant) => Promise<void>;
  readonly list: () => readonly GivenGrant[];
  readonly revoke: (grantId: string) => Promise<void>;
  readonly start: () => Promise<void>;
  readonly feedsUpToDate: () => boolean;
};

/** Creates the given grants of an account. */
export function createGivenGrants(
  account: OpenAccount,
  vault: Context,
  loadSchema: LoadSchema,
  note: ActivityLog['note'],
): GivenGrants {
  const { platform, keychain, home } = account;
  const { clock, random } = platform;

  const agent: Agent = createAgent({
    db: account.store.db,
    link: account.link,
    engine: home,
    space: home.keys.space,
    clock,
    random,
    device: account.device,
    card: account.card,
    onEnded: (grantId, how) => {
      const item = keychain.get('grant', grantId);
      if (item?.status !== 'active') return;
      keychain.put('grant', grantId, { ...item, status: how });
      const { grantee } = itemToGiven(grantId, item);
      note({ type: how === 'completed' ? 'completion' : 'revoke', grantId, grantee });
    },
  });
  home.setFeeds(agent.source);

  const runGrant = async (grant: GivenGrant): Promise<void> => {
    const schema = await loadSchema(grant.terms.schema);
    if (schema.hash !== grant.terms.schemaHash)
      throw new SluiceError('BAD_SCHEMA', 'The schema is not the one this grant was given for');
    const collection = vault.registry.openWith(schema, grant.collection);
    const { grantId, grantee, feed, key, secret, terms } = grant;
    agent.add({
      grantId,
      grantee,
      feed,
      key,
      secret,
      filter: filterOf(terms, schema),
      fields: terms.fields,
      once: terms.duration === 'once',
      collection,
    });
    home.nudge();
  };

  /** Grants that cannot run here, by id: why. */
  const problems = new Map<string, string>();
  /** Runs a grant; one whose schema cannot be had waits and says so, and keeps nobody from the rest of the account. */
  const run = async (grant: GivenGrant): Promise<void> => {
    try {
      await runGrant(grant);
      problems.delete(grant.grantId);
    } catch (cause) {
      if (!(cause instanceof SluiceError)) throw cause;
      problems.set(grant.grantId, cause.message);
    }
  };
  /** Takes up what the keychain says of a grant, whichever device decided it. */
  const follow = (id: string, item: JsonObject): Promise<void> => {
    if (item.status === 'active') return run(itemToGiven(id, item));
    problems.delete(id);
    agent.remove(id);
    return Promise.resolve();
  };

  const sealMeaning = (grant: GivenGrant): Uint8Array | null => {
    const { ctlKey } = home.keys;
    return ctlKey
      ? sealAead(
          ctlKey,
          utf8ToBytes('sluice/ctl-meaning/1'),
          utf8ToBytes(JSON.stringify({ grantee: grant.grantee, purpose: grant.purpose, terms: grant.terms })),
          random,
        )
      : null;
  };

  return {
    openRows: (grants) =>
      home.control(grants.map((g): ControlChange => ({ public: granteeRow(g, 'active'), sealed: sealMeaning(g) }))),
    run,
    list: () =>
      keychain.list('grant').map(({ id, item }) => {
        const problem = problems.get(id);
        return { ...itemToGiven(id, item), ...(problem ? { problem } : {}) };
      }),
    revoke: async (grantId) => {
      const item = keychain.get('grant', grantId);
      if (!item) throw new SluiceError('NOT_FOUND', 'There is no such grant');
      const grant = itemToGiven(grantId, item);
      if (grant.status === 'revoked') return;
      // The row first: until the node has it the grant holds, and its feed goes on.
      await home.control([{ public: granteeRow(grant, 'revoked'), sealed: null }]);
      agent.remove(grantId);
      account.store.db.transact(() => {
        keychain.put('grant', grantId, { ...item, status: 'revoked', revokedAt: clock.nowMs() });
        note({ type: 'revoke', grantId, grantee: grant.grantee });
      });
      home.nudge();
    },
    start: async () => {
      for (const { id, item } of keychain.list('grant')) await follow(id, item);
      keychain.onArrival('grant', (id, item) => void follow(id, item));
    },
    feedsUpToDate: () => problems.size === 0 && agent.upToDate(),
  };
}

const granteeRow = (grant: GivenGrant, status: CtlRow['status']): CtlRow => ({
  type: 'row',
  id: toRowId(hexToBytes(grant.grantId)),
  key: grant.granteeKey,
  role: 'grantee',
  access: [{ target: grant.feed, verbs: VERB.read }],
  status,
  expiresMs: 0,
  perDay: 0,
});
