import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { WebSocketServer } from 'ws';
import { createNodePlatform } from './node-platform.ts';

const PING_MS = 30_000;

let servers: WebSocketServer[] = [];
beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] }));
afterEach(() => {
  vi.useRealTimers();
  for (const server of servers) {
    for (const socket of server.clients) socket.terminate();
    server.close();
  }
  servers = [];
});

const until = async (look: () => boolean): Promise<void> => {
  while (!look()) await new Promise((resolve) => setImmediate(resolve));
};

/** A connection to a server that answers pings or does not. */
async function connect(autoPong: boolean) {
  const server = new WebSocketServer({ host: '127.0.0.1', port: 0, autoPong });
  servers.push(server);
  await until(() => server.address() !== null);
  let pings = 0;
  server.on('connection', (socket) => socket.on('ping', () => pings++));
  const { port } = server.address() as AddressInfo;
  const platform = createNodePlatform({ devHosts: () => new Map([['node.example', `127.0.0.1:${port}`]]) });
  let isClosed = false;
  const heard: string[] = [];
  const socket = await new Promise<{ readonly close: () => void }>((resolve) => {
    const opened = platform.openSocket(new URL('https://node.example/v1/live'), {
      onOpen: () => resolve(opened),
      onMessage: (bytes) => heard.push(new TextDecoder().decode(bytes)),
      onClose: () => {
        isClosed = true;
      },
    });
  });
  /** What the client has got by now: it comes after the answer to a ping. */
  const echo = async (text: string): Promise<void> => {
    for (const client of server.clients) client.send(Buffer.from(text));
    await until(() => heard.includes(text));
  };
  return { socket, echo, pings: () => pings, isClosed: () => isClosed };
}

it('[LIVE-10] a connection whose other side is gone without a word is given up', async () => {
  const { pings, isClosed } = await connect(false);
  vi.advanceTimersByTime(PING_MS);
  await until(() => pings() === 1);
  expect(isClosed()).toBe(false);
  vi.advanceTimersByTime(PING_MS);
  await until(isClosed);
  expect(vi.getTimerCount()).toBe(0);
});

it('[LIVE-10] a connection that answers is kept, and leaves no timer when it closes', async () => {
  const { socket, echo, pings, isClosed } = await connect(true);
  for (let i = 1; i <= 3; i++) {
    vi.advanceTimersByTime(PING_MS);
    await until(() => pings() === i);
    await echo(`after ping ${i}`);
  }
  expect(isClosed()).toBe(false);
  socket.close();
  await until(isClosed);
  expect(vi.getTimerCount()).toBe(0);
});
