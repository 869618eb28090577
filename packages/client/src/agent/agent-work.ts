/** An enrolled agent at work: the owner's home space as far as its keys go, and the grants it was handed. */

import type { JsonObject } from '@sluice/core/base';
import { type SigningKey, toEpochKey, toTagSecret } from '@sluice/core/crypto';
import { createKeychain, type Keychain, keychainShape, unpackBytes } from '../account/keychain.ts';
import { SluiceError, unlessFull } from '../errors.ts';
import { openLiveLink } from '../link/live-link.ts';
import type { OpenedStore, Platform } from '../platform.ts';
import { createSchemaLoader, type LoadedSchema } from '../schema/index.ts';
import { createActivityLog } from '../sharing/activity-log.ts';
import { createGrantFacts } from '../sharing/grant-facts.ts';
import type { GivenGrant, GivenState } from '../sharing/grant-item.ts';
import { createGrantRunner } from '../sharing/grant-runner.ts';
import { openWriteLog } from '../sharing/lane/write-log.ts';
import { readStandingGrants } from '../sharing/standing-terms.ts';
import { shapeOf } from '../space/schema-registry.ts';
import { openSpaceEngine, type SpaceEngine, type SpaceStatus } from '../space/space-engine.ts';
import type { SpaceKeys } from '../space/space-keys.ts';
import { epochsOf, givenKeys, sharedKeys } from './agent-keys.ts';
import type { Enrolment } from './enrolment.ts';

/** What an agent works with. */
export type AgentWorkDeps = {
  readonly platform: Platform;
  readonly store: OpenedStore;
  readonly device: SigningKey;
  readonly enrolment: Enrolment;
};
/** How the agent stands with its space. `revoked`: the owner shut it out. `stopped`: the node served what does not verify. */
export type AgentWorkStatus = SpaceStatus;

/** A grant as the agent sees it. */
export type AgentGrantInfo = {
  readonly grantId: string;
  readonly grantee: string;
  readonly schema: string;
  readonly status: GivenState;
  readonly problem?: string;
};

/** An agent at work. */
export type AgentWork = {
  readonly engine: SpaceEngine;
  readonly start: () => Promise<void>;
  readonly status: () => AgentWorkStatus;
  readonly onStatus: (listener: (status: AgentWorkStatus) => void) => () => void;
  readonly grants: () => readonly AgentGrantInfo[];
  /** Calls back when a grant may stand otherwise than before. Returns how to stop. */
  readonly onGrants: (listener: () => void) => () => void;
  /** Whether every feed reflects the records as they are. */
  readonly upToDate: () => boolean;
  /** Resolves when everything here is at the node and everything there is here. Rejects with SluiceError. */
  readonly synced: (timeoutMs?: number) => Promise<void>;
  readonly close: () => void;
};

const SYNC_MS = 30_000;
/** How often the agent says that it runs, in ms. */
const SEEN_MS = 3_600_000;

/** Opens the work of an agent. Nothing is sent or fetched before `start`. */
export function openAgentWork({ platform, store, device, enrolment }: AgentWorkDeps): AgentWork {
  const { clock, random } = platform;
  const { secret, node, space, genesis } = enrolment;
  // Of the space's own keys the agent has none: whatever is named or sealed by these, nobody can read, and nothing is.
  const keys: SpaceKeys = {
    ...{ space, node, genesis },
    tagSecret: toTagSecret(random(32)),
    epochs: new Map([[1, toEpochKey(random(32))]]),
  };
  const link = openLiveLink(platform, node, device);
  const home = openHome();
  const announced = (): number => home.access.epoch;
  const handed: Keychain = createKeychain(
    home.collection('handover', keychainShape, sharedKeys(secret, 'handover', announced)),
    store.db,
  );
  const facts = createGrantFacts(handed);
  const standing = readStandingGrants(handed, facts);
  const log = createActivityLog({
    engine: {
      collection: (_, shape) => home.collection('activity', shape, sharedKeys(secret, 'activity', announced)),
      hlc: home.hlc,
      nudge: home.nudge,
    },
    clock,
    random,
  });
  const loader = createSchemaLoader({});
  const stops: (() => void)[] = [];
  let cancelSeen: () => void = () => undefined;
  let closed = false;

  function openHome(): SpaceEngine {
    try {
      return openSpaceEngine({ platform, db: store.db, link, keys, writer: device });
    } catch (cause) {
      link.close();
      throw cause;
    }
  }

  const schemaOf = (item: JsonObject | undefined): string | undefined => {
    const terms = item?.terms as { readonly schema?: string } | undefined;
    return terms?.schema;
  };
  const writes = openWriteLog({
    schemas: () => handed.list('writes').map(({ id }) => id),
    schemaOf: (grantId) => schemaOf(handed.get('grant', grantId)),
    open: (schema, shape) => {
      const given = (): JsonObject | undefined => handed.get('writes', schema);
      return given() && home.collection(`writes/${schema}`, shape, givenKeys(given, secret, announced));
    },
  });

  async function loadSchema(id: string): Promise<LoadedSchema> {
    const kept = handed.get('schema', id)?.body;
    const loaded = kept ? loader.adopt(kept as JsonObject) : await loader.load(id);
    if (!loaded.ok) throw new SluiceError('UNKNOWN_SCHEMA', 'The schema of this grant was not handed over');
    return loaded.value;
  }
  const groundOf = async (grant: GivenGrant) => {
    const name = `${grant.collection}|${grant.terms.schema}`;
    const given = (): JsonObject | undefined => handed.get('collection', name);
    if (!given() || !handed.get('card', 'me'))
      throw new SluiceError('NOT_FOUND', 'The keys of this grant were not handed over');
    const schema = await loadSchema(grant.terms.schema);
    if (schema.hash !== grant.terms.schemaHash)
      throw new SluiceError('BAD_SCHEMA', 'The schema is not the one this grant was given for');
    return { schema, collection: home.collection(name, shapeOf(schema), givenKeys(given, secret, announced)) };
  };

  const runner = createGrantRunner({
    platform,
    store,
    link,
    home,
    device,
    get card() {
      return unpackBytes(handed.get('card', 'me')?.card);
    },
    keychain: handed,
    grants: standing,
    facts,
    writes,
    groundOf,
    note: log.note,
    // Keys of grants are changed by the owner's devices alone, which hand them over before the feed names them.
    onKeyOld: () => undefined,
    keyFromMs: () => 0,
    onOscillation: (grantId) => {
      runner.agent.setPaused(grantId, true);
      handed.put('wanted', `pause/${grantId}`, { at: clock.nowMs() });
      home.nudge();
    },
  });

  /** Tells the engine of every epoch whose keys came: it reads what it could not, and sends what it held back. */
  const takeEpochs = (): void => {
    const known = [...handed.list('collection'), ...handed.list('writes')].flatMap(({ item }) => epochsOf(item));
    home.addEpochs(new Map(known.map((n) => [n, keys.epochs.get(n) ?? toEpochKey(random(32))])));
  };
  const onHanded = (): void =>
    // After the transaction that brought it.
    queueMicrotask(() => {
      if (closed) return;
      takeEpochs();
      void runner.followAll();
    });

  const saySeen = (): void => {
    cancelSeen();
    if (closed) return;
    try {
      handed.put('seen', 'me', { at: clock.nowMs() });
      home.nudge();
    } catch (cause) {
      // It says so next time.
      unlessFull(cause);
    }
    cancelSeen = clock.timer(SEEN_MS, saySeen);
  };

  return {
    engine: home,
    start: async () => {
      takeEpochs();
      for (const kind of ['collection', 'writes', 'schema', 'card'] as const)
        stops.push(handed.onArrival(kind, onHanded));
      stops.push(await runner.start());
      home.start();
      saySeen();
    },
    status: home.status,
    onStatus: home.onStatus,
    grants: () =>
      standing.list().map((grant) => {
        const problem = runner.problemOf(grant.grantId);
        return {
          grantId: grant.grantId,
          grantee: grant.grantee,
          schema: grant.terms.schema,
          status: runner.stateOf(grant),
          ...(problem ? { problem } : {}),
        };
      }),
    onGrants: (listener) => {
      const heard = (): void => queueMicrotask(listener);
      const ends = [handed.collection.onChange(heard), home.onControl(heard)];
      return () => {
        for (const end of ends) end();
      };
    },
    upToDate: runner.upToDate,
    synced: (timeoutMs = SYNC_MS) => home.synced(timeoutMs),
    close: () => {
      closed = true;
      cancelSeen();
      for (const stop of stops.splice(0)) stop();
      home.close();
      link.close();
    },
  };
}
