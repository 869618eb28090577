/** The sealed content of lane entries: what a grantee writes back (spec/lane.md). */

import { bytesToUtf8, utf8ToBytes } from '../base/bytes.ts';
import { type StreamId, type Tag, toTag } from '../base/ids.ts';
import { isJsonObject, type JsonObject, parseJson } from '../base/json.ts';
import type { Random } from '../base/random.ts';
import { err, ok, type Result } from '../base/result.ts';
import { type AeadKey, toAeadKey } from '../crypto/aead.ts';
import { hkdf, hmacSha256 } from '../crypto/hash.ts';
import { openEntry, sealedBytes, sealEntry } from '../stream/sealed-entry.ts';
import type { Entry } from '../wire/entry.ts';
import { ENTRY_KIND, type Header } from '../wire/header.ts';
import { MAX_BODY_BYTES } from '../wire/limits.ts';
import type { WriteOperation } from './write-terms.ts';

/** One write of a grantee. */
export type LaneWrite = {
  /** The record's id in the grant; a new record has one of `laneRecordId`. */
  readonly id: string;
  readonly operation: WriteOperation;
  /** Fields that get a value; empty for a delete. */
  readonly set: JsonObject;
  /** Fields that are removed. */
  readonly remove: readonly string[];
  /** What the grantee saw of fields that merge by what was there: sets and counters. */
  readonly base?: JsonObject;
  /** Up to which number the grantee has seen final verdicts, so that the owner need not keep them. */
  readonly seen: number;
};

/** Why a lane entry is not a write. Both are answered by a verdict. */
export type LaneFailure = { readonly type: 'cannot-open' } | { readonly type: 'malformed' };

const NEW_RECORD = /^w[A-Za-z0-9_-]{22}$/;
const MAX_ID = 64;
const MAX_NAMES = 256;

/** The key of a lane: it follows from the grant's key, epoch by epoch, so that a new one locks both ways. */
export const laneKey = (grantKey: AeadKey): AeadKey => toAeadKey(hkdf(grantKey, 'lane'));

/** The tag of a lane entry: of its number alone, so that the node sees no two writes to one record. */
const laneTag = (key: AeadKey, n: number): Tag => toTag(hmacSha256(key, utf8ToBytes(`lane/${n}`)).slice(0, 16));

/** A fresh id for a record that a grantee makes. Shape: `w` and 22 characters, which no id of another record in a grant has. */
export const isLaneRecordId = (id: string): boolean => NEW_RECORD.test(id);

/** Names no record: a fresh id is random. */
const NO_RECORD = `w${'A'.repeat(22)}`;

/** What says up to which number verdicts were seen, and nothing else. It changes nothing and gets no verdict. Source: spec/lane.md LANE-11. */
export const acknowledgementOf = (seen: number): LaneWrite => ({
  id: NO_RECORD,
  operation: 'delete',
  set: {},
  remove: [],
  seen,
});

/** Whether a write only says what was seen. */
export const isAcknowledgement = ({ id, operation }: LaneWrite): boolean => id === NO_RECORD && operation === 'delete';

/** Seals one write. The header's tag and kind follow from it. */
export function sealLaneWrite(
  key: AeadKey,
  stream: StreamId,
  at: Pick<Header, 'writer' | 'n' | 'hlc' | 'epoch'>,
  write: LaneWrite,
  random: Random,
): { readonly entry: Entry; readonly header: Header } {
  const header: Header = {
    ...at,
    tag: laneTag(key, at.n),
    // Every write looks alike to the node.
    kind: ENTRY_KIND.PUT,
    superseded: [],
    expiresMs: null,
  };
  return { entry: sealEntry(key, stream, header, plaintextOf(write), random), header };
}

function plaintextOf({ id: i, operation: o, set: s, remove, base: b, seen: v }: LaneWrite): Uint8Array {
  return utf8ToBytes(JSON.stringify({ i, o, s, r: [...remove], ...(b ? { b } : {}), v }));
}

/** Whether a write can be sent at all: sealed it is an entry that a node takes, and opened one that an owner can read. */
export function fitsLane(write: LaneWrite): boolean {
  const plaintext = plaintextOf(write);
  return sealedBytes(plaintext.length) <= MAX_BODY_BYTES && readWrite(plaintext).ok;
}

/** Opens one write. Source: spec/lane.md LANE-11. */
export function openLaneWrite(key: AeadKey, stream: StreamId, entry: Entry): Result<LaneWrite, LaneFailure> {
  const plain = openEntry(key, stream, entry);
  return plain.ok ? readWrite(plain.value) : plain;
}

function readWrite(plaintext: Uint8Array): Result<LaneWrite, LaneFailure> {
  const json = readJson(plaintext);
  if (!json) return err({ type: 'malformed' });
  const { i: id, o: operation, s: set, r: remove, b: base, v: seen } = json;
  if (typeof id !== 'string' || id.length === 0 || id.length > MAX_ID) return err({ type: 'malformed' });
  if (operation !== 'insert' && operation !== 'update' && operation !== 'delete') return err({ type: 'malformed' });
  if (!isJsonObject(set) || !Array.isArray(remove) || typeof seen !== 'number' || !Number.isSafeInteger(seen))
    return err({ type: 'malformed' });
  const names = remove.filter((name): name is string => typeof name === 'string');
  if (names.length !== remove.length || names.length + Object.keys(set).length > MAX_NAMES)
    return err({ type: 'malformed' });
  if (base !== undefined && !isJsonObject(base)) return err({ type: 'malformed' });
  return ok({ id, operation, set, remove: names, ...(base ? { base } : {}), seen });
}

function readJson(plaintext: Uint8Array): JsonObject | undefined {
  try {
    const parsed = parseJson(bytesToUtf8(plaintext), { maxBytes: MAX_BODY_BYTES, maxDepth: 64 });
    return parsed.ok && isJsonObject(parsed.value) ? parsed.value : undefined;
  } catch {
    return undefined;
  }
}
