/**
 * The schemas of one space: the first writer of a collection stores its schema's body there, so that other devices and agents know every
 * collection by name and can work offline.
 */

import { bytesToHex, isJsonObject, type JsonObject, type JsonValue, utf8ToBytes } from '@sluice/core/base';
import { sha256 } from '@sluice/core/crypto';
import { parseFilter } from '@sluice/core/filter';
import { bundledAliases, bundledSchemas } from '@sluice/schemas';
import { SluiceError } from '../errors.ts';
import type { LoadedSchema, SchemaFailure, SchemaLoader } from '../schema/index.ts';
import type { Collection, CollectionShape } from '../store/collection.ts';
import type { SpaceEngine } from './space-engine.ts';

const SCHEMAS = 'schemas';
const PLAIN: CollectionShape = { indexes: [], formats: new Map(), merges: new Map() };
const SCHEMAS_SHAPE: CollectionShape = { ...PLAIN, indexes: [{ name: 'schemaId', fields: ['schemaId'] }] };

/** `name` is the database's, as it was opened. */
export type RegisteredCollection = { readonly name: string; readonly schema?: string };
/** A collection of one schema: the name it is sealed under, and the schema's body. */
export type SchemaCollection = {
  readonly database: string;
  readonly schema: string;
  readonly collection: string;
  readonly body: JsonObject;
};

/** The schemas that a space knows, and the collections they open. */
export type SchemaRegistry = {
  /** Opens the collection of a schema and remembers the schema in the space. Errors: BAD_NAME. */
  readonly openWith: (schema: LoadedSchema, database?: string) => Collection;
  /** Opens a collection without a schema. Errors: BAD_NAME. */
  readonly openPlain: (database: string) => Collection;
  /** Loads a schema from the space if it is there, else through the loader. */
  readonly load: (uri: string) => Promise<LoadedSchema>;
  /** The same for a schema that a stranger names: undefined where no collection here has it, since its host would see that somebody looked. */
  readonly loadKnown: (uri: string) => Promise<LoadedSchema | undefined>;
  readonly collections: () => RegisteredCollection[];
  readonly ofSchema: (schemaId: string) => readonly SchemaCollection[];
  readonly onChange: (listener: () => void) => () => void;
};

/** Databases are named as files and tables would be. */
const DATABASE_NAME = /^[\p{L}\p{N}][\p{L}\p{N} ._:-]{0,127}$/u;

/** What a collection needs to know of its schema. */
export const shapeOf = (schema: LoadedSchema): CollectionShape => ({
  indexes: schema.indexes,
  formats: schema.formats,
  merges: schema.merges,
  keepsLosers: true,
});

/**
 * The collection behind a datastore. Only a bundled schema's own database has the bare name: two schemas from elsewhere that claim one
 * name never meet in one collection, and none takes that of a collection the client keeps for itself.
 */
function collectionName(schemaId: string, ownDatabase: string, database: string): string {
  if (database === ownDatabase && bundledSchemas.has(schemaId)) return database;
  return `${database}#${bytesToHex(sha256(utf8ToBytes(schemaId)).subarray(0, 8))}`;
}

const checkName = (database: string): void => {
  if (!DATABASE_NAME.test(database)) throw new SluiceError('BAD_NAME');
};

/** The registry of a space. */
export function createSchemaRegistry(engine: SpaceEngine, loader: SchemaLoader): SchemaRegistry {
  const store = engine.collection(SCHEMAS, SCHEMAS_SHAPE);
  const remember = (id: string, document: JsonObject): void => {
    if (!store.get(id)) store.save([{ id, document, force: true }]);
  };

  /** The body that the first writer of a schema's collection stored in the space. */
  const keptBody = (id: string): JsonObject | undefined => {
    const bySchema = parseFilter({ schemaId: id });
    const record = bySchema.ok ? store.query(bySchema.value, 0, { limit: 1 }).records[0] : undefined;
    return isJsonObject(record?.body) ? record.body : undefined;
  };
  engine.setCollections(() =>
    store.ids().flatMap((id) => {
      const name = store.get(id)?.collection;
      return typeof name === 'string' ? [name] : [];
    }),
  );

  const load: SchemaRegistry['load'] = async (uri) => {
    const kept = bundledSchemas.has(uri) ? undefined : keptBody(uri);
    const loaded = kept ? loader.adopt(kept) : await loader.load(uri);
    if (!loaded.ok) throw schemaError(uri, loaded.error);
    const { id, hash } = loaded.value;
    // What is kept validates the records that are there; a schema that changed is another schema.
    const first = bundledSchemas.has(id) ? undefined : keptBody(id);
    const pinned = first && loader.adopt(first);
    if (pinned && (!pinned.ok || pinned.value.hash !== hash)) throw schemaError(uri, { type: 'schema-mismatch' });
    return loaded.value;
  };

  const ofSchema = (schemaId: string): readonly SchemaCollection[] => {
    const filter = parseFilter({ schemaId });
    const records = filter.ok ? store.query(filter.value, 0, {}).records : [];
    return records.flatMap(({ database, collection, body }) =>
      typeof database === 'string' && typeof collection === 'string' && isJsonObject(body)
        ? [{ database, schema: schemaId, collection, body }]
        : [],
    );
  };

  return {
    ofSchema,
    onChange: (listener) => store.onChange(listener),
    openWith: (schema, database = schema.databaseName) => {
      checkName(database);
      const name = collectionName(schema.id, schema.databaseName, database);
      remember(`${database}|${schema.id}`, {
        database,
        collection: name,
        schemaId: schema.id,
        hash: schema.hash,
        body: schema.body as JsonValue,
      });
      return engine.collection(name, shapeOf(schema));
    },
    openPlain: (database) => {
      checkName(database);
      const name = `plain/${database}`;
      remember(name, { database, collection: name });
      return engine.collection(name, { ...PLAIN, keepsLosers: true });
    },
    load,
    loadKnown: async (uri) =>
      bundledAliases.has(uri) || bundledSchemas.has(uri) || keptBody(uri) ? load(uri) : undefined,
    collections: () =>
      store.ids().flatMap((id) => {
        const record = store.get(id);
        if (!record || typeof record.database !== 'string') return [];
        return [{ name: record.database, ...(typeof record.schemaId === 'string' ? { schema: record.schemaId } : {}) }];
      }),
  };
}

function schemaError(uri: string, failure: SchemaFailure): SluiceError {
  switch (failure.type) {
    case 'not-found':
    case 'unreachable':
      return new SluiceError('UNKNOWN_SCHEMA', `${uri} cannot be found`);
    case 'schema-mismatch':
      return new SluiceError(
        'BAD_SCHEMA',
        `${uri}: another body is known under this $id. Give a changed schema a new $id.`,
      );
    case 'bad-schema':
      return new SluiceError('BAD_SCHEMA', `${uri} cannot be used: ${failure.text}`);
    default:
      return new SluiceError('BAD_SCHEMA', `${uri} cannot be used: it is ${failure.type}`);
  }
}
