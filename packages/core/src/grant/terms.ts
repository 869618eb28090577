/** What a grant gives: the terms both sides keep and evaluate by (spec/grant.md). */

import { isJsonObject, type JsonObject } from '../base/json.ts';
import { err, ok, type Result } from '../base/result.ts';
import { type FieldFormats, type Filter, parseFilter } from '../filter/index.ts';

/** What a grantee may do. This version grants `read` alone. */
export type GrantAccess = 'read' | 'write' | 'readwrite';
/** `once`: one evaluation, then complete. `standing`: live until revoked. */
export type GrantDuration = 'once' | 'standing';

/** The terms of one item of a request, and of the one grant that consent makes of it. */
export type GrantTerms = {
  /** Identity and SHA-256 (hex) of the schema that both sides evaluate with. */
  readonly schema: string;
  readonly schemaHash: string;
  readonly access: GrantAccess;
  readonly filter: JsonObject;
  /** Dot paths to reveal; absent means whole records. */
  readonly fields?: readonly string[];
  readonly duration: GrantDuration;
};

/** Terms that one request holds at most. */
export const MAX_REQUEST_ITEMS = 16;
/** In UTF-16 units. */
export const MAX_SCHEMA_ID = 512;
const MAX_FIELDS = 64;
const FIELD = /^[A-Za-z_][A-Za-z0-9_]{0,63}(\.[A-Za-z0-9_]{1,64}){0,7}$/;
/** Fields that name or time a record rather than describe it; they cannot be asked for one by one. */
const RESERVED = new Set(['_id', '_rev', 'schema']);

/** What is wrong with terms. */
export type TermsFailure =
  | { readonly type: 'bad-terms'; readonly field: 'schema' | 'schemaHash' | 'access' | 'fields' | 'duration' | 'shape' }
  | { readonly type: 'bad-filter'; readonly text: string };

/** Reads untrusted terms into a fresh object. The filter is checked against the schema's formats. */
export function parseTerms(
  input: unknown,
  formats: FieldFormats,
  filterText: (failure: never) => string,
): Result<{ terms: GrantTerms; filter: Filter }, TermsFailure> {
  const bad = (field: Extract<TermsFailure, { type: 'bad-terms' }>['field']): Result<never, TermsFailure> =>
    err({ type: 'bad-terms', field });
  if (!isJsonObject(input)) return bad('shape');
  const { schema, schemaHash, access, filter, fields, duration } = input;
  if (typeof schema !== 'string' || schema.length === 0 || schema.length > MAX_SCHEMA_ID) return bad('schema');
  if (typeof schemaHash !== 'string' || !/^[0-9a-f]{64}$/.test(schemaHash)) return bad('schemaHash');
  if (access !== 'read' && access !== 'write' && access !== 'readwrite') return bad('access');
  if (duration !== 'once' && duration !== 'standing') return bad('duration');
  const list = parseFields(fields);
  if (list === 'bad') return bad('fields');
  const parsed = parseFilter(filter ?? {}, formats);
  if (!parsed.ok) return err({ type: 'bad-filter', text: filterText(parsed.error as never) });
  const terms: GrantTerms = {
    schema,
    schemaHash,
    access,
    filter: parsed.value.source,
    duration,
    ...(list ? { fields: list } : {}),
  };
  return ok({ terms, filter: parsed.value });
}

function parseFields(fields: unknown): readonly string[] | undefined | 'bad' {
  if (fields === undefined) return undefined;
  if (!Array.isArray(fields) || fields.length === 0 || fields.length > MAX_FIELDS) return 'bad';
  const names = fields.filter(
    (f): f is string => typeof f === 'string' && FIELD.test(f) && !RESERVED.has(f) && !f.includes('__proto__'),
  );
  return names.length === fields.length ? [...new Set(names)].sort() : 'bad';
}
