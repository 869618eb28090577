/** What is asked of the replica once for all feeds of one push. */

import type { Basis } from '@sluice/core/grant';
import type { SpaceEngine } from '../../space/space-engine.ts';
import type { Collection } from '../../store/collection.ts';

/** What the feeds of one push have in common: many grants draw from one collection, mostly from the same place on. */
export type Round = {
  readonly basisOf: (collection: Collection) => Basis;
  readonly changesOf: (collection: Collection, ls: number) => ReturnType<Collection['changedSince']>;
};

/** Starts a round; it is of use for one push. `records`: how many changes are looked at in one step. */
export function createRound(engine: SpaceEngine, records: number): Round {
  const bases = new Map<Collection, Basis>();
  const changes = new Map<Collection, Map<number, ReturnType<Collection['changedSince']>>>();
  return {
    basisOf: (collection) => {
      const basis = bases.get(collection) ?? engine.store.vector(collection.streamRow, engine.self);
      bases.set(collection, basis);
      return basis;
    },
    changesOf: (collection, ls) => {
      const known = changes.get(collection) ?? new Map<number, ReturnType<Collection['changedSince']>>();
      changes.set(collection, known);
      const found = known.get(ls) ?? collection.changedSince(ls, records);
      known.set(ls, found);
      return found;
    },
  };
}
