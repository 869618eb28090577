export * from './access-state.ts';
export * from './ctl-entry.ts';
export * from './genesis.ts';
export * from './page-check.ts';
export * from './sealed-entry.ts';
export * from './writer-seal.ts';
