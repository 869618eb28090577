/** A push: parts for several streams of one space, and the node's answer (spec/push.md). */

import type { StreamId, Tag } from '../base/ids.ts';
import type { Result } from '../base/result.ts';
import { type CborValue, encodeCbor } from './cbor.ts';
import { type Entry, entryShape, type FeedEntry, feedEntryShape } from './entry.ts';
import { type ErrorCode, errorCodeShape } from './errors.ts';
import { MAX_BATCH_ENTRIES, MAX_PUSH_BYTES, MAX_PUSH_PARTS } from './limits.ts';
import { MAX_SEAL_BYTES } from './seal.ts';
import { bytes, fixed, list, readShape, type ShapeOf, tuple, uint, union, type WireFailure } from './shape.ts';

const entries = list(entryShape, MAX_BATCH_ENTRIES);

/** The shape of one part of a push (spec/push.md). */
export const pushPartShape = union({
  /** Entries of one own or lane stream by the pushing writer, under that writer's seal. */
  sealed: tuple(['stream', fixed<StreamId>(16)], ['entries', entries], ['seal', bytes(MAX_SEAL_BYTES)]),
  ctl: tuple(['entries', entries]),
  /** Appended only if the feed's head is `head` and its term `term`. */
  feed: tuple(
    ['stream', fixed<StreamId>(16)],
    ['head', uint()],
    ['term', uint()],
    ['entries', list(feedEntryShape, MAX_BATCH_ENTRIES)],
  ),
  /** Drops what is left of a lane up to a number: it was decided, and what was accepted is stored. */
  trim: tuple(['stream', fixed<StreamId>(16)], ['upTo', uint()]),
  /** Drops inbox entries by tag. */
  drain: tuple(['tags', list(fixed<Tag>(16), MAX_BATCH_ENTRIES)]),
});
/** The shape of a push. */
export const pushShape = list(pushPartShape, MAX_PUSH_PARTS);
/** One part of a push. */
export type PushPart = ShapeOf<typeof pushPartShape>;

/** The shape of the answer to one part. */
export const partAnswerShape = union({
  /** `head` is the sequence number of the log after this part. */
  ok: tuple(['head', uint()]),
  refused: tuple(['code', errorCodeShape]),
});
/** The shape of the answer to a push. */
export const pushAnswerShape = tuple(['nowMs', uint()], ['parts', list(partAnswerShape, MAX_PUSH_PARTS)]);
/** The answer to one part. */
export type PartAnswer = ShapeOf<typeof partAnswerShape>;
/** The answer to a push, part by part in its order. */
export type PushAnswer = ShapeOf<typeof pushAnswerShape>;

const wireEntries = (list: readonly Entry[]): CborValue => list.map((e) => [e.header, e.body]);

const wirePart = (part: PushPart): CborValue => {
  switch (part.type) {
    case 'sealed':
      return ['sealed', part.stream, wireEntries(part.entries), part.seal];
    case 'ctl':
      return ['ctl', wireEntries(part.entries)];
    case 'feed':
      return [
        'feed',
        part.stream,
        part.head,
        part.term,
        part.entries.map((e: FeedEntry) => [e.header, e.body, e.memo]),
      ];
    case 'trim':
      return ['trim', part.stream, part.upTo];
    case 'drain':
      return ['drain', part.tags];
  }
};

/** Encodes a push. */
export const encodePush = (parts: readonly PushPart[]): Uint8Array => encodeCbor(parts.map(wirePart));
/** Reads a push. Errors: malformed, too-large. */
export const decodePush = (input: Uint8Array): Result<readonly PushPart[], WireFailure> =>
  readShape(pushShape, input, MAX_PUSH_BYTES);

/** Turns an answer into what is encoded. */
export const wirePushAnswer = (answer: PushAnswer): CborValue => [
  answer.nowMs,
  answer.parts.map((p) => (p.type === 'ok' ? ['ok', p.head] : ['refused', p.code])),
];
/** Encodes the answer to a push. */
export const encodePushAnswer = (answer: PushAnswer): Uint8Array => encodeCbor(wirePushAnswer(answer));
/** Reads the answer to a push. Errors: malformed, too-large. */
export const decodePushAnswer = (input: Uint8Array): Result<PushAnswer, WireFailure> =>
  readShape(pushAnswerShape, input, MAX_PUSH_BYTES);

/** The first refusal of an answer, if any. */
export const firstRefusal = (answer: PushAnswer): ErrorCode | undefined =>
  answer.parts.find((p) => p.type === 'refused')?.code;
