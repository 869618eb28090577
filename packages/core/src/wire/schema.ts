/** The whole wire schema as data, derived from the shapes that enforce it. Its hash is pinned beside the version (schema.lock.json). */

import type { JsonValue } from '../base/json.ts';
import { entryShape } from './entry.ts';
import { ERROR_TABLE } from './errors.ts';
import { clientFrameShape, serverFrameShape } from './frames.ts';
import { headerShape } from './header.ts';
import { pageShape } from './page.ts';
import { pushAnswerShape, pushShape } from './push.ts';
import { sealShapes } from './seal.ts';

/** Raised with every change of the wire schema. */
export const PROTOCOL_VERSION = 2;

/** The shapes of this layer, as data. The pin covers those of higher layers, too. @internal */
export const WIRE_SCHEMA: JsonValue = {
  header: headerShape.description,
  entry: entryShape.description,
  sealBody: sealShapes.body.description,
  seal: sealShapes.seal.description,
  push: pushShape.description,
  pushAnswer: pushAnswerShape.description,
  page: pageShape.description,
  clientFrame: clientFrameShape.description,
  serverFrame: serverFrameShape.description,
  errors: Object.fromEntries(Object.entries(ERROR_TABLE).map(([code, row]) => [code, [row.status, row.retry]])),
};
