/** What lost a concurrent edit, as an application sees it: listed, put back or forgotten. */

import { jsonEquals, type JsonObject, type JsonValue } from '@sluice/core/base';
import { SluiceError } from './errors.ts';
import type { Collection } from './store/collection.ts';
import type { LostValue } from './store/conflict-journal.ts';

/** A value that lost against a concurrent edit, and what is there instead; undefined stands for none. */
export type Conflict = {
  /** Names the conflict to `resolve`. */
  readonly key: string;
  readonly id: string;
  readonly field: string;
  readonly kept: JsonValue | undefined;
  readonly lost: JsonValue | undefined;
  /** When this device merged it away: an ISO instant. */
  readonly lostAt: string;
  /** The writer id of the device that had written it, in hex. */
  readonly writer: string;
};

/** The conflicts of one database on this device. */
export type Conflicts = {
  /** Lists what lost here in the last 30 days, the last 3 values of a field, oldest first; of one record, if its id is given. */
  readonly conflicts: (options?: { readonly id?: string }) => Promise<Conflict[]>;
  /**
   * Settles a conflict: `keep` forgets the lost value, `use-lost` saves it as a new edit. A record that is deleted comes back with
   * all of its lost fields.
   *
   * Errors: NOT_FOUND, INVALID_RECORD, STORE_FULL.
   */
  readonly resolve: (key: string, how: 'keep' | 'use-lost') => Promise<void>;
  /** Calls back for every value that loses here from now on. Returns how to stop. */
  readonly onConflict: (callback: (conflict: Conflict) => void) => () => void;
};

/** Shows the conflicts of a collection. `isOurs` tells a record of this database from others in the collection. */
export function createConflicts(
  { conflicts, get }: Pick<Collection, 'conflicts' | 'get'>,
  isOurs: (record: JsonObject) => boolean,
  save: (record: JsonObject) => void,
): Conflicts {
  const shown = (lost: LostValue): Conflict[] => {
    const record = get(lost.id);
    if (record && !isOurs(record)) return [];
    const kept = record && Object.hasOwn(record, lost.field) ? record[lost.field] : undefined;
    if (isSame(kept, lost.lost)) return [];
    const { key, id, field, writer } = lost;
    return [{ key, id, field, kept, lost: lost.lost, lostAt: new Date(lost.lostMs).toISOString(), writer }];
  };
  const list = (id?: string): Conflict[] => conflicts.list(id).flatMap(shown);

  return {
    conflicts: async ({ id } = {}) => list(id),
    resolve: async (key, how) => {
      const found = list().find((conflict) => conflict.key === key);
      if (!found) throw new SluiceError('NOT_FOUND');
      if (how === 'use-lost') save(withLost(get(found.id), found, list(found.id)));
      conflicts.settle(key);
    },
    onConflict: (callback) =>
      conflicts.onLoser((lost) => {
        for (const conflict of shown(lost)) callback(conflict);
      }),
  };
}

function withLost(record: JsonObject | undefined, chosen: Conflict, ofRecord: readonly Conflict[]): JsonObject {
  const lost = record ? [chosen] : [...ofRecord, chosen];
  const next: { [name: string]: JsonValue } = { ...record, _id: chosen.id };
  for (const { field, lost: value } of lost) {
    if (value === undefined) delete next[field];
    else next[field] = value;
  }
  return next;
}

const isSame = (a: JsonValue | undefined, b: JsonValue | undefined): boolean =>
  a === b || (a !== undefined && b !== undefined && jsonEquals(a, b));
