import { describe, expect, it } from 'vitest';
import { createHandClock, seededRandom } from './node-fixture.ts';
import { createRateLimiter } from './rate-limit.ts';

const limiterAt = (perSecond: number, burst: number) => {
  const clock = createHandClock();
  return { clock, ...createRateLimiter({ perSecond, burst }, clock, seededRandom('limit')) };
};

describe('token buckets', () => {
  it('[NODE-3] a burst passes, then what the rate refills, and no more', () => {
    const { take, clock } = limiterAt(2, 3);
    expect([1, 2, 3].map(() => take('203.0.113.1', 1))).toEqual([0, 0, 0]);
    expect(take('203.0.113.1', 1)).toBe(500);
    clock.advance(499);
    expect(take('203.0.113.1', 1)).toBeGreaterThan(0);
    clock.advance(1);
    expect(take('203.0.113.1', 1)).toBe(0);
    clock.advance(3_600_000);
    expect(take('203.0.113.1', 3)).toBe(0);
    expect(take('203.0.113.1', 1)).toBe(500);
  });

  it('[NODE-3] a refused request takes nothing, and other addresses are not touched', () => {
    const { take } = limiterAt(1, 5);
    expect(take('203.0.113.1', 6)).toBe(1000);
    expect(take('203.0.113.1', 5)).toBe(0);
    expect(take('203.0.113.2', 5)).toBe(0);
  });

  it('[NODE-3] addresses of one IPv6 /64 share a bucket, and IPv4 inside IPv6 is IPv4', () => {
    const { take } = limiterAt(1, 1);
    expect(take('2001:db8:1:2::1', 1)).toBe(0);
    expect(take('2001:db8:1:2:ffff:0:0:9', 1)).toBeGreaterThan(0);
    expect(take('2001:0db8:0001:0002::9', 1)).toBeGreaterThan(0);
    expect(take('2001:db8:1:3::1', 1)).toBe(0);
    expect(take('203.0.113.1', 1)).toBe(0);
    expect(take('::ffff:203.0.113.1', 1)).toBeGreaterThan(0);
  });
});
