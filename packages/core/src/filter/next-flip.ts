/** When a record's result changes by time alone (spec/filter.md): what expiry instants in feeds are made of. */

import type { JsonObject, JsonValue } from '../base/json.ts';
import type { Filter, Node } from './ast.ts';
import type { FieldFormat } from './formats.ts';
import { crossings, parseInstant, type Span } from './instant.ts';
import { matches } from './matcher.ts';
import { valuesAt } from './values-at.ts';

/**
 * The first ms after `nowMs` at which `matches` of the unchanged record becomes another, or undefined when it never does.
 *
 * It is searched among all instants at which some `$within` can change, and is the first change of the whole result.
 */
export function nextFlip(filter: Filter, record: JsonObject, nowMs: number): number | undefined {
  const candidates: number[] = [];
  collect(filter.node, record, candidates);
  if (candidates.length === 0) return undefined;
  const current = matches(filter, record, nowMs);
  for (const atMs of candidates.filter((c) => c > nowMs).sort((a, b) => a - b)) {
    if (matches(filter, record, atMs) !== current) return atMs;
  }
  return undefined;
}

function collect(node: Node, value: JsonValue, found: number[]): void {
  switch (node.type) {
    case 'and':
    case 'or':
      for (const part of node.parts) collect(part, value, found);
      return;
    case 'not':
      return collect(node.part, value, found);
    case 'element':
      return valuesAt(value, node.path, 0, (item) => collect(node.part, item, found));
    case 'atom': {
      const { atom, format } = node;
      if (atom.op === '$within' && format)
        valuesAt(value, node.path, 0, (item) => addCrossings(item, format, atom.span, found));
    }
  }
}

function addCrossings(value: JsonValue, format: FieldFormat, span: Span, found: number[]): void {
  const at = typeof value === 'string' ? parseInstant(value, format) : undefined;
  if (at !== undefined) for (const crossing of crossings(at, span)) found.push(crossing);
}
