/** FHIR R4 bundles as records: the good resources are taken, the broken ones listed (spec/schema.md). Pure: text in, records out. */

import { err, isJsonObject, type JsonObject, type JsonValue, ok, parseJson, type Result } from '@sluice/core/base';
import { v5 as uuidv5 } from 'uuid';

/** The namespace of ids made from a resource's own name, so that importing again updates. */
const NAMESPACE = 'b6e5d0f2-6c1a-5c0e-9d3f-2a7c51c0de01';
const LIMITS = { maxBytes: 64 * 1024 * 1024, maxDepth: 64 };
const BUNDLE_TYPES = new Set(['transaction', 'batch', 'collection']);
const TYPED: { readonly [type: string]: string } = {
  Patient: 'fhir/patient',
  Immunization: 'fhir/immunization',
  Observation: 'fhir/observation',
  Condition: 'fhir/condition',
  Encounter: 'fhir/encounter',
  DiagnosticReport: 'fhir/diagnostic-report',
  Procedure: 'fhir/procedure',
};

export type ImportProblem = { readonly index: number; readonly reason: string };
export type BundleCounts = { readonly [schema: string]: number };
export type FhirBundle = {
  readonly records: readonly { readonly schema: string; readonly record: JsonObject }[];
  readonly problems: readonly ImportProblem[];
  readonly counts: BundleCounts;
};
export type BundleFailure = { readonly type: 'malformed' | 'too-large' | 'too-deep' | 'not-a-bundle' };

/**
 * Reads a bundle of type transaction, batch or collection.
 *
 * Result: each resource with the short name of its schema; `_id` is a UUIDv5 of its fullUrl, or of type and id.
 * Errors: malformed, too-large (64 MiB), too-deep, not-a-bundle.
 */
export function readFhirBundle(text: string): Result<FhirBundle, BundleFailure> {
  const parsed = parseJson(text, LIMITS);
  if (!parsed.ok) return parsed;
  const bundle = parsed.value;
  if (
    !isJsonObject(bundle) ||
    bundle.resourceType !== 'Bundle' ||
    !BUNDLE_TYPES.has(String(bundle.type)) ||
    !Array.isArray(bundle.entry)
  )
    return err({ type: 'not-a-bundle' });
  const records: { schema: string; record: JsonObject }[] = [];
  const problems: ImportProblem[] = [];
  const counts: Record<string, number> = {};
  for (const [index, entry] of (bundle.entry as readonly JsonValue[]).entries()) {
    const read = readEntry(entry);
    if (typeof read === 'string') problems.push({ index, reason: read });
    else {
      records.push(read);
      counts[read.schema] = (counts[read.schema] ?? 0) + 1;
    }
  }
  return ok({ records, problems, counts });
}

function readEntry(entry: JsonValue): { schema: string; record: JsonObject } | string {
  if (!isJsonObject(entry) || !isJsonObject(entry.resource)) return 'the entry holds no resource';
  const { resource, fullUrl } = entry;
  const type = resource.resourceType;
  if (typeof type !== 'string' || !/^[A-Z][A-Za-z]{1,63}$/.test(type)) return 'the resource names no type';
  const name =
    typeof fullUrl === 'string' && fullUrl.length > 0
      ? fullUrl
      : typeof resource.id === 'string'
        ? `${type}/${resource.id}`
        : undefined;
  if (name === undefined) return 'the resource has neither fullUrl nor id, so importing again could not find it';
  const { _id: _a, _rev: _b, schema: _c, ...content } = resource;
  return { schema: TYPED[type] ?? 'fhir/resource', record: { ...content, _id: uuidv5(name, NAMESPACE) } };
}
