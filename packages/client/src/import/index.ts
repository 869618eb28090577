export {
  type FhirBundle,
  type FhirOptions,
  type FhirRecord,
  type ImportProblem,
  readFhirBundle,
} from './fhir-bundle.ts';
export type { ImportCounts, ImportFailure } from './import-failure.ts';
export { type JsonLines, type JsonLinesOptions, readJsonLines } from './json-lines.ts';
