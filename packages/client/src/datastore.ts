/** Databases and datastores: what an application reads and writes. A datastore is a database whose records match a schema. */

import { bytesToHex, isJsonObject, type JsonObject } from '@sluice/core/base';
import {
  type FieldFormats,
  type Filter,
  filterFailureText,
  matches,
  parseFilter,
  type Sort,
} from '@sluice/core/filter';
import { isRecordId } from '@sluice/core/record';
import { type Conflicts, createConflicts } from './conflicts.ts';
import { SluiceError } from './errors.ts';
import { tell } from './listeners.ts';
import { inSchema, type LoadedSchema } from './schema/index.ts';
import type { SpaceEngine } from './space/space-engine.ts';
import type { Collection, Explained, RecordChange, SaveItem } from './store/collection.ts';

/** How a save treats what is there, and what it waits for. */
export type SaveOptions = {
  /** Save over whatever is there, whatever `_rev` says. */
  readonly force?: boolean;
  /** `local` (default): resolves when durable on this device. `node`: when the node has it too. */
  readonly ack?: 'local' | 'node';
};
/** What was saved: its id, and the revision to save on top of. */
export type SaveResult = { readonly id: string; readonly rev: string };
/** Which of the records found are returned, and in what order. The limit is 20 unless given. */
export type FindOptions = { readonly limit?: number; readonly skip?: number; readonly sort?: Sort };
/** One change, as `changes` reports it. A deletion carries no record. */
export type DatastoreChange = {
  readonly type: 'put' | 'delete';
  readonly id: string;
  readonly record?: JsonObject;
  /** Whether this device wrote it. */
  readonly origin: 'self' | 'other';
};

/** Records a `getMany` returns unless told otherwise. */
export const DEFAULT_LIMIT = 20;
/** Records sealed and stored in one local transaction. */
const SAVE_STEP = 500;
const NODE_ACK_MS = 60_000;

/** Records of one database; of one schema, when it was opened as a datastore. */
export type Database = {
  readonly name: string;
  /** The pinned schema, of a datastore. */
  readonly schema?: { readonly id: string; readonly hash: string };
  /**
   * Saves one record: a new one without `_id`, or a change on top of the `_rev` it was read with.
   *
   * Errors: INVALID_RECORD, REV_CONFLICT, STORE_FULL, OFFLINE (only with `ack: 'node'`).
   */
  readonly save: (record: JsonObject, options?: SaveOptions) => Promise<SaveResult>;
  /** Saves many; in steps of 500, each whole or not at all. `onProgress` hears the number saved so far. */
  readonly saveMany: (
    records: readonly JsonObject[],
    options?: SaveOptions & { readonly onProgress?: (saved: number) => void },
  ) => Promise<SaveResult[]>;
  readonly get: (id: string) => Promise<JsonObject | undefined>;
  readonly getOne: (filter?: JsonObject, options?: Omit<FindOptions, 'limit'>) => Promise<JsonObject | undefined>;
  /** Finds records. Default limit 20. */
  readonly getMany: (filter?: JsonObject, options?: FindOptions) => Promise<JsonObject[]>;
  readonly count: (filter?: JsonObject) => Promise<number>;
  /** Says how `getMany` would find this: the index used and the records examined. */
  readonly explain: (filter?: JsonObject, options?: FindOptions) => Promise<Explained>;
  readonly delete: (id: string) => Promise<boolean>;
  readonly deleteAll: () => Promise<number>;
  /** Calls back for every change from now on that matches the filter (deletions always). Returns how to stop. */
  readonly changes: (callback: (change: DatastoreChange) => void, filter?: JsonObject) => () => void;
} & Conflicts;

/** What a database is built over. */
export type DatabaseDeps = {
  readonly name: string;
  readonly collection: Collection;
  readonly engine: SpaceEngine;
  readonly schema?: LoadedSchema;
  readonly random: (length: number) => Uint8Array;
  readonly nowMs: () => number;
};

/** Opens a database over a collection, or a datastore when a schema is given. */
export function createDatabase(deps: DatabaseDeps): Database {
  const { collection, engine, schema } = deps;
  const formats: FieldFormats = schema?.formats ?? new Map();
  const ofSchema = (record: JsonObject | undefined): JsonObject | undefined =>
    record && (!schema || record.schema === schema.id) ? record : undefined;

  const toFilter = (input: JsonObject = {}): Filter => {
    const parsed = parseFilter(input, formats);
    if (!parsed.ok) throw new SluiceError('BAD_FILTER', filterFailureText(parsed.error));
    return schema ? inSchema(schema, parsed.value) : parsed.value;
  };

  const toItem = (record: JsonObject, force: boolean): SaveItem => {
    if (!isJsonObject(record)) throw new SluiceError('INVALID_RECORD', 'A record is a JSON object');
    const { _id, _rev, ...content } = record;
    if (_id !== undefined && (typeof _id !== 'string' || !isRecordId(_id) || _id.length > 256))
      throw new SluiceError(
        'INVALID_RECORD',
        'Nothing was saved: _id is text of 1 to 256 characters. Give another, or none.',
      );
    const id = _id ?? randomId(deps.random);
    const document = schema ? { ...content, schema: schema.id } : content;
    const issues = schema?.validate({ ...document, _id: id }) ?? [];
    if (issues.length > 0)
      throw new SluiceError(
        'INVALID_RECORD',
        `The record does not match ${schema?.title ?? 'its schema'}: ${issues[0]?.path} ${issues[0]?.message}`,
        issues,
      );
    return {
      id,
      document,
      force,
      ...(schema ? { schema: schema.id } : {}),
      ...(typeof _rev === 'string' ? { rev: _rev } : {}),
    };
  };

  const store = (items: readonly SaveItem[]): SaveResult[] => {
    const saved = collection.save(items);
    if (saved.some((s) => !s.unchanged)) engine.nudge();
    return saved.map(({ id, rev }) => ({ id, rev }));
  };
  const acked = async (options: SaveOptions): Promise<void> => {
    if (options.ack === 'node') await engine.synced(NODE_ACK_MS);
  };
  const find = (filter: JsonObject | undefined, options: FindOptions) =>
    collection.query(toFilter(filter), deps.nowMs(), { limit: DEFAULT_LIMIT, ...options });

  return {
    name: deps.name,
    ...(schema ? { schema: { id: schema.id, hash: schema.hash } } : {}),
    ...createConflicts(
      collection,
      (record) => ofSchema(record) !== undefined,
      (record) => store([toItem(record, true)]),
    ),
    save: async (record, options = {}) => {
      const [saved] = store([toItem(record, options.force ?? false)]);
      await acked(options);
      return saved as SaveResult;
    },
    saveMany: async (records, options = {}) => {
      const results: SaveResult[] = [];
      for (let at = 0; at < records.length; at += SAVE_STEP) {
        const items = records.slice(at, at + SAVE_STEP).map((r) => toItem(r, options.force ?? false));
        for (const run of splitRepeats(items)) results.push(...store(run));
        options.onProgress?.(results.length);
        // Lets the connection send the step while the next one is sealed.
        await yieldToLoop();
      }
      await acked(options);
      return results;
    },
    get: async (id) => ofSchema(collection.get(id)),
    getOne: async (filter, options = {}) => find(filter, { ...options, limit: 1 }).records[0],
    getMany: async (filter, options = {}) => find(filter, options).records,
    count: async (filter) => collection.query(toFilter(filter), deps.nowMs(), {}).records.length,
    explain: async (filter, options = {}) => find(filter, options).explained,
    delete: async (id) => {
      if (!ofSchema(collection.get(id))) return false;
      collection.remove([id]);
      engine.nudge();
      return true;
    },
    deleteAll: async () => {
      const ids = collection.query(toFilter(), deps.nowMs(), {}).records.map((r) => String(r._id));
      for (let at = 0; at < ids.length; at += SAVE_STEP) {
        collection.remove(ids.slice(at, at + SAVE_STEP));
        engine.nudge();
        await yieldToLoop();
      }
      return ids.length;
    },
    changes: (callback, filter) => {
      const compiled = toFilter(filter);
      return collection.onChange((change: RecordChange) => {
        if (change.type === 'put' && change.record && !matches(compiled, change.record, deps.nowMs())) return;
        const { type, id, record, origin } = change;
        tell(callback, { type, id, origin, ...(record ? { record } : {}) });
      });
    },
  };
}

/** A record that comes twice in one step must find its own earlier version, so the step is cut there. */
function splitRepeats(items: readonly SaveItem[]): SaveItem[][] {
  const runs: SaveItem[][] = [];
  let seen = new Set<string>();
  for (const item of items) {
    if (runs.length === 0 || seen.has(item.id)) {
      runs.push([]);
      seen = new Set();
    }
    seen.add(item.id);
    runs.at(-1)?.push(item);
  }
  return runs;
}

/** NOTE: every host has this timer, and no types of one host are loaded here. */
const yieldToLoop = (): Promise<void> =>
  new Promise((resolve) =>
    (globalThis as unknown as { setTimeout(f: () => void, ms: number): void }).setTimeout(resolve, 0),
  );

/** A random (version 4 style) id: nothing of time or place is in it. */
const randomId = (random: (length: number) => Uint8Array): string => bytesToHex(random(16));
