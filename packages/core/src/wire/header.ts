/** Entry headers: the authenticated part of an entry that the node sees (spec/entry.md). */

import type { StreamId, Tag, WriterId } from '../base/ids.ts';
import { err, ok, type Result } from '../base/result.ts';
import { type CborValue, encodeCbor } from './cbor.ts';
import { MAX_HEADER_BYTES, MAX_SUPERSEDED } from './limits.ts';
import { fixed, list, nullable, oneOf, readShape, tuple, uint, type WireFailure } from './shape.ts';

/** First byte of a stream id. */
export const STREAM_KIND = { own: 1, ctl: 2, inbox: 3, feed: 4, lane: 5, public: 6 } as const;
/** A kind of stream by name. */
export type StreamKind = keyof typeof STREAM_KIND;

/** What an entry does to its tag. */
export const ENTRY_KIND = { PUT: 1, DEL: 2, KEY: 3, CKPT: 4, END: 5, VERDICT: 6, CTL: 7 } as const;
/** A kind of entry by number. */
export type EntryKind = (typeof ENTRY_KIND)[keyof typeof ENTRY_KIND];

/** One head that an own entry replaces. */
export type HeadRef = { readonly writer: WriterId; readonly n: number };

/**
 * Units: `hlc.ms` in ms since the Unix epoch, `hlc.counter` 16 bit, `expiresMs` in ms (coarse: never before the exact instant).
 * `n` is dense from 1 for each (stream, writer); 0 only in an inbox.
 */
export type Header = {
  readonly writer: WriterId;
  readonly n: number;
  readonly tag: Tag;
  readonly kind: EntryKind;
  readonly hlc: { readonly ms: number; readonly counter: number };
  readonly epoch: number;
  readonly superseded: readonly HeadRef[];
  readonly expiresMs: number | null;
};

const VERSION = 1;
const MAX_MS = 2 ** 48 - 1;
const MAX_COUNTER = 2 ** 16 - 1;

/** The shape of a superseded head. */
const headRefShape = tuple(['writer', fixed<WriterId>(16)], ['n', uint()]);
/** The shape of a header, its version first. */
export const headerShape = tuple(
  ['version', oneOf(VERSION)],
  ['writer', fixed<WriterId>(16)],
  ['n', uint()],
  ['tag', fixed<Tag>(16)],
  ['kind', oneOf(1, 2, 3, 4, 5, 6, 7)],
  ['ms', uint(MAX_MS)],
  ['counter', uint(MAX_COUNTER)],
  ['epoch', uint(2 ** 32 - 1)],
  ['superseded', list(headRefShape, MAX_SUPERSEDED)],
  ['expiresMs', nullable(uint(MAX_MS))],
);

/** Encodes a header as deterministic CBOR: these exact bytes are authenticated. */
export function encodeHeader(h: Header): Uint8Array {
  const superseded: CborValue = h.superseded.map((ref) => [ref.writer, ref.n]);
  return encodeCbor([VERSION, h.writer, h.n, h.tag, h.kind, h.hlc.ms, h.hlc.counter, h.epoch, superseded, h.expiresMs]);
}

/** Reads a header. Errors: malformed, too-large. */
export function decodeHeader(bytes: Uint8Array): Result<Header, WireFailure> {
  const read = readShape(headerShape, bytes, MAX_HEADER_BYTES);
  if (!read.ok) return err(read.error);
  const { version: _, ms, counter, ...rest } = read.value;
  return ok({ ...rest, hlc: { ms, counter } });
}

/** The kind a stream id names, or undefined for an unknown first byte. */
export function streamKind(id: StreamId): StreamKind | undefined {
  switch (id[0]) {
    case 1:
      return 'own';
    case 2:
      return 'ctl';
    case 3:
      return 'inbox';
    case 4:
      return 'feed';
    case 5:
      return 'lane';
    case 6:
      return 'public';
    default:
      return undefined;
  }
}
