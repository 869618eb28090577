/** WebSocket upgrades at /v1/live: each becomes a live connection; every other path is refused. Must not know frames. */

import type { IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';
import { bytesToBase64url } from '@sluice/core/base';
import { type ErrorCode, MAX_FRAME_BYTES } from '@sluice/core/wire';
import type { Logger } from 'pino';
import { type WebSocket, WebSocketServer } from 'ws';
import { rawProblem } from '../http/problem.ts';
import type { NodeService } from '../service.ts';
import { createLiveConnection, type LiveDeps } from './live-connection.ts';
import { createNews, type Watch } from './news.ts';

/** What the live server needs of its node. */
export type LiveServerDeps = Omit<LiveDeps, 'watch'> & {
  readonly logger: Logger;
  readonly isStopping: () => boolean;
  /** Tells whether this client may open one more connection now. */
  readonly mayOpen: (request: IncomingMessage) => boolean;
};
/** Every live connection of a node. */
export type LiveServer = {
  /** Ends every connection with a reason; those that do not answer are cut off after a second. */
  readonly close: () => Promise<void>;
  readonly count: () => number;
};

const PING_MS = 30_000;
/** Pages are read only while less than this waits in the client's socket, however much credit it gave. */
const ROOM_BYTES = 2 * 1024 * 1024;
/** A client that lets this much pile up in its socket is cut off; it resumes from its cursor. */
const MAX_BUFFERED_BYTES = 16 * 1024 * 1024;
const MAX_SOCKETS = 10_000;
/** How long the other side of a closing connection has to answer, in ms. */
const CLOSING_MS = 1000;
const ROUTE = '/v1/live';
/** WebSocket close codes. */
const CLOSE = { goingAway: 1001, unsupported: 1003, policy: 1008, internal: 1011 } as const;

/** Serves live connections on an HTTP server. */
export function createLiveServer(server: Server, deps: LiveServerDeps): LiveServer {
  const { clock, random, logger, isStopping } = deps;
  const sockets = new WebSocketServer({ noServer: true, perMessageDeflate: false, maxPayload: MAX_FRAME_BYTES });
  const answered = new WeakSet<WebSocket>();
  const news = createNews(deps.service.onCommit);

  const refusal = (request: IncomingMessage): ErrorCode | undefined => {
    if (request.url?.split('?', 1)[0] !== ROUTE) return 'NOT_FOUND';
    if (isStopping() || sockets.clients.size >= MAX_SOCKETS) return 'UNAVAILABLE';
    return deps.mayOpen(request) ? undefined : 'RATE_LIMITED';
  };
  const onUpgrade = (request: IncomingMessage, socket: Duplex, head: Buffer): void => {
    // Without a listener, a client that resets the connection would end the process.
    socket.on('error', () => socket.destroy());
    const code = refusal(request);
    if (code) socket.end(rawProblem(code, bytesToBase64url(random(9)), clock.nowMs()));
    else sockets.handleUpgrade(request, socket, head, serve);
  };

  const serve = (socket: WebSocket): void => {
    const requestId = bytesToBase64url(random(9));
    const startMs = clock.monotonicMs();
    let sentBytes = 0;
    /** Whether some page waits for the client to read. */
    let isStalled = false;
    const hasRoom = (): boolean => socket.bufferedAmount < ROOM_BYTES;
    /** Runs code of the connection; its bug ends this connection and nothing else. */
    const guarded = <T>(run: () => T): T | undefined => {
      try {
        return run();
      } catch (cause) {
        logger.error({ requestId, err: cause }, 'live connection failed');
        socket.close(CLOSE.internal, 'internal');
        return undefined;
      }
    };
    const service = logFailedPushes(deps.service, (cause) => logger.error({ requestId, err: cause }, 'push failed'));
    // A callback that throws would fail the commit it is told of.
    const watch: Watch = (space, log, wake) => news.watch(space, log, () => void guarded(wake));
    const port = {
      send: (frame: Uint8Array) => {
        sentBytes += frame.length;
        socket.send(frame, () => {
          if (!isStalled || !hasRoom()) return;
          isStalled = false;
          guarded(() => connection?.drained());
        });
        if (socket.bufferedAmount > MAX_BUFFERED_BYTES) socket.terminate();
      },
      hasRoom: () => {
        const room = hasRoom();
        if (!room) isStalled = true;
        return room;
      },
      close: (reason: string) => socket.close(CLOSE.policy, reason),
    };

    answered.add(socket);
    socket.on('pong', () => answered.add(socket));
    // `ws` closes the connection by itself, with the fitting code.
    socket.on('error', () => undefined);
    const connection = guarded(() => createLiveConnection(port, { ...deps, service, watch }));
    socket.on('message', (data: Buffer, isBinary) => {
      if (!isBinary) return socket.close(CLOSE.unsupported, 'binary frames only');
      return guarded(() => connection?.receive(new Uint8Array(data.buffer, data.byteOffset, data.byteLength)));
    });
    socket.on('close', (closeCode: number) => {
      connection?.closed();
      const ms = Math.round(clock.monotonicMs() - startMs);
      logger.info(
        { requestId, method: 'GET', route: ROUTE, status: 101, ms, bytes: sentBytes, closeCode },
        'live connection',
      );
    });
  };

  let cancelPing: () => void;
  const ping = (): void => {
    for (const socket of sockets.clients) {
      if (answered.delete(socket)) socket.ping();
      else socket.terminate();
    }
    cancelPing = clock.timer(PING_MS, ping);
  };
  cancelPing = clock.timer(PING_MS, ping);
  server.on('upgrade', onUpgrade);

  return {
    count: () => sockets.clients.size,
    close: async () => {
      cancelPing();
      news.stop();
      const open = [...sockets.clients];
      const cancelCut = clock.timer(CLOSING_MS, () => {
        for (const socket of open) socket.terminate();
      });
      const closed = open.map((socket) => new Promise<void>((resolve) => socket.once('close', () => resolve())));
      for (const socket of open) socket.close(CLOSE.goingAway, 'the node is stopping');
      await Promise.all(closed);
      cancelCut();
    },
  };
}

/** Without it a failed push would leave no trace in the log. */
function logFailedPushes(service: NodeService, onFault: (cause: unknown) => void): NodeService {
  return {
    ...service,
    push: async (...args) => {
      try {
        return await service.push(...args);
      } catch (cause) {
        onFault(cause);
        throw cause;
      }
    },
  };
}
