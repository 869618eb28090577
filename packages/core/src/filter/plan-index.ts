/** Chooses an index for a filter: it may offer too many records, never too few (spec/filter.md). */

import type { Atom, Filter, Node } from './ast.ts';
import type { IndexKey, KeyPart } from './index-keys.ts';
import { cutoff } from './matcher.ts';

/** The index that answers a filter, and the keys to look at. */
export type IndexPlan = {
  readonly index: string;
  /** The leading parts of the key. */
  readonly equals: IndexKey;
  /** A bound on the part after them. One side only: on an array, two bounds can be met by two elements. */
  readonly range?: { readonly gte?: KeyPart; readonly gt?: KeyPart; readonly lte?: KeyPart; readonly lt?: KeyPart };
};

/** Picks the index that binds most of the filter's necessary conditions, or undefined when none helps. */
export function planIndex(
  filter: Filter,
  indexes: readonly { readonly name: string; readonly fields: readonly string[] }[],
  nowMs: number,
): IndexPlan | undefined {
  const atoms = new Map<string, Atom[]>();
  necessary(filter.node, atoms);
  let best: { readonly plan: IndexPlan; readonly score: number } | undefined;
  for (const { name, fields } of indexes) {
    const equals: KeyPart[] = [];
    for (const field of fields) {
      const equal = atoms.get(field)?.find((a) => a.op === '$eq');
      if (equal?.op !== '$eq') break;
      equals.push(equal.value);
    }
    const next = fields[equals.length];
    const range = next === undefined ? undefined : rangeOf(atoms.get(next) ?? [], nowMs);
    const score = equals.length * 2 + (range ? 1 : 0);
    if (score > 0 && score > (best?.score ?? 0))
      best = { plan: { index: name, equals, ...(range ? { range } : {}) }, score };
  }
  return best?.plan;
}

/** The atoms that every match satisfies: those in conjunctive position, outside of elements and negations. */
function necessary(node: Node, atoms: Map<string, Atom[]>): void {
  if (node.type === 'and') for (const part of node.parts) necessary(part, atoms);
  else if (node.type === 'atom') atoms.set(node.path.join('.'), [...(atoms.get(node.path.join('.')) ?? []), node.atom]);
}

function rangeOf(atoms: readonly Atom[], nowMs: number): IndexPlan['range'] | undefined {
  for (const atom of atoms) {
    if (atom.op === '$within') return { gte: cutoff(atom.span, nowMs) };
    if (atom.op === '$gte') return { gte: atom.value };
    if (atom.op === '$gt') return { gt: atom.value };
  }
  for (const atom of atoms) {
    if (atom.op === '$lte') return { lte: atom.value };
    if (atom.op === '$lt') return { lt: atom.value };
  }
  return undefined;
}
