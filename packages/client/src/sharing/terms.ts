/** Terms as people write them, turned into terms as both sides keep them: schema pinned, filter parsed, fields checked. */

import { jsonEquals, type JsonObject } from '@sluice/core/base';
import { type Filter, filterFailureText, parseFilter } from '@sluice/core/filter';
import {
  endsAtMs,
  type FieldTerm,
  type GrantAccess,
  type GrantDuration,
  type GrantTerms,
  parseTerms,
  type WriteTerms,
} from '@sluice/core/grant';
import { SluiceError } from '../errors.ts';
import { inSchema, type LoadedSchema } from '../schema/index.ts';

/** Loads a schema by short name, `$id` or address. Rejects with UNKNOWN_SCHEMA or BAD_SCHEMA. */
export type LoadSchema = (id: string) => Promise<LoadedSchema>;
/** Terms as a requester writes them. Read access, all records, whole and standing, unless said otherwise. */
export type RequestItem = {
  readonly schema: string;
  readonly access?: GrantAccess;
  readonly filter?: JsonObject;
  /** A field that is not marked optional is required: the owner gives it as asked or declines. */
  readonly fields?: readonly FieldTerm[];
  readonly duration?: GrantDuration;
  /** ISO 8601 duration: how long what was received is kept after the grant's end. */
  readonly retention?: string;
  /** ISO 8601 duration: at most one batch in so long. */
  readonly frequency?: string;
  /** With `write` access inserts unless said otherwise, with `readwrite` updates too; each write waits for the owner's yes. */
  readonly write?: Partial<WriteTerms> & Pick<WriteTerms, 'operations'>;
};
/** The filter a grant runs: a grant speaks of one schema, and a collection may hold records of several versions of it. */
export const filterOf = (terms: GrantTerms, schema: LoadedSchema): Filter => {
  const parsed = parseFilter(terms.filter, schema.formats);
  if (!parsed.ok) throw new SluiceError('BAD_FILTER', filterFailureText(parsed.error));
  return inSchema(schema, parsed.value);
};

const defaultWrite = (access: GrantAccess = 'read'): RequestItem['write'] => {
  if (access === 'read') return undefined;
  return { operations: access === 'write' ? ['insert'] : ['insert', 'update'] };
};

/** Reads what an app asks for. `place` names the item among several. Errors: UNKNOWN_SCHEMA, BAD_SCHEMA, BAD_FILTER, BAD_REQUEST. */
export const toTerms = async (item: RequestItem, loadSchema: LoadSchema, place = ''): Promise<GrantTerms> => {
  const schema = await loadSchema(item.schema);
  const input = {
    schema: schema.id,
    schemaHash: schema.hash,
    access: item.access ?? 'read',
    filter: item.filter ?? {},
    fields: item.fields,
    duration: item.duration ?? 'standing',
    retention: item.retention,
    frequency: item.frequency,
    write: item.write ?? defaultWrite(item.access),
  };
  const parsed = parseTerms(input, schema.formats);
  if (parsed.ok) return parsed.value.terms;
  const { type, text } = parsed.error;
  throw type === 'bad-filter'
    ? new SluiceError('BAD_FILTER', `${place && `In ${place}: `}${text}`)
    : new SluiceError('BAD_REQUEST', `The terms cannot be used: ${place && `${place}: `}${text}`);
};

/** What terms are written with. */
export const ITEM_MEMBERS = [
  'schema',
  'access',
  'filter',
  'fields',
  'duration',
  'retention',
  'frequency',
  'write',
] as const satisfies readonly (keyof RequestItem)[];

/** Terms whose end has passed would give nothing, and look as if they did. Errors: BAD_REQUEST. */
export function assertEndsLater(items: readonly GrantTerms[], nowMs: number): void {
  const past = items.find((terms) => (endsAtMs(terms) ?? nowMs + 1) <= nowMs);
  if (past && typeof past.duration === 'object')
    throw new SluiceError('BAD_REQUEST', `duration.until is ${past.duration.until}, which has passed`);
}

/** Whether terms in normal form are less than what was asked. */
export const isNarrowed = (asked: GrantTerms, terms: GrantTerms): boolean => !jsonEquals(asked, terms);
