/**
 * The node of a simulation: the real service, live connections and storage, over a simulated disk, and its plain requests without a
 * server. Must not know clients.
 */

import { base64urlToBytes, type Clock, equalBytes, type Random, toSpaceId, utf8ToBytes } from '@sluice/core/base';
import type { VerifyKey } from '@sluice/core/crypto';
import { verifyRequest } from '@sluice/core/identity';
import {
  bytes,
  encodeCbor,
  encodePushAnswer,
  type ErrorCode,
  fixed,
  list,
  MAX_DEPOSIT,
  MAX_DEPOSIT_BYTES,
  MAX_PUSH_BYTES,
  MAX_RECOVERY_BYTES,
  readShape,
  tuple,
} from '@sluice/core/wire';
import {
  createLiveConnection,
  createNews,
  createService,
  createSqliteStorage,
  type NodeIdentity,
  type NodeService,
  type Storage,
} from '@sluice/node';
import type { FetchAnswer, FetchRequest } from '@sluice/client';
import type { Accepted, Host, NodeEnd } from './sim-network.ts';
import type { Life } from './scheduler.ts';
import { type CommitHook, openSimStore, type SimDisk } from './sim-store.ts';

/** One run of the node, from its start to its end. */
export type SimNode = {
  readonly host: Host & { readonly fetch: (url: URL, request: FetchRequest) => Promise<FetchAnswer> };
  readonly storage: Storage;
  readonly detach: () => void;
};
/** What a node is run with. `watch` wraps its service, for those who look on. */
export type SimNodeDeps = {
  readonly life: Life;
  readonly disk: SimDisk;
  readonly hook: CommitHook;
  readonly clock: Clock;
  readonly random: Random;
  readonly identity: NodeIdentity;
  readonly watch: (service: NodeService) => NodeService;
  /** Is given the storage before anybody else, so that it hears of a commit first. */
  readonly onStorage: (storage: Storage) => void;
};

const createShape = tuple(['genesis', bytes(2048)], ['push', bytes(MAX_PUSH_BYTES)]);
const depositShape = list(bytes(MAX_DEPOSIT_BYTES), MAX_DEPOSIT);
const boxShape = tuple(['auth', fixed(32)], ['box', bytes(MAX_RECOVERY_BYTES)]);

class Refusal extends Error {
  readonly code: ErrorCode;
  constructor(code: ErrorCode) {
    super(code);
    this.code = code;
  }
}

/** Starts the node on a disk. */
export function startSimNode(deps: SimNodeDeps): SimNode {
  const { life, clock, random, identity } = deps;
  const store = openSimStore(deps.disk, deps.hook);
  const storage = createSqliteStorage(store.db, {
    schedule: (run) => void clock.timer((random(1)[0] as number) % 3, run),
  });
  deps.onStorage(storage);
  const service = deps.watch(createService({ storage, clock, random, identity, policy: { type: 'open' } }));
  const news = createNews(service.onCommit);

  const accept = (end: NodeEnd): Accepted => {
    const port = {
      send: (frame: Uint8Array) => {
        if (life.alive) end.send(frame);
      },
      hasRoom: () => true,
      close: () => end.close(),
    };
    const connection = createLiveConnection(port, { service, watch: news.watch, did: identity.did, clock, random });
    return { onFrame: connection.receive, onClose: connection.closed };
  };
  return {
    host: { life, accept, fetch: (url, request) => serve(url, request, deps, service, storage) },
    storage,
    detach: store.detach,
  };
}

async function serve(
  url: URL,
  request: FetchRequest,
  deps: SimNodeDeps,
  service: NodeService,
  storage: Storage,
): Promise<FetchAnswer> {
  try {
    return { status: 200, headers: {}, body: await answer(url, request, deps, service, storage) };
  } catch (cause) {
    if (!(cause instanceof Refusal)) throw cause;
    const nowMs = deps.clock.nowMs();
    return { status: 400, headers: {}, body: utf8ToBytes(JSON.stringify({ code: cause.code, nowMs })) };
  }
}

async function answer(
  url: URL,
  request: FetchRequest,
  { clock }: SimNodeDeps,
  service: NodeService,
  { blobs }: Storage,
): Promise<Uint8Array> {
  const [, version, kind, name = '', last] = url.pathname.split('/');
  const { method = 'GET', body = new Uint8Array(0) } = request;
  const nowMs = clock.nowMs();
  const signer = (): Promise<VerifyKey> => signerOf(url, request, nowMs);
  if (version === 'did') {
    if (method === 'GET') return blobs.get('did', String(kind), nowMs) ?? refuse('NOT_FOUND');
    await signer();
    unwrap(await blobs.put('did', String(kind), body, { nowMs, mayReplace: () => 'yes' }));
    return encodeCbor(null);
  }
  switch (`${method} ${kind}`) {
    case 'POST spaces': {
      if (last === 'inbox') {
        const messages = read(depositShape, body, MAX_DEPOSIT_BYTES + 1024);
        return encodeCbor([unwrap(await service.deposit(toSpaceId(base64urlToBytes(name)), messages))]);
      }
      const { genesis, push } = read(createShape, body, MAX_PUSH_BYTES + 4096);
      return encodePushAnswer(unwrap(await service.createSpace(genesis, push, await signer())));
    }
    case 'PUT recovery': {
      const value = encodeCbor([await signer(), body]);
      unwrap(await blobs.put('recovery', name, value, { nowMs, mayReplace: (old) => (old ? 'EXISTS' : 'yes') }));
      return encodeCbor(null);
    }
    case 'GET recovery': {
      const stored = blobs.get('recovery', name, nowMs);
      const { auth, box } = read(boxShape, stored ?? refuse('NOT_FOUND'), 2 * MAX_RECOVERY_BYTES);
      return equalBytes(auth, await signer()) ? box : refuse('NOT_FOUND');
    }
    default:
      return refuse('NOT_FOUND');
  }
}

async function signerOf(url: URL, { method = 'GET', headers = {}, body }: FetchRequest, nowMs: number) {
  const verified = await verifyRequest({ method, url, headers, nowMs, ...(body ? { body } : {}) });
  return verified.ok ? verified.value.publicKey : refuse('UNAUTHENTICATED');
}

function refuse(code: ErrorCode): never {
  throw new Refusal(code);
}

function read<T>(shape: Parameters<typeof readShape<T>>[0], input: Uint8Array, maxBytes: number): T {
  const value = readShape(shape, input, maxBytes);
  return value.ok ? value.value : refuse('MALFORMED');
}

function unwrap<T>(
  outcome: { readonly ok: true; readonly value: T } | { readonly ok: false; readonly code: ErrorCode },
): T {
  return outcome.ok ? outcome.value : refuse(outcome.code);
}
