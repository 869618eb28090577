/** The client's surroundings in Node: sockets by `ws`, hardened fetch, files, the system's clock and randomness. */

import { readFile, stat } from 'node:fs/promises';
import type { LookupFunction } from 'node:net';
import { type Clock, createSystemClock, err, ok, type Random, systemRandom } from '@sluice/core/base';
import { checkUrl, type DevHosts } from '@sluice/core/identity';
import { MAX_FRAME_BYTES } from '@sluice/core/wire';
import type { Platform, Socket, SocketEvents } from '../index.ts';
import { WebSocket } from 'ws';
import { createHardenedFetch, type LookupAll, pinnedLookup } from './hardened-fetch.ts';

/** How often a connection is asked for a sign of life, and how long that may take, in ms: one that died in between says nothing by itself. */
const PING_MS = 30_000;
/** Files read for schemas and imports are at most this large, in bytes. */
const MAX_FILE_BYTES = 64 * 1024 * 1024;

/** What is taken from elsewhere than this machine: by tests, and under `--dev`. */
export type NodePlatformOptions = {
  readonly clock?: Clock;
  readonly random?: Random;
  /** Names that stand for loopback servers; only with `--dev`. Read anew at every use, so that a later server is found. */
  readonly devHosts?: () => DevHosts;
  /** How names are looked up; the system's way unless a test says otherwise. */
  readonly lookupAll?: LookupAll;
};

/** Creates the platform. */
export function createNodePlatform(options: NodePlatformOptions = {}): Platform {
  const { clock = createSystemClock(), random = systemRandom, devHosts, lookupAll } = options;
  const fetcher = createHardenedFetch({ ...(devHosts ? { devHosts } : {}), ...(lookupAll ? { lookupAll } : {}) });
  const lookup = pinnedLookup(lookupAll);
  return {
    clock,
    random,
    fetchText: fetcher.fetchText,
    fetchBytes: fetcher.fetchBytes,
    openSocket: (url, events) => openSocket(url, events, lookup, devHosts?.()),
    readFile: async (path) => {
      try {
        if ((await stat(path)).size > MAX_FILE_BYTES) return err({ type: 'too-large' });
        return ok(await readFile(path, 'utf8'));
      } catch {
        return err({ type: 'not-found' });
      }
    },
  };
}

function openSocket(url: URL, events: SocketEvents, lookup: LookupFunction, devHosts: DevHosts | undefined): Socket {
  const dial = checkUrl(url, devHosts);
  if (!dial.ok) {
    queueMicrotask(events.onClose);
    return { send: () => undefined, close: () => undefined };
  }
  const target = dial.value.href.replace(/^http/, 'ws');
  const socket = new WebSocket(target, {
    perMessageDeflate: false,
    maxPayload: MAX_FRAME_BYTES,
    followRedirects: false,
    handshakeTimeout: 10_000,
    // Where a node is, is a stranger's word as well: the address that is dialled is one that was checked.
    ...(dial.value.protocol === 'https:' ? { lookup } : {}),
  });
  socket.binaryType = 'nodebuffer';
  // The machine's own timers: whether the other side lives has nothing to do with what time it is held to be.
  const { timer } = createSystemClock();
  let isHeard = true;
  let cancelPing: () => void = () => undefined;
  const ping = (): void => {
    if (!isHeard) return socket.terminate();
    isHeard = false;
    socket.ping();
    cancelPing = timer(PING_MS, ping);
  };
  const hear = (): void => {
    isHeard = true;
  };
  socket.on('pong', hear);
  socket.on('open', () => {
    cancelPing = timer(PING_MS, ping);
    events.onOpen();
  });
  socket.on('message', (data: Buffer) => {
    hear();
    events.onMessage(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  });
  socket.on('close', () => {
    cancelPing();
    events.onClose();
  });
  // An error is always followed by a close, which is the one event that counts.
  socket.on('error', () => undefined);
  return {
    send: (bytes) => {
      if (socket.readyState === WebSocket.OPEN) socket.send(bytes);
    },
    close: () => socket.close(),
  };
}
