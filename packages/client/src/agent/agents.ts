/** The owner's always-on agents: enrolled for named types of records, kept up to date, shut out again (spec/agent.md). */

import { bytesToHex, type JsonObject } from '@sluice/core/base';
import { writerId } from '@sluice/core/crypto';
import type { OpenAccount } from '../account/account.ts';
import { startEpoch } from '../connect/epoch-start.ts';
import type { Context } from '../context.ts';
import { SluiceError } from '../errors.ts';
import { createNodeHttp } from '../link/node-http.ts';
import { createRetry, isStoreFailure } from '../messaging/retry.ts';
import type { ActivityLog } from '../sharing/activity-log.ts';
import type { GivenGrants } from '../sharing/given-grants.ts';
import { agentToItem, type GivenAgent, itemToAgent, listAgents } from './agent-item.ts';
import { agentId } from './agent-row.ts';
import { openAgentRequest, sealAgentAnswer } from './enrolment.ts';
import { type HandOver, openHandOver } from './hand-over.ts';

/** An agent as the owner sees it. */
export type AgentInfo = Pick<GivenAgent, 'id' | 'name' | 'types' | 'status' | 'addedAtMs' | 'revokedAtMs'> & {
  /** When it last said that it runs, in ms. */
  readonly seenAtMs?: number;
};
/** What an agent is let in with. */
export type NewAgent = {
  /** The document that the agent made. */
  readonly request: Uint8Array;
  /** Types of records that it reads and writes: schemas by short name, `$id` or address. */
  readonly types: readonly string[];
  readonly name: string;
};

/** The always-on agents of an account. */
export type Agents = {
  /**
   * Lets an agent in. Result: the answer for it, which it alone can open; where the agent waits at a drop, the answer lies there too.
   *
   * Errors: BAD_REQUEST, UNKNOWN_SCHEMA, ALREADY_ANSWERED (it was revoked), OFFLINE, NODE_*.
   */
  readonly add: (agent: NewAgent) => Promise<{ readonly id: string; readonly answer: Uint8Array }>;
  readonly list: () => readonly AgentInfo[];
  /** Shuts an agent out: its rows end first, then keys change, so that what is written from then on is closed to it. Errors: NOT_FOUND, OFFLINE. */
  readonly revoke: (id: string) => Promise<void>;
  readonly start: () => void;
  /** Resolves when every agent was given what it has to have, or the node cannot be reached. */
  readonly settled: () => Promise<void>;
  readonly close: () => void;
};

/** What agents are built over. */
export type AgentsDeps = {
  readonly account: OpenAccount;
  readonly vault: Context;
  readonly given: GivenGrants;
  readonly log: ActivityLog;
};

const SYNC_MS = 30_000;
/** What its card holds. */
const MAX_NAME_CHARS = 64;
const FOLLOWED: ReadonlySet<unknown> = new Set(['grant', 'grant-fact', 'epoch', 'agent']);

/** Creates the agents of an account. */
export function createAgents({ account, vault, given, log }: AgentsDeps): Agents {
  const { keychain, home, platform, link } = account;
  const { registry } = vault;
  const open = new Map<string, HandOver>();
  const stops: (() => void)[] = [];
  let running: Promise<void> | undefined;
  let again = false;
  let closed = false;
  const retry = createRetry(account, () => void schedule());

  const handOverOf = (agent: GivenAgent): HandOver => {
    const name = [agent.id, ...agent.types].join(' ');
    const known = open.get(name);
    if (known) return known;
    const made = openHandOver({ account, registry, given, log }, agent);
    open.set(name, made);
    stops.push(made.onNews(() => void schedule()));
    return made;
  };

  async function round(): Promise<void> {
    for (const agent of listAgents(keychain)) {
      if (agent.status === 'revoked') continue;
      const handOver = handOverOf(agent);
      handOver.collect();
      if (link.state() !== 'ready') continue;
      // A device that began to shut it out may have ended before it had noted so.
      if (agent.status === 'ending' || isShutOut(agent)) await end(agent);
      else await handOver.update();
    }
  }

  /** Brings everything up to date, once more if something has changed meanwhile. */
  function schedule(): Promise<void> {
    again = true;
    running ??= (async () => {
      try {
        while (again && !closed) {
          again = false;
          await round();
        }
        retry.done();
      } catch (cause) {
        if (closed) return;
        if (!isStoreFailure(cause)) throw cause;
        retry.later();
      } finally {
        running = undefined;
      }
    })();
    return running;
  }
  /** After the transaction that brought the news. */
  const soon = (): void => queueMicrotask(() => closed || void schedule());

  const isShutOut = ({ key }: GivenAgent): boolean =>
    home.access.rows.get(bytesToHex(writerId(key)))?.status === 'revoked';
  const shutOut = async (agent: GivenAgent): Promise<void> => {
    const rows = [...home.access.rows.values()].filter(
      (row) => row.role === 'agent' && row.status !== 'revoked' && agentId(row.key as GivenAgent['key']) === agent.id,
    );
    if (rows.length === 0) return;
    await home.control(
      rows.map(({ id, key, role, access, expiresMs, perDay, term, statusMs }) => ({
        public: { type: 'row', id, key, role, access, status: 'revoked', expiresMs, perDay, term, statusMs },
        sealed: null,
      })),
    );
  };

  /** Ends an agent, from wherever an earlier attempt came to. */
  async function end(agent: GivenAgent): Promise<void> {
    await shutOut(agent);
    const ending: GivenAgent = { ...agent, status: 'ending', revokedAtMs: agent.revokedAtMs ?? account.http.nowMs() };
    // From here on every device changes the key of a grant that this agent ran before it seals anything more to it.
    if (agent.status !== 'ending') keychain.put('agent', agent.id, agentToItem(ending));
    await startEpoch(account, home);
    keychain.put('agent', agent.id, agentToItem({ ...ending, status: 'revoked' }));
    given.nudge();
  }

  const needAgent = (id: string): GivenAgent => {
    const item = keychain.get('agent', id);
    if (!item) throw new SluiceError('NOT_FOUND', 'There is no such agent');
    return itemToAgent(id, item);
  };

  return {
    add: async ({ request: document, types, name }) => {
      const opened = await openAgentRequest(document, platform.clock.nowMs());
      if (!opened.ok) throw new SluiceError('BAD_REQUEST', `This is no request of an agent: ${opened.error}`);
      if (types.length === 0) throw new SluiceError('BAD_REQUEST', 'Name at least one type of records for the agent');
      if (name.length === 0 || name.length > MAX_NAME_CHARS)
        throw new SluiceError('BAD_REQUEST', `The name of an agent has 1 to ${MAX_NAME_CHARS} characters`);
      const request = opened.value;
      const id = agentId(request.key);
      const known: JsonObject | undefined = keychain.get('agent', id);
      if (known && itemToAgent(id, known).status !== 'active')
        throw new SluiceError('ALREADY_ANSWERED', 'This agent was shut out. Have it ask anew with new keys');
      const schemas = await Promise.all(types.map((type) => registry.load(type)));
      for (const schema of schemas) if (registry.ofSchema(schema.id).length === 0) registry.openWith(schema);
      const before = known && itemToAgent(id, known);
      const ids = new Set([...(before?.types ?? []), ...schemas.map((schema) => schema.id)]);
      const agent: GivenAgent = {
        id,
        name,
        types: [...ids],
        key: request.key,
        secret: before?.secret ?? platform.random(32),
        addedAtMs: before?.addedAtMs ?? platform.clock.nowMs(),
        status: 'active',
      };
      keychain.put('agent', id, agentToItem(agent));
      await handOverOf(agent).update();
      // The agent reads the space as soon as it has the answer.
      await home.synced(SYNC_MS);
      const { node, space, genesis } = { ...home.keys };
      const signer = { did: account.did, key: account.device, card: account.card };
      const answer = await sealAgentAnswer(request, { node, space, genesis, secret: agent.secret }, signer);
      if (request.dropUrl !== undefined) {
        const left = await createNodeHttp(platform, { url: request.dropUrl }).putDrop(request.hash, answer);
        if (!left.ok && left.error.type === 'offline') throw new SluiceError('OFFLINE');
      }
      return { id, answer };
    },
    list: () =>
      listAgents(keychain)
        .map((agent): AgentInfo => {
          const { id, name, types, status, addedAtMs, revokedAtMs } = agent;
          const seenAtMs = status === 'revoked' ? undefined : handOverOf(agent).seenAtMs();
          return {
            ...{ id, name, types, status, addedAtMs },
            ...(revokedAtMs === undefined ? {} : { revokedAtMs }),
            ...(seenAtMs === undefined ? {} : { seenAtMs }),
          };
        })
        .sort((a, b) => a.addedAtMs - b.addedAtMs),
    revoke: async (id) => {
      await running?.catch(() => undefined);
      const agent = needAgent(id);
      if (agent.status === 'revoked') throw new SluiceError('ALREADY_ANSWERED', 'This agent is shut out already');
      handOverOf(agent).collect();
      await end(agent);
      await home.synced(SYNC_MS);
    },
    start: () => {
      keychain.collection.onChange(({ record }) => {
        if (record && FOLLOWED.has(record.kind)) soon();
      });
      stops.push(home.onControl(soon));
      stops.push(registry.onChange(soon));
      stops.push(link.onState((state) => state === 'ready' && soon()));
      soon();
    },
    settled: async () => {
      if (!closed) await schedule();
    },
    close: () => {
      closed = true;
      for (const stop of stops.splice(0)) stop();
    },
  };
}
