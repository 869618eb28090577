/** A bare live client that keeps every frame, for the tests of this package. */

import type { SigningKey } from '@sluice/core/crypto';
import { signHello } from '@sluice/core/identity';
import { type ClientFrame, decodeServerFrame, encodeClientFrame, type ServerFrame } from '@sluice/core/wire';
import { WebSocket } from 'ws';
import { NODE_DID, type NodeFixture, until } from './node-fixture.ts';

/** A node’s frame of one type. */
export type FrameOf<T extends ServerFrame['type']> = Extract<ServerFrame, { readonly type: T }>;
/** A live connection as a test plays it. */
export type LiveClient = {
  readonly socket: WebSocket;
  readonly frames: readonly ServerFrame[];
  /** The size of every page frame received, in bytes. */
  readonly pageSizes: readonly number[];
  readonly send: (frame: ClientFrame) => void;
  /** Resolves with the first frame of the type that `matches`, past or to come. */
  readonly next: <T extends ServerFrame['type']>(
    type: T,
    matches?: (frame: FrameOf<T>) => boolean,
  ) => Promise<FrameOf<T>>;
  /** Resolves with the close code and reason. */
  readonly closed: Promise<string>;
};

/** Connects and waits for the welcome. */
export async function connectLive(fixture: NodeFixture): Promise<LiveClient> {
  const socket = new WebSocket(`${fixture.node.url.replace('http', 'ws')}/v1/live`);
  const frames: ServerFrame[] = [];
  const pageSizes: number[] = [];
  socket.on('message', (data: Buffer) => {
    const frame = decodeServerFrame(new Uint8Array(data));
    if (!frame.ok) throw new Error('the node sent what is no frame');
    if (frame.value.type === 'page') pageSizes.push(data.length);
    frames.push(frame.value);
  });
  socket.on('error', () => undefined);
  const closed = new Promise<string>((resolve) => {
    socket.on('close', (code, reason) => resolve(`${code} ${reason.toString('utf8')}`.trim()));
  });
  const next: LiveClient['next'] = async (type, matches = () => true) => {
    type Wanted = FrameOf<typeof type>;
    const find = () => frames.find((f): f is Wanted => f.type === type && matches(f as Wanted));
    await until(() => find() !== undefined);
    return find() as Wanted;
  };
  const send = (frame: ClientFrame): void => socket.send(encodeClientFrame(frame));
  const client = { socket, frames, pageSizes, send, next, closed };
  await next('welcome');
  return client;
}

/** Connects and says hello as a key. */
export async function openLive(fixture: NodeFixture, key: SigningKey): Promise<LiveClient> {
  const client = await connectLive(fixture);
  const { nonce } = await client.next('welcome');
  client.send({ type: 'hello', proof: signHello(key, NODE_DID, nonce, fixture.clock.nowMs()) });
  await client.next('ready');
  return client;
}
