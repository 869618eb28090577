/** A real node on loopback with a clock that only moves by hand, and keys to speak to it: for the tests of this package. */

import { mkdtempSync, rmSync } from 'node:fs';
import { request as httpRequest } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  bytesToBase64url,
  type Clock,
  type Random,
  type SpaceId,
  toDid,
  toRowId,
  type StreamId,
  toStreamId,
  toTag,
} from '@sluice/core/base';
import { sha256, type SigningKey, signingKeyFromSeed, toAeadKey, writerId } from '@sluice/core/crypto';
import { signRequest } from '@sluice/core/identity';
import {
  createCtlEntry,
  createGenesis,
  createSeal,
  type CtlRow,
  ctlStreamId,
  entryHash,
  NO_ENTRY,
  NO_SEAL,
  sealEntry,
  sealHash,
} from '@sluice/core/stream';
import { encodeCbor, encodePush, ENTRY_KIND, type Entry } from '@sluice/core/wire';
import { createNode, type NodeDeps, type SluiceNode } from '../create-node.ts';
import type { Storage } from '../storage/port.ts';
import { openSqliteStorage } from '../storage/sqlite/sqlite-storage.ts';

export const NODE_DID = toDid('did:web:node.sluice.test');
export const NODE_URL = 'https://node.sluice.test';
const START_MS = Date.UTC(2026, 0, 5, 12);

/** Time moves only by `advance`, which runs the timers that come due. */
export type HandClock = Clock & {
  readonly advance: (ms: number) => void;
  /** Tells whether some timer is due exactly so many ms from now: how a test sees that something waits. */
  readonly hasTimer: (inMs: number) => boolean;
};

export function createHandClock(startMs: number = START_MS): HandClock {
  let elapsedMs = 0;
  const timers = new Set<{ readonly atMs: number; readonly run: () => void }>();
  return {
    nowMs: () => startMs + elapsedMs,
    monotonicMs: () => elapsedMs,
    timer: (delayMs, run) => {
      const timer = { atMs: elapsedMs + delayMs, run };
      timers.add(timer);
      return () => timers.delete(timer);
    },
    advance: (ms) => {
      elapsedMs += ms;
      const due = [...timers].filter((t) => t.atMs <= elapsedMs).sort((a, b) => a.atMs - b.atMs);
      for (const timer of due) if (timers.delete(timer)) timer.run();
    },
    hasTimer: (inMs) => [...timers].some((t) => t.atMs === elapsedMs + inMs),
  };
}

/** Reproducible bytes; another seed gives other bytes. */
export function seededRandom(seed: string): Random {
  let count = 0;
  return (length) => {
    const out = new Uint8Array(length);
    for (let at = 0; at < length; at += 32) {
      const block = sha256(new TextEncoder().encode(`${seed}/${count++}`));
      out.set(block.subarray(0, Math.min(32, length - at)), at);
    }
    return out;
  };
}

export const keyOf = (name: string): SigningKey => signingKeyFromSeed(sha256(new TextEncoder().encode(`key/${name}`)));

export type Answer = { readonly status: number; readonly headers: Headers; readonly body: Uint8Array };
export type Call = {
  readonly method?: string;
  readonly body?: Uint8Array;
  readonly headers?: Readonly<Record<string, string>>;
  /** Signs as this key. */
  readonly key?: SigningKey;
  /** Signs for another node, another time or another body than those sent. */
  readonly signAs?: { readonly origin?: string; readonly nowMs?: number; readonly body?: Uint8Array };
};

export type NodeFixture = {
  readonly node: SluiceNode;
  readonly storage: Storage;
  readonly clock: HandClock;
  readonly random: Random;
  readonly directory: string;
  readonly call: (path: string, call?: Call) => Promise<Answer>;
  readonly sign: (path: string, call: Call) => Record<string, string>;
  readonly close: () => Promise<void>;
};

/** Starts a node on a free port of loopback with a fresh database. */
export async function startNode(
  options: Partial<Omit<NodeDeps, 'storage' | 'clock'>> & { readonly wrap?: (storage: Storage) => Storage } = {},
): Promise<NodeFixture> {
  const directory = mkdtempSync(join(tmpdir(), 'sluice-node-'));
  const clock = createHandClock();
  const random = seededRandom('node');
  const { wrap = (s) => s, ...deps } = options;
  const storage = wrap(openSqliteStorage({ path: join(directory, 'node.db'), synchronous: 'NORMAL' }));
  const identity = { did: NODE_DID, key: keyOf('node') };
  const listen = { port: 0 };
  const node = await createNode({
    identity,
    publicUrl: NODE_URL,
    policy: { type: 'open' },
    listen,
    ...deps,
    storage,
    clock,
    random,
  }).catch(async (cause: unknown) => {
    await storage.close();
    rmSync(directory, { recursive: true, force: true });
    throw cause;
  });

  const sign = (path: string, { method = 'GET', body, key, signAs = {} }: Call): Record<string, string> => {
    if (!key) return {};
    const signedBody = signAs.body ?? body;
    const url = `${signAs.origin ?? NODE_URL}${path}`;
    const at = { nowMs: () => signAs.nowMs ?? clock.nowMs() };
    return signRequest({ method, url, key, clock: at, random, ...(signedBody ? { body: signedBody } : {}) });
  };
  const call = async (path: string, c: Call = {}): Promise<Answer> => {
    const type: Record<string, string> = c.body ? { 'content-type': 'application/cbor' } : {};
    const answer = await fetch(`${node.url}${path}`, {
      method: c.method ?? 'GET',
      headers: { ...type, ...sign(path, c), ...c.headers },
      ...(c.body ? { body: c.body as Uint8Array<ArrayBuffer> } : {}),
    });
    return { status: answer.status, headers: answer.headers, body: new Uint8Array(await answer.arrayBuffer()) };
  };
  const close = async (): Promise<void> => {
    await node.close();
    rmSync(directory, { recursive: true, force: true });
  };
  return { node, storage, clock, random, directory, call, sign, close };
}

/** Sends a request by hand: its target and Host may be anything. Returns the status and the code of the problem, if any. */
export function rawCall(
  fixture: NodeFixture,
  target: string,
  headers: Readonly<Record<string, string>>,
): Promise<{ readonly status: number; readonly code: unknown }> {
  return new Promise((resolve, reject) => {
    const options = { host: '127.0.0.1', port: fixture.node.port, path: target, headers, agent: false };
    const request = httpRequest(options, (response) => {
      const parts: Buffer[] = [];
      response.on('data', (part: Buffer) => parts.push(part));
      response.on('end', () => resolve({ status: response.statusCode ?? 0, code: codeIn(Buffer.concat(parts)) }));
    });
    request.on('error', reject);
    request.end();
  });
}

function codeIn(body: Uint8Array): unknown {
  try {
    return (JSON.parse(new TextDecoder().decode(body)) as { readonly code?: unknown }).code;
  } catch {
    return undefined;
  }
}

/** The status and code of a refusal, e.g. `403 FORBIDDEN`, or the status alone. */
export const outcomeOf = ({ status, body }: Answer): string =>
  [status, codeIn(body)].filter((part) => part !== undefined).join(' ');

export type TestSpace = {
  readonly space: SpaceId;
  readonly root: SigningKey;
  readonly genesis: Uint8Array;
  readonly firstPush: Uint8Array;
  /** `/v1/spaces/ID`. */
  readonly path: string;
  /** The root's next control entry: a row for a key. */
  readonly rowEntry: (name: string, key: SigningKey, row?: Partial<CtlRow>) => Entry;
};

/** Makes the parts of a space of its own root, whose first row makes `device` an admin. Nothing is sent. */
export function createTestSpace(
  name: string,
  device: SigningKey,
  nowMs: number = START_MS,
  node = NODE_DID,
): TestSpace {
  const root = keyOf(`root/${name}`);
  const { space, signed } = createGenesis(root, node, seededRandom(name));
  let n = 0;
  let previous: Uint8Array = NO_ENTRY;
  const rowEntry: TestSpace['rowEntry'] = (rowName, key, row = {}) => {
    n++;
    const id = toRowId(sha256(new TextEncoder().encode(rowName)).slice(0, 16));
    const at = { n, hlc: { ms: nowMs, counter: n }, previous };
    const pub = {
      type: 'row',
      id,
      key: key.publicKey,
      role: 'admin',
      access: [],
      status: 'active',
      expiresMs: 0,
      perDay: 0,
      term: 0,
      statusMs: n,
      ...row,
    } as const;
    const entry = createCtlEntry(root, ctlStreamId(space), at, pub, null);
    previous = entryHash(entry);
    return entry;
  };
  const firstPush = encodePush([{ type: 'ctl', entries: [rowEntry('device', device)] }]);
  return { space, root, genesis: signed, firstPush, path: `/v1/spaces/${bytesToBase64url(space)}`, rowEntry };
}

/** Creates the space at the node as its device. */
export const putSpace = (
  fixture: NodeFixture,
  space: TestSpace,
  device: SigningKey,
  headers: Record<string, string> = {},
): Promise<Answer> =>
  fixture.call('/v1/spaces', {
    method: 'POST',
    body: encodeCbor([space.genesis, space.firstPush]),
    key: device,
    headers,
  });

/** The one own stream these tests write to. */
const OWN_STREAM = toStreamId(new Uint8Array(16).fill(1));

/** A push of sealed entries of the own stream, or another, one for each text, and the hash that the writer's next seal names. */
export function ownPush(
  writer: SigningKey,
  { clock, random }: Pick<NodeFixture, 'clock' | 'random'>,
  firstN: number,
  texts: readonly string[],
  previous: Uint8Array = NO_SEAL,
  stream: StreamId = OWN_STREAM,
): { readonly push: Uint8Array; readonly hash: Uint8Array } {
  const entries = texts.map((text, i): Entry => {
    const header = {
      writer: writerId(writer.publicKey),
      n: firstN + i,
      tag: toTag(sha256(new TextEncoder().encode(`${firstN + i}`)).slice(0, 16)),
      kind: ENTRY_KIND.PUT,
      hlc: { ms: clock.nowMs(), counter: i },
      epoch: 0,
      superseded: [],
      expiresMs: null,
    };
    return sealEntry(toAeadKey(new Uint8Array(32).fill(9)), stream, header, new TextEncoder().encode(text), random);
  });
  const seal = createSeal(writer, stream, firstN, entries, previous);
  return { push: encodePush([{ type: 'sealed', stream, entries, seal }]), hash: sealHash(seal) };
}

/** Resolves when the fact holds; the test's own time limit ends a wait in vain. */
export async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await holds())) await new Promise((resolve) => setTimeout(resolve, 1));
}
