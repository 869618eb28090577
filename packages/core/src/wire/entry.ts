/** Entries on the wire: a header and a body, both opaque bytes here (spec/entry.md). */

import { MAX_BODY_BYTES, MAX_HEADER_BYTES, MAX_MEMO_BYTES } from './limits.ts';
import { bytes, nullable, tuple } from './shape.ts';

/** Shape: `header` is an encoded Header; `body` is sealed. */
export type Entry = { readonly header: Uint8Array; readonly body: Uint8Array };

/** The shape of an entry. */
export const entryShape = tuple(['header', bytes(MAX_HEADER_BYTES)], ['body', bytes(MAX_BODY_BYTES)]);

/** A feed entry. Its memo, sealed too, says what the body amounts to, and stays when the node drops an expired body. Null but for PUT. */
export type FeedEntry = Entry & { readonly memo: Uint8Array | null };

/** The shape of a feed entry. */
export const feedEntryShape = tuple(
  ['header', bytes(MAX_HEADER_BYTES)],
  ['body', bytes(MAX_BODY_BYTES)],
  ['memo', nullable(bytes(MAX_MEMO_BYTES))],
);
