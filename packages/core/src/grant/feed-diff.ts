/** One step of a feed: a record's present state against what the grantee was already sent (spec/feed.md). Pure. */

import type { Tag } from '../base/ids.ts';
import { equalBytes } from '../base/bytes.ts';
import type { JsonObject } from '../base/json.ts';
import { type GrantSecret, recordTag, type StreamTagKey } from '../crypto/keys.ts';
import { type Filter, matches, nextFlip } from '../filter/index.ts';
import { sealedBytes } from '../stream/sealed-entry.ts';
import { MAX_BODY_BYTES } from '../wire/limits.ts';
import { encodeFeedRecord, type Memo, recordPrint } from './feed-entry.ts';
import type { FieldTerm } from './field-term.ts';
import { isLaneRecordId } from './lane-entry.ts';
import { granteeRecordId, project } from './projection.ts';

/** What a grant reveals: which records, and what of them. */
export type FeedRule = {
  /** 16 bytes in hex. */
  readonly grantId: string;
  readonly filter: Filter;
  readonly fields: readonly FieldTerm[] | undefined;
  readonly secret: GrantSecret;
  readonly tagKey: StreamTagKey;
};

/** What a feed needs so that it reflects one record. */
export type FeedStep = {
  /** When the unchanged record comes into the filter by time alone, for the first time or again; absent when it never does. */
  readonly entersMs?: number;
} & (
  | { readonly type: 'none' }
  | { readonly type: 'put'; readonly tag: Tag; readonly plaintext: Uint8Array; readonly memo: Memo }
  | { readonly type: 'delete'; readonly tag: Tag; readonly id: string }
);

/** The owner's id of a record that a grantee made under an id of its own. */
export const bornRecordId = (grantId: string, laneId: string): string => `${grantId}.${laneId}`;

/** The grantee's own id of a record that it made itself; undefined for every other record. */
export function laneIdOf(grantId: string, recordId: string): string | undefined {
  const id = recordId.startsWith(`${grantId}.`) ? recordId.slice(grantId.length + 1) : undefined;
  return id !== undefined && isLaneRecordId(id) ? id : undefined;
}

/** The record's pseudonym in the feed. A record that the grantee made keeps the id it gave it. */
export function feedTag(
  rule: Pick<FeedRule, 'grantId' | 'secret' | 'tagKey'>,
  recordId: string,
): { readonly id: string; readonly tag: Tag } {
  const id = laneIdOf(rule.grantId, recordId) ?? granteeRecordId(rule.secret, recordId);
  return { id, tag: recordTag(rule.tagKey, id) };
}

/**
 * Decides what to append for one record.
 *
 * `record` is undefined when it was deleted; `sent` is what the grantee holds, undefined when nothing.
 * Source: spec/feed.md FEED-5 (enter, change), FEED-6 (leave, delete), FEED-7 (leaving by time), FEED-24 (entering by time).
 */
export function diffRecord(
  rule: FeedRule,
  place: { readonly id: string; readonly tag: Tag },
  record: JsonObject | undefined,
  sent: Memo | undefined,
  nowMs: number,
): FeedStep {
  const shown = sent && (sent.expiresMs === null || sent.expiresMs > nowMs) ? sent : undefined;
  if (!record) return shown ? { type: 'delete', tag: place.tag, id: place.id } : { type: 'none' };
  if (!matches(rule.filter, record, nowMs)) {
    const enters = entering(nextFlip(rule.filter, record, nowMs));
    return shown ? { type: 'delete', tag: place.tag, id: place.id, ...enters } : { type: 'none', ...enters };
  }
  // It matches now, so the next flip, if there is one, is where it leaves by time.
  const expiresMs = nextFlip(rule.filter, record, nowMs);
  const plaintext = encodeFeedRecord({
    id: place.id,
    record: project(record, rule.fields, place.id, rule.secret),
    ...(expiresMs === undefined ? {} : { expiresMs }),
  });
  // What no entry can hold would be refused with all that goes along.
  if (sealedBytes(plaintext.length) > MAX_BODY_BYTES)
    return shown ? { type: 'delete', tag: place.tag, id: place.id } : { type: 'none' };
  const print = recordPrint(plaintext);
  const again = expiresMs === undefined ? {} : entering(nextFlip(rule.filter, record, expiresMs));
  if (shown && equalBytes(shown.print, print)) return { type: 'none', ...again };
  return { type: 'put', tag: place.tag, plaintext, memo: { print, expiresMs: expiresMs ?? null }, ...again };
}

const entering = (flipMs: number | undefined): { readonly entersMs?: number } =>
  flipMs === undefined ? {} : { entersMs: flipMs };
