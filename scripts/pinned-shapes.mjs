/**
 * All shapes that bytes between nodes and clients have, whichever layer of core owns them: what the pin beside the protocol version covers.
 * Each is derived from the code that reads it.
 */

import { FEED_SHAPES } from '../packages/core/src/grant/feed-entry.ts';
import { KEY_CHANGE_SHAPE } from '../packages/core/src/grant/key-change.ts';
import { VERDICT_SHAPE } from '../packages/core/src/grant/verdict.ts';
import { MESSAGE_SHAPES } from '../packages/core/src/message/sealed-message.ts';
import { CTL_SHAPES } from '../packages/core/src/stream/ctl-entry.ts';
import { GENESIS_SHAPES } from '../packages/core/src/stream/genesis.ts';
import { WIRE_SCHEMA } from '../packages/core/src/wire/schema.ts';

const described = (shapes) =>
  Object.fromEntries(Object.entries(shapes).map(([name, shape]) => [name, shape.description]));

export const PINNED_SHAPES = {
  ...WIRE_SCHEMA,
  genesis: described(GENESIS_SHAPES),
  ctl: described(CTL_SHAPES),
  keyChange: KEY_CHANGE_SHAPE.description,
  verdict: VERDICT_SHAPE.description,
  message: described(MESSAGE_SHAPES),
  feed: described(FEED_SHAPES),
};
