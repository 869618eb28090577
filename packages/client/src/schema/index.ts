export {
  createSchemaLoader,
  type LoadedSchema,
  type SchemaFailure,
  type SchemaLoader,
  type SchemaLoaderDeps,
} from './schema-loader.ts';
export type { SchemaIssue } from '@sluice/schemas';
