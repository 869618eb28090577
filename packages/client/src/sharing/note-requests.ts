/** Notes in the activity log every synchronization request that arrives. Must not know what a request says. */

import { unlessFull } from '../errors.ts';
import type { Mailbox, InboxItem } from '../messaging/mailbox.ts';
import type { ActivityLog } from './activity-log.ts';
import { DATASTORE_SYNC } from './datastore-sync.ts';
import { MAX_PURPOSE, SYNC_REQUEST } from './sync-request.ts';

/** Starts noting. `catchUp` notes what came while nobody noted, as when the process ended right after the message was stored. */
export function noteRequests(
  mailbox: Pick<Mailbox, 'on' | 'list'>,
  note: ActivityLog['note'],
): { readonly catchUp: () => void } {
  /** A stranger's words: no longer than a request may have them. */
  const noteOne = (item: InboxItem): void => {
    const { id, from, data } = item;
    // Anybody may send one, and no text can be made of every JSON value.
    const purpose = typeof data.purpose === 'string' ? data.purpose : '';
    note({ type: 'request', requestId: id, grantee: from, purpose: purpose.slice(0, MAX_PURPOSE) });
  };
  const noteNow = (item: InboxItem): void => {
    try {
      noteOne(item);
    } catch (cause) {
      // It is noted at the next start.
      unlessFull(cause);
    }
  };
  for (const type of [SYNC_REQUEST, DATASTORE_SYNC]) mailbox.on(type, noteNow);
  return {
    catchUp: () => {
      for (const item of mailbox.list({ type: { $in: [SYNC_REQUEST, DATASTORE_SYNC] } }))
        if (!item.status) noteNow(item);
    },
  };
}
