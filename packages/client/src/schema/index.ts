export { describeBundled, type LoadedSchema, type SchemaIndex } from './loaded-schema.ts';
export { createSchemaLoader, type SchemaFailure, type SchemaLoader, type SchemaLoaderDeps } from './schema-loader.ts';
export type { SchemaIssue } from '@sluice/schemas';
export { inSchema } from './in-schema.ts';
