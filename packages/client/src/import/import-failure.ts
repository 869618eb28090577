/** What every importer shares: limits, failures, and the ids that make importing again an update. */

import { v5 as uuidv5 } from 'uuid';

/** Text of one import at most, 64 MiB. */
export const MAX_IMPORT_BYTES = 64 * 1024 * 1024;

/** Why a file as a whole cannot be read. */
export type ImportFailure = { readonly type: 'malformed' | 'too-large' | 'too-deep' | 'not-a-bundle' };

/** Records read so far, by the short name of their schema. */
export type ImportCounts = { readonly [schema: string]: number };

/** The namespaces of imported ids (spec/schema.md SCH-12 and SCH-15). A new one would import everything a second time. */
const NAMESPACES = {
  fhir: 'b6e5d0f2-6c1a-5c0e-9d3f-2a7c51c0de01',
  jsonLines: '2c9a1f4e-7b0d-5e6a-8f31-90d4b7e2aa02',
} as const;

/** The id of an imported record: a UUIDv5 of what names it at its source. */
export const importedId = (source: keyof typeof NAMESPACES, name: string): string => uuidv5(name, NAMESPACES[source]);
