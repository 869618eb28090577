export { createHardenedFetch } from './hardened-fetch.ts';
export { readDevHosts, writeDevHosts } from './dev-hosts.ts';
export { createNodePlatform, type NodePlatformOptions } from './node-platform.ts';
export { openNodeStore } from './node-store.ts';
