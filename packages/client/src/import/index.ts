export { type BundleCounts, type FhirBundle, type ImportProblem, readFhirBundle } from './fhir-bundle.ts';
export { type JsonLines, readJsonLines } from './json-lines.ts';
