/**
 * The owner's record of what grantees wrote: proposals that wait, what was accepted, and what each field held before. Collections of the
 * home space, so that every device of the owner decides, sees and undoes the same; one for each schema, so that an agent for one schema
 * reads nothing of another.
 */

import type { JsonObject } from '@sluice/core/base';
import type { Hlc, Stamp } from '@sluice/core/record';
import { parseFilter } from '@sluice/core/filter';
import { addListener } from '../../listeners.ts';
import type { Rejection, WriteOperation } from '@sluice/core/grant';
import type { Collection, CollectionShape, RecordChange } from '../../store/collection.ts';
import { fromLogItem, isLarge, type LogItem, toLogItems } from './write-parts.ts';

/** One write of a grantee as the owner keeps it. */
export type WriteRecord = {
  readonly grantId: string;
  readonly n: number;
  /** The owner's id of the record. */
  readonly recordId: string;
  readonly operation: WriteOperation;
  /** Empty in a very large one that was refused. */
  readonly set: JsonObject;
  readonly remove: readonly string[];
  /** When the grantee wrote it: the stamp that its fields carry. */
  readonly at: Hlc;
  /** What is needed to decide on it when it has left the lane: its name for the record, what it saw of sets and counters, and the entry's hash in hex. */
  readonly lane?: { readonly id: string; readonly base?: JsonObject; readonly hash: string };
  /** `waiting`: for the owner. `accepted`, `declined`: by the owner, not yet told. `applied`: it has taken effect. `undone`: and was taken back. */
  readonly status: 'waiting' | 'accepted' | 'declined' | 'rejected' | 'applied' | 'undone';
  readonly code?: Rejection;
  /** What the fields held before; a field that was absent is not in it. */
  readonly before?: JsonObject;
  /** The stamp under which it was taken back. */
  readonly undone?: Stamp;
  /** Who had written what they held before, and when. */
  readonly over?: { readonly [name: string]: Stamp };
  /** What the same grantee had contributed to counters before. */
  readonly counts?: { readonly [name: string]: number };
  /** What the grantee saw of sets and counters, of a write that was made. */
  readonly base?: JsonObject;
  /** The number of the terms that were in force when it took effect. */
  readonly term?: number;
};

/** Writes of grantees, on all devices of the owner. */
export type WriteLog = {
  readonly get: (grantId: string, n: number) => WriteRecord | undefined;
  /** By grant and number. */
  readonly list: (filter: Partial<Pick<WriteRecord, 'grantId' | 'recordId' | 'status'>>) => readonly WriteRecord[];
  readonly put: (records: readonly WriteRecord[]) => void;
  readonly onArrival: (listener: (grantId: string) => void) => () => void;
  /** Tells of each write that has begun to wait for the owner, whichever device received it. */
  readonly onWaiting: (listener: (write: WriteRecord) => void) => () => void;
};

/** What a log stands on. */
export type WriteLogDeps = {
  /** The schemas of the grants there are. */
  readonly schemas: () => Iterable<string>;
  /** The schema of a grant; undefined for a grant that is not there. */
  readonly schemaOf: (grantId: string) => string | undefined;
  /** Opens the collection of a schema; undefined where that is not to be read here. */
  readonly open: (schema: string, shape: CollectionShape) => Collection | undefined;
};

const SHAPE: CollectionShape = {
  indexes: [
    { name: 'grant', fields: ['grantId', 'standing'] },
    { name: 'record', fields: ['recordId'] },
  ],
  formats: new Map(),
  // A device that has not heard how a write ended must not take that back: of two words the further one stands.
  merges: new Map([['standing', 'max']]),
};
/** How far each status is on the way of a write; it is kept as this number. */
const STANDING: { readonly [status in WriteRecord['status']]: number } = {
  waiting: 0,
  declined: 10,
  accepted: 11,
  rejected: 20,
  applied: 21,
  undone: 30,
};
const STATUS = new Map(Object.entries(STANDING).map(([status, standing]) => [standing, status]));

/** The name of the collection that keeps what was written of a schema. */
export const writesName = (schema: string): string => `lane-writes/${schema}`;

/** Opens the log. */
export function openWriteLog({ schemas, schemaOf, open }: WriteLogDeps): WriteLog {
  const opened = new Map<string, Collection>();
  const changed = new Set<(origin: RecordChange['origin'], record: JsonObject) => void>();
  const ofSchema = (schema: string): Collection | undefined => {
    const known = opened.get(schema) ?? open(schema, SHAPE);
    if (!known || opened.has(schema)) return known;
    opened.set(schema, known);
    known.onChange(({ origin, record }) => {
      if (record) for (const listener of [...changed]) listener(origin, record);
    });
    return known;
  };
  const ofGrant = (grantId: string): Collection | undefined => {
    const schema = schemaOf(grantId);
    return schema === undefined ? undefined : ofSchema(schema);
  };
  const all = (): readonly Collection[] => [...new Set(schemas())].flatMap((schema) => ofSchema(schema) ?? []);
  const idOf = (grantId: string, n: number): string => `${grantId}/${String(n).padStart(10, '0')}`;
  const get = (grantId: string, n: number): WriteRecord | undefined => {
    const collection = ofGrant(grantId);
    const found = collection?.get(idOf(grantId, n));
    return found && collection && toRecord(found, collection);
  };
  return {
    get,
    list: (filter) => {
      const { status, ...rest } = filter;
      const { grantId } = filter;
      const parsed = parseFilter(status === undefined ? rest : { ...rest, standing: STANDING[status] });
      if (!parsed.ok) return [];
      const one = typeof grantId === 'string' ? ofGrant(grantId) : undefined;
      const where = typeof grantId === 'string' ? (one ? [one] : []) : all();
      const found = where.flatMap((collection) =>
        collection.query(parsed.value, 0, {}).records.flatMap((document) => toRecord(document, collection) ?? []),
      );
      return found.sort((x, y) => (x.grantId < y.grantId ? -1 : x.grantId > y.grantId ? 1 : x.n - y.n));
    },
    put: (records) => {
      for (const grantId of new Set(records.map((r) => r.grantId)))
        ofGrant(grantId)?.save(
          records
            .filter((r) => r.grantId === grantId)
            .flatMap((record) => toItems(idOf(grantId, record.n), record))
            .map((item) => ({ ...item, force: true })),
        );
    },
    onArrival: (listener) => {
      all();
      return addListener(changed, (origin, record) => {
        // A part of a large write says nothing without its head, which comes after it.
        if (origin === 'other' && typeof record.grantId === 'string') listener(record.grantId);
      });
    },
    onWaiting: (listener) => {
      all();
      return addListener(changed, (_, record) => {
        if (record.standing !== STANDING.waiting) return;
        // This is said inside the transaction that makes the change, where nobody can decide: told of after it, if it still holds.
        void Promise.resolve().then(() => {
          const write = get(String(record.grantId), Number(record.n));
          if (write?.status === 'waiting') listener(write);
        });
      });
    },
  };
}

function toItems(id: string, { status, ...record }: WriteRecord): readonly LogItem[] {
  const { grantId, n, recordId, operation, at, code, term, ...content } = record;
  const head: JsonObject = {
    ...{ grantId, n, recordId, operation, at, standing: STANDING[status] },
    ...(code === undefined ? {} : { code }),
    ...(term === undefined ? {} : { term }),
  };
  // Of what was refused nothing is decided or taken back any more.
  const isSpent = status === 'rejected' && isLarge(content as JsonObject);
  return toLogItems(id, head, isSpent ? { set: {}, remove: [] } : (content as JsonObject));
}

/** Reads what this log wrote, by whichever device of the owner. */
function toRecord(document: JsonObject, { get }: Pick<Collection, 'get'>): WriteRecord | undefined {
  const whole = fromLogItem(document, get);
  if (!whole) return undefined;
  const { _id, _rev, insertedAt, modifiedAt, standing, ...record } = whole;
  return { ...record, status: STATUS.get(Number(standing)) } as unknown as WriteRecord;
}
