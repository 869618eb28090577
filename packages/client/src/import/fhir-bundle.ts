/** FHIR R4 bundles as records: the good resources are taken, the broken ones listed (spec/schema.md). Pure: text in, records out. */

import { err, isJsonObject, type JsonObject, type JsonValue, ok, parseJson, type Result } from '@sluice/core/base';
import { bundledAliases, bundledValidators } from '@sluice/schemas';
import { type ImportCounts, type ImportFailure, importedId, MAX_IMPORT_BYTES } from './import-failure.ts';

const MAX_DEPTH = 64;
const MAX_NAME = 2048;
const BUNDLE_TYPES = new Set(['transaction', 'batch', 'collection']);
const RESOURCE = 'fhir/resource';
const TYPED: { readonly [type: string]: string } = {
  Patient: 'fhir/patient',
  Immunization: 'fhir/immunization',
  Observation: 'fhir/observation',
  Condition: 'fhir/condition',
  Encounter: 'fhir/encounter',
  DiagnosticReport: 'fhir/diagnostic-report',
  Procedure: 'fhir/procedure',
};

/** A resource as a record, with the schema it goes to. */
export type FhirRecord = { readonly schema: string; readonly record: JsonObject };
/** An entry that was left out: its place in the bundle, why, and what it calls itself. */
export type ImportProblem = { readonly index: number; readonly reason: string; readonly ref?: string };
/** What a bundle holds: the good as records, the rest as problems. */
export type FhirBundle = {
  readonly records: readonly FhirRecord[];
  readonly problems: readonly ImportProblem[];
  readonly counts: ImportCounts;
};
/** Limits of reading. Units: bytes. */
export type FhirOptions = { readonly maxBytes?: number };

/**
 * Reads a bundle of type transaction, batch or collection.
 *
 * Result: each resource with the short name of its schema, which it matches; `_id` is a UUIDv5 of its fullUrl, or of type and id.
 *         Problems name places and rules, never content other than the entry's own name.
 * Errors: malformed, too-large (64 MiB), too-deep (64), not-a-bundle.
 */
export function readFhirBundle(text: string, options: FhirOptions = {}): Result<FhirBundle, ImportFailure> {
  const parsed = parseJson(text, { maxBytes: options.maxBytes ?? MAX_IMPORT_BYTES, maxDepth: MAX_DEPTH });
  if (!parsed.ok) return parsed;
  const entries = entriesOf(parsed.value);
  if (!entries) return err({ type: 'not-a-bundle' });
  const records: FhirRecord[] = [];
  const problems: ImportProblem[] = [];
  const counts: Record<string, number> = {};
  const placeById = new Map<string, number>();
  for (const [index, entry] of entries.entries()) {
    const read = readEntry(entry);
    const name = nameOf(entry);
    const ref = name === undefined ? {} : { ref: name.slice(0, MAX_NAME) };
    const id = typeof read === 'string' ? undefined : String(read.record._id);
    const earlier = id === undefined ? undefined : placeById.get(id);
    if (typeof read === 'string') problems.push({ index, reason: read, ...ref });
    else if (earlier !== undefined) problems.push({ index, reason: `names itself like entry ${earlier}`, ...ref });
    else {
      placeById.set(String(id), index);
      records.push(read);
      counts[read.schema] = (counts[read.schema] ?? 0) + 1;
    }
  }
  return ok({ records, problems, counts });
}

function entriesOf(bundle: JsonValue): readonly JsonValue[] | undefined {
  if (!isJsonObject(bundle) || bundle.resourceType !== 'Bundle' || !BUNDLE_TYPES.has(String(bundle.type)))
    return undefined;
  const { entry = [] } = bundle;
  return Array.isArray(entry) ? (entry as readonly JsonValue[]) : undefined;
}

/** The record of an entry, or why there is none. */
function readEntry(entry: JsonValue): FhirRecord | string {
  if (!isJsonObject(entry) || !isJsonObject(entry.resource)) return 'holds no resource';
  if (isJsonObject(entry.request) && entry.request.method === 'DELETE') return 'asks for a deletion';
  const { resource } = entry;
  const type = resource.resourceType;
  if (typeof type !== 'string' || !/^[A-Z][A-Za-z]{1,63}$/.test(type)) return 'names no resource type';
  const name = nameOf(entry);
  if (name === undefined) return 'has neither fullUrl nor id, so importing again could not find it';
  if (name.length > MAX_NAME) return `has a name of over ${MAX_NAME} characters`;
  // What the record store keeps itself is never taken from a file.
  const { _id: _a, _rev: _b, schema: _c, insertedAt: _d, modifiedAt: _e, ...content } = resource;
  const schema = Object.hasOwn(TYPED, type) ? (TYPED[type] as string) : RESOURCE;
  const record = { ...content, _id: importedId('fhir', name) };
  const [issue] = bundledValidators.get(bundledAliases.get(schema) as string)?.(record) ?? [];
  return issue ? `does not match ${schema}: ${issue.path} ${issue.message}` : { schema, record };
}

/** What an entry calls itself: its fullUrl, or else type and id. */
function nameOf(entry: JsonValue): string | undefined {
  if (!isJsonObject(entry)) return undefined;
  if (typeof entry.fullUrl === 'string' && entry.fullUrl !== '') return entry.fullUrl;
  const { resourceType, id } = isJsonObject(entry.resource) ? entry.resource : {};
  return typeof resourceType === 'string' && typeof id === 'string' && id !== '' ? `${resourceType}/${id}` : undefined;
}
