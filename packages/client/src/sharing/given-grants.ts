/** The grants an account gave: the rows that open them, the agent that runs them, and their life. Must not know requests or messages. */

import { bytesToHex, hexToBytes, type JsonObject, toRowId, utf8ToBytes } from '@sluice/core/base';
import { type AeadKey, keyCommitment, sealAead, streamTagKey, type TagSecret, toAeadKey } from '@sluice/core/crypto';
import { parseSpan } from '@sluice/core/filter';
import { endsAtMs, sealGrantKey } from '@sluice/core/grant';
import { type AccessRow, type CtlRow, VERB } from '@sluice/core/stream';
import type { OpenAccount } from '../account/account.ts';
import { packBytes, unpackBytes } from '../account/keychain.ts';
import type { Context } from '../context.ts';
import { SluiceError } from '../errors.ts';
import type { LoadedSchema } from '../schema/index.ts';
import type { ControlChange } from '../space/control-log.ts';
import type { Collection } from '../store/collection.ts';
import type { ActivityLog } from './activity-log.ts';
import { type Agent, createAgent } from './feed/agent.ts';
import type { LaneDesk } from './feed/feed-work.ts';
import { createGrantFacts, type GrantFacts } from './grant-facts.ts';
import { type GivenGrant, type GivenState, givenToItem, type GrantView, itemToGiven } from './grant-item.ts';
import { createLaneDesk } from './lane/lane-desk.ts';
import { openLaneReplica } from './lane/lane-replica.ts';
import { openWriteLog, type WriteLog } from './lane/write-log.ts';
import { filterOf, type LoadSchema } from './terms.ts';

/** The grants an account gave, running and ended. */
export type GivenGrants = {
  readonly facts: GrantFacts;
  readonly writes: WriteLog;
  /** Stores the access rows of new grants in one control transaction. Rejects with SluiceError. */
  readonly openRows: (grants: readonly GivenGrant[]) => Promise<void>;
  /** Starts the agent on a grant, if its state lets it; one that cannot run here says why in the list. */
  readonly run: (grant: GivenGrant) => Promise<void>;
  readonly list: () => readonly GrantView[];
  /** Rejects with NOT_FOUND. */
  readonly get: (grantId: string) => GrantView;
  /** Changes what stands of a grant, and its row with it. */
  readonly replace: (grant: GivenGrant) => Promise<void>;
  readonly setPaused: (grantId: string, paused: boolean) => Promise<void>;
  /** Stores the revoke at the node. False when the node cannot be reached; it is sent as soon as it can be. */
  readonly revoke: (grantId: string) => Promise<boolean>;
  /** Puts a new key into the grant's feed. */
  readonly rotateKey: (grantId: string) => Promise<void>;
  readonly schemaOf: (grant: GivenGrant) => Promise<{ readonly schema: LoadedSchema; readonly collection: Collection }>;
  readonly start: () => Promise<void>;
  readonly feedsUpToDate: () => boolean;
  readonly nudge: () => void;
  readonly close: () => void;
};

/** Creates the given grants of an account. */
export function createGivenGrants(
  account: OpenAccount,
  vault: Context,
  loadSchema: LoadSchema,
  note: ActivityLog['note'],
): GivenGrants {
  const { platform, keychain, home, store, link } = account;
  const { clock, random } = platform;
  const facts = createGrantFacts(keychain);
  const writes = openWriteLog(home);
  const stops: (() => void)[] = [];
  let cancelTimer: () => void = () => undefined;
  /** Grants that cannot run here, by id: why. */
  const problems = new Map<string, string>();

  const agent: Agent = createAgent({
    db: store.db,
    link,
    engine: home,
    space: home.keys.space,
    clock,
    random,
    device: account.device,
    card: account.card,
    onEnded: (grantId, how) => {
      if (how !== 'completed' || facts.get(grantId, 'completed')) return;
      facts.note(grantId, 'completed', { at: clock.nowMs() });
      note({ type: 'completion', grantId, grantee: get(grantId).grantee });
    },
    onRelease: (releases) => note({ type: 'release', releases }),
    onKeyOld: (grantId) => void rotateKey(grantId),
  });
  home.setFeeds(agent.source);

  const rowOf = (grantId: string): AccessRow | undefined => home.access.rows.get(grantId);

  const stateOf = (grant: GivenGrant): GivenState => {
    const { grantId } = grant;
    const row = rowOf(grantId);
    if (facts.get(grantId, 'purged')) return 'purged';
    const ended = row?.status === 'revoked' || facts.get(grantId, 'revoked') || facts.get(grantId, 'dropped');
    // An expired grant's row is revoked too, so that the node forgets its feed.
    const isOver = (endsAtMs(grant.terms) ?? Number.POSITIVE_INFINITY) <= clock.nowMs();
    if (ended && !(isOver && !facts.get(grantId, 'revoked'))) return 'revoked';
    if (isOver) return 'expired';
    if (facts.get(grantId, 'completed')) return 'completed';
    if (grant.narrowed && !facts.get(grantId, 'accepted')) return 'offered';
    if (row?.status === 'paused') return 'paused';
    return agent.progress(grantId)?.closed ? 'live' : 'backfill';
  };

  const view = (grantId: string, item: JsonObject): GrantView => {
    const grant = itemToGiven(grantId, item);
    const problem = problems.get(grantId);
    const revoked = facts.get(grantId, 'revoked');
    const row = rowOf(grantId);
    const revokedAtMs = revoked ? Number(revoked.at) : row?.status === 'revoked' ? row.ms : undefined;
    const status = stateOf(grant);
    return {
      ...grant,
      status,
      isOpen: OPEN.has(status),
      ...(problem ? { problem } : {}),
      ...(revokedAtMs === undefined || status === 'expired' ? {} : { revokedAtMs }),
      ...(revoked && row?.status !== 'revoked' ? { isRevokePending: true } : {}),
    };
  };
  const get = (grantId: string): GrantView => {
    const item = keychain.get('grant', grantId);
    if (!item) throw new SluiceError('NOT_FOUND', 'There is no such grant');
    return view(grantId, item);
  };

  /** The key of an epoch: the first is the grant's own, later ones are known by what the feed commits to. */
  const keyOf =
    (grant: GivenGrant) =>
    (epoch: number, commitment: Uint8Array | undefined): AeadKey | undefined => {
      if (epoch === 1) return grant.key;
      const fact = commitment && facts.get(grant.grantId, `key/${bytesToHex(commitment)}`);
      return fact && toAeadKey(unpackBytes(fact.key));
    };

  const schemaOf: GivenGrants['schemaOf'] = async (grant) => {
    const schema = await loadSchema(grant.terms.schema);
    if (schema.hash !== grant.terms.schemaHash)
      throw new SluiceError('BAD_SCHEMA', 'The schema is not the one this grant was given for');
    return { schema, collection: vault.registry.openWith(schema, grant.collection) };
  };

  function openDesk(grant: GivenGrant, schema: LoadedSchema, collection: Collection): LaneDesk | undefined {
    const { lane, terms, grantId } = grant;
    if (!lane || !terms.write) return undefined;
    const replica = openLaneReplica({
      db: store.db,
      link,
      space: home.keys.space,
      lane,
      granteeKey: grant.granteeKey,
      onNews: home.nudge,
      onAlarm: () => void problems.set(grantId, 'The node serves what the grantee did not write'),
    });
    const commitments = (): readonly Uint8Array[] => agent.progress(grantId)?.commitments ?? [];
    return createLaneDesk({
      db: store.db,
      clock,
      rule: {
        grantId,
        schema: schema.id,
        filter: filterOf(terms, schema),
        fields: terms.fields,
        reads: terms.access !== 'write',
        write: terms.write,
        merges: schema.merges,
        isValid: (document) => schema.validate(document).length === 0,
      },
      secret: grant.secret,
      tagKey: streamTagKey(grant.secret as unknown as TagSecret, grant.feed),
      keyOf: (epoch) => keyOf(grant)(epoch, commitments()[epoch - 2]),
      collection,
      replica,
      writes,
      nudge: home.nudge,
      onWrites: (records) => {
        for (const { n, recordId, operation, status, code } of records)
          if (status === 'applied' || status === 'rejected')
            note({
              type: 'verdict',
              grantId,
              grantee: grant.grantee,
              n,
              recordId,
              operation,
              accepted: status === 'applied',
              ...(code ? { code } : {}),
            });
      },
      // The owner sees the pause in the activity log; it goes on when it is resumed.
      onOscillation: () => void setPaused(grantId, true).catch(() => undefined),
    });
  }

  const runGrant = async (grant: GivenGrant): Promise<void> => {
    const { schema, collection } = await schemaOf(grant);
    const { grantId, grantee, feed, secret, term, terms } = grant;
    const every = terms.frequency === undefined ? undefined : parseSpan(terms.frequency);
    const desk = openDesk(grant, schema, collection);
    agent.add({
      grantId,
      grantee,
      feed,
      keyOf: keyOf(grant),
      secret,
      term,
      filter: filterOf(terms, schema),
      fields: terms.fields,
      reads: terms.access !== 'write',
      once: terms.duration === 'once',
      ...(every ? { every } : {}),
      collection,
      ...(desk ? { desk } : {}),
    });
    home.nudge();
  };

  /** Runs a grant; one whose schema cannot be had waits and says so, and keeps nobody from the rest of the account. */
  const run = async (grant: GivenGrant): Promise<void> => {
    const state = stateOf(grant);
    if (state !== 'backfill' && state !== 'live' && state !== 'paused') {
      problems.delete(grant.grantId);
      return agent.remove(grant.grantId);
    }
    try {
      await runGrant(grant);
      problems.delete(grant.grantId);
    } catch (cause) {
      if (!(cause instanceof SluiceError)) throw cause;
      problems.set(grant.grantId, cause.message);
    }
    agent.setPaused(grant.grantId, stateOf(grant) === 'paused');
    home.nudge();
  };
  /** Takes up what is decided of a grant, whichever device decided it. */
  const follow = (grantId: string): Promise<void> => {
    const item = keychain.get('grant', grantId);
    return item ? run(itemToGiven(grantId, item)) : Promise.resolve();
  };
  const followAll = async (): Promise<void> => {
    for (const { id } of keychain.list('grant')) await follow(id);
    armExpiry();
  };

  /** A grant ends by its terms with nobody deciding anything: it stops here, and the node forgets what its feed held. */
  function armExpiry(): void {
    cancelTimer();
    const nowMs = clock.nowMs();
    let next = Number.POSITIVE_INFINITY;
    for (const { id, item } of keychain.list('grant')) {
      const endMs = endsAtMs(itemToGiven(id, item).terms);
      if (endMs === undefined || rowOf(id)?.status === 'revoked') continue;
      if (endMs > nowMs) next = Math.min(next, endMs);
      else {
        note({ type: 'expiry', grantId: id, grantee: itemToGiven(id, item).grantee });
        void follow(id).then(() => endRow(id));
      }
    }
    if (next !== Number.POSITIVE_INFINITY) cancelTimer = clock.timer(next - nowMs, armExpiry);
  }

  /** Revokes the row of a grant that is over. What cannot be sent now is sent when the node is back. */
  async function endRow(grantId: string): Promise<boolean> {
    const item = keychain.get('grant', grantId);
    if (!item || rowOf(grantId)?.status === 'revoked') return true;
    try {
      await home.control([{ public: granteeRow(itemToGiven(grantId, item), 'revoked'), sealed: null }]);
      return true;
    } catch (cause) {
      if (cause instanceof SluiceError && cause.code === 'OFFLINE') return false;
      throw cause;
    }
  }
  const sendRevokes = (): void => {
    for (const { id } of keychain.list('grant'))
      if ((facts.get(id, 'revoked') || facts.get(id, 'dropped')) && rowOf(id)?.status !== 'revoked')
        endRow(id).catch(() => undefined);
  };

  async function setPaused(grantId: string, paused: boolean): Promise<void> {
    const grant = get(grantId);
    if (grant.status !== (paused ? 'live' : 'paused') && !(paused && grant.status === 'backfill')) {
      if (grant.status === 'paused' && paused) return;
      throw new SluiceError(
        'BAD_REQUEST',
        `A grant that is ${grant.status} cannot be ${paused ? 'paused' : 'resumed'}`,
      );
    }
    // Here first, so that nothing more is sealed while the row is on its way.
    if (paused) agent.setPaused(grantId, true);
    await home.control([{ public: granteeRow(grant, paused ? 'paused' : 'active'), sealed: sealMeaning(grant) }]);
    agent.setPaused(grantId, paused);
    note({ type: paused ? 'pause' : 'resume', grantId, grantee: grant.grantee });
  }
  async function rotateKey(grantId: string): Promise<void> {
    const grant = get(grantId);
    const progress = agent.progress(grantId);
    if (!progress) return;
    const key = toAeadKey(random(32));
    const commitment = keyCommitment(key);
    const sealed = await sealGrantKey(grant.granteeHpke, grant.feed, key);
    // Kept before the feed names it, so that every device of the owner has it when it does.
    facts.note(grantId, `key/${bytesToHex(commitment)}`, { key: packBytes(key) });
    agent.changeKey(grantId, { epoch: progress.epoch + 1, key, commitment, sealed });
    home.nudge();
  }

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
    facts,
    writes,
    openRows: (grants) =>
      home.control(grants.map((g): ControlChange => ({ public: granteeRow(g, 'active'), sealed: sealMeaning(g) }))),
    run: async (grant) => {
      await run(grant);
      armExpiry();
    },
    list: () => keychain.list('grant').map(({ id, item }) => view(id, item)),
    get,
    replace: async (grant) => {
      const status = rowOf(grant.grantId)?.status === 'paused' ? 'paused' : 'active';
      await home.control([{ public: granteeRow(grant, status), sealed: sealMeaning(grant) }]);
      keychain.put('grant', grant.grantId, givenToItem(grant));
      await run(grant);
      armExpiry();
    },
    setPaused,
    revoke: async (grantId) => {
      const { grantee } = get(grantId);
      // From here on nothing is sealed to this grant, whether or not the node has heard of it.
      const held = agent.held(grantId);
      agent.remove(grantId);
      facts.note(grantId, 'revoked', { at: clock.nowMs(), held });
      note({ type: 'revoke', grantId, grantee });
      return endRow(grantId);
    },
    rotateKey,
    schemaOf,
    start: async () => {
      await followAll();
      stops.push(keychain.onArrival('grant', (id) => void follow(id)));
      stops.push(facts.onFact((id) => void follow(id)));
      stops.push(home.onControl(() => void followAll()));
      stops.push(writes.onArrival(home.nudge));
      stops.push(link.onState((state) => state === 'ready' && sendRevokes()));
      sendRevokes();
    },
    feedsUpToDate: () => problems.size === 0 && agent.upToDate(),
    nudge: home.nudge,
    close: () => {
      cancelTimer();
      for (const stop of stops.splice(0)) stop();
    },
  };
}

const OPEN: ReadonlySet<GivenState> = new Set(['offered', 'backfill', 'live', 'paused']);

/** The row of a grant: what opens its feed for reading, and its lane for both. */
function granteeRow(grant: GivenGrant, status: CtlRow['status']): CtlRow {
  const { feed, lane, terms } = grant;
  return {
    type: 'row',
    id: toRowId(hexToBytes(grant.grantId)),
    key: grant.granteeKey,
    role: 'grantee',
    access: [{ target: feed, verbs: VERB.read }, ...(lane ? [{ target: lane, verbs: VERB.read + VERB.write }] : [])],
    status,
    expiresMs: endsAtMs(terms) ?? 0,
    perDay: terms.write?.perDay ?? 0,
  };
}
