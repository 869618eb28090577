export { createNode, type NodeDeps, type SluiceNode } from './create-node.ts';
export { DEFAULT_LIMITS, type LimitName, type Limits } from './http/limiters.ts';
export type { Bucket } from './http/rate-limit.ts';
export { loadOrCreateNodeIdentity } from './node-identity.ts';
export { createLiveConnection, type LiveConnection, type LiveDeps, type LivePort } from './live/live-connection.ts';
export { createNews, type Watch } from './live/news.ts';
export { createService, type NodeIdentity, type NodeService, type ServiceDeps, type SpacePolicy } from './service.ts';
export type { Storage } from './storage/port.ts';
export {
  createSqliteStorage,
  openSqliteStorage,
  type SqliteStorage,
  type SqliteStorageOptions,
} from './storage/sqlite/sqlite-storage.ts';
export type { PageQuery } from './storage/port.ts';
