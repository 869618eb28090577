/**
 * The owner's record of what grantees wrote: proposals that wait, what was accepted, and what each field held before. A collection of the
 * home space, so that every device of the owner decides, sees and undoes the same.
 */

import type { JsonObject, JsonValue } from '@sluice/core/base';
import type { Hlc } from '@sluice/core/record';
import { parseFilter } from '@sluice/core/filter';
import type { Rejection, WriteOperation } from '@sluice/core/grant';
import type { SpaceEngine } from '../../space/space-engine.ts';

/** One write of a grantee as the owner keeps it. */
export type WriteRecord = {
  readonly grantId: string;
  readonly n: number;
  /** The owner's id of the record. */
  readonly recordId: string;
  readonly operation: WriteOperation;
  readonly set: JsonObject;
  readonly remove: readonly string[];
  /** When the grantee wrote it: the stamp that its fields carry. */
  readonly at: Hlc;
  /** `waiting`: for the owner. `accepted`, `declined`: by the owner, not yet told. `applied`: it has taken effect. `undone`: and was taken back. */
  readonly status: 'waiting' | 'accepted' | 'declined' | 'rejected' | 'applied' | 'undone';
  readonly code?: Rejection;
  /** What the fields held before; a field that was absent is not in it. */
  readonly before?: JsonObject;
};

/** Writes of grantees, on all devices of the owner. */
export type WriteLog = {
  readonly get: (grantId: string, n: number) => WriteRecord | undefined;
  /** By grant and number. */
  readonly list: (filter: JsonObject) => readonly WriteRecord[];
  readonly put: (records: readonly WriteRecord[]) => void;
  readonly onArrival: (listener: (grantId: string) => void) => () => void;
  /** Tells of each write that has begun to wait for the owner, whichever device received it. */
  readonly onWaiting: (listener: (write: WriteRecord) => void) => () => void;
};

const NAME = 'lane-writes';
const SHAPE = {
  indexes: [{ name: 'grant', fields: ['grantId', 'status'] }],
  formats: new Map(),
  merges: new Map(),
} as const;

/** Opens the log of a home space. */
export function openWriteLog(home: SpaceEngine): WriteLog {
  const collection = home.collection(NAME, SHAPE);
  const idOf = (grantId: string, n: number): string => `${grantId}/${String(n).padStart(10, '0')}`;
  const get = (grantId: string, n: number): WriteRecord | undefined => {
    const found = collection.get(idOf(grantId, n));
    return found && toRecord(found);
  };
  return {
    get,
    list: (filter) => {
      const parsed = parseFilter(filter);
      const found = parsed.ok ? collection.query(parsed.value, 0, {}).records.map(toRecord) : [];
      return found.sort((a, b) => (a.grantId < b.grantId ? -1 : a.grantId > b.grantId ? 1 : a.n - b.n));
    },
    put: (records) => {
      if (records.length === 0) return;
      collection.save(
        records.map((record) => ({
          id: idOf(record.grantId, record.n),
          document: record as unknown as JsonObject,
          force: true,
        })),
      );
    },
    onArrival: (listener) =>
      collection.onChange(({ origin, record }) => {
        if (origin === 'other' && record) listener(String(record.grantId));
      }),
    onWaiting: (listener) =>
      collection.onChange(({ record }) => {
        if (record?.status !== 'waiting') return;
        // This is said inside the transaction that makes the change, where nobody can decide: told of after it, if it still holds.
        void Promise.resolve().then(() => {
          const write = get(String(record.grantId), Number(record.n));
          if (write?.status === 'waiting') listener(write);
        });
      }),
  };
}

function toRecord(document: JsonObject): WriteRecord {
  const { _id, _rev, insertedAt, modifiedAt, ...record } = document as { readonly [name: string]: JsonValue };
  return record as unknown as WriteRecord;
}
