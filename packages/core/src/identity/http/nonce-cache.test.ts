import { describe, expect, it } from 'vitest';
import { createNonceCache } from './nonce-cache.ts';

const bytes = (n: number, length = 16): Uint8Array => {
  const out = new Uint8Array(length);
  new DataView(out.buffer).setUint32(0, n);
  return out;
};
const key = (n: number): Uint8Array => bytes(n, 32);

describe('the nonce cache', () => {
  it('[HTTP-6] refuses a nonce the second time, for the same key alone', () => {
    const cache = createNonceCache({ maxEntries: 1000 });
    expect(cache.seen(key(1), bytes(1), 60_000, 0)).toBe(false);
    expect(cache.seen(key(1), bytes(1), 60_000, 1)).toBe(true);
    expect(cache.seen(key(1), bytes(1), 90_000, 1)).toBe(true);
    expect(cache.seen(key(2), bytes(1), 60_000, 1)).toBe(false);
    expect(cache.seen(key(1), bytes(2), 60_000, 1)).toBe(false);
  });

  it('[HTTP-6] remembers a nonce until its request has expired, and then lets it go', () => {
    const cache = createNonceCache({ maxEntries: 1000 });
    cache.seen(key(1), bytes(1), 65_000, 0);
    expect(cache.seen(key(1), bytes(1), 65_000, 64_999)).toBe(true);
    expect(cache.size()).toBe(1);
    cache.seen(key(1), bytes(2), 200_000, 75_000);
    expect(cache.size()).toBe(1);
  });

  it('[HTTP-7] refuses rather than forgets when it is full, until something expires', () => {
    const cache = createNonceCache({ maxEntries: 100 });
    for (let i = 0; i < 100; i++) expect(cache.seen(key(i), bytes(i), 60_000, 0)).toBe(false);
    expect(cache.seen(key(500), bytes(500), 60_000, 0)).toBe(true);
    expect(cache.seen(key(0), bytes(0), 60_000, 0)).toBe(true);
    expect(cache.size()).toBe(100);
    expect(cache.seen(key(500), bytes(500), 150_000, 80_000)).toBe(false);
  });

  it('[HTTP-7] gives one key an eighth at most', () => {
    const cache = createNonceCache({ maxEntries: 8000 });
    const refused = Array.from({ length: 1500 }, (_, i) => cache.seen(key(1), bytes(i), 60_000, 0)).filter(Boolean);
    expect(refused.length).toBe(500);
    expect(cache.seen(key(2), bytes(1), 60_000, 0)).toBe(false);
    expect(cache.seen(key(1), bytes(9999), 150_000, 80_000)).toBe(false);
  });
});
