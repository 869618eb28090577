/** Token buckets for each remote address. Addresses are kept hashed under a secret of this process, never in clear. */

import { isIPv6 } from 'node:net';
import { bytesToHex, type Clock, type Random, utf8ToBytes } from '@sluice/core/base';
import { hmacSha256 } from '@sluice/core/crypto';

/** Tokens that fill up again: so many a second, and no more than `burst`. */
export type Bucket = { readonly perSecond: number; readonly burst: number };
/** One bucket for each address. */
export type RateLimiter = {
  /** Takes `cost` tokens and returns 0, or takes nothing and returns the ms until there are enough. */
  readonly take: (address: string, cost: number) => number;
};

/** Addresses remembered at once; the one unused for longest is forgotten first. */
const MAX_ADDRESSES = 50_000;

/** Creates a limiter whose buckets start full. */
export function createRateLimiter(bucket: Bucket, clock: Pick<Clock, 'monotonicMs'>, random: Random): RateLimiter {
  const { perSecond, burst } = bucket;
  const secret = random(32);
  const buckets = new Map<string, { readonly tokens: number; readonly atMs: number }>();
  return {
    take: (address, cost) => {
      const key = bytesToHex(hmacSha256(secret, utf8ToBytes(subscriberOf(address))).subarray(0, 12));
      const nowMs = clock.monotonicMs();
      const old = buckets.get(key) ?? { tokens: burst, atMs: nowMs };
      const tokens = Math.min(burst, old.tokens + ((nowMs - old.atMs) / 1000) * perSecond);
      const isEnough = tokens >= cost;
      buckets.delete(key);
      buckets.set(key, { tokens: isEnough ? tokens - cost : tokens, atMs: nowMs });
      if (buckets.size > MAX_ADDRESSES) buckets.delete(buckets.keys().next().value ?? key);
      return isEnough ? 0 : Math.max(1, ((cost - tokens) / perSecond) * 1000);
    },
  };
}

/** One subscriber usually holds a whole /64 of IPv6, so its addresses share a bucket; IPv4 inside IPv6 is IPv4. */
function subscriberOf(address: string): string {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
  if (mapped !== undefined) return mapped;
  const plain = address.split('%', 1)[0] ?? '';
  if (!isIPv6(plain)) return address;
  const [front = '', back] = plain.split('::');
  const groups = front === '' ? [] : front.split(':');
  const tail = back === undefined || back === '' ? [] : back.split(':');
  const zeros = back === undefined ? 0 : Math.max(0, 8 - groups.length - tail.length);
  const all = [...groups, ...new Array<string>(zeros).fill('0'), ...tail];
  return all
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(':');
}
