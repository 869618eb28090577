/** One live connection: the hello, then subscriptions and pushes of one key (spec/live.md). Must not know the socket library. */

import type { Clock, Did, Random } from '@sluice/core/base';
import type { VerifyKey } from '@sluice/core/crypto';
import { verifyHello } from '@sluice/core/identity';
import {
  type ClientFrame,
  decodeClientFrame,
  encodeServerFrame,
  type ErrorCode,
  MAX_CONNECTION_KEYS,
  MAX_FRAME_BYTES,
  parseLogName,
  PROTOCOL_VERSION,
  type ServerFrame,
} from '@sluice/core/wire';
import type { NodeService } from '../service.ts';
import type { Watch } from './news.ts';
import { createSubscriptions } from './subscriptions.ts';

/** The socket as a connection sees it. */
export type LivePort = {
  readonly send: (frame: Uint8Array) => void;
  /** Whether little of what was sent still waits for the client to read. */
  readonly hasRoom: () => boolean;
  readonly close: (reason: string) => void;
};
/** One connection at work; the socket tells it what happens. */
export type LiveConnection = {
  readonly receive: (frame: Uint8Array) => void;
  /** The client has read: there is room again. */
  readonly drained: () => void;
  readonly closed: () => void;
  /** The key that said hello, for logs; undefined before. */
  readonly key: () => VerifyKey | undefined;
};
/** What a connection needs of its node. */
export type LiveDeps = {
  readonly service: NodeService;
  readonly watch: Watch;
  readonly did: Did;
  readonly clock: Clock;
  readonly random: Random;
};

/** How long a connection may stay without a valid hello, in ms. */
const HELLO_TIMEOUT_MS = 10_000;
/** Frames before the hello are at most this large, in bytes. */
const MAX_HELLO_BYTES = 2_048;
/** Pushes one connection may have unanswered. */
const MAX_PUSHES = 64;

/** Runs the protocol of one connection over a port. */
export function createLiveConnection(port: LivePort, { service, watch, did, clock, random }: LiveDeps): LiveConnection {
  const nonce = random(16);
  let key: VerifyKey | undefined;
  /** Keys that speak here, by the client's number; the one that said hello is 0. */
  const keys = new Map<number, VerifyKey>();
  let open = true;
  let pushes = 0;

  const send = (frame: ServerFrame): number => {
    const bytes = encodeServerFrame(frame);
    if (open) port.send(bytes);
    return bytes.length;
  };
  const fail = (reason: string): void => {
    open = false;
    port.close(reason);
  };

  const subscriptions = createSubscriptions({
    read: (k, space, log, after, whole) => service.pull(space, k, log, after, whole),
    mayRead: (k, space, log) => service.mayRead(space, k, log),
    watch,
    hasRoom: port.hasRoom,
    sendPage: (id, page) => send({ type: 'page', id, page }),
    sendClosed: (id, code) => send({ type: 'closed', id, code }),
  });
  const cancelHello = clock.timer(HELLO_TIMEOUT_MS, () => {
    if (!key && open) fail('no hello');
  });

  const push = (frame: Extract<ClientFrame, { type: 'push' }>): void => {
    const k = keys.get(frame.key);
    const refuse = (code: ErrorCode): void => {
      send({ type: 'refused', id: frame.id, code, nowMs: clock.nowMs() });
    };
    if (!k) return refuse('UNAUTHENTICATED');
    if (pushes >= MAX_PUSHES) return refuse('RATE_LIMITED');
    pushes++;
    service
      .push(frame.space, k, frame.push)
      .then((done) => (done.ok ? void send({ type: 'pushed', id: frame.id, answer: done.value }) : refuse(done.code)))
      .catch(() => refuse('INTERNAL'))
      .finally(() => pushes--);
  };

  const addKey = ({ key: number, proof }: Extract<ClientFrame, { type: 'key' }>): void => {
    const hello = verifyHello(proof, did, nonce, clock.nowMs());
    if (!hello.ok || keys.has(number) || keys.size > MAX_CONNECTION_KEYS) return fail('bad key');
    keys.set(number, hello.value);
  };

  const handle = (frame: ClientFrame): void => {
    switch (frame.type) {
      case 'key':
        return addKey(frame);
      case 'sub': {
        const log = parseLogName(frame.log);
        const k = keys.get(frame.key);
        if (!log || !k) return void send({ type: 'closed', id: frame.id, code: log ? 'UNAUTHENTICATED' : 'MALFORMED' });
        return subscriptions.open(frame.id, k, frame.space, log, frame.after, frame.credit);
      }
      case 'credit':
        return subscriptions.credit(frame.id, frame.bytes);
      case 'unsub':
        return subscriptions.close(frame.id);
      case 'push':
        return push(frame);
      case 'hello':
        return fail('second hello');
    }
  };

  send({ type: 'welcome', version: PROTOCOL_VERSION, node: did, nonce, nowMs: clock.nowMs() });
  return {
    receive: (bytes) => {
      if (!open) return;
      if (!key && bytes.length > MAX_HELLO_BYTES) return fail('too large before hello');
      const frame = decodeClientFrame(bytes);
      if (!frame.ok || bytes.length > MAX_FRAME_BYTES) return fail('malformed frame');
      if (key) return handle(frame.value);
      const hello =
        frame.value.type === 'hello' ? verifyHello(frame.value.proof, did, nonce, clock.nowMs()) : undefined;
      if (!hello?.ok) return fail('bad hello');
      key = hello.value;
      keys.set(0, key);
      cancelHello();
      send({ type: 'ready', nowMs: clock.nowMs() });
    },
    drained: () => {
      if (open) subscriptions.resume();
    },
    closed: () => {
      open = false;
      cancelHello();
      subscriptions.end();
    },
    key: () => key,
  };
}
