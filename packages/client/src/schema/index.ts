export type { LoadedSchema } from './loaded-schema.ts';
export { createSchemaLoader, type SchemaFailure, type SchemaLoader, type SchemaLoaderDeps } from './schema-loader.ts';
export { inSchema } from './in-schema.ts';
