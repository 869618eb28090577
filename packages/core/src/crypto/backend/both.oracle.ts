/** Both back ends by name, for tests that run on each and compare them. */

import { createNodePrimitives } from './node.ts';
import { findNodeCrypto } from './node-crypto.ts';
import { noblePrimitives } from './noble.ts';

const nodeCrypto = findNodeCrypto();
if (nodeCrypto === undefined) throw new Error('these tests need Node');

export const nodePrimitives = createNodePrimitives(nodeCrypto);
export { noblePrimitives };

export const backends = [
  { name: 'node', p: nodePrimitives },
  { name: 'noble', p: noblePrimitives },
] as const;
