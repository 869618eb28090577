/** Token buckets for each remote address. Addresses are hashed with a secret of this process, so that memory dumps and logs hold none. */

import type { Clock, Random } from '@sluice/core/base';
import { bytesToHex, utf8ToBytes } from '@sluice/core/base';
import { hmacSha256 } from '@sluice/core/crypto';

export type Bucket = { readonly perSecond: number; readonly burst: number };
export type RateLimiter = { readonly take: (address: string, cost: number) => boolean };

/** Addresses remembered at once. */
const MAX_ADDRESSES = 50_000;

export function createRateLimiter(bucket: Bucket, clock: Pick<Clock, 'monotonicMs'>, random: Random): RateLimiter {
  const secret = random(32);
  const buckets = new Map<string, { tokens: number; atMs: number }>();
  return {
    take: (address, cost) => {
      const key = bytesToHex(hmacSha256(secret, utf8ToBytes(address)).subarray(0, 12));
      const nowMs = clock.monotonicMs();
      const state = buckets.get(key) ?? { tokens: bucket.burst, atMs: nowMs };
      state.tokens = Math.min(bucket.burst, state.tokens + ((nowMs - state.atMs) / 1000) * bucket.perSecond);
      state.atMs = nowMs;
      buckets.delete(key);
      buckets.set(key, state);
      if (buckets.size > MAX_ADDRESSES) {
        const oldest = buckets.keys().next().value;
        if (oldest !== undefined) buckets.delete(oldest);
      }
      if (state.tokens < cost) return false;
      state.tokens -= cost;
      return true;
    },
  };
}
