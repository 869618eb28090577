/** Every size limit of the protocol, in bytes or items (spec/entry.md ENT-1 and ENT-3, spec/push.md PUSH-2). */

/** One sealed entry body. */
export const MAX_BODY_BYTES = 1024 * 1024;
/** One encoded header. */
export const MAX_HEADER_BYTES = 4096;
/** The sealed memo of one feed entry. */
export const MAX_MEMO_BYTES = 256;
/** Entries under one seal, and entries of one feed or ctl part. */
export const MAX_BATCH_ENTRIES = 500;
/** Heads one entry may supersede. */
export const MAX_SUPERSEDED = 64;
/** One push, all parts together. */
export const MAX_PUSH_BYTES = 4 * 1024 * 1024;
/** Parts of one push. */
export const MAX_PUSH_PARTS = 512;
/** One sealed message. */
export const MAX_MESSAGE_BYTES = 256 * 1024;
/** Messages of one deposit. */
export const MAX_DEPOSIT = 100;
/** One deposit, all messages together. */
export const MAX_DEPOSIT_BYTES = 8 * 1024 * 1024;
/** One page of a log as the node aims for; a single larger seal or entry still travels whole. */
export const PAGE_BYTES = 1024 * 1024;
/** Items of each list of a page. */
export const MAX_PAGE_ITEMS = 10_000;
/** Own streams and lanes of one space that one key writes. */
export const MAX_WRITER_STREAMS = 1_000;
/** Entries of one lane that wait for the owner’s decision. */
export const MAX_LANE_ENTRIES = 10_000;
/** Keys that speak on one connection beside the one that said hello. */
export const MAX_CONNECTION_KEYS = 10_000;
/** One answer left at a drop. */
export const MAX_DROP_BYTES = 64 * 1024;
/** One recovery box. */
export const MAX_RECOVERY_BYTES = 16 * 1024;
/** One did:webvh log. */
export const MAX_DID_LOG_BYTES = 256 * 1024;
/** One WebSocket frame, in either direction. */
export const MAX_FRAME_BYTES = 8 * 1024 * 1024;
/** Nesting of any protocol value. */
export const MAX_CBOR_DEPTH = 16;
/** How far an entry's clock may be ahead of the node's, in ms. */
export const MAX_CLOCK_AHEAD_MS = 120_000;
