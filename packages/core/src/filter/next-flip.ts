/** When a record's result changes by time alone (spec/filter.md): what expiry instants in feeds are made of. */

import type { JsonObject, JsonValue } from '../base/json.ts';
import type { Filter, Node } from './ast.ts';
import type { FieldFormat } from './formats.ts';
import { crossings, parseInstant, type Span, subtractSpan } from './instant.ts';
import { someElement, test } from './matcher.ts';
import { valuesAt } from './values-at.ts';

/**
 * The first ms after `nowMs` at which `matches` of the unchanged record becomes another, or undefined when it never does.
 *
 * NOTE: each condition says by itself when it changes, and these are put together: a record may hold thousands of dates, and trying the whole
 * filter at each would take as long as their number squared.
 */
export const nextFlip = (filter: Filter, record: JsonObject, nowMs: number): number | undefined =>
  isTimed(filter.node) ? courseOf(filter.node, record, nowMs).flips[0] : undefined;

/** The result of a condition as time goes on: what it is at first, and at which instants it becomes the other, in order. */
type Course = { readonly start: boolean; readonly flips: readonly number[] };

const timed = new WeakMap<Node, boolean>();
/** Whether time alone may change a condition. */
function isTimed(node: Node): boolean {
  const known = timed.get(node);
  if (known !== undefined) return known;
  const found = looksAtTime(node);
  timed.set(node, found);
  return found;
}

function looksAtTime(node: Node): boolean {
  switch (node.type) {
    case 'and':
    case 'or':
      return node.parts.some(isTimed);
    case 'not':
    case 'element':
      return isTimed(node.part);
    case 'atom':
      return node.atom.op === '$within' && node.format !== undefined;
  }
}

function courseOf(node: Node, value: JsonValue, nowMs: number): Course {
  if (!isTimed(node)) return { start: test(node, value, nowMs), flips: [] };
  switch (node.type) {
    case 'and':
    case 'or':
      return joined(
        node.parts.map((part) => courseOf(part, value, nowMs)),
        node.type,
      );
    case 'not': {
      const { start, flips } = courseOf(node.part, value, nowMs);
      return { start: !start, flips };
    }
    case 'element': {
      const courses: Course[] = [];
      someElement(value, node.path, 0, (item) => {
        courses.push(courseOf(node.part, item, nowMs));
        return false;
      });
      return joined(courses, 'or');
    }
    case 'atom': {
      const { atom, format, path } = node;
      if (atom.op !== '$within' || !format) return { start: test(node, value, nowMs), flips: [] };
      const latest = latestAt(value, path, format);
      return latest === undefined ? { start: false, flips: [] } : windowOf(latest, atom.span, nowMs);
    }
  }
}

/** The latest instant at a path: where one of several is enough, it is the one that counts. */
function latestAt(value: JsonValue, path: readonly string[], format: FieldFormat): number | undefined {
  let latest: number | undefined;
  valuesAt(value, path, 0, (item) => {
    const at = typeof item === 'string' ? parseInstant(item, format) : undefined;
    if (at !== undefined && (latest === undefined || at > latest)) latest = at;
  });
  return latest;
}

function windowOf(atMs: number, span: Span, nowMs: number): Course {
  const isWithin = (ms: number): boolean => subtractSpan(ms, span) <= atMs;
  const start = isWithin(nowMs);
  const flips: number[] = [];
  let last = start;
  for (const ms of crossings(atMs, span).sort((a, b) => a - b)) {
    if (ms <= nowMs || isWithin(ms) === last) continue;
    last = !last;
    flips.push(ms);
  }
  return { start, flips };
}

/** Several conditions as one: all of them, or one of them. */
function joined(courses: readonly Course[], type: 'and' | 'or'): Course {
  const wanted = type === 'and' ? courses.length : 1;
  let holding = courses.filter(({ start }) => start).length;
  const start = holding >= wanted;
  const turns = courses.flatMap((course) =>
    course.flips.map((ms, i) => ({ ms, by: course.start === (i % 2 === 0) ? -1 : 1 })),
  );
  turns.sort((a, b) => a.ms - b.ms);
  const flips: number[] = [];
  let last = start;
  for (const [i, { ms, by }] of turns.entries()) {
    holding += by;
    // What turns at one instant is looked at together.
    if (turns[i + 1]?.ms === ms || holding >= wanted === last) continue;
    last = !last;
    flips.push(ms);
  }
  return { start, flips };
}
