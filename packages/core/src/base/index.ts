export * from './bytes.ts';
export * from './canonical-json.ts';
export * from './clock.ts';
export * from './ids.ts';
export * from './json.ts';
export * from './random.ts';
export * from './redacted.ts';
export * from './result.ts';
