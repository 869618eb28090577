import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bytesToHex, compareBytes } from '../base/bytes.ts';
import { compareHlc, createHlc, type Hlc, MAX_DRIFT_MS } from './hlc.ts';
import { encodeHlc } from './hlc-fixture.ts';
import { compareStamps, hasSeen, type Stamp, stampAfter } from './stamp.ts';

const run = { seed: 20261124, numRuns: 2000 };
const instant: fc.Arbitrary<Hlc> = fc.record({
  ms: fc.oneof(fc.nat(), fc.integer({ min: 0, max: 2 ** 48 - 1 })),
  counter: fc.nat({ max: 65_535 }),
});

function clockAt(ms: number, start?: Hlc) {
  let nowMs = ms;
  return { hlc: createHlc({ nowMs: () => nowMs }, start), set: (next: number) => (nowMs = next) };
}

describe('createHlc', () => {
  it('[REC-2] follows the wall clock, counts within a millisecond, and never goes back', () => {
    const { hlc, set } = clockAt(1000.7);
    expect([hlc.tick(), hlc.tick()]).toEqual([
      { ms: 1000, counter: 0 },
      { ms: 1000, counter: 1 },
    ]);
    set(900);
    expect(hlc.tick()).toEqual({ ms: 1000, counter: 2 });
    set(1001);
    expect(hlc.tick()).toEqual({ ms: 1001, counter: 0 });
    expect(hlc.last()).toEqual({ ms: 1001, counter: 0 });
  });

  it('[REC-2] says the present without taking an instant', () => {
    const { hlc, set } = clockAt(1000);
    expect([hlc.now(), hlc.now(), hlc.tick()]).toEqual([1000, 1000, { ms: 1000, counter: 0 }]);
    set(900);
    expect(hlc.now()).toBe(1000);
    set(1500);
    expect([hlc.now(), hlc.last().ms]).toEqual([1500, 1000]);
  });

  it('[REC-2] a full counter begins the next millisecond', () => {
    const { hlc } = clockAt(1000, { ms: 1000, counter: 65_534 });
    expect([hlc.tick(), hlc.tick()]).toEqual([
      { ms: 1000, counter: 65_535 },
      { ms: 1001, counter: 0 },
    ]);
  });

  it('[REC-2] goes on after what it has taken note of, and after where it stopped', () => {
    const { hlc } = clockAt(1000, { ms: 2000, counter: 3 });
    expect(hlc.tick()).toEqual({ ms: 2000, counter: 4 });
    hlc.observe({ ms: 5000, counter: 9 });
    hlc.observe({ ms: 4000, counter: 9 });
    expect(hlc.tick()).toEqual({ ms: 5000, counter: 10 });
  });

  it('[REC-1] [REC-2] instants are whole milliseconds, whatever parts of one clocks and others tell', () => {
    const { hlc, set } = clockAt(1000.75);
    expect([hlc.tick(), hlc.now()]).toEqual([{ ms: 1000, counter: 0 }, 1000]);
    hlc.observe({ ms: 2000.5, counter: 3 });
    expect([hlc.tick(), hlc.now()]).toEqual([{ ms: 2000, counter: 4 }, 2000]);
    set(9_000_000.25);
    hlc.tick();
    hlc.reset(1_000_000.5);
    expect(hlc.tick()).toEqual({ ms: 1_000_000 + MAX_DRIFT_MS, counter: 1 });
    set(9_000_000.25 + 2 * MAX_DRIFT_MS);
    expect(hlc.tick()).toEqual({ ms: 1_000_000 + 2 * MAX_DRIFT_MS, counter: 0 });
  });

  it('[REC-3] an instant beyond the drift does not move it, one at the drift does', () => {
    const { hlc } = clockAt(1000);
    hlc.observe({ ms: 1001 + MAX_DRIFT_MS, counter: 0 });
    expect(hlc.tick()).toEqual({ ms: 1000, counter: 0 });
    hlc.observe({ ms: 1000 + MAX_DRIFT_MS, counter: 5 });
    expect(hlc.tick()).toEqual({ ms: 1000 + MAX_DRIFT_MS, counter: 6 });
  });

  it('[REC-2] prop: instants increase whatever the wall clock and the others do', () => {
    const event = fc.oneof(
      fc.record({ now: fc.nat({ max: 400_000 }) }),
      fc.record({ seen: fc.record({ ms: fc.nat({ max: 400_000 }), counter: fc.nat({ max: 65_535 }) }) }),
    );
    fc.assert(
      fc.property(fc.array(event, { maxLength: 30 }), (events) => {
        const { hlc, set } = clockAt(0);
        let last = hlc.tick();
        for (const item of events) {
          if ('now' in item) set(item.now);
          else hlc.observe(item.seen);
          const next = hlc.tick();
          expect(compareHlc(next, last)).toBeGreaterThan(0);
          last = next;
        }
      }),
      run,
    );
  });

  it('after a reset gives instants a node at that time accepts, none below one it may have accepted, and then the true time', () => {
    const { hlc, set } = clockAt(10_000_000);
    hlc.tick();
    hlc.reset(1_000_000);
    const first = hlc.tick();
    expect(first).toEqual({ ms: 1_000_000 + MAX_DRIFT_MS, counter: 1 });
    set(10_000_000 + MAX_DRIFT_MS + 5);
    expect(hlc.tick()).toEqual({ ms: 1_000_005 + MAX_DRIFT_MS, counter: 0 });
    const slow = clockAt(500);
    slow.hlc.tick();
    slow.hlc.reset(1_000_000);
    expect(slow.hlc.tick()).toEqual({ ms: 500, counter: 1 });
  });
});

describe('instants and stamps', () => {
  it('[REC-1] an instant is ms and counter, big-endian', () => {
    expect(bytesToHex(encodeHlc({ ms: 0x0102_0304_0506, counter: 0x0708 }))).toBe('0102030405060708');
    expect(bytesToHex(encodeHlc({ ms: 2 ** 48 - 1, counter: 65_535 }))).toBe('ff'.repeat(8));
  });

  it('[REC-1] prop: the bytes of instants are ordered as they are', () => {
    fc.assert(
      fc.property(instant, instant, (a, b) => {
        expect(Math.sign(compareBytes(encodeHlc(a), encodeHlc(b)))).toBe(Math.sign(compareHlc(a, b)));
      }),
      run,
    );
  });

  it('[REC-1] stamps are ordered by ms, then counter, then writer', () => {
    const ordered: Stamp[] = [
      { ms: 1, counter: 9, writer: 'f'.repeat(32) },
      { ms: 2, counter: 0, writer: 'f'.repeat(32) },
      { ms: 2, counter: 1, writer: '0'.repeat(32) },
      { ms: 2, counter: 1, writer: '1'.repeat(32) },
    ];
    for (const [i, a] of ordered.entries()) {
      for (const [j, b] of ordered.entries()) expect(Math.sign(compareStamps(a, b))).toBe(Math.sign(i - j));
    }
  });

  it('[REC-4] a stamp that is not later gives way to the next instant of the same writer', () => {
    const writer = '1'.repeat(32);
    const newest = { ms: 5, counter: 65_535, writer: 'f'.repeat(32) };
    expect(stampAfter(newest, { ms: 4, counter: 0, writer })).toEqual({ ms: 6, counter: 0, writer });
    expect(stampAfter(newest, { ms: 5, counter: 65_535, writer })).toEqual({ ms: 6, counter: 0, writer });
    expect(stampAfter(newest, { ms: 6, counter: 0, writer })).toEqual({ ms: 6, counter: 0, writer });
  });

  it('[REC-11] has seen what its writer did up to the latest stamp, and nothing of other writers', () => {
    const [a, b] = ['a', 'b'].map((c) => c.repeat(32)) as [string, string];
    const stamps = [
      { ms: 9, counter: 1, writer: a },
      { ms: 3, counter: 0, writer: a },
    ];
    expect(hasSeen(stamps, { ms: 9, counter: 1, writer: a })).toBe(true);
    expect(hasSeen(stamps, { ms: 9, counter: 2, writer: a })).toBe(false);
    expect(hasSeen(stamps, { ms: 1, counter: 0, writer: b })).toBe(false);
  });
});
