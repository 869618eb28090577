/**
 * The schemas of one space: the first writer of a collection stores its schema's body there, so that other devices and agents know every
 * collection by name and can work offline.
 */

import type { JsonObject, JsonValue } from '@sluice/core/base';
import type { FieldFormats } from '@sluice/core/filter';
import { SluiceError } from '../errors.ts';
import type { LoadedSchema, SchemaLoader } from '../schema/index.ts';
import type { Collection, CollectionShape } from '../store/collection.ts';
import type { SpaceEngine } from './space-engine.ts';

const SCHEMAS = 'schemas';
const PLAIN: CollectionShape = { indexes: [], formats: new Map(), merges: new Map() };

export type RegisteredCollection = { readonly name: string; readonly schema?: string };

export type SchemaRegistry = {
  /** Opens the collection of a schema and remembers the schema in the space. */
  readonly openWith: (schema: LoadedSchema, name?: string) => Collection;
  /** Opens a collection without a schema. */
  readonly openPlain: (name: string) => Collection;
  /** Loads a schema from the space if it is there, else through the loader. */
  readonly load: (uri: string) => Promise<LoadedSchema>;
  readonly collections: () => RegisteredCollection[];
  readonly formatsOf: (name: string) => FieldFormats;
};

/** What a collection needs to know of its schema. */
export const shapeOf = (schema: LoadedSchema): CollectionShape => ({
  indexes: schema.indexes,
  formats: schema.formats,
  merges: schema.merges,
});

/** The registry of a space. */
export function createSchemaRegistry(engine: SpaceEngine, loader: SchemaLoader): SchemaRegistry {
  const store = engine.collection(SCHEMAS, PLAIN);
  const formats = new Map<string, FieldFormats>();

  const remember = (id: string, document: JsonObject): void => {
    if (!store.get(id)) store.save([{ id, document, force: true }]);
  };

  return {
    openWith: (schema, name = schema.databaseName) => {
      remember(`${name}|${schema.id}`, {
        collection: name,
        schemaId: schema.id,
        hash: schema.hash,
        body: schema.body as JsonValue,
      });
      formats.set(name, schema.formats);
      return engine.collection(name, shapeOf(schema));
    },
    openPlain: (name) => {
      remember(name, { collection: name });
      return engine.collection(name, PLAIN);
    },
    load: async (uri) => {
      const loaded = await loader.load(uri);
      if (loaded.ok) return loaded.value;
      throw new SluiceError(
        loaded.error.type === 'not-found' || loaded.error.type === 'unreachable' ? 'UNKNOWN_SCHEMA' : 'BAD_SCHEMA',
        `${uri}: ${loaded.error.type}`,
      );
    },
    collections: () =>
      store.ids().flatMap((id) => {
        const record = store.get(id);
        if (!record || typeof record.collection !== 'string') return [];
        return [
          { name: record.collection, ...(typeof record.schemaId === 'string' ? { schema: record.schemaId } : {}) },
        ];
      }),
    formatsOf: (name) => formats.get(name) ?? new Map(),
  };
}
