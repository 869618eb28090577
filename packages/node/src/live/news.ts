/** Who waits for news of which log. A commit is told to these alone, and the most pressing first. Must not know what a log holds. */

import { bytesToHex, type SpaceId } from '@sluice/core/base';
import type { Storage, TouchedLog } from '../storage/port.ts';

/** Calls back after each commit that touched the log. Returns how to stop. */
export type Watch = (space: SpaceId, log: string, wake: () => void) => () => void;

/**
 * What a revoke closes is closed before anything is served; then feeds, for which somebody else waits; then the logs of the owner's own
 * devices, to whom a commit mostly brings nothing but their own entries.
 */
const rank = ({ log }: TouchedLog): number => (log === 'ctl' ? 0 : log === 'own' || log === 'inbox' ? 2 : 1);

/** Listens to a storage once, for every connection. */
export function createNews(onCommit: Storage['onCommit']): { readonly watch: Watch; readonly stop: () => void } {
  const watchers = new Map<string, Set<() => void>>();
  const nameOf = (space: SpaceId, log: string): string => `${bytesToHex(space)}/${log}`;
  const stop = onCommit((touched) => {
    for (const { space, log } of [...touched].sort((a, b) => rank(a) - rank(b)))
      for (const wake of [...(watchers.get(nameOf(space, log)) ?? [])]) wake();
  });
  return {
    watch: (space, log, wake) => {
      const name = nameOf(space, log);
      const here = watchers.get(name) ?? new Set();
      // A function of its own, so that the same callback may watch twice.
      const entry = (): void => wake();
      watchers.set(name, here.add(entry));
      return () => {
        here.delete(entry);
        if (here.size === 0 && watchers.get(name) === here) watchers.delete(name);
      };
    },
    stop,
  };
}
