/** Reads filters from untrusted JSON: total, bounded, and with the place of what is wrong (spec/filter.md). */

import { isJsonObject, type JsonObject, type JsonValue } from '../base/json.ts';
import { err, ok, type Result } from '../base/result.ts';
import { shownText } from '../base/shown.ts';
import type { Atom, Filter, Node, Scalar } from './ast.ts';
import type { FieldFormat, FieldFormats } from './formats.ts';
import { parseInstant, parseSpan } from './instant.ts';

/** The deepest filter, in operators one inside the other (FIL-2). */
const MAX_FILTER_DEPTH = 8;
/** The largest filter, in conditions (FIL-2). */
const MAX_FILTER_NODES = 128;
const MAX_LIST = 256;
const MAX_TEXT = 1024;
const MAX_SOURCE = 16 * 1024;
const MAX_SHOWN_PATH = 200;
const PATH = /^[^.$][^.]{0,127}(\.[^.$][^.]{0,127}){0,15}$/;

/** What is wrong with a filter, and where. */
export type FilterFailure = {
  readonly type:
    | 'not-an-object'
    | 'unknown-operator'
    | 'bad-operand'
    | 'bad-path'
    | 'not-an-instant'
    | 'too-deep'
    | 'too-many'
    | 'too-long'
    | 'nested-object'
    | 'empty';
  /** Where in the filter, e.g. `$and.0.date.$gte`. */
  readonly path: string;
};

const SENTENCES: { readonly [K in FilterFailure['type']]: string } = {
  'not-an-object': 'a filter is a JSON object',
  'unknown-operator':
    'this operator does not exist; there are $eq, $ne, $gt, $gte, $lt, $lte, $in, $nin, $exists, $beginsWith, $within, $elemMatch, $not, and $and, $or, $not around conditions',
  'bad-operand': 'a value is a text, a number, a boolean or null; for one of several there is $in',
  'bad-path': 'this is not a field path: up to 16 names with dots between, and no $ at the start of one',
  'not-an-instant': 'this field is a date: give a date, a date-time or a partial date',
  'too-deep': `a filter nests at most ${MAX_FILTER_DEPTH} deep`,
  'too-many': `a filter has at most ${MAX_FILTER_NODES} conditions and ${MAX_LIST} values in a list`,
  'too-long': 'a text in a filter has at most 1,024 characters, a filter 16 KiB',
  'nested-object': 'a nested object needs operators; use a dot path or $elemMatch',
  empty: 'an operator needs at least one condition',
};
/** What the operators take that do not take any one value. */
const OPERANDS: { readonly [operator: string]: string } = {
  $and: 'a list of filters',
  $or: 'a list of filters',
  $not: 'a filter, or operators',
  $elemMatch: 'a filter for an item, or operators',
  $gt: 'a text or a number',
  $gte: 'a text or a number',
  $lt: 'a text or a number',
  $lte: 'a text or a number',
  $in: 'a list of texts, numbers and booleans',
  $nin: 'a list of texts, numbers and booleans',
  $exists: 'true or false',
  $beginsWith: 'a text of at least one character',
  $within: 'an ISO 8601 duration of whole units, such as "P6M"',
};

/** A sentence for developers: what is wrong where, and what is allowed there. The values of the filter are not in it. */
export function filterFailureText({ type, path }: FilterFailure): string {
  const steps = path.split('.');
  const operator = steps.at(/^\d+$/.test(steps.at(-1) ?? '') ? -2 : -1) ?? '';
  const operand = type === 'bad-operand' ? OPERANDS[operator] : undefined;
  const text =
    type === 'not-an-instant' && operator === '$within'
      ? '$within is for dates alone, and the schema calls this field none'
      : operand
        ? `${operator} takes ${operand}`
        : SENTENCES[type];
  return `The filter is wrong at ${path === '' ? 'its root' : shownText(path, MAX_SHOWN_PATH)}: ${text}`;
}

class Wrong extends Error {
  readonly failure: FilterFailure;
  constructor(type: FilterFailure['type'], path: string) {
    super(type);
    this.failure = { type, path };
  }
}

type Budget = { nodes: number; readonly formats: FieldFormats };

/**
 * Parses a filter. `{}` matches everything.
 *
 * Errors: FilterFailure, naming the first place that is wrong.
 */
export function parseFilter(input: unknown, formats: FieldFormats = new Map()): Result<Filter, FilterFailure> {
  try {
    const source = copy(input);
    const node = parseObject(source, '', [], 0, { nodes: 0, formats });
    return ok({ source, node, formats });
  } catch (cause) {
    if (cause instanceof Wrong) return err(cause.failure);
    throw cause;
  }
}

/** A fresh copy through JSON text: no getters, no prototypes, no cycles reach the parser. */
function copy(input: unknown): JsonObject {
  let text: string | undefined;
  try {
    text = JSON.stringify(input);
  } catch {
    throw new Wrong('not-an-object', '');
  }
  if (text === undefined) throw new Wrong('not-an-object', '');
  if (text.length > MAX_SOURCE) throw new Wrong('too-long', '');
  const value = JSON.parse(text, (key, item) => (key === '__proto__' ? undefined : item)) as JsonValue;
  if (!isJsonObject(value)) throw new Wrong('not-an-object', '');
  return value;
}

const at = (path: string, step: string | number): string => (path === '' ? String(step) : `${path}.${step}`);

function parseObject(source: JsonObject, path: string, prefix: readonly string[], depth: number, budget: Budget): Node {
  if (depth > MAX_FILTER_DEPTH) throw new Wrong('too-deep', path);
  const parts = Object.entries(source).map(([key, value]) =>
    parseEntry(key, value, at(path, key), prefix, depth, budget),
  );
  return parts.length === 1 ? (parts[0] as Node) : { type: 'and', parts };
}

function parseEntry(
  key: string,
  value: JsonValue,
  path: string,
  prefix: readonly string[],
  depth: number,
  budget: Budget,
): Node {
  count(budget, path);
  if (key === '$and' || key === '$or') {
    if (!Array.isArray(value)) throw new Wrong('bad-operand', path);
    if (value.length === 0) throw new Wrong('empty', path);
    const parts = (value as readonly JsonValue[]).map((part, i) => {
      if (!isJsonObject(part)) throw new Wrong('bad-operand', at(path, i));
      return parseObject(part, at(path, i), prefix, depth + 1, budget);
    });
    return { type: key === '$and' ? 'and' : 'or', parts };
  }
  if (key === '$not') {
    if (!isJsonObject(value)) throw new Wrong('bad-operand', path);
    return { type: 'not', part: parseObject(value, path, prefix, depth + 1, budget) };
  }
  if (key.startsWith('$')) throw new Wrong('unknown-operator', path);
  if (!PATH.test(key)) throw new Wrong('bad-path', path);
  return parseField(key, value, path, prefix, depth, budget);
}

function count(budget: Budget, path: string): void {
  budget.nodes++;
  if (budget.nodes > MAX_FILTER_NODES) throw new Wrong('too-many', path);
}

/** `prefix` is the path of the arrays around it, so that formats are found inside an `$elemMatch`. */
function parseField(
  name: string,
  value: JsonValue,
  path: string,
  prefix: readonly string[],
  depth: number,
  budget: Budget,
): Node {
  const steps = name === '' ? [] : name.split('.');
  const format = budget.formats.get([...prefix, ...steps].join('.'));
  const atom = (test: Atom): Node => ({
    type: 'atom',
    path: steps,
    name: [...prefix, ...steps].join('.'),
    format,
    atom: test,
  });
  if (!isJsonObject(value)) return atom({ op: '$eq', value: scalar(value, format, path) });
  const operators = Object.entries(value);
  if (operators.length === 0) throw new Wrong('nested-object', path);
  const parts = operators.map(([op, operand]): Node => {
    const here = at(path, op);
    count(budget, here);
    if (!op.startsWith('$')) throw new Wrong('nested-object', here);
    if (op === '$not') {
      if (!isJsonObject(operand)) throw new Wrong('bad-operand', here);
      if (depth + 1 > MAX_FILTER_DEPTH) throw new Wrong('too-deep', here);
      return { type: 'not', part: parseField(name, operand, here, prefix, depth + 1, budget) };
    }
    if (op === '$elemMatch')
      return {
        type: 'element',
        path: steps,
        name: [...prefix, ...steps].join('.'),
        part: parseElement(operand, here, [...prefix, ...steps], depth + 1, budget),
      };
    return atom(parseAtom(op, operand, format, here));
  });
  return parts.length === 1 ? (parts[0] as Node) : { type: 'and', parts };
}

function parseElement(
  operand: JsonValue,
  path: string,
  prefix: readonly string[],
  depth: number,
  budget: Budget,
): Node {
  if (!isJsonObject(operand)) throw new Wrong('bad-operand', path);
  if (depth > MAX_FILTER_DEPTH) throw new Wrong('too-deep', path);
  const keys = Object.keys(operand);
  if (keys.length === 0) throw new Wrong('empty', path);
  const overScalars = keys.every((k) => k.startsWith('$') && k !== '$and' && k !== '$or');
  return overScalars
    ? parseField('', operand, path, prefix, depth, budget)
    : parseObject(operand, path, prefix, depth, budget);
}

function parseAtom(op: string, operand: JsonValue, format: FieldFormat | undefined, path: string): Atom {
  switch (op) {
    case '$eq':
    case '$ne':
      return { op, value: scalar(operand, format, path) };
    case '$gt':
    case '$gte':
    case '$lt':
    case '$lte': {
      const value = scalar(operand, format, path);
      if (typeof value !== 'number' && typeof value !== 'string') throw new Wrong('bad-operand', path);
      return { op, value };
    }
    case '$in':
    case '$nin':
      if (!Array.isArray(operand)) throw new Wrong('bad-operand', path);
      if (operand.length > MAX_LIST) throw new Wrong('too-many', path);
      return {
        op,
        values: (operand as readonly JsonValue[]).map((item, i) => {
          const value = scalar(item, format, at(path, i));
          if (value === null) throw new Wrong('bad-operand', at(path, i));
          return value;
        }),
      };
    case '$exists':
      if (typeof operand !== 'boolean') throw new Wrong('bad-operand', path);
      return { op, value: operand };
    case '$beginsWith':
      if (typeof operand !== 'string' || operand.length === 0) throw new Wrong('bad-operand', path);
      if (operand.length > MAX_TEXT) throw new Wrong('too-long', path);
      return { op, value: operand };
    case '$within': {
      const span = typeof operand === 'string' ? parseSpan(operand) : undefined;
      if (!span) throw new Wrong('bad-operand', path);
      if (format === undefined) throw new Wrong('not-an-instant', path);
      return { op, span };
    }
    default:
      throw new Wrong('unknown-operator', path);
  }
}

function scalar(value: JsonValue, format: FieldFormat | undefined, path: string): Scalar {
  if (typeof value === 'object' && value !== null) throw new Wrong('bad-operand', path);
  if (typeof value === 'string' && value.length > MAX_TEXT) throw new Wrong('too-long', path);
  if (format === undefined || value === null) return value as Scalar;
  // An operand may be more or less exact than the field itself.
  const instant = typeof value === 'string' ? parseInstant(value, 'partial-date') : undefined;
  if (instant === undefined) throw new Wrong('not-an-instant', path);
  return instant;
}
