export * from './body.ts';
export * from './hlc.ts';
export * from './stamp.ts';
export * from './state.ts';
