export { type Canary, formsOf, type Hit, scanBytes, scanForWords, type ScanResult } from './canary-scan.ts';
export { publishApp } from './publish-app.ts';
export {
  createTestNetwork,
  type NetworkOptions,
  NODE_ORIGIN,
  type Persona,
  TEST_ARGON2,
  type TestNetwork,
} from './test-network.ts';
export { grantItems, post, sharePosts, type SharedPosts, until } from './sharing-fixture.ts';
export { createSimDisk, openSimStore } from './simulation/sim-store.ts';
