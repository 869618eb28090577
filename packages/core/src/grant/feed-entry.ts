/** The sealed content of feed entries: records, deletions, memos, checkpoints (spec/feed.md). */

import { bytesToHex, bytesToUtf8, concatBytes, utf8ToBytes } from '../base/bytes.ts';
import { type StreamId, type Tag, toWriterId, type WriterId } from '../base/ids.ts';
import { isJsonObject, type JsonObject, type JsonValue, parseJson } from '../base/json.ts';
import type { Random } from '../base/random.ts';
import { err, ok, type Result } from '../base/result.ts';
import { type AeadKey, openAead, sealAead } from '../crypto/aead.ts';
import { sha256 } from '../crypto/hash.ts';
import { recordTag, type StreamTagKey } from '../crypto/keys.ts';
import { type SigningKey, sign, toVerifyKey, type VerifyKey, verify } from '../crypto/sign.ts';
import { openEntry, sealEntry } from '../stream/sealed-entry.ts';
import { encodeCbor } from '../wire/cbor.ts';
import type { Entry, FeedEntry } from '../wire/entry.ts';
import { ENTRY_KIND, type EntryKind, encodeHeader, type Header } from '../wire/header.ts';
import { MAX_BODY_BYTES, MAX_MEMO_BYTES } from '../wire/limits.ts';
import { bytes, fixed, list, nullable, readShape, tuple, uint } from '../wire/shape.ts';

const PRINT_DOMAIN = utf8ToBytes('sluice/print/1\0');
const MEMO_DOMAIN = utf8ToBytes('sluice/memo/1\0');
const CHECKPOINT_DOMAIN = 'sluice/ckpt/1';
const HOUR_MS = 3_600_000;
/** A document of 64 levels, and what it stands in. */
const MAX_DEPTH = 65;

/** A revealed record. `expiresMs` is the instant at which it leaves the filter by time alone. */
export type FeedRecord = { readonly id: string; readonly record: JsonObject; readonly expiresMs?: number };
/** What stays known of a revealed record when its body is gone. */
export type Memo = { readonly print: Uint8Array; readonly expiresMs: number | null };
/** The own version vector that a checkpoint reflects. */
export type Basis = readonly { readonly writer: WriterId; readonly n: number }[];
/** `asOfMs` is also the header's clock; rows that expire at or before it do not count. */
export type Checkpoint = {
  readonly asOfMs: number;
  readonly count: number;
  readonly digest: Uint8Array;
  readonly basis: Basis;
  readonly signer: VerifyKey;
  /** The signer’s card, or null where it stands in the feed already. */
  readonly card: Uint8Array | null;
};
/** Why an entry of a feed was not opened. */
export type FeedFailure =
  | { readonly type: 'cannot-open' }
  | { readonly type: 'malformed' }
  | { readonly type: 'bad-checkpoint' };

/** What entries of a feed are sealed with. */
export type FeedKeys = { readonly stream: StreamId; readonly key: AeadKey };
/** Where an entry stands: who appends it, as which number, when. */
export type FeedPlace = {
  readonly writer: WriterId;
  readonly n: number;
  readonly hlc: Header['hlc'];
  readonly epoch: number;
};

/** The fingerprint of a revealed record: equal prints need not be sent again. */
export const recordPrint = (plaintext: Uint8Array): Uint8Array => sha256(PRINT_DOMAIN, plaintext).slice(0, 16);

/** The plaintext of a PUT. */
export const encodeFeedRecord = (r: FeedRecord): Uint8Array =>
  utf8ToBytes(
    JSON.stringify(r.expiresMs === undefined ? { i: r.id, d: r.record } : { i: r.id, d: r.record, x: r.expiresMs }),
  );

/** The coarse instant that the node sees: the exact one rounded up to the hour, and up to another hour later by the tag's chance. */
export function coarseExpiry(exactMs: number, tag: Tag): number {
  return Math.ceil(exactMs / HOUR_MS) * HOUR_MS + Math.floor(((tag[0] as number) / 256) * HOUR_MS);
}

const header = (place: FeedPlace, tag: Tag, kind: EntryKind, expiresMs: number | null): Header => ({
  ...place,
  tag,
  kind,
  superseded: [],
  expiresMs,
});

/** Seals a revealed record with its memo. */
export function sealFeedPut(
  keys: FeedKeys,
  place: FeedPlace,
  tag: Tag,
  plaintext: Uint8Array,
  memo: Memo,
  random: Random,
): FeedEntry {
  const head = header(place, tag, ENTRY_KIND.PUT, memo.expiresMs === null ? null : coarseExpiry(memo.expiresMs, tag));
  const entry = sealEntry(keys.key, keys.stream, head, plaintext, random);
  const aad = concatBytes(MEMO_DOMAIN, entry.header, keys.stream);
  return { ...entry, memo: sealAead(keys.key, aad, encodeCbor([memo.print, memo.expiresMs]), random) };
}

/** Seals the deletion of a record. */
export function sealFeedDelete(keys: FeedKeys, place: FeedPlace, tag: Tag, id: string, random: Random): FeedEntry {
  return {
    ...sealEntry(
      keys.key,
      keys.stream,
      header(place, tag, ENTRY_KIND.DEL, null),
      utf8ToBytes(JSON.stringify({ i: id })),
      random,
    ),
    memo: null,
  };
}

/** The one tag of a feed's checkpoints that bear no card. */
export const checkpointTag = (tagKey: StreamTagKey): Tag => recordTag(tagKey, '\u0000ckpt');
/** The tag of a checkpoint that bears its signer's card, so that the node keeps it for whoever reads the feed later. */
export const cardTag = (tagKey: StreamTagKey, signer: VerifyKey): Tag =>
  recordTag(tagKey, `\u0000card/${bytesToHex(signer)}`);
/** The one tag of a feed’s end. */
export const endTag = (tagKey: StreamTagKey): Tag => recordTag(tagKey, '\u0000end');

const basisShape = list(tuple(['writer', fixed(16)], ['n', uint()]), 1024);
const checkpointBody = tuple(['asOfMs', uint()], ['count', uint()], ['digest', fixed(32)], ['basis', basisShape]);
const checkpointShape = tuple(
  ['signed', bytes(MAX_BODY_BYTES)],
  ['signer', fixed(32)],
  ['card', nullable(bytes(4096))],
  ['signature', fixed(64)],
);
const memoShape = tuple(['print', fixed(16)], ['expiresMs', nullable(uint())]);
/** For the pin of the wire schema. @internal */
export const FEED_SHAPES = { memo: memoShape, checkpoint: checkpointShape, signed: checkpointBody };

/** Seals a checkpoint (CKPT) or the end of a once-off feed (END), signed by the agent's device. */
export function sealCheckpoint(
  keys: FeedKeys,
  place: FeedPlace,
  tag: Tag,
  kind: typeof ENTRY_KIND.CKPT | typeof ENTRY_KIND.END,
  content: Pick<Checkpoint, 'count' | 'digest' | 'basis' | 'card'>,
  signer: SigningKey,
  random: Random,
): FeedEntry {
  const basis = content.basis.map((b) => [b.writer, b.n]);
  const signed = encodeCbor([place.hlc.ms, content.count, content.digest, basis]);
  const head = header(place, tag, kind, null);
  const signature = sign(signer, CHECKPOINT_DOMAIN, keys.stream, encodeHeader(head), signed);
  const body = encodeCbor([signed, signer.publicKey, content.card, signature]);
  return { ...sealEntry(keys.key, keys.stream, head, body, random), memo: null };
}

/** Opens a PUT. The returned plaintext is what prints are made of. */
export function openFeedPut(
  keys: FeedKeys,
  entry: Entry,
): Result<{ readonly value: FeedRecord; readonly plaintext: Uint8Array }, FeedFailure> {
  const plain = openEntry(keys.key, keys.stream, entry);
  if (!plain.ok) return plain;
  const json = readJson(plain.value);
  if (!json || typeof json.i !== 'string' || !isJsonObject(json.d)) return err({ type: 'malformed' });
  if (json.x !== undefined && typeof json.x !== 'number') return err({ type: 'malformed' });
  const value = { id: json.i, record: json.d, ...(json.x === undefined ? {} : { expiresMs: json.x }) };
  return ok({ value, plaintext: plain.value });
}

/** Opens a DEL. Result: the record's id in this grant. */
export function openFeedDelete(keys: FeedKeys, entry: Entry): Result<string, FeedFailure> {
  const plain = openEntry(keys.key, keys.stream, entry);
  if (!plain.ok) return plain;
  const json = readJson(plain.value);
  return json && typeof json.i === 'string' ? ok(json.i) : err({ type: 'malformed' });
}

/** Opens the memo of a PUT whose body may be gone. */
export function openMemo(keys: FeedKeys, encodedHeader: Uint8Array, memo: Uint8Array): Result<Memo, FeedFailure> {
  const plain = openAead(keys.key, concatBytes(MEMO_DOMAIN, encodedHeader, keys.stream), memo);
  if (!plain.ok) return err({ type: 'cannot-open' });
  const read = readShape(memoShape, plain.value, MAX_MEMO_BYTES);
  return read.ok ? ok(read.value) : err({ type: 'malformed' });
}

/** Opens a checkpoint and checks that it is signed by the key it names; whose key that is, the card says. */
export function openCheckpoint(keys: FeedKeys, entry: Entry, head: Header): Result<Checkpoint, FeedFailure> {
  const plain = openEntry(keys.key, keys.stream, entry);
  if (!plain.ok) return plain;
  const outer = readShape(checkpointShape, plain.value, MAX_BODY_BYTES);
  if (!outer.ok) return err({ type: 'malformed' });
  const inner = readShape(checkpointBody, outer.value.signed, MAX_BODY_BYTES);
  if (!inner.ok) return err({ type: 'malformed' });
  const signer = toVerifyKey(outer.value.signer);
  const genuine = verify(
    signer,
    outer.value.signature,
    CHECKPOINT_DOMAIN,
    keys.stream,
    entry.header,
    outer.value.signed,
  );
  if (!genuine || inner.value.asOfMs !== head.hlc.ms) return err({ type: 'bad-checkpoint' });
  const basis = inner.value.basis.map((b) => ({ writer: toWriterId(b.writer), n: b.n }));
  return ok({ ...inner.value, basis, signer, card: outer.value.card });
}

function readJson(plaintext: Uint8Array): { readonly [key: string]: JsonValue } | undefined {
  let text: string;
  try {
    text = bytesToUtf8(plaintext);
  } catch {
    return undefined;
  }
  const parsed = parseJson(text, { maxBytes: MAX_BODY_BYTES, maxDepth: MAX_DEPTH });
  return parsed.ok && isJsonObject(parsed.value) ? parsed.value : undefined;
}

/** Whether every writer in `older` has come at least as far in `newer`: a feed's basis never goes back. */
export function covers(newer: Basis, older: Basis): boolean {
  const reached = new Map(newer.map((b) => [b.writer.join(), b.n]));
  return older.every((b) => (reached.get(b.writer.join()) ?? 0) >= b.n);
}
