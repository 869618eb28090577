/** One step of a feed: a record's present state against what the grantee was already sent (spec/feed.md). Pure. */

import type { Tag } from '../base/ids.ts';
import { equalBytes } from '../base/bytes.ts';
import type { JsonObject } from '../base/json.ts';
import { type GrantSecret, recordTag, type StreamTagKey } from '../crypto/keys.ts';
import { type Filter, matches, nextFlip } from '../filter/index.ts';
import { encodeFeedRecord, type Memo, recordPrint } from './feed-entry.ts';
import type { FieldTerm } from './field-term.ts';
import { granteeRecordId, project } from './projection.ts';

/** What a grant reveals: which records, and what of them. */
export type FeedRule = {
  readonly filter: Filter;
  readonly fields: readonly FieldTerm[] | undefined;
  readonly secret: GrantSecret;
  readonly tagKey: StreamTagKey;
};

/** What a feed needs so that it reflects one record. */
export type FeedStep =
  | { readonly type: 'none' }
  | { readonly type: 'put'; readonly tag: Tag; readonly plaintext: Uint8Array; readonly memo: Memo }
  | { readonly type: 'delete'; readonly tag: Tag; readonly id: string };

/** The record's pseudonym in the feed. */
export function feedTag(rule: FeedRule, recordId: string): { readonly id: string; readonly tag: Tag } {
  const id = granteeRecordId(rule.secret, recordId);
  return { id, tag: recordTag(rule.tagKey, id) };
}

/**
 * Decides what to append for one record.
 *
 * `record` is undefined when it was deleted; `sent` is what the grantee holds, undefined when nothing.
 * Source: spec/feed.md FEED-5 (enter, change), FEED-6 (leave, delete), FEED-7 (leaving by time).
 */
export function diffRecord(
  rule: FeedRule,
  place: { readonly id: string; readonly tag: Tag },
  record: JsonObject | undefined,
  sent: Memo | undefined,
  nowMs: number,
): FeedStep {
  const shown = sent && (sent.expiresMs === null || sent.expiresMs > nowMs) ? sent : undefined;
  if (!record || !matches(rule.filter, record, nowMs))
    return shown ? { type: 'delete', tag: place.tag, id: place.id } : { type: 'none' };
  // It matches now, so the next flip, if there is one, is where it leaves by time.
  const expiresMs = nextFlip(rule.filter, record, nowMs);
  const plaintext = encodeFeedRecord({
    id: place.id,
    record: project(record, rule.fields, place.id, rule.secret),
    ...(expiresMs === undefined ? {} : { expiresMs }),
  });
  const print = recordPrint(plaintext);
  if (shown && equalBytes(shown.print, print)) return { type: 'none' };
  return { type: 'put', tag: place.tag, plaintext, memo: { print, expiresMs: expiresMs ?? null } };
}
