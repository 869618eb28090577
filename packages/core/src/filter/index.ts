export type { Atom, Filter, Node, Scalar } from './ast.ts';
export { describe } from './describe.ts';
export { type FieldFormat, type FieldFormats, fieldFormats } from './formats.ts';
export { compareBySort, compareKeys, type IndexKey, indexKeys, type KeyPart, type Sort } from './index-keys.ts';
export { parseInstant, parseSpan, type Span, subtractSpan } from './instant.ts';
export { bindFilter, matches } from './matcher.ts';
export { nextFlip } from './next-flip.ts';
export { type FilterFailure, filterFailureText, parseFilter } from './parse-filter.ts';
export { type IndexPlan, planIndex } from './plan-index.ts';
