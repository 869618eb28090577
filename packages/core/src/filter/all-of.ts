/** Several filters as one. */

import type { Filter } from './ast.ts';

/**
 * Joins parsed filters: a record matches if it matches each. What was within the limits stays so, where parsing `{$and: [...]}` anew
 * would count one level and some conditions more.
 */
export const allOf = (first: Filter, ...others: readonly Filter[]): Filter => ({
  source: { $and: [first, ...others].map(({ source }) => source) },
  node: { type: 'and', parts: [first, ...others].map(({ node }) => node) },
  formats: first.formats,
});
