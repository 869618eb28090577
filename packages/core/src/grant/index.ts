export * from './digest.ts';
export * from './feed-diff.ts';
export * from './feed-entry.ts';
export * from './projection.ts';
export * from './receipt.ts';
export * from './terms.ts';
