/** Frames of the live connection (spec/live.md): one WebSocket per client and node carries every subscription and push. */

import type { Did, SpaceId } from '../base/ids.ts';
import type { Result } from '../base/result.ts';
import { type CborValue, encodeCbor } from './cbor.ts';
import { errorCodeShape } from './errors.ts';
import { MAX_FRAME_BYTES, MAX_PUSH_BYTES } from './limits.ts';
import { type Page, pageShape, wirePage } from './page.ts';
import { pushAnswerShape, wirePushAnswer } from './push.ts';
import {
  bytes,
  fixed,
  readShape,
  type Shape,
  type ShapeOf,
  text,
  tuple,
  uint,
  union,
  type WireFailure,
} from './shape.ts';

/** Its form is looked at by who uses it; here it is text of a DID's length. */
const did = text(1100) as unknown as Shape<Did>;

/** The shape of what a client sends (spec/live.md). */
export const clientFrameShape = union({
  hello: tuple(['proof', bytes(1024)]),
  /** One more key that speaks on this connection, under a number of the client's choice other than 0, which is the hello's. */
  key: tuple(['key', uint()], ['proof', bytes(1024)]),
  /** `key` says which key asks; `log` as in a pull; `credit` in bytes of pages. */
  sub: tuple(
    ['id', uint()],
    ['key', uint()],
    ['space', fixed<SpaceId>(32)],
    ['log', text(32)],
    ['after', uint()],
    ['credit', uint()],
  ),
  credit: tuple(['id', uint()], ['bytes', uint()]),
  unsub: tuple(['id', uint()]),
  push: tuple(['id', uint()], ['key', uint()], ['space', fixed<SpaceId>(32)], ['push', bytes(MAX_PUSH_BYTES)]),
});
/** The shape of what a node sends (spec/live.md). */
export const serverFrameShape = union({
  welcome: tuple(['version', uint()], ['node', did], ['nonce', fixed(16)], ['nowMs', uint()]),
  ready: tuple(['nowMs', uint()]),
  page: tuple(['id', uint()], ['page', pageShape]),
  /** The subscription is over. */
  closed: tuple(['id', uint()], ['code', errorCodeShape]),
  pushed: tuple(['id', uint()], ['answer', pushAnswerShape]),
  refused: tuple(['id', uint()], ['code', errorCodeShape], ['nowMs', uint()]),
});
/** What a client sends on a live connection. */
export type ClientFrame = ShapeOf<typeof clientFrameShape>;
/** What a node sends on a live connection. */
export type ServerFrame = ShapeOf<typeof serverFrameShape>;

const wireClient = (f: ClientFrame): CborValue => {
  switch (f.type) {
    case 'hello':
      return ['hello', f.proof];
    case 'key':
      return ['key', f.key, f.proof];
    case 'sub':
      return ['sub', f.id, f.key, f.space, f.log, f.after, f.credit];
    case 'credit':
      return ['credit', f.id, f.bytes];
    case 'unsub':
      return ['unsub', f.id];
    case 'push':
      return ['push', f.id, f.key, f.space, f.push];
  }
};

const wireServer = (f: ServerFrame): CborValue => {
  switch (f.type) {
    case 'welcome':
      return ['welcome', f.version, f.node, f.nonce, f.nowMs];
    case 'ready':
      return ['ready', f.nowMs];
    case 'page':
      return ['page', f.id, wirePage(f.page as Page)];
    case 'closed':
      return ['closed', f.id, f.code];
    case 'pushed':
      return ['pushed', f.id, wirePushAnswer(f.answer)];
    case 'refused':
      return ['refused', f.id, f.code, f.nowMs];
  }
};

/** Encodes a client’s frame. */
export const encodeClientFrame = (frame: ClientFrame): Uint8Array => encodeCbor(wireClient(frame));
/** Encodes a node’s frame. */
export const encodeServerFrame = (frame: ServerFrame): Uint8Array => encodeCbor(wireServer(frame));
/** Reads a client’s frame. Errors: malformed, too-large. */
export const decodeClientFrame = (b: Uint8Array): Result<ClientFrame, WireFailure> =>
  readShape(clientFrameShape, b, MAX_FRAME_BYTES);
/** Reads a node’s frame. Errors: malformed, too-large. */
export const decodeServerFrame = (b: Uint8Array): Result<ServerFrame, WireFailure> =>
  readShape(serverFrameShape, b, MAX_FRAME_BYTES);
