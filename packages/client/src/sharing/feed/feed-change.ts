/** What a grantee is told of a feed: changes of the records it sees, and what makes the feed not to be trusted. */

import type { JsonObject } from '@sluice/core/base';

/**
 * A record that came or changed, or one that is gone: it left the filter, its window passed, a sweep did not find it, the copy was wiped
 * since the grant ended or by `wipe()`, or a write of the grantee's own was undone. `self`: nothing but what this grantee wrote itself.
 */
export type FeedChange = {
  readonly type: 'put' | 'delete';
  readonly id: string;
  readonly record?: JsonObject;
  readonly reason?: 'left' | 'expired' | 'swept' | 'wiped';
  readonly origin: 'owner' | 'self';
};
/** Why the feed is not trusted any more. */
export type FeedAlarm = {
  readonly type: 'tampered';
  readonly what: 'cannot-open' | 'malformed' | 'rollback' | 'digest' | 'count' | 'basis' | 'foreign-signer' | 'swapped';
};

/** What tells records as they were held, by id, from those that are held now: what a second reading of a feed has changed. */
export function changesBetween(held: ReadonlyMap<string, JsonObject>, now: Iterable<JsonObject>): FeedChange[] {
  const changes: FeedChange[] = [];
  const left = new Set(held.keys());
  for (const record of now) {
    const id = String(record._id);
    left.delete(id);
    const old = held.get(id);
    if (!old || JSON.stringify(old) !== JSON.stringify(record))
      changes.push({ type: 'put', id, record, origin: 'owner' });
  }
  for (const id of left) changes.push({ type: 'delete', id, reason: 'swept', origin: 'owner' });
  return changes;
}
