import { describe, expect, it } from 'vitest';
import { createHandClock } from './node-fixture.ts';
import { createWakeups } from './wakeups.ts';

const setUp = () => {
  const clock = createHandClock();
  const woken: string[] = [];
  const wakeups = createWakeups(clock);
  const wait = (name: string, as: string, signal = new AbortController().signal) =>
    wakeups.wait(name, 1000, signal).then(() => woken.push(as));
  return { clock, woken, wakeups, wait };
};

describe('waiting for news', () => {
  it('wakes all that wait for a name, and nobody else', async () => {
    const { wakeups, woken, wait } = setUp();
    const both = [wait('a', 'first'), wait('a', 'second')];
    void wait('b', 'other');
    wakeups.wake('a');
    await Promise.all(both);
    expect(woken).toEqual(['first', 'second']);
  });

  it('ends by time and leaves no timer', async () => {
    const { clock, woken, wait } = setUp();
    const waiting = wait('a', 'late');
    clock.advance(999);
    expect(clock.hasTimer(1)).toBe(true);
    clock.advance(1);
    await waiting;
    expect(woken).toEqual(['late']);
    expect(clock.hasTimer(0)).toBe(false);
  });

  it('ends when the client goes away, and its timer with it', async () => {
    const { clock, wait } = setUp();
    const gone = new AbortController();
    const waiting = wait('a', 'gone', gone.signal);
    gone.abort();
    await waiting;
    expect(clock.hasTimer(1000)).toBe(false);
  });

  it('nobody waits once all were woken', async () => {
    const { wakeups, woken, wait } = setUp();
    const waiting = wait('a', 'before');
    wakeups.wakeAll();
    await waiting;
    await wait('a', 'after');
    expect(woken).toEqual(['before', 'after']);
  });
});
