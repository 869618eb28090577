/**
 * An always-on agent: runs the grants of one owner for the types it was given, with a key of its own and no key of the account. It holds no
 * account root and no keychain; what it knows comes through its hand-over (spec/agent.md).
 */

import { bytesToUtf8, type Did, type JsonObject, utf8ToBytes } from '@sluice/core/base';
import {
  type Argon2Params,
  createHpkeKeyPair,
  createSigningKey,
  type HpkeKeyPair,
  hpkeKeyPairFromSecret,
  type SigningKey,
  signingKeyFromSeed,
  unwrapWithPassphrase,
  wrapWithPassphrase,
} from '@sluice/core/crypto';
import { createDidResolver } from '@sluice/core/identity';
import { packBytes, unpackBytes } from '../account/keychain.ts';
import { SluiceError } from '../errors.ts';
import { addListener } from '../listeners.ts';
import { createNodeHttp } from '../link/node-http.ts';
import type { OpenedStore, Platform } from '../platform.ts';
import { CLIENT_TABLES, clearStore, getMeta, setMeta } from '../store/store-db.ts';
import { agentId } from './agent-row.ts';
import { type AgentWork, type AgentWorkStatus, openAgentWork } from './agent-work.ts';
import { type Enrolment, openAgentAnswer, openAgentRequest, signAgentRequest } from './enrolment.ts';
import { enrolmentToItem, itemToEnrolment } from './enrolment-item.ts';

/** What an agent is opened with. A store belongs to one process at a time. */
export type AgentOptions = {
  readonly platform: Platform;
  readonly store: OpenedStore;
  readonly passphrase: string;
  /** Cost of the passphrase; the default unless a test lowers it to the floor. */
  readonly argon2?: Argon2Params;
};
/** What a new agent needs besides. */
export type NewAgentOptions = AgentOptions & {
  /** Origin of the node at which it waits for the owner's answer; without one the answer comes as a file. */
  readonly node?: string;
};
/** `waiting`: for the owner's answer. The rest is how its space stands. */
export type AlwaysOnStatus = 'waiting' | AgentWorkStatus;

/** An agent, enrolled or not. */
export type AlwaysOnAgent = {
  readonly id: string;
  /** What the owner lets it in by. */
  readonly request: Uint8Array;
  readonly owner: () => Did | undefined;
  readonly status: () => AlwaysOnStatus;
  readonly onStatus: (listener: (status: AlwaysOnStatus) => void) => () => void;
  /** Takes the owner's answer and starts. Errors: BAD_REQUEST, ALREADY_ANSWERED. */
  readonly enrol: (answer: Uint8Array) => Promise<void>;
  /** Waits at the drop until the owner has answered, and starts. Errors: BAD_REQUEST (it waits nowhere), OFFLINE, CLOSED. */
  readonly answered: () => Promise<void>;
  /** The work, once it is enrolled. */
  readonly work: () => AgentWork | undefined;
  readonly close: () => Promise<void>;
};

type Local = {
  readonly key: SigningKey;
  readonly hpke: HpkeKeyPair;
  readonly request: Uint8Array;
  readonly enrolment: Enrolment | undefined;
};

const META = 'agent';
const LONG_POLL_S = 20;
/** How long to wait after an answer that is none, in ms: a drop is open to all. */
const JUNK_PAUSE_MS = 1_000;

/** Makes and opens always-on agents. */
export const Agent = {
  /** Creates the keys of an agent, and its request. Errors: STORE_IN_USE. */
  create: async (options: NewAgentOptions): Promise<AlwaysOnAgent> => {
    const { store, platform, node } = options;
    store.db.exec(CLIENT_TABLES);
    if (getMeta(store.db, META) || getMeta(store.db, 'account')) throw new SluiceError('STORE_IN_USE');
    clearStore(store.db);
    const key = createSigningKey(platform.random);
    const hpke = createHpkeKeyPair(platform.random);
    const local = { key, hpke, request: signAgentRequest(key, hpke.publicKey, node), enrolment: undefined };
    await save(options, local);
    return assemble(options, local);
  },
  /** Opens the agent of a local store, and goes on with its work. Errors: NOT_FOUND, WRONG_PASSPHRASE, STORE_CORRUPT. */
  open: async (options: AgentOptions): Promise<AlwaysOnAgent> => {
    options.store.db.exec(CLIENT_TABLES);
    return assemble(options, await load(options));
  },
};

async function assemble(options: AgentOptions, local: Local): Promise<AlwaysOnAgent> {
  const { platform, store } = options;
  const { clock } = platform;
  const listeners = new Set<(status: AlwaysOnStatus) => void>();
  let work: AgentWork | undefined;
  let owner: Did | undefined;
  let closed = false;

  const status = (): AlwaysOnStatus => work?.status() ?? 'waiting';
  const start = async (enrolment: Enrolment): Promise<void> => {
    owner = enrolment.owner;
    work = openAgentWork({ platform, store, device: local.key, enrolment });
    work.onStatus((next) => {
      for (const listener of [...listeners]) listener(next);
    });
    await work.start();
  };
  const enrol = async (answer: Uint8Array): Promise<void> => {
    if (work) throw new SluiceError('ALREADY_ANSWERED', 'This agent is enrolled already');
    const request = await openAgentRequest(local.request, clock.nowMs());
    if (!request.ok) throw new SluiceError('STORE_CORRUPT');
    const resolver = createDidResolver({ fetchText: platform.fetchText, clock });
    const opened = await openAgentAnswer(answer, request.value.hash, local.hpke, resolver, clock.nowMs());
    if (!opened.ok) throw new SluiceError('BAD_REQUEST', `This answer cannot be used: ${opened.error}`);
    await save(options, { ...local, enrolment: opened.value });
    await start(opened.value);
  };
  if (local.enrolment) await start(local.enrolment);

  return {
    id: agentId(local.key.publicKey),
    request: local.request,
    owner: () => owner,
    status,
    onStatus: (listener) => addListener(listeners, listener),
    enrol,
    answered: async () => {
      if (work) return;
      const request = await openAgentRequest(local.request, clock.nowMs());
      const drop = request.ok ? request.value.dropUrl : undefined;
      if (!request.ok || drop === undefined)
        throw new SluiceError('BAD_REQUEST', 'This agent waits at no node; give it the owner’s answer as a file');
      const http = createNodeHttp(platform, { url: drop });
      const pause = (): Promise<void> => new Promise((resolve) => clock.timer(JUNK_PAUSE_MS, resolve));
      while (!closed) {
        const answer = await http.takeDrop(request.value.hash, LONG_POLL_S);
        if (answer.ok && answer.value) {
          try {
            return await enrol(answer.value);
          } catch (cause) {
            if (!(cause instanceof SluiceError) || cause.code !== 'BAD_REQUEST') throw cause;
          }
        }
        // An answer that is none is passed over, and a node that is away may come back.
        if (!answer.ok || answer.value) await pause();
      }
      throw new SluiceError('CLOSED');
    },
    work: () => work,
    close: async () => {
      if (closed) return;
      closed = true;
      work?.close();
      store.db.close();
      store.release();
    },
  };
}

async function save({ store, passphrase, argon2, platform }: AgentOptions, local: Local): Promise<void> {
  const item: JsonObject = {
    key: packBytes(local.key.seed.reveal()),
    hpke: packBytes(local.hpke.secret.reveal()),
    request: packBytes(local.request),
    ...(local.enrolment ? { enrolment: enrolmentToItem(local.enrolment) } : {}),
  };
  setMeta(
    store.db,
    META,
    await wrapWithPassphrase(utf8ToBytes(JSON.stringify(item)), passphrase, argon2, platform.random),
  );
}

async function load({ store, passphrase, argon2 }: AgentOptions): Promise<Local> {
  const wrapped = getMeta(store.db, META);
  if (!wrapped) throw new SluiceError('NOT_FOUND', 'This store holds no agent. Make one first');
  const plain = await unwrapWithPassphrase(wrapped, passphrase, { allowWeak: argon2 !== undefined });
  if (!plain.ok) throw new SluiceError('WRONG_PASSPHRASE');
  const item = JSON.parse(bytesToUtf8(plain.value)) as JsonObject;
  return {
    key: signingKeyFromSeed(unpackBytes(item.key)),
    hpke: hpkeKeyPairFromSecret(unpackBytes(item.hpke)),
    request: unpackBytes(item.request),
    enrolment: item.enrolment === undefined ? undefined : itemToEnrolment(item.enrolment as JsonObject),
  };
}
