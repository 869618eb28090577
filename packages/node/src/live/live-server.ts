/** WebSocket upgrades at /v1/live: each becomes a live connection; every other path is refused. */

import type { IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';
import { MAX_FRAME_BYTES } from '@sluice/core/wire';
import { WebSocket, WebSocketServer } from 'ws';
import { createLiveConnection, type LiveDeps } from './live-connection.ts';

const PING_MS = 30_000;
/** A client that lets this much pile up in its socket is cut off; it resumes from its cursor. */
const MAX_BUFFERED_BYTES = 16 * 1024 * 1024;

export type LiveServer = { readonly close: () => void; readonly count: () => number };

/** Serves live connections on an HTTP server. */
export function createLiveServer(server: Server, deps: LiveDeps): LiveServer {
  const sockets = new WebSocketServer({ noServer: true, perMessageDeflate: false, maxPayload: MAX_FRAME_BYTES });
  const alive = new WeakSet<WebSocket>();

  const onUpgrade = (request: IncomingMessage, socket: Duplex, head: Buffer): void => {
    if (request.url !== '/v1/live') {
      socket.end('HTTP/1.1 404 Not Found\r\nconnection: close\r\n\r\n');
      return;
    }
    sockets.handleUpgrade(request, socket, head, serve);
  };

  const serve = (socket: WebSocket): void => {
    alive.add(socket);
    const connection = createLiveConnection(
      {
        send: (frame) => {
          socket.send(frame);
          if (socket.bufferedAmount > MAX_BUFFERED_BYTES) socket.terminate();
        },
        close: (reason) => socket.close(1008, reason),
      },
      deps,
    );
    socket.on('message', (data: Buffer, isBinary) => {
      if (isBinary) connection.receive(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
      else socket.close(1003, 'binary frames only');
    });
    socket.on('pong', () => alive.add(socket));
    socket.on('close', () => connection.closed());
    socket.on('error', () => socket.terminate());
  };

  server.on('upgrade', onUpgrade);
  const pings = setInterval(() => {
    for (const socket of sockets.clients) {
      if (!alive.has(socket)) socket.terminate();
      alive.delete(socket);
      socket.ping();
    }
  }, PING_MS);
  pings.unref();

  return {
    count: () => sockets.clients.size,
    close: () => {
      clearInterval(pings);
      server.off('upgrade', onUpgrade);
      for (const socket of sockets.clients) socket.close(1001, 'the node is stopping');
      setTimeout(() => {
        for (const socket of sockets.clients) if (socket.readyState !== WebSocket.CLOSED) socket.terminate();
      }, 500).unref();
      sockets.close();
    },
  };
}
