/**
 * Validates records with a schema that arrived at run time, by interpreting it: code is never generated from it. The work one record may
 * cause is bounded, since schema and record may come from the same hostile hand (spec/schema.md SCH-6).
 */

import { format, type OutputUnit, type Schema, validate } from '@cfworker/json-schema';
import { createSystemClock } from '@sluice/core/base';
import { MAX_ISSUES, type SchemaIssue, schemaFormats } from '@sluice/schemas';
import { interpretedFormat, type RestrictedSchema, type SchemaNode } from './restrict-schema.ts';

/** Schema positions visited for one record at most. Two branches into a nested record double at each level. */
const MAX_STEPS = 200_000;
/** For what steps do not count, such as a record of very many fields; looked at every 512 steps and at each guarded keyword. */
const MAX_MS = 2_000;
const STEPS_PER_LOOK = 512;

for (const [name, check] of Object.entries(schemaFormats)) (format as Formats)[interpretedFormat(name)] = check;
type Formats = { [name: string]: (text: string) => boolean };

class TooCostly extends Error {}

/** Keywords that only pass on what a schema below them found. */
const PASSING = new Set([
  '$ref',
  'allOf',
  'properties',
  'additionalProperties',
  'items',
  'prefixItems',
  'if',
  'propertyNames',
]);
const WORDS: { readonly [keyword: string]: string } = {
  type: 'has another type',
  format: 'is no such date or time',
  false: 'is not allowed',
  const: 'has another value',
  enum: 'has a value that is not listed',
  maxLength: 'is too long',
  minLength: 'is too short',
  maxItems: 'has too many items',
  minItems: 'has too few items',
  uniqueItems: 'holds an item twice',
  pattern: 'does not have the required pattern',
};

/** Checks one record; what it returns names places and rules, never values. */
export type Interpreter = (record: unknown) => SchemaIssue[];

/**
 * Makes a validator of a restricted schema, which it takes over.
 *
 * Result: issues that name a place and a rule; none when the record matches. A record that costs over 200,000 steps does not match.
 */
export function createInterpreter(
  schema: RestrictedSchema,
  monotonicMs: () => number = createSystemClock().monotonicMs,
): Interpreter {
  let steps = 0;
  let deadlineMs = 0;
  const look = (): void => {
    if (steps > MAX_STEPS || monotonicMs() > deadlineMs) throw new TooCostly();
  };
  const step = (): undefined => {
    if (++steps % STEPS_PER_LOOK === 0) look();
    return undefined;
  };
  for (const node of new Set(Object.values(schema.lookup))) if (typeof node !== 'boolean') count(node, step, look);

  return (record) => {
    steps = 0;
    deadlineMs = monotonicMs() + MAX_MS;
    try {
      if (!isJson(record)) return [{ path: '/', message: 'holds something that is not JSON' }];
      const { errors } = validate(record, schema.root as Schema, '2020-12', schema.lookup as Lookup, false);
      return toIssues(errors);
    } catch (cause) {
      // RangeError: a record or a list of errors too deep or long for the stack.
      if (cause instanceof TooCostly || cause instanceof RangeError)
        return [{ path: '/', message: 'takes too much work to check' }];
      throw cause;
    }
  };
}
type Lookup = Record<string, Schema | boolean>;

/** The interpreter reads `$recursiveAnchor` of every schema it applies, so a getter there sees each step. */
function count(node: SchemaNode, step: () => undefined, look: () => void): void {
  Object.defineProperty(node, '$recursiveAnchor', { get: step });
  for (const part of (node.allOf as (SchemaNode | boolean)[] | undefined) ?? []) {
    const guarded = typeof part === 'boolean' ? undefined : (part.else as SchemaNode | boolean | undefined);
    if (typeof guarded === 'object' && (guarded.pattern !== undefined || guarded.uniqueItems !== undefined))
      Object.defineProperty(guarded, '$recursiveAnchor', { get: () => look() });
  }
}

function isJson(value: unknown): boolean {
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return true;
  if (typeof value === 'number') return Number.isFinite(value);
  return typeof value === 'object' && Object.values(value).every(isJson);
}

function toIssues(errors: readonly OutputUnit[]): SchemaIssue[] {
  const found = errors.filter((e) => !PASSING.has(e.keyword));
  return (found.length > 0 ? found : errors).slice(0, MAX_ISSUES).map((e) => ({
    path: e.instanceLocation.replace(/^#/, '') || '/',
    // The interpreter's own sentence holds values of the record for some keywords; for this one a name from the schema alone.
    message: e.keyword === 'required' ? requiredName(e.error) : (WORDS[e.keyword] ?? `does not satisfy ${e.keyword}`),
  }));
}

const requiredName = (sentence: string): string => `lacks the field ${/"(.*)"/s.exec(sentence)?.[1] ?? ''}`.trim();
