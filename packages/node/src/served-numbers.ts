/** Up to which number each feed was served to its grantee, since this process started. Bounded; what is forgotten reads as unknown. */

import { bytesToHex, type SpaceId, type StreamId } from '@sluice/core/base';

const MAX_FEEDS = 100_000;

/** What was served, by feed. */
export type ServedNumbers = {
  readonly note: (space: SpaceId, feed: StreamId, upTo: number) => void;
  /** Undefined where nothing is known. */
  readonly of: (space: SpaceId, feed: StreamId) => number | undefined;
};

/** Knows nothing at first. */
export function createServedNumbers(): ServedNumbers {
  const numbers = new Map<string, number>();
  const nameOf = (space: SpaceId, feed: StreamId): string => `${bytesToHex(space)}/${bytesToHex(feed)}`;
  return {
    note: (space, feed, upTo) => {
      const name = nameOf(space, feed);
      const known = numbers.get(name) ?? 0;
      numbers.delete(name);
      numbers.set(name, Math.max(known, upTo));
      if (numbers.size <= MAX_FEEDS) return;
      const [oldest] = numbers.keys();
      if (oldest !== undefined) numbers.delete(oldest);
    },
    of: (space, feed) => numbers.get(nameOf(space, feed)),
  };
}
