/** The back end in use, chosen once by what the platform has. Tests name a back end instead. */

import { createNodePrimitives } from './node.ts';
import { findNodeCrypto } from './node-crypto.ts';
import { noblePrimitives } from './noble.ts';
import type { Primitives } from './primitives.ts';

const nodeCrypto = findNodeCrypto();

/** Node's own crypto where there is one, otherwise @noble. */
export const primitives: Primitives = nodeCrypto === undefined ? noblePrimitives : createNodePrimitives(nodeCrypto);

/** Tells whether the primitives are the platform's, and so fast. */
export const isNative = nodeCrypto !== undefined;
