/** A context: one application's silo of an account, and what can be opened in it. */

import type { Did } from '@sluice/core/base';
import { createDatabase, type Database } from './datastore.ts';
import type { Platform } from './platform.ts';
import type { SchemaLoader } from './schema/index.ts';
import { createSchemaRegistry, type SchemaRegistry } from './space/schema-registry.ts';
import type { SpaceEngine } from './space/space-engine.ts';

/** One silo of an account, and what can be opened in it. */
export type Context = {
  readonly name: string;
  /** The owner of the data. */
  readonly did: Did;
  readonly openDatastore: (schemaUri: string, options?: { readonly databaseName?: string }) => Promise<Database>;
  readonly openDatabase: (name: string) => Promise<Database>;
  readonly registry: SchemaRegistry;
  readonly engine: SpaceEngine;
  /** Resolves when everything saved is at the node and everything there is here. */
  readonly synced: (timeoutMs?: number) => Promise<void>;
};

const SYNC_MS = 60_000;

/** Builds a context over its space. */
export function createContext(
  name: string,
  did: Did,
  engine: SpaceEngine,
  platform: Platform,
  loader: SchemaLoader,
): Context {
  const registry = createSchemaRegistry(engine, loader);
  const open = new Map<string, Database>();
  const deps = { engine, random: platform.random, nowMs: platform.clock.nowMs };
  return {
    name,
    did,
    registry,
    engine,
    openDatastore: async (schemaUri, options = {}) => {
      const schema = await registry.load(schemaUri);
      const database = options.databaseName ?? schema.databaseName;
      const key = `${database}|${schema.id}`;
      const known = open.get(key);
      if (known) return known;
      const made = createDatabase({ ...deps, name: database, collection: registry.openWith(schema, database), schema });
      open.set(key, made);
      return made;
    },
    openDatabase: async (database) => {
      const known = open.get(database);
      if (known) return known;
      const made = createDatabase({ ...deps, name: database, collection: registry.openPlain(database) });
      open.set(database, made);
      return made;
    },
    synced: (timeoutMs = SYNC_MS) => engine.synced(timeoutMs),
  };
}
