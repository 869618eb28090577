/** What a grant gives: the terms both sides keep and evaluate by (spec/grant.md). */

import { isJsonObject, type JsonObject } from '../base/json.ts';
import { type Err, err, ok, type Result } from '../base/result.ts';
import {
  type FieldFormats,
  type Filter,
  filterFailureText,
  parseFilter,
  parseInstant,
  parseSpan,
} from '../filter/index.ts';
import { type FieldTerm, parseFields } from './field-term.ts';
import { parseWriteTerms, type WriteTerms } from './write-terms.ts';
import { strayMember, wrong } from './wrong-part.ts';

/** What a grantee may do. */
export type GrantAccess = 'read' | 'write' | 'readwrite';
/** `once`: one evaluation, then complete. `standing`: live until revoked. `until`: live until an instant, ISO 8601 in UTC with ms. */
export type GrantDuration = 'once' | 'standing' | { readonly until: string };

/** The terms of one item of a request, and of the one grant that consent makes of it. */
export type GrantTerms = {
  /** Identity and SHA-256 (hex) of the schema that both sides evaluate with. */
  readonly schema: string;
  readonly schemaHash: string;
  readonly access: GrantAccess;
  readonly filter: JsonObject;
  /** What of each record is revealed; absent means whole records. */
  readonly fields?: readonly FieldTerm[];
  readonly duration: GrantDuration;
  /** ISO 8601 duration: how long the grantee keeps what it got after the grant's end. Absent: it keeps nothing. */
  readonly retention?: string;
  /** ISO 8601 duration: at most one batch in so long. Absent: live. */
  readonly frequency?: string;
  /** Exactly when access is not `read`. */
  readonly write?: WriteTerms;
};

/** Terms that one request holds at most. */
export const MAX_REQUEST_ITEMS = 16;
/** In UTF-16 units. */
export const MAX_SCHEMA_ID = 512;
/** An instant as `Date` writes the years 0 to 9999. */
const INSTANT_LENGTH = 24;

/** What is wrong with terms: `text` says where, what is there, and what is allowed. */
export type TermsFailure =
  | {
      readonly type: 'bad-terms';
      readonly field:
        | 'schema'
        | 'schemaHash'
        | 'access'
        | 'fields'
        | 'duration'
        | 'retention'
        | 'frequency'
        | 'write'
        | 'shape';
      readonly text: string;
    }
  | { readonly type: 'bad-filter'; readonly text: string };

/**
 * Reads untrusted terms into a fresh object in their normal form. The filter is checked against the schema's formats.
 *
 * Source: spec/grant.md GRANT-16, GRANT-21, GRANT-22.
 */
export function parseTerms(
  input: unknown,
  formats: FieldFormats,
): Result<{ terms: GrantTerms; filter: Filter }, TermsFailure> {
  type Part = Extract<TermsFailure, { type: 'bad-terms' }>['field'];
  const bad = (field: Part, { error: text }: Err<string>): Err<TermsFailure> => err({ type: 'bad-terms', field, text });
  if (!isJsonObject(input)) return bad('shape', wrong('terms', input, 'an object'));
  const { schema, schemaHash, access, filter, retention, frequency } = input;
  if (typeof schema !== 'string' || schema.length === 0 || schema.length > MAX_SCHEMA_ID)
    return bad('schema', wrong('schema', schema, `the $id of a schema, a text of 1 to ${MAX_SCHEMA_ID} characters`));
  if (typeof schemaHash !== 'string' || !/^[0-9a-f]{64}$/.test(schemaHash))
    return bad('schemaHash', wrong('schemaHash', schemaHash, 'a SHA-256 in 64 lower-case hex digits'));
  if (access !== 'read' && access !== 'write' && access !== 'readwrite')
    return bad('access', wrong('access', access, '"read", "write" or "readwrite"'));
  const duration = parseDuration(input.duration);
  if (!duration) return bad('duration', wrongDuration(input.duration));
  // One delivery ends the feed, and with it the way in which a write would be answered.
  if (duration === 'once' && access !== 'read')
    return bad('duration', wrong('duration', duration, `"standing" or {until} beside the access "${access}"`));
  const fields = input.fields === undefined ? undefined : parseFields(input.fields, formats);
  // Who reads nothing has no use for a choice of fields; it would only mislead the owner.
  if (fields && access === 'write')
    return bad('fields', wrong('fields', input.fields, 'nothing beside the access "write", which reads no records'));
  if (fields && !fields.ok) return bad('fields', fields);
  if (!isSpan(retention)) return bad('retention', wrong('retention', retention, SPAN_RULE));
  if (!isSpan(frequency)) return bad('frequency', wrong('frequency', frequency, SPAN_RULE));
  if (access === 'read' && input.write !== undefined)
    return bad('write', wrong('write', input.write, 'nothing beside the access "read"'));
  const write = access === 'read' ? undefined : parseWriteTerms(input.write);
  if (write && !write.ok) return bad('write', write);
  const parsed = parseFilter(filter ?? {}, formats);
  if (!parsed.ok) return err({ type: 'bad-filter', text: filterFailureText(parsed.error) });
  const terms: GrantTerms = {
    schema,
    schemaHash,
    access,
    filter: parsed.value.source,
    duration,
    ...(fields ? { fields: fields.value } : {}),
    ...(retention ? { retention } : {}),
    ...(frequency ? { frequency } : {}),
    ...(write ? { write: write.value } : {}),
  };
  return ok({ terms, filter: parsed.value });
}

/** The instant at which a grant ends by itself, in ms; undefined when it names none. */
export const endsAtMs = ({ duration }: Pick<GrantTerms, 'duration'>): number | undefined =>
  typeof duration === 'object' ? Date.parse(duration.until) : undefined;

function parseDuration(input: unknown): GrantDuration | undefined {
  if (input === 'once' || input === 'standing') return input;
  if (!isJsonObject(input) || Object.keys(input).length !== 1 || typeof input.until !== 'string') return undefined;
  const at = parseInstant(input.until, 'date-time');
  const until = at === undefined ? '' : new Date(at).toISOString();
  return until.length === INSTANT_LENGTH ? { until } : undefined;
}

const SPAN_RULE = 'an ISO 8601 duration of whole units, up to 100 years, such as "P30D" or "P1Y"';

function wrongDuration(input: unknown): Err<string> {
  const allowed = '"once", "standing" or {until: an instant with its zone, such as "2027-01-31T00:00:00Z"}';
  if (!isJsonObject(input) || input.until === undefined) return wrong('duration', input, allowed);
  const stray = Object.keys(input).find((name) => name !== 'until');
  return stray === undefined
    ? wrong('duration.until', input.until, 'an instant with its zone, such as "2027-01-31T00:00:00Z"')
    : strayMember('duration', stray, ['until']);
}

const isSpan = (value: unknown): value is string | undefined =>
  value === undefined || (typeof value === 'string' && parseSpan(value) !== undefined);
