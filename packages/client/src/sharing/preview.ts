/** What a grant would reveal, said before anybody agrees: the same engine that will run it counts and samples (spec/grant.md). */

import { canonicalJson, isJsonObject, type JsonObject, type JsonValue, shownName } from '@sluice/core/base';
import type { GrantSecret } from '@sluice/core/crypto';
import {
  bindFilter,
  type Filter,
  filterDates,
  instantsAt,
  listNegations,
  parseFilter,
  parseInstant,
} from '@sluice/core/filter';
import { type FieldTerm, type GrantTerms, project } from '@sluice/core/grant';
import type { LoadedSchema } from '../schema/index.ts';
import type { Collection } from '../store/collection.ts';
import { consentSentence, shownSchema, titleWords } from './consent-sentence.ts';

/** What one item of a request would reveal now. */
export type Preview = {
  /** The terms in plain words. */
  readonly sentence: string;
  /** What in the filter is read otherwise easily, and how the other would be written. */
  readonly warnings: readonly string[];
  readonly total: number;
  readonly matching: number;
  /** What of each record is revealed, or `all`. Empty when nothing is read. */
  readonly fields: readonly FieldTerm[] | 'all';
  /** First and last instant of the filter's date fields, and of all that are not inside of another, among the matching records, ISO. */
  readonly span?: { readonly from: string; readonly to: string };
  /** The first matching records exactly as the grantee would see them, but for ids and pseudonyms. */
  readonly sample: readonly JsonObject[];
  /**
   * How much would have come in the last 90 days, at least: each record that matches now counts once if it was inserted in that time, and
   * once if it was modified in that time after its insertion. What a later change or deletion has covered up is not seen.
   */
  readonly rate: { readonly changes: number; readonly perWeek: number };
};

/** What another choice of terms makes of a grant. */
export type Difference = {
  /** Records that the grantee would get, lose, or see otherwise. */
  readonly records: { readonly added: number; readonly removed: number; readonly changed: number };
  /** Dot paths of which at least one record would show a value only then, or no longer. */
  readonly fields: { readonly added: readonly string[]; readonly removed: readonly string[] };
};

/** What a preview looks at. */
export type PreviewSource = {
  readonly schema: LoadedSchema;
  readonly collection: Collection;
  readonly nowMs: number;
  /** Makes the pseudonyms of the sample: any will do, since the grant's own is made at the consent. */
  readonly secret: GrantSecret;
};

const SAMPLE = 3;
const RATE_DAYS = 90;
const DAY_MS = 86_400_000;
const SAMPLE_ID = '(an id of its own)';

/** Previews terms over a collection. */
export function previewTerms(terms: GrantTerms, filter: Filter, source: PreviewSource, who: string): Preview {
  const { schema, collection, nowMs, secret } = source;
  const sample: JsonObject[] = [];
  const instants: number[] = [];
  const outer = [...schema.formats].filter(
    ([path]) => !path.includes('.') && path !== 'insertedAt' && path !== 'modifiedAt',
  );
  const dateFields = new Map([...outer, ...filterDates(filter)]);
  let matching = 0;
  let changes = 0;
  for (const record of matchingIn(source, filter)) {
    matching++;
    if (sample.length < SAMPLE && terms.access !== 'write')
      sample.push(project(record, terms.fields, SAMPLE_ID, secret));
    changes += changesSince(record, nowMs - RATE_DAYS * DAY_MS);
    for (const [path, format] of dateFields) for (const at of instantsAt(record, path, format)) instants.push(at);
  }
  const span = spanOf(instants);
  return {
    sentence: consentSentence(terms, schema, who),
    warnings: filterWarnings(terms, schema),
    total: collection.size(),
    matching,
    fields: terms.access === 'write' ? [] : (terms.fields ?? 'all'),
    sample,
    rate: { changes, perWeek: Math.round((changes * 70) / RATE_DAYS) / 10 },
    ...(span ? { span } : {}),
  };
}

/** Somebody who narrows by what a list must not hold takes `$ne` or `$nin` for it, and reveals more than was meant. */
function filterWarnings(terms: GrantTerms, schema: LoadedSchema): readonly string[] {
  const parsed = parseFilter(terms.filter, schema.formats);
  if (!parsed.ok) return [];
  const negations = listNegations(parsed.value, schema.lists).map(
    ({ field, words, instead }) =>
      `${shownName(field)} is a list, and the filter lets records through where ${words}. Only those of which no item is so: ${JSON.stringify(instead)}`,
  );
  const { fieldNames, title } = schema;
  const unknown = [...new Set(topFields(terms.filter))].filter(
    (name) => !fieldNames.has(name) && !name.startsWith('_'),
  );
  return [
    ...negations,
    ...unknown.map(
      (name) => `The schema ${titleWords(title)} names no field ${shownName(name)}: is it spelt as it should be?`,
    ),
  ];
}

/** The first names of all paths in a filter. */
const topFields = (filter: JsonObject): readonly string[] =>
  Object.entries(filter).flatMap(([name, value]) => {
    if (!name.startsWith('$')) return [String(name.split('.')[0])];
    return (Array.isArray(value) ? (value as readonly JsonValue[]) : [value]).filter(isJsonObject).flatMap(topFields);
  });

/** The preview of an item that is for a schema which no record here has: it is not fetched to look further. */
export const previewUnknown = (schema: string, who: string): Preview => ({
  sentence: `${who} asks for records of the schema ${shownSchema(schema)}, and none of your records has it.`,
  warnings: [],
  total: 0,
  matching: 0,
  fields: 'all',
  sample: [],
  rate: { changes: 0, perWeek: 0 },
});

/** One choice of terms with the filter it runs by. */
export type RunTerms = { readonly terms: GrantTerms; readonly filter: Filter };

/** Compares what two choices of terms reveal of a collection now. */
export function differenceOf(before: RunTerms, after: RunTerms, source: PreviewSource): Difference {
  const [old, next] = [before, after].map((run) => revealed(run, source)) as [Revealed, Revealed];
  const ids = [...next.records.keys()];
  const both = ids.filter((id) => old.records.has(id));
  const only = (a: ReadonlySet<string>, b: ReadonlySet<string>): string[] => [...a].filter((x) => !b.has(x)).sort();
  return {
    records: {
      added: ids.length - both.length,
      removed: old.records.size - both.length,
      changed: both.filter((id) => old.records.get(id) !== next.records.get(id)).length,
    },
    fields: { added: only(next.paths, old.paths), removed: only(old.paths, next.paths) },
  };
}

type Revealed = { readonly records: ReadonlyMap<string, string>; readonly paths: ReadonlySet<string> };

function revealed({ terms, filter }: RunTerms, source: PreviewSource): Revealed {
  const records = new Map<string, string>();
  const paths = new Set<string>();
  if (terms.access === 'write') return { records, paths };
  for (const record of matchingIn(source, filter)) {
    const { _id, schema, ...content } = project(record, terms.fields, SAMPLE_ID, source.secret);
    records.set(String(record._id), canonicalJson(content));
    addPaths(content, '', paths);
  }
  return { records, paths };
}

function addPaths(value: JsonValue, path: string, paths: Set<string>): void {
  if (Array.isArray(value)) for (const item of value as readonly JsonValue[]) addPaths(item, path, paths);
  else if (isJsonObject(value))
    for (const [name, inner] of Object.entries(value)) addPaths(inner, path === '' ? name : `${path}.${name}`, paths);
  else if (value !== null) paths.add(path);
}

function* matchingIn({ schema, collection, nowMs }: PreviewSource, filter: Filter): Generator<JsonObject> {
  const test = bindFilter(filter, nowMs);
  for (const id of collection.ids()) {
    const record = collection.get(id);
    if (record && record.schema === schema.id && test(record)) yield record;
  }
}

function changesSince({ insertedAt, modifiedAt }: JsonObject, sinceMs: number): number {
  const instant = (value: JsonValue | undefined): number =>
    (typeof value === 'string' ? parseInstant(value, 'date-time') : undefined) ?? Number.NEGATIVE_INFINITY;
  const [inserted, modified] = [instant(insertedAt), instant(modifiedAt)];
  return (inserted > sinceMs ? 1 : 0) + (modified > sinceMs && modified > inserted ? 1 : 0);
}

function spanOf(instants: readonly number[]): Preview['span'] {
  if (instants.length === 0) return undefined;
  const from = instants.reduce((a, b) => Math.min(a, b));
  const to = instants.reduce((a, b) => Math.max(a, b));
  return { from: new Date(from).toISOString(), to: new Date(to).toISOString() };
}
