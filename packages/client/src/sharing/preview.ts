/** What a grant would reveal, said before anybody agrees: the same engine that will run it counts and samples (spec/grant.md). */

import type { JsonObject } from '@sluice/core/base';
import { bindFilter, describe, type Filter, parseFilter, parseInstant } from '@sluice/core/filter';
import type { GrantSecret } from '@sluice/core/crypto';
import { type FieldTerm, type GrantTerms, pathOf, project } from '@sluice/core/grant';
import type { LoadedSchema } from '../schema/index.ts';
import type { Collection } from '../store/collection.ts';

/** What one item of a request would reveal now. */
export type Preview = {
  /** One plain sentence. */
  readonly sentence: string;
  readonly total: number;
  readonly matching: number;
  /** What of each record is revealed, or `all`. */
  readonly fields: readonly FieldTerm[] | 'all';
  /** First and last instant of the filter's date fields among the matching records, ISO. */
  readonly span?: { readonly from: string; readonly to: string };
  /** The first matching records exactly as the grantee would see them, but for the ids. */
  readonly sample: readonly JsonObject[];
};

const SAMPLE = 3;

/** Previews terms over a collection. */
export function previewTerms(
  terms: GrantTerms,
  filter: Filter,
  schema: LoadedSchema,
  collection: Collection,
  nowMs: number,
  who: string,
  /** Makes the pseudonyms of the sample: any will do, since the grant's own is made at the consent. */
  secret: GrantSecret,
): Preview {
  const test = bindFilter(filter, nowMs);
  const matching: JsonObject[] = [];
  const instants: number[] = [];
  const total = collection.size();
  const dateFields = [...schema.formats].filter(
    ([path]) => !path.includes('.') && path !== 'insertedAt' && path !== 'modifiedAt',
  );
  let count = 0;
  for (const id of collection.ids()) {
    const record = collection.get(id);
    if (!record || record.schema !== schema.id || !test(record)) continue;
    count++;
    if (matching.length < SAMPLE) matching.push(project(record, terms.fields, '(an id of its own)', secret));
    for (const [path, format] of dateFields) {
      const value = record[path];
      const at = typeof value === 'string' ? parseInstant(value, format) : undefined;
      if (at !== undefined) instants.push(at);
    }
  }
  const span = spanOf(instants);
  return {
    sentence: consentSentence(terms, schema, who),
    total,
    matching: count,
    fields: terms.fields ?? 'all',
    sample: matching,
    ...(span ? { span } : {}),
  };
}

/** The preview of an item that is for a schema which no record here has: it is not fetched to look further. */
export const previewUnknown = (schema: string, who: string): Preview => ({
  sentence: `${who} asks for records of the schema “${schema}”, and none of your records has it.`,
  total: 0,
  matching: 0,
  fields: 'all',
  sample: [],
});

/** The sentence an owner reads: who, may do what, with which records, which parts of them, for how long. */
export function consentSentence(terms: GrantTerms, schema: LoadedSchema, who: string): string {
  const verb = { read: 'read', write: 'add', readwrite: 'read and change' }[terms.access];
  const what = schema.titlePlural ?? `${schema.title} records`;
  const filter = parseFilter(terms.filter, schema.formats);
  const words = filter.ok ? describe(filter.value) : '';
  const condition = Object.keys(terms.filter).length === 0 ? 'all' : `those where ${words}`;
  const parts = terms.fields ? `, only ${terms.fields.map(pathOf).join(', ')}` : ', the whole records';
  const time =
    typeof terms.duration === 'object'
      ? `from now on until ${terms.duration.until}, unless you revoke it before`
      : terms.duration === 'once'
        ? 'once'
        : 'from now on, until you revoke it';
  return `${who} may ${verb} your ${what} (${condition}${parts}), ${time}.`;
}

function spanOf(instants: readonly number[]): Preview['span'] {
  if (instants.length === 0) return undefined;
  const from = instants.reduce((a, b) => Math.min(a, b));
  const to = instants.reduce((a, b) => Math.max(a, b));
  return { from: new Date(from).toISOString(), to: new Date(to).toISOString() };
}
