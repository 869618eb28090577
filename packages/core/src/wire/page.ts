/** A page of a log as a reader receives it (spec/pull.md). */

import type { StreamId, WriterId } from '../base/ids.ts';
import type { Result } from '../base/result.ts';
import { type CborValue, encodeCbor } from './cbor.ts';
import { MAX_BODY_BYTES, MAX_FRAME_BYTES, MAX_HEADER_BYTES, MAX_MEMO_BYTES, MAX_PAGE_ITEMS } from './limits.ts';
import { MAX_SEAL_BYTES } from './seal.ts';
import { bytes, fixed, flag, list, nullable, readShape, type ShapeOf, tuple, uint, type WireFailure } from './shape.ts';

const MAX_ITEMS = MAX_PAGE_ITEMS;

/** One entry at its place in the log. `body` is null where a feed entry has expired; `memo` is null but for feed entries. */
export const pageEntryShape = tuple(
  ['seq', uint()],
  ['stream', fixed<StreamId>(16)],
  ['header', bytes(MAX_HEADER_BYTES)],
  ['body', nullable(bytes(MAX_BODY_BYTES))],
  ['memo', nullable(bytes(MAX_MEMO_BYTES))],
);
/** A run of numbers whose entries are all superseded; `hash` is that of the run's last seal. */
export const deadRangeShape = tuple(
  ['stream', fixed<StreamId>(16)],
  ['writer', fixed<WriterId>(16)],
  ['firstN', uint()],
  ['lastN', uint()],
  ['hash', fixed(32)],
);
/** One superseded number inside a seal that is still alive. */
export const holeShape = tuple(['stream', fixed<StreamId>(16)], ['writer', fixed<WriterId>(16)], ['n', uint()]);
/** How far the node says a writer has come. */
export const vectorShape = tuple(
  ['stream', fixed<StreamId>(16)],
  ['writer', fixed<WriterId>(16)],
  ['n', uint()],
  ['hash', fixed(32)],
);

/** The shape of a page (spec/pull.md). */
export const pageShape = tuple(
  /** The cursor after this page. */
  ['cursor', uint()],
  ['head', uint()],
  ['more', flag],
  ['nowMs', uint()],
  ['entries', list(pageEntryShape, MAX_ITEMS)],
  ['seals', list(bytes(MAX_SEAL_BYTES), MAX_ITEMS)],
  ['dead', list(deadRangeShape, MAX_ITEMS)],
  ['holes', list(holeShape, MAX_ITEMS)],
  /** True where `vector` states the end of every writer of the log: the page that reaches the head. */
  ['whole', flag],
  ['vector', list(vectorShape, MAX_ITEMS)],
);
/** A page as it was read. What it says is checked by `checkPage`. */
export type Page = ShapeOf<typeof pageShape>;
/** An entry of a page. */
export type PageEntry = ShapeOf<typeof pageEntryShape>;
/** A run of dead numbers. */
export type DeadRange = ShapeOf<typeof deadRangeShape>;
/** A superseded number. */
export type Hole = ShapeOf<typeof holeShape>;
/** The end of one writer, as the node states it. */
export type VectorItem = ShapeOf<typeof vectorShape>;

/** Turns a page into what is encoded. */
export const wirePage = (p: Page): CborValue => [
  p.cursor,
  p.head,
  p.more,
  p.nowMs,
  p.entries.map((e) => [e.seq, e.stream, e.header, e.body, e.memo]),
  p.seals,
  p.dead.map((d) => [d.stream, d.writer, d.firstN, d.lastN, d.hash]),
  p.holes.map((h) => [h.stream, h.writer, h.n]),
  p.whole,
  p.vector.map((v) => [v.stream, v.writer, v.n, v.hash]),
];
/** Encodes a page. */
export const encodePage = (page: Page): Uint8Array => encodeCbor(wirePage(page));
/** Reads a page by itself, as a pull over HTTP answers it; our client takes pages in frames. Errors: malformed, too-large. @internal */
export const decodePage = (input: Uint8Array): Result<Page, WireFailure> =>
  readShape(pageShape, input, MAX_FRAME_BYTES);
