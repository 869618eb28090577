/** What the client needs of its surroundings, injected once: time, chance, network, storage. Node's is in `@sluice/client/node`. */

import type { Clock, Did, Random, Result } from '@sluice/core/base';
import type { StoreDb } from './store/store-db.ts';

/** Why nothing was fetched. `refused` is this side’s own policy. */
export type FetchFailure = { readonly type: 'unreachable' | 'not-found' | 'too-large' | 'refused' };
/** Units: bytes and ms. */
export type FetchLimits = { readonly maxBytes: number; readonly timeoutMs: number };
/** A request as it goes out; GET unless `method` says otherwise. */
export type FetchRequest = FetchLimits & {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array;
};
/** An answer, whatever its status. Header names are in lower case. */
export type FetchAnswer = {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
};

/** An open WebSocket. */
export type Socket = {
  readonly send: (bytes: Uint8Array) => void;
  readonly close: () => void;
};
/** What a WebSocket tells. `onClose` comes once, also when it never opened. */
export type SocketEvents = {
  readonly onOpen: () => void;
  readonly onMessage: (bytes: Uint8Array) => void;
  readonly onClose: () => void;
};

/** A client store that this process has for itself until it releases it. */
export type OpenedStore = { readonly db: StoreDb; readonly release: () => void };

/** Time, chance and network, injected once. */
export type Platform = {
  readonly clock: Clock;
  readonly random: Random;
  /** Text over hardened https: no private addresses, no redirects. */
  readonly fetchText: (url: URL, limits: FetchLimits) => Promise<Result<string, FetchFailure>>;
  /** Any answer of an https request, whatever its status. */
  readonly fetchBytes: (url: URL, request: FetchRequest) => Promise<Result<FetchAnswer, FetchFailure>>;
  /** Opens a WebSocket to an https address of a node. */
  readonly openSocket: (url: URL, events: SocketEvents) => Socket;
  /** Reads a local file, where there are files. */
  readonly readFile?: (path: string) => Promise<Result<string, FetchFailure>>;
};

/** Where a node is and who it says it is. */
export type NodeAddress = { readonly url: string; readonly did: Did };
