/** A filter in plain words, for a consent screen. Values are the requester's text, so they are shown quoted, short and harmless. */

import { shownText, shownValue } from '../base/shown.ts';
import type { Atom, Filter, Node, Scalar } from './ast.ts';
import type { FieldFormat } from './formats.ts';
import type { Span } from './instant.ts';

const MAX_VALUES = 5;

/** Says which records match, e.g. `date is within the last 6 months and status is "final"`. */
export const describe = (filter: Filter): string => (isAll(filter.node) ? 'all' : sentence(filter.node, false));

const isAll = (node: Node): boolean => node.type === 'and' && node.parts.length === 0;

function sentence(node: Node, inner: boolean): string {
  switch (node.type) {
    case 'and':
    case 'or': {
      if (node.parts.length === 0) return 'anything';
      const text = node.parts.map((part) => sentence(part, true)).join(` ${node.type} `);
      return inner && node.parts.length > 1 ? `(${text})` : text;
    }
    case 'not':
      return `not (${sentence(node.part, false)})`;
    case 'element':
      return `some item of ${shownText(node.name)} has ${sentence(node.part, true)}`;
    case 'atom':
      return `${shownText(node.name || 'the value')} ${atomWords(node.atom, node.format)}`;
  }
}

function atomWords(atom: Atom, format: FieldFormat | undefined): string {
  const show = (value: Scalar): string =>
    shownValue(format !== undefined && typeof value === 'number' ? shortDate(value) : value);
  const list = (values: readonly Scalar[]): string => {
    if (values.length === 0) return 'no values';
    const shown = values.slice(0, MAX_VALUES).map(show).join(', ');
    return values.length > MAX_VALUES ? `${shown} and ${values.length - MAX_VALUES} more` : shown;
  };
  switch (atom.op) {
    case '$eq':
      return `is ${show(atom.value)}`;
    case '$ne':
      return `is not ${show(atom.value)}`;
    case '$gt':
      return `is ${format === undefined ? 'more than' : 'after'} ${show(atom.value)}`;
    case '$gte':
      return `is at least ${show(atom.value)}`;
    case '$lt':
      return `is ${format === undefined ? 'less than' : 'before'} ${show(atom.value)}`;
    case '$lte':
      return `is at most ${show(atom.value)}`;
    case '$in':
      return `is one of ${list(atom.values)}`;
    case '$nin':
      return `is none of ${list(atom.values)}`;
    case '$exists':
      return atom.value ? 'is given' : 'is not given';
    case '$beginsWith':
      return `begins with ${shownValue(atom.value)}`;
    case '$within':
      return `is within the last ${spanWords(atom.span)}`;
  }
}

/** Says how long a span is, e.g. `1 year and 6 months`. */
export function spanWords({ months, days, ms }: Span): string {
  const parts: string[] = [];
  const unit = (n: number, word: string): void => {
    if (n > 0) parts.push(`${n} ${word}${n === 1 ? '' : 's'}`);
  };
  unit(Math.floor(months / 12), 'year');
  unit(months % 12, 'month');
  unit(days, 'day');
  unit(Math.floor(ms / 3_600_000), 'hour');
  unit(Math.floor((ms % 3_600_000) / 60_000), 'minute');
  unit((ms % 60_000) / 1000, 'second');
  return parts.join(' and ');
}

const shortDate = (ms: number): string => {
  const iso = new Date(ms).toISOString();
  return iso.endsWith('T00:00:00.000Z') ? iso.slice(0, 10) : iso;
};
