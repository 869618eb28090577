/** Runs a filter over a record (spec/filter.md). No allocation on the common path: a field that is no array is looked at in place. */

import { isJsonObject, type JsonObject, type JsonValue } from '../base/json.ts';
import { compareText } from '../base/text-order.ts';
import type { Atom, Filter, Node } from './ast.ts';
import type { FieldFormat } from './formats.ts';
import { parseInstant, type Span, subtractSpan } from './instant.ts';

/** The start of a window, kept for the last instant it was asked for: one subtraction serves a whole scan. */
const cutoffs = new WeakMap<Span, { nowMs: number; cutMs: number }>();

/** Computes the instant at which a window starts. Units: ms since the Unix epoch. */
export function cutoff(span: Span, nowMs: number): number {
  const known = cutoffs.get(span);
  if (known?.nowMs === nowMs) return known.cutMs;
  const cutMs = subtractSpan(nowMs, span);
  cutoffs.set(span, { nowMs, cutMs });
  return cutMs;
}

/** The last instant that was read: the filters of many grants ask one record for the same field, one after the other. */
let read: { readonly text: string; readonly format: FieldFormat; readonly ms: number | undefined } | undefined;
function instantOf(text: string, format: FieldFormat): number | undefined {
  if (read?.text !== text || read.format !== format) read = { text, format, ms: parseInstant(text, format) };
  return read.ms;
}

/** Tells whether a record matches at an instant. */
export const matches = (filter: Filter, record: JsonObject, nowMs: number): boolean => test(filter.node, record, nowMs);

/** Fixes the instant, for a scan over many records. */
export const bindFilter =
  (filter: Filter, nowMs: number): ((record: JsonObject) => boolean) =>
  (record) =>
    test(filter.node, record, nowMs);

/** Tells whether a condition holds of a value at an instant. */
export function test(node: Node, value: JsonValue, nowMs: number): boolean {
  switch (node.type) {
    case 'and':
      for (const part of node.parts) if (!test(part, value, nowMs)) return false;
      return true;
    case 'or':
      for (const part of node.parts) if (test(part, value, nowMs)) return true;
      return false;
    case 'not':
      return !test(node.part, value, nowMs);
    case 'element':
      return someElement(value, node.path, 0, (item) => test(node.part, item, nowMs));
    case 'atom':
      if (node.atom.op === '$exists') return exists(value, node.path, 0) === node.atom.value;
      return some(value, node.path, 0, node.atom, node.format, nowMs);
  }
}

/** Whether some value at the path satisfies the atom; arrays on the way and at its end count by their elements. */
function some(
  value: JsonValue,
  path: readonly string[],
  step: number,
  atom: Atom,
  format: FieldFormat | undefined,
  nowMs: number,
): boolean {
  if (Array.isArray(value)) {
    for (const item of value as readonly JsonValue[]) if (some(item, path, step, atom, format, nowMs)) return true;
    return false;
  }
  if (step === path.length) return holds(value, atom, format, nowMs);
  const name = path[step] as string;
  if (!isJsonObject(value) || !Object.hasOwn(value, name)) return false;
  return some(value[name] as JsonValue, path, step + 1, atom, format, nowMs);
}

function exists(value: JsonValue, path: readonly string[], step: number): boolean {
  if (step === path.length) return true;
  if (Array.isArray(value)) return (value as readonly JsonValue[]).some((item) => exists(item, path, step));
  const name = path[step] as string;
  return isJsonObject(value) && Object.hasOwn(value, name) && exists(value[name] as JsonValue, path, step + 1);
}

/** Whether some item of the lists at a path passes a check. */
export function someElement(
  value: JsonValue,
  path: readonly string[],
  step: number,
  check: (item: JsonValue) => boolean,
): boolean {
  if (Array.isArray(value))
    return (value as readonly JsonValue[]).some((item) =>
      step === path.length ? check(item) : someElement(item, path, step, check),
    );
  if (step === path.length) return false;
  const name = path[step] as string;
  return (
    isJsonObject(value) && Object.hasOwn(value, name) && someElement(value[name] as JsonValue, path, step + 1, check)
  );
}

function holds(raw: JsonValue, atom: Atom, format: FieldFormat | undefined, nowMs: number): boolean {
  if (atom.op === '$beginsWith') return typeof raw === 'string' && raw.startsWith(atom.value);
  const value =
    format === undefined || raw === null ? raw : typeof raw === 'string' ? instantOf(raw, format) : undefined;
  if (value === undefined || (typeof value === 'object' && value !== null)) return false;
  switch (atom.op) {
    case '$eq':
      return value === atom.value;
    case '$ne':
      return value !== atom.value;
    case '$in':
      return atom.values.includes(value);
    case '$nin':
      return !atom.values.includes(value);
    case '$within':
      return typeof value === 'number' && cutoff(atom.span, nowMs) <= value;
    case '$exists':
      return atom.value;
    default:
      return compares(value, atom.op, atom.value);
  }
}

/** Only like compares with like: numbers with numbers, text with text by code point. */
function compares(value: JsonValue, op: '$gt' | '$gte' | '$lt' | '$lte', operand: number | string): boolean {
  if (typeof value !== typeof operand) return false;
  const order =
    typeof value === 'string' ? compareText(value, operand as string) : (value as number) - (operand as number);
  switch (op) {
    case '$gt':
      return order > 0;
    case '$gte':
      return order >= 0;
    case '$lt':
      return order < 0;
    case '$lte':
      return order <= 0;
  }
}
