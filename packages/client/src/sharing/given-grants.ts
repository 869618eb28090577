/** The grants an account gave: the rows that open them, and their life. Must not know requests or messages. */

import { bytesToHex, hexToBytes, type JsonObject, toRowId, utf8ToBytes } from '@sluice/core/base';
import { type AeadKey, keyCommitment, sealAead, toAeadKey } from '@sluice/core/crypto';
import { endsAtMs, sealGrantKey } from '@sluice/core/grant';
import { type CtlRow, VERB } from '@sluice/core/stream';
import type { OpenAccount } from '../account/account.ts';
import { packBytes, unpackBytes } from '../account/keychain.ts';
import type { Context } from '../context.ts';
import { SluiceError, unlessFull } from '../errors.ts';
import type { ControlChange } from '../space/control-log.ts';
import type { ActivityLog } from './activity-log.ts';
import { createGrantFacts, type GrantFacts } from './grant-facts.ts';
import type { GivenGrant, GivenState, GrantView } from './grant-item.ts';
import { createGrantRunner, type GrantGround } from './grant-runner.ts';
import { openWriteLog, type WriteLog, writesName } from './lane/write-log.ts';
import { overtakenChanges, readStandingGrants } from './standing-terms.ts';
import type { LoadSchema } from './terms.ts';

/** What waits at the owner's side, as this device knows it. */
export type Waiting = {
  /** How many writes of grantees wait for the owner's yes or no. */
  readonly writes: number;
  /** Grants whose feeds do not reflect the records yet. */
  readonly feeds: readonly string[];
  /** When a feed was last brought up to date, by whichever device or agent. */
  readonly lastAtMs?: number;
};

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
  /** Brings the row of a grant to what was decided of it. False when the node cannot be reached; it is sent as soon as it can be. */
  readonly sendRow: (grantId: string) => Promise<boolean>;
  readonly setPaused: (grantId: string, paused: boolean) => Promise<void>;
  /** Stores the revoke at the node. False when the node cannot be reached; it is sent as soon as it can be. */
  readonly revoke: (grantId: string) => Promise<boolean>;
  /** Puts a new key into the grant's feed. */
  readonly rotateKey: (grantId: string) => Promise<void>;
  readonly schemaOf: (grant: GivenGrant) => Promise<GrantGround>;
  readonly start: () => Promise<void>;
  readonly feedsUpToDate: () => boolean;
  readonly waiting: () => Waiting;
  readonly nudge: () => void;
  readonly close: () => void;
};

/** A row is brought to the same terms so often at most, from one start to the next. */
const MAX_MENDED = 5;
/** How long the end of a grant waits when the local disk is full, in ms. */
const FULL_PAUSE_MS = 1_000;
/** How long what is left of an ended grant is kept: 30 days in ms. */
const PURGE_MS = 30 * 24 * 3_600_000;

/** Creates the given grants of an account. `keyFromMs`: since when the key of a grant has to be another one than before. */
export function createGivenGrants(
  account: OpenAccount,
  vault: Context,
  loadSchema: LoadSchema,
  note: ActivityLog['note'],
  keyFromMs: (grantId: string) => number,
): GivenGrants {
  const { platform, keychain, home, store, link } = account;
  const { clock, random } = platform;
  const facts = createGrantFacts(keychain);
  const standing = readStandingGrants(keychain, facts);
  const schemaOfItem = (item: JsonObject | undefined): string | undefined =>
    item && (item.terms as { readonly schema?: string }).schema;
  const writes = openWriteLog({
    schemas: () => keychain.list('grant').flatMap(({ item }) => (item.lane && schemaOfItem(item)) || []),
    schemaOf: (grantId) => schemaOfItem(keychain.get('grant', grantId)),
    open: (schema, shape) => home.collection(writesName(schema), shape),
  });
  let stop: () => void = () => undefined;
  let cancelTimer: () => void = () => undefined;

  const schemaOf: GivenGrants['schemaOf'] = async (grant) => {
    const schema = await loadSchema(grant.terms.schema);
    if (schema.hash !== grant.terms.schemaHash)
      throw new SluiceError('BAD_SCHEMA', 'The schema is not the one this grant was given for');
    return { schema, collection: vault.registry.openWith(schema, grant.collection) };
  };
  const runner = createGrantRunner({
    platform,
    store,
    link,
    home,
    device: account.device,
    card: account.card,
    keychain,
    grants: standing,
    facts,
    writes,
    groundOf: schemaOf,
    note,
    onKeyOld: (grantId) =>
      // One that cannot be kept now is asked for again with the next append.
      void rotateKey(grantId).catch(unlessFull),
    keyFromMs,
    // The owner sees the pause in the activity log; it goes on when it is resumed.
    onOscillation: (grantId) => void setPaused(grantId, true).catch(() => undefined),
  });
  const { agent, rowOf, stateOf, run, follow } = runner;

  const view = (grant: GivenGrant): GrantView => {
    const { grantId } = grant;
    const problem = runner.problemOf(grantId);
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
    const grant = standing.get(grantId);
    if (!grant) throw new SluiceError('NOT_FOUND', 'There is no such grant');
    return view(grant);
  };

  function armExpiry(): void {
    cancelTimer();
    // What ends for good ends by the node's time. While that is not known the grant rests.
    const nowMs = link.nodeSpan()?.fromMs;
    if (nowMs === undefined) return;
    let waitMs = FULL_PAUSE_MS;
    try {
      waitMs = endDue(nowMs) - nowMs;
    } catch (cause) {
      unlessFull(cause);
    }
    if (waitMs !== Number.POSITIVE_INFINITY) cancelTimer = clock.timer(waitMs, armExpiry);
  }

  let isToArm = false;
  /** After the transaction that brings it, and once for all that it brings: every grant is looked at. */
  const armSoon = (): void => {
    if (isToArm) return;
    isToArm = true;
    queueMicrotask(() => {
      isToArm = false;
      if (!account.closed()) armExpiry();
    });
  };

  /** A grant ends by its terms with nobody deciding anything: it stops here, and the node forgets what its feed held. Returns when there is something to do next. */
  function endDue(nowMs: number): number {
    let next = Number.POSITIVE_INFINITY;
    for (const grant of standing.list()) {
      const { grantId, grantee } = grant;
      const endMs = endsAtMs(grant.terms);
      const purgeMs = purgeAtMs(grantId, endMs, nowMs);
      if (purgeMs !== undefined && purgeMs <= nowMs) purge(grant).catch(unlessFull);
      else if (purgeMs !== undefined) next = Math.min(next, purgeMs);
      if (endMs === undefined || rowOf(grantId)?.status === 'revoked') continue;
      if (endMs > nowMs) next = Math.min(next, endMs);
      else {
        note({ type: 'expiry', grantId, grantee });
        // What the node refuses now is tried again at the next connection.
        follow(grantId)
          .then(() => endRow(grantId))
          .catch(() => undefined);
      }
    }
    return next;
  }

  /** When what is left of an ended grant goes; undefined while it has not ended, or when it is gone. */
  function purgeAtMs(grantId: string, endMs: number | undefined, nowMs: number): number | undefined {
    if (facts.get(grantId, 'purged')) return undefined;
    const row = rowOf(grantId);
    const over = endMs !== undefined && endMs <= nowMs ? endMs : undefined;
    const completed = facts.get(grantId, 'completed')?.at;
    const at = over ?? (row?.status === 'revoked' ? row.ms : typeof completed === 'number' ? completed : undefined);
    return at === undefined ? undefined : at + PURGE_MS;
  }

  /** Nothing of the grant's feed is left at the node or here; what it was and what it revealed stays in the activity log. */
  async function purge({ grantId, feed }: GivenGrant): Promise<void> {
    if (!(await endRow(grantId).catch(() => false)) || account.closed() || facts.get(grantId, 'purged')) return;
    agent.remove(grantId);
    const { db } = account.store;
    db.transact(() => {
      for (const table of ['sent', 'due']) db.sql(`DELETE FROM ${table} WHERE feed = ?`).run(feed);
      db.sql('DELETE FROM feed WHERE stream = ?').run(feed);
      facts.note(grantId, 'purged', { at: clock.nowMs() });
    });
    home.nudge();
  }

  /** Brings the row of a grant to what was decided of it. What cannot be sent now is sent when the node is back. */
  async function sendRow(grantId: string): Promise<boolean> {
    const grant = standing.get(grantId);
    return !grant || isRow(rowOf(grantId), grant) || sendRowAs(grant, statusOf(grantId));
  }
  const endRow = async (grantId: string): Promise<boolean> => {
    const grant = standing.get(grantId);
    return !grant || rowOf(grantId)?.status === 'revoked' || sendRowAs(grant, { status: 'revoked', statusMs: 0 });
  };
  const statusOf = (grantId: string): RowStatus => {
    const { status = 'active', statusMs = 0 } = rowOf(grantId) ?? {};
    const isEnded = facts.get(grantId, 'revoked') || facts.get(grantId, 'dropped');
    return { status: isEnded ? 'revoked' : status, statusMs };
  };
  async function sendRowAs(grant: GivenGrant, status: RowStatus): Promise<boolean> {
    try {
      const sealed = status.status === 'revoked' ? null : sealMeaning(grant);
      await home.control([{ public: granteeRow(grant, status), sealed }]);
      return true;
    } catch (cause) {
      if (cause instanceof SluiceError && cause.code === 'OFFLINE') return false;
      throw cause;
    }
  }
  /** Whether a row says what was decided. A revoked one says all there is to say, and one that is not there yet is on its way here. */
  const isRow = (row: CtlRow | undefined, grant: GivenGrant): boolean => {
    const want = granteeRow(grant, statusOf(grant.grantId));
    if (row === undefined || row.status === 'revoked') return want.status !== 'revoked' || row !== undefined;
    return (['status', 'term', 'expiresMs', 'perDay'] as const).every((name) => row[name] === want[name]);
  };
  /** What a person decided, and was told of as decided, is not undone without a word. */
  function noteOvertaken(grantId: string): void {
    const grant = standing.get(grantId);
    if (!grant) return;
    const { grantee, terms } = grant;
    for (const { hash, terms: lost } of overtakenChanges(facts, grantId))
      note({ type: 'overtaken', grantId, grantee, document: hash, lost, terms });
  }
  /** How often a row was mended, by what it was brought to. */
  const mended = new Map<string, number>();
  /** Devices that decide at once may leave a row that says the number of the terms that stand, and the rest of others. */
  const mendRow = (grantId: string): void => {
    const grant = standing.get(grantId);
    // One of a lower number is on its way, or its own device sends it when it can; one of a higher is of terms not heard of here yet.
    if (!grant || rowOf(grantId)?.term !== grant.term || isRow(rowOf(grantId), grant)) return;
    const { expiresMs, perDay, term } = granteeRow(grant, statusOf(grantId));
    const wanted = [grantId, term, expiresMs, perDay].join('/');
    const times = (mended.get(wanted) ?? 0) + 1;
    // A device that never hears of what the other has decided must not answer it for ever.
    if (times > MAX_MENDED) return;
    mended.set(wanted, times);
    queueMicrotask(() => sendRow(grantId).catch(() => undefined));
  };
  /** What was decided while the node could not be reached, here or by a device that is gone. */
  const sendRows = (): void => {
    for (const { grantId } of standing.list()) sendRow(grantId).catch(() => undefined);
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
    try {
      const statusMs = Math.max(home.hlc.now(), (rowOf(grantId)?.statusMs ?? 0) + 1);
      const row = granteeRow(grant, { status: paused ? 'paused' : 'active', statusMs });
      await home.control([{ public: row, sealed: sealMeaning(grant) }]);
    } catch (cause) {
      // It is not paused then, here either; a row that was stored all the same says so when it is heard of.
      agent.setPaused(grantId, rowOf(grantId)?.status === 'paused');
      home.nudge();
      throw cause;
    }
    agent.setPaused(grantId, paused);
    note({ type: paused ? 'pause' : 'resume', grantId, grantee: grant.grantee });
  }
  async function rotateKey(grantId: string): Promise<void> {
    const grant = get(grantId);
    const progress = agent.progress(grantId);
    if (!progress) return;
    const key = unusedKey(grantId, progress.commitments) ?? toAeadKey(random(32));
    const commitment = keyCommitment(key);
    // Kept before the feed names it, so that every device of the owner has it when it does.
    facts.note(grantId, `key/${bytesToHex(commitment)}`, { key: packBytes(key), from: keyFromMs(grantId) });
    const sealed = await sealGrantKey(grant.granteeHpke, grant.feed, key);
    agent.changeKey(grantId, { epoch: progress.epoch + 1, key, commitment, sealed });
    home.nudge();
  }
  /** A key that was kept and has not come into the feed. One from before somebody was shut out is known to who shall see no more. */
  function unusedKey(grantId: string, used: readonly Uint8Array[]): AeadKey | undefined {
    const names = new Set(used.map(bytesToHex));
    const kept = facts.all(grantId, 'key/').find((k) => !names.has(k.name) && k.fact.from === keyFromMs(grantId));
    return kept && toAeadKey(unpackBytes(kept.fact.key));
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
      home.control(
        grants.map(
          (g): ControlChange => ({ public: granteeRow(g, { status: 'active', statusMs: 0 }), sealed: sealMeaning(g) }),
        ),
      ),
    run: async (grant) => {
      await run(grant);
      armExpiry();
    },
    list: () => standing.list().map(view),
    get,
    sendRow,
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
      const ends = [
        await runner.start(),
        keychain.onArrival('grant', armSoon),
        facts.onFact((grantId, name) => {
          // From here the time counts after which nothing of it is left.
          if (name === 'completed') armSoon();
          if (!name.startsWith('terms/')) return;
          armSoon();
          mendRow(grantId);
          queueMicrotask(() => account.closed() || noteOvertaken(grantId));
        }),
        home.onControl((entries) => {
          for (const entry of entries) if (entry.public.type === 'row') mendRow(bytesToHex(entry.public.id));
        }),
        home.onControl(armSoon),
        facts.onFact((_, name) => name === 'dropped' && sendRows()),
        link.onState((state) => {
          if (state !== 'ready') return;
          sendRows();
          // What ended while nobody was here could not be said without the node; what a wrong clock held to be over goes on.
          armExpiry();
          for (const { grantId, terms } of standing.list())
            if (endsAtMs(terms) !== undefined && rowOf(grantId)?.status !== 'revoked') void follow(grantId);
        }),
      ];
      stop = () => {
        for (const end of ends) end();
      };
      armExpiry();
      sendRows();
    },
    feedsUpToDate: runner.upToDate,
    waiting: () => {
      const open = standing
        .list()
        .map(view)
        .filter((grant) => grant.isOpen);
      const lastAtMs = open.reduce((latest, { grantId }) => Math.max(latest, agent.progress(grantId)?.asOfMs ?? 0), 0);
      const behind = new Set(agent.behind());
      return {
        writes: writes.list({ status: 'waiting' }).length,
        feeds: open.filter((g) => behind.has(g.grantId) || g.problem !== undefined).map((g) => g.grantId),
        ...(lastAtMs === 0 ? {} : { lastAtMs }),
      };
    },
    nudge: home.nudge,
    close: () => {
      cancelTimer();
      stop();
    },
  };
}

const OPEN: ReadonlySet<GivenState> = new Set(['offered', 'backfill', 'live', 'paused']);

/** What is decided of a row besides the terms, and when. */
type RowStatus = Pick<CtlRow, 'status' | 'statusMs'>;

/** The row of a grant: what opens its feed for reading, and its lane for both. */
function granteeRow(grant: GivenGrant, { status, statusMs }: RowStatus): CtlRow {
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
    term: grant.term,
    statusMs,
  };
}
