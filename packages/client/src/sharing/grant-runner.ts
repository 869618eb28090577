/**
 * Runs given grants: keeps their feeds up to date and decides on what grantees write. Every device of the owner does, and an always-on agent
 * with less in its hands; so nothing here signs for the space or needs the account's own keys.
 */

import { bytesToHex, canonicalJson, type JsonObject } from '@sluice/core/base';
import { type AeadKey, type SigningKey, streamTagKey, toAeadKey } from '@sluice/core/crypto';
import { parseSpan } from '@sluice/core/filter';
import { endsAtMs, type GrantTerms } from '@sluice/core/grant';
import type { AccessRow } from '@sluice/core/stream';
import { type Keychain, unpackBytes } from '../account/keychain.ts';
import { SluiceError } from '../errors.ts';
import type { LiveLink } from '../link/live-link.ts';
import type { OpenedStore, Platform } from '../platform.ts';
import type { LoadedSchema } from '../schema/index.ts';
import type { SpaceEngine } from '../space/space-engine.ts';
import type { Collection } from '../store/collection.ts';
import { createTurns } from '../turns.ts';
import type { Activity } from './activity.ts';
import type { ActivityLog } from './activity-log.ts';
import { type Agent, createAgent } from './feed/agent.ts';
import type { LaneDesk } from './feed/feed-work.ts';
import type { GrantFacts } from './grant-facts.ts';
import type { GivenGrant, GivenState } from './grant-item.ts';
import { createLaneDesk } from './lane/lane-desk.ts';
import { openLaneReplica } from './lane/lane-replica.ts';
import type { WriteLog, WriteRecord } from './lane/write-log.ts';
import type { StandingGrants } from './standing-terms.ts';
import { filterOf } from './terms.ts';

/** The schema of a grant, and the collection it draws from. */
export type GrantGround = { readonly schema: LoadedSchema; readonly collection: Collection };

/** What grants are run with. */
export type GrantRunnerDeps = {
  readonly platform: Pick<Platform, 'clock' | 'random'>;
  readonly store: OpenedStore;
  readonly link: LiveLink;
  readonly home: SpaceEngine;
  /** Signs checkpoints, with its card. */
  readonly device: SigningKey;
  readonly card: Uint8Array;
  /** Where the grants are. */
  readonly keychain: Keychain;
  readonly grants: StandingGrants;
  readonly facts: GrantFacts;
  readonly writes: WriteLog;
  /** Rejects with SluiceError when the grant cannot run here. */
  readonly groundOf: (grant: GivenGrant) => Promise<GrantGround>;
  readonly note: ActivityLog['note'];
  readonly onKeyOld: (grantId: string) => void;
  /** Nothing more is sealed under a key of the grant that is from before this instant; 0 where any will do. */
  readonly keyFromMs: (grantId: string) => number;
  /** One field of a grant goes to and fro between two who write it. */
  readonly onOscillation: (grantId: string) => void;
};

/** Grants at work. */
export type GrantRunner = {
  readonly agent: Agent;
  readonly rowOf: (grantId: string) => AccessRow | undefined;
  readonly stateOf: (grant: GivenGrant) => GivenState;
  /** Why a grant cannot run here. */
  readonly problemOf: (grantId: string) => string | undefined;
  /** Starts, changes or ends the work on a grant, as its state says; one that cannot run here says why and keeps nobody from the rest. */
  readonly run: (grant: GivenGrant) => Promise<void>;
  /** Takes up what is decided of a grant, whoever decided it. */
  readonly follow: (grantId: string) => Promise<void>;
  readonly followAll: () => Promise<void>;
  readonly upToDate: () => boolean;
  /** From here on follows whatever becomes of the grants. Returns how to stop. */
  readonly start: () => Promise<() => void>;
};

/** How long a grant waits that the node refuses and the row does not. */
const REFUSED_PAUSE_MS = 2_000;

/** Creates a runner. */
export function createGrantRunner(deps: GrantRunnerDeps): GrantRunner {
  const { platform, keychain, grants, home, store, link, facts, writes, note } = deps;
  const { clock } = platform;
  /** Grants that cannot run here, by id: why. */
  const problems = new Map<string, string>();
  /** Grants at work, by id: on which terms. */
  const running = new Map<string, string>();
  const inTurn = createTurns();
  /** How to call off that a grant is looked at again, by id. */
  const looks = new Map<string, () => void>();
  let isStopped = false;

  const agent: Agent = createAgent({
    db: store.db,
    link,
    engine: home,
    space: home.keys.space,
    clock,
    random: platform.random,
    device: deps.device,
    get card() {
      return deps.card;
    },
    onEnded: (grantId, how) => {
      const grant = grants.get(grantId);
      if (how === 'revoked') return lookAgain(grantId);
      if (facts.get(grantId, 'completed') || !grant) return;
      facts.note(grantId, 'completed', { at: clock.nowMs() });
      note({ type: 'completion', grantId, grantee: grant.grantee });
    },
    onRelease: (releases) => note({ type: 'release', releases }),
    onKeyOld: deps.onKeyOld,
    keyFromMs: deps.keyFromMs,
  });
  home.setFeeds(agent.source);

  /** The node holds the grant to be over. Where its row does not say so, as when an end is put off late, the row is on its way. */
  function lookAgain(grantId: string): void {
    if (rowOf(grantId)?.status === 'revoked' || isStopped) return;
    looks.get(grantId)?.();
    const cancel = clock.timer(REFUSED_PAUSE_MS, () => {
      looks.delete(grantId);
      if (rowOf(grantId)?.status === 'revoked') return;
      agent.remove(grantId);
      running.delete(grantId);
      void follow(grantId);
    });
    looks.set(grantId, cancel);
  }

  const rowOf = (grantId: string): AccessRow | undefined => home.access.rows.get(grantId);

  const stateOf = (grant: GivenGrant): GivenState => {
    const { grantId } = grant;
    const row = rowOf(grantId);
    if (facts.get(grantId, 'purged')) return 'purged';
    const ended = row?.status === 'revoked' || facts.get(grantId, 'revoked') || facts.get(grantId, 'dropped');
    // An expired grant's row is revoked too, so that the node forgets its feed.
    // By the latest time that may be: nothing is revealed that late, and nothing ends for good by it.
    const isOver = (endsAtMs(grant.terms) ?? Number.POSITIVE_INFINITY) <= (link.nodeSpan()?.toMs ?? clock.nowMs());
    if (ended && !(isOver && !facts.get(grantId, 'revoked'))) return 'revoked';
    if (isOver) return 'expired';
    if (facts.get(grantId, 'completed')) return 'completed';
    if (grant.narrowed && !facts.get(grantId, 'accepted')) return 'offered';
    if (row?.status === 'paused') return 'paused';
    return agent.progress(grantId)?.closed ? 'live' : 'backfill';
  };

  /** The key of an epoch: the first is the grant's own, later ones are known by what the feed commits to. */
  const keyOf =
    (grant: GivenGrant) =>
    (epoch: number, commitment: Uint8Array | undefined): AeadKey | undefined => {
      if (epoch === 1) return grant.key;
      const fact = commitment && facts.get(grant.grantId, `key/${bytesToHex(commitment)}`);
      return fact && toAeadKey(unpackBytes(fact.key));
    };

  function openDesk(grant: GivenGrant, { schema, collection }: GrantGround): LaneDesk | undefined {
    const { lane, terms, grantId } = grant;
    if (!lane || !terms.write) return undefined;
    const replica = openLaneReplica({
      db: store.db,
      clock,
      link,
      space: home.keys.space,
      lane,
      granteeKey: grant.granteeKey,
      onNews: home.nudge,
      onAlarm: () => void problems.set(grantId, 'The node serves what the grantee did not write'),
    });
    // From here on what other devices note of this grant's writes is heard of.
    writes.get(grantId, 0);
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
        isValid: (document: JsonObject) => schema.validate(document).length === 0,
      },
      term: grant.term,
      secret: grant.secret,
      tagKey: streamTagKey(grant.secret, grant.feed),
      keyOf: (epoch) => keyOf(grant)(epoch, commitments()[epoch - 2]),
      collection,
      replica,
      writes,
      nudge: home.nudge,
      isStored: () => home.store.outboxSize() === 0,
      onWrites: (records) => note(...records.flatMap((record) => eventOf(grant, record))),
      onOscillation: () => deps.onOscillation(grantId),
    });
  }

  const runGrant = async (grant: GivenGrant): Promise<void> => {
    // Every control entry leads here: what runs on these terms already goes on, with the one desk that it has.
    const version = versionOf(grant);
    if (running.get(grant.grantId) === version && agent.progress(grant.grantId)) return;
    const ground = await deps.groundOf(grant);
    const { grantId, grantee, feed, secret, term, terms } = grant;
    const every = terms.frequency === undefined ? undefined : parseSpan(terms.frequency);
    const desk = openDesk(grant, ground);
    agent.add({
      grantId,
      grantee,
      feed,
      keyOf: keyOf(grant),
      secret,
      term,
      version,
      filter: filterOf(terms, ground.schema),
      fields: terms.fields,
      reads: terms.access !== 'write',
      once: terms.duration === 'once',
      ...(every ? { every } : {}),
      collection: ground.collection,
      ...(desk ? { desk } : {}),
    });
    running.set(grantId, version);
    home.nudge();
  };

  const runNow = async (grant: GivenGrant): Promise<void> => {
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
  /** One grant is run by one call at a time, in their order: two at once would open two desks on its lane. */
  const run = (grant: GivenGrant): Promise<void> => inTurn(grant.grantId, () => runNow(grant));
  const follow = (grantId: string): Promise<void> => {
    const grant = grants.get(grantId);
    return grant ? run(grant) : Promise.resolve();
  };
  const followAll = async (): Promise<void> => {
    for (const grant of grants.list()) await run(grant);
  };

  return {
    agent,
    rowOf,
    stateOf,
    problemOf: (grantId) => problems.get(grantId),
    run,
    follow,
    followAll,
    upToDate: () => problems.size === 0 && agent.upToDate(),
    start: async () => {
      await followAll();
      const stops = [
        keychain.onArrival('grant', (id) => void follow(id)),
        // After the transaction: what comes of it must not be taken up when it is undone.
        facts.onFact((id) => queueMicrotask(() => void follow(id))),
        home.onControl(() => void followAll()),
        writes.onArrival(home.nudge),
      ];
      return () => {
        isStopped = true;
        for (const stop of [...stops, ...looks.values()]) stop();
      };
    },
  };
}

/** Every control entry asks this of every grant; terms never change in place. */
const versions = new WeakMap<GrantTerms, string>();

/** What tells one version of a grant's terms from another. */
function versionOf({ term, terms }: GivenGrant): string {
  const known = versions.get(terms) ?? `${term}/${canonicalJson(terms)}`;
  versions.set(terms, known);
  return known;
}

/** What the activity log says of a write that the log of writes says this of: nothing of some. */
function eventOf({ grantId, grantee }: GivenGrant, { n, recordId, operation, status, code }: WriteRecord): Activity[] {
  const write = { grantId, grantee, n, recordId, operation };
  if (status === 'waiting') return [{ type: 'write', ...write }];
  if (status !== 'applied' && status !== 'rejected') return [];
  return [{ type: 'verdict', ...write, accepted: status === 'applied', ...(code ? { code } : {}) }];
}
