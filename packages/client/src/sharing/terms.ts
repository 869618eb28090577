/** Terms as people write them, turned into terms as both sides keep them: schema pinned, filter parsed, fields checked. */

import type { JsonObject } from '@sluice/core/base';
import { type Filter, filterFailureText, parseFilter } from '@sluice/core/filter';
import {
  type FieldTerm,
  type GrantAccess,
  type GrantDuration,
  type GrantTerms,
  parseTerms,
  pathOf,
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
  /** Needed for any access but `read`. */
  readonly write?: Partial<WriteTerms> & Pick<WriteTerms, 'operations'>;
};
/** What an owner takes away from what was asked. */
export type Narrowing = {
  readonly filter?: JsonObject;
  readonly fields?: readonly FieldTerm[];
  readonly duration?: GrantDuration;
};

/** The filter a grant runs: a grant speaks of one schema, and a collection may hold records of several versions of it. */
export const filterOf = (terms: GrantTerms, schema: LoadedSchema): Filter => {
  const parsed = parseFilter(terms.filter, schema.formats);
  if (!parsed.ok) throw new SluiceError('BAD_FILTER', filterFailureText(parsed.error));
  return inSchema(schema, parsed.value);
};

/** Reads what an app asks for. Errors: UNKNOWN_SCHEMA, BAD_SCHEMA, BAD_FILTER, BAD_REQUEST. */
export const toTerms = async (item: RequestItem, loadSchema: LoadSchema): Promise<GrantTerms> => {
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
    write: item.write,
  };
  const parsed = parseTerms(input, schema.formats, filterFailureText as (failure: never) => string);
  if (!parsed.ok)
    throw parsed.error.type === 'bad-filter'
      ? new SluiceError('BAD_FILTER', parsed.error.text)
      : new SluiceError('BAD_REQUEST', `The request has a bad ${parsed.error.field}`);
  return parsed.value.terms;
};

/** An owner's own filter adds to the requester's, and fields can only be taken away: narrowing cannot widen. */
export const narrow = async (terms: GrantTerms, narrowing: Narrowing, loadSchema: LoadSchema): Promise<GrantTerms> => {
  const filter = narrowing.filter ? { $and: [terms.filter, narrowing.filter] } : terms.filter;
  const fields = narrowing.fields
    ? terms.fields
      ? terms.fields.filter((f) => narrowing.fields?.some((n) => pathOf(n) === pathOf(f)))
      : narrowing.fields
    : terms.fields;
  if (fields && fields.length === 0)
    throw new SluiceError('BAD_REQUEST', 'Nothing of the record would be left to reveal');
  const duration = narrowing.duration === 'once' ? 'once' : terms.duration;
  return toTerms({ ...terms, filter, duration, ...(fields ? { fields } : {}) }, loadSchema);
};
