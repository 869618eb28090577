/** A filter in plain words, for a consent screen. Values are the requester's text, so they are shown quoted, short and harmless. */

import type { JsonObject } from '../base/json.ts';
import { shownName, shownValue } from '../base/shown.ts';
import type { Atom, Filter, Node, Scalar } from './ast.ts';
import type { FieldFormat, FieldLists } from './formats.ts';
import type { Span } from './instant.ts';

const MAX_VALUES = 5;

/**
 * Says which records match, e.g. `date is within the last 6 months and status is "final"`. Of a field that is a list it says that one item is
 * enough, also where that is read otherwise easily: `$ne` asks for one that is another.
 */
export const describe = (filter: Filter, lists: FieldLists = NO_LISTS): string =>
  isAll(filter.node) ? 'all' : sentence(filter.node, false, { lists, below: '' });

const NO_LISTS: FieldLists = new Set();
/** `below`: the list of which one item is spoken of. */
type Around = { readonly lists: FieldLists; readonly below: string };

const isAll = (node: Node): boolean => node.type === 'and' && node.parts.length === 0;

function sentence(node: Node, inner: boolean, around: Around): string {
  switch (node.type) {
    case 'and':
    case 'or': {
      if (node.parts.length === 0) return 'anything';
      const text = node.parts.map((part) => sentence(part, true, around)).join(` ${node.type} `);
      return inner && node.parts.length > 1 ? `(${text})` : text;
    }
    case 'not': {
      const one = ofList(node.part, around);
      return one ? `none of ${shownName(one.name)} ${listWords(one)}` : `not (${sentence(node.part, false, around)})`;
    }
    case 'element':
      return `some item of ${shownName(node.name)} has ${sentence(node.part, true, { ...around, below: node.name })}`;
    case 'atom': {
      if (!ofList(node, around))
        return `${node.name === '' ? 'the value' : shownName(node.name)} ${atomWords(node.atom, node.format)}`;
      const rest = node.atom.op === '$ne' || node.atom.op === '$nin' ? ', whatever the rest is' : '';
      return `some of ${shownName(node.name)} ${listWords(node)}${rest}`;
    }
  }
}

type AtomNode = Extract<Node, { type: 'atom' }>;

/** A condition on what may be several values, of which one is enough. */
function ofList(node: Node, { lists, below }: Around): AtomNode | undefined {
  if (node.type !== 'atom' || node.atom.op === '$exists') return undefined;
  const isIn = (list: string): boolean => node.name === list || node.name.startsWith(`${list}.`);
  const isOne = [...lists].some((list) => isIn(list) && (below === '' || list.startsWith(`${below}.`)));
  return isOne ? node : undefined;
}

function listWords({ atom, format }: AtomNode): string {
  if (atom.op === '$ne') return atomWords({ ...atom, op: '$eq' }, format).replace(/^is /, 'is other than ');
  return atomWords(atom, format);
}

/** A condition that asks one item of a list to be another, where somebody may have meant that no item is so. */
export type ListNegation = {
  /** The field, and the condition in plain words. */
  readonly field: string;
  readonly words: string;
  /** A filter that holds where no item is so. */
  readonly instead: JsonObject;
};

/** Finds `$ne` and `$nin` on fields that are lists. Those inside of `$elemMatch` say themselves that one item is meant. */
export function listNegations(filter: Filter, lists: FieldLists): readonly ListNegation[] {
  const around = { lists, below: '' };
  const find = (node: Node): readonly ListNegation[] => {
    if (node.type === 'and' || node.type === 'or') return node.parts.flatMap(find);
    if (node.type === 'not') return find(node.part);
    const one = ofList(node, around);
    if (!one) return [];
    const { atom, format, name } = one;
    const show = (value: Scalar): Scalar =>
      format !== undefined && typeof value === 'number' ? shortDate(value) : value;
    const held = atom.op === '$ne' ? show(atom.value) : atom.op === '$nin' ? { $in: atom.values.map(show) } : undefined;
    if (held === undefined) return [];
    return [{ field: name, words: sentence(one, false, around), instead: { $not: { [name]: held } } }];
  };
  return find(filter.node);
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
