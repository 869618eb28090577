import { toSpaceId } from '@sluice/core/base';
import { describe, expect, it } from 'vitest';
import type { TouchedLog } from '../storage/port.ts';
import { createNews } from './news.ts';

const ONE = toSpaceId(new Uint8Array(32).fill(1));
const TWO = toSpaceId(new Uint8Array(32).fill(2));

/** News whose commits the test makes. */
function overCommits() {
  const listeners = new Set<(touched: readonly TouchedLog[]) => void>();
  const heard: string[] = [];
  const { watch, stop } = createNews((listener) => {
    listeners.add(listener);
    return () => listeners.delete(listener);
  });
  return {
    heard,
    stop,
    listen: (name: string, space = ONE, log = 'own') => watch(space, log, () => heard.push(name)),
    commit: (...touched: TouchedLog[]) => {
      for (const listener of listeners) listener(touched);
    },
    listenerCount: () => listeners.size,
  };
}

describe('news of commits', () => {
  it('[LIVE-3] control entries come first, then feeds, then the owner’s own logs', () => {
    const { heard, listen, commit } = overCommits();
    for (const log of ['own', 'inbox', 'BHFeed', 'ctl']) listen(log, ONE, log);
    commit(...['own', 'BHFeed', 'inbox', 'ctl'].map((log) => ({ space: ONE, log })));
    expect(heard).toEqual(['ctl', 'BHFeed', 'own', 'inbox']);
  });

  it('reaches who watches the log, and nobody else', () => {
    const { heard, listen, commit } = overCommits();
    const stopFirst = listen('first');
    listen('second');
    listen('other space', TWO);
    listen('other log', ONE, 'inbox');
    commit({ space: ONE, log: 'own' });
    expect(heard).toEqual(['first', 'second']);
    stopFirst();
    stopFirst();
    commit({ space: ONE, log: 'own' });
    expect(heard).toEqual(['first', 'second', 'second']);
  });

  it('lets a watcher end others while it is told', () => {
    const { heard, listen, commit } = overCommits();
    const stops: (() => void)[] = [];
    stops.push(listen('a'));
    for (const stop of stops) stop();
    listen('b');
    commit({ space: ONE, log: 'own' });
    expect(heard).toEqual(['b']);
  });

  it('listens to the storage once, until it stops', () => {
    const { stop, listen, listenerCount } = overCommits();
    listen('a');
    listen('b');
    expect(listenerCount()).toBe(1);
    stop();
    expect(listenerCount()).toBe(0);
  });
});
