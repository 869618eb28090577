/** A parsed filter: what matcher, planner, sentence and flip search share. */

import type { JsonObject } from '../base/json.ts';
import type { FieldFormat, FieldFormats } from './formats.ts';
import type { Span } from './instant.ts';

/** What a filter compares with. `null` only with `$eq` and `$ne`. */
export type Scalar = null | boolean | number | string;
/** Operators that need an order. */
export type Comparison = '$gt' | '$gte' | '$lt' | '$lte';

/** One test of one value. On an instant field the operands are ms since the Unix epoch. */
export type Atom =
  | { readonly op: '$eq' | '$ne'; readonly value: Scalar }
  | { readonly op: Comparison; readonly value: number | string }
  | { readonly op: '$in' | '$nin'; readonly values: readonly Scalar[] }
  | { readonly op: '$exists'; readonly value: boolean }
  | { readonly op: '$beginsWith'; readonly value: string }
  | { readonly op: '$within'; readonly span: Span };

/** A parsed filter as a tree. */
export type Node =
  | { readonly type: 'and' | 'or'; readonly parts: readonly Node[] }
  | { readonly type: 'not'; readonly part: Node }
  /** `path` empty: the value itself, inside an `$elemMatch` over scalars. */
  | {
      readonly type: 'atom';
      readonly path: readonly string[];
      readonly name: string;
      readonly format: FieldFormat | undefined;
      readonly atom: Atom;
    }
  | { readonly type: 'element'; readonly path: readonly string[]; readonly name: string; readonly part: Node };

/** A filter, ready to run. `source` is a fresh copy of what was parsed. */
export type Filter = { readonly source: JsonObject; readonly node: Node; readonly formats: FieldFormats };
