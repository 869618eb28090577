/** Remembers which signed requests were seen, for as long as they could be accepted again. */

import { bytesToBase64url } from '../../base/bytes.ts';

/** Remembers the nonces of signed requests until they expire by themselves. */
export type NonceCache = {
  /**
   * Records a nonce of a key and tells whether it must be refused: it was recorded before, or the key (or the cache) holds
   * as many live nonces as it may.
   *
   * Units: `expiresMs` is the instant from which the request would be refused anyway.
   */
  readonly seen: (key: Uint8Array, nonce: Uint8Array, expiresMs: number, nowMs: number) => boolean;
  /** Nonces held, expired ones that were not yet dropped included. */
  readonly size: () => number;
};

/** Expiries are kept in buckets of this many ms. */
const BUCKET_MS = 10_000;
/** One key may fill at most this part of the cache, so that it cannot push out the rest. */
const SHARE = 8;
const MIN_PER_KEY = 64;

/**
 * Creates a cache. When it is full it refuses rather than forgets: forgetting would open the door to a replay.
 */
export function createNonceCache({ maxEntries }: { readonly maxEntries: number }): NonceCache {
  const maxPerKey = Math.max(MIN_PER_KEY, Math.floor(maxEntries / SHARE));
  const held = new Set<string>();
  const countByKey = new Map<string, number>();
  const buckets = new Map<number, { readonly key: string; readonly id: string }[]>();

  const dropExpired = (nowMs: number): void => {
    const current = Math.floor(nowMs / BUCKET_MS);
    for (const [bucket, items] of buckets) {
      if (bucket >= current) continue;
      buckets.delete(bucket);
      for (const { key, id } of items) {
        held.delete(id);
        const left = (countByKey.get(key) ?? 0) - 1;
        if (left > 0) countByKey.set(key, left);
        else countByKey.delete(key);
      }
    }
  };

  return {
    seen: (keyBytes, nonce, expiresMs, nowMs) => {
      dropExpired(nowMs);
      const key = bytesToBase64url(keyBytes);
      const id = `${key}.${bytesToBase64url(nonce)}`;
      const count = countByKey.get(key) ?? 0;
      if (held.has(id) || held.size >= maxEntries || count >= maxPerKey) return true;
      held.add(id);
      countByKey.set(key, count + 1);
      const bucket = Math.floor(expiresMs / BUCKET_MS);
      const items = buckets.get(bucket);
      if (items) items.push({ key, id });
      else buckets.set(bucket, [{ key, id }]);
      return false;
    },
    size: () => held.size,
  };
}
