/** Which requests are limited for each remote address, and how much by default. */

import type { IncomingMessage } from 'node:http';
import type { Clock, Random } from '@sluice/core/base';
import { Problem } from './problem.ts';
import { type Bucket, createRateLimiter } from './rate-limit.ts';

/**
 * For each remote address. `spaces`: creations. `messages`: started 4 KiB of each message left in an inbox. `drops`: requests to drops. `writes`: recovery
 * boxes and DID logs. `requests`: signed requests. `sockets`: live connections opened.
 */
export type LimitName = 'spaces' | 'messages' | 'drops' | 'writes' | 'requests' | 'sockets';
/** Other limits than the default ones. */
export type Limits = { readonly [K in LimitName]?: Bucket };
/** What one address may do, by kind of request. */
export const DEFAULT_LIMITS: Required<Limits> = {
  spaces: { perSecond: 0.2, burst: 50 },
  messages: { perSecond: 200, burst: 4000 },
  drops: { perSecond: 2, burst: 100 },
  writes: { perSecond: 1, burst: 200 },
  requests: { perSecond: 200, burst: 5000 },
  sockets: { perSecond: 20, burst: 1000 },
};

/** How much of a message one token of `messages` pays for, in bytes. */
const MESSAGE_TOKEN_BYTES = 4096;
/** What a deposit costs. Counted by size: messages are up to 256 KiB, and it is disk that spam fills. */
export const depositCost = (messages: readonly Uint8Array[]): number =>
  messages.reduce((sum, message) => sum + Math.max(1, Math.ceil(message.length / MESSAGE_TOKEN_BYTES)), 0);

/** The limits of a node, by kind of request and address. */
export type Limiters = {
  /** Returns 0, or the ms after which to try again. */
  readonly take: (name: LimitName, request: IncomingMessage, cost?: number) => number;
  /** Throws RATE_LIMITED if the request's address has too few tokens left. */
  readonly check: (name: LimitName, request: { readonly raw: IncomingMessage }, cost?: number) => void;
};

/** Creates the limiters of one node. `proxies` are the addresses whose `x-forwarded-for` is believed. */
export function createLimiters(limits: Limits, clock: Clock, random: Random, proxies: readonly string[]): Limiters {
  const buckets = { ...DEFAULT_LIMITS, ...limits };
  const create = (name: LimitName) => createRateLimiter(buckets[name], clock, random);
  const limiters = {
    spaces: create('spaces'),
    messages: create('messages'),
    drops: create('drops'),
    writes: create('writes'),
    requests: create('requests'),
    sockets: create('sockets'),
  };
  const take: Limiters['take'] = (name, request, cost = 1) =>
    limiters[name].take(clientAddress(request, proxies), cost);
  return {
    take,
    check: (name, request, cost) => {
      const waitMs = take(name, request.raw, cost);
      if (waitMs > 0) throw new Problem('RATE_LIMITED', waitMs / 1000);
    },
  };
}

/** The nearest address that is no trusted proxy: what stands before it in the header anybody may have written. */
function clientAddress(request: IncomingMessage, proxies: readonly string[]): string {
  const forwarded = [request.headers['x-forwarded-for'] ?? []].flat().join(',').split(',');
  const chain = [request.socket.remoteAddress ?? '', ...forwarded.reverse().map((address) => address.trim())];
  const plain = chain.map((address) => address.replace(/^::ffff:(?=\d+\.)/i, '')).filter((address) => address !== '');
  return plain.find((address) => !proxies.includes(address)) ?? plain.at(-1) ?? '';
}
