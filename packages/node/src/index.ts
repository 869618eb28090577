export { createNode, type NodeDeps, type SluiceNode } from './create-node.ts';
export { DEFAULT_LIMITS, type Limits } from './http/routes.ts';
export { loadOrCreateNodeKey } from './node-identity.ts';
export type { NodeIdentity, SpacePolicy } from './service.ts';
export type { Storage } from './storage/port.ts';
export { openSqliteStorage, type SqliteStorageOptions } from './storage/sqlite/sqlite-storage.ts';
