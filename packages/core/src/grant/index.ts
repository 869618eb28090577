export * from './attestation.ts';
export * from './consent-receipt.ts';
export * from './digest.ts';
export * from './feed-diff.ts';
export * from './feed-entry.ts';
export {
  type FieldTerm,
  type FieldTransform,
  isDrop,
  isOptional,
  isSeenWhole,
  liesIn,
  parseFields,
  pathOf,
  transformOf,
} from './field-term.ts';
export * from './key-change.ts';
export * from './lane-entry.ts';
export * from './narrowed-terms.ts';
export * from './projection.ts';
export * from './receipt.ts';
export * from './revoke-certificate.ts';
export * from './terms.ts';
export * from './verdict.ts';
export {
  MAX_WRITTEN_BYTES,
  maySet,
  type WriteOperation,
  type WriteTerms,
} from './write-terms.ts';
