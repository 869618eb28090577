/** Messages in a silo, as the app that holds a session of it reads them: the owner's side verified and routed them here. */

import type { Clock, JsonObject } from '@sluice/core/base';
import { filterFailureText, parseFilter } from '@sluice/core/filter';
import { SluiceError } from '../errors.ts';
import type { SpaceEngine } from '../space/space-engine.ts';
import { INBOX, INBOX_SHAPE, type InboxItem, recordToItem } from './inbox-item.ts';
import type { ListOptions } from './mailbox.ts';

/** The messages of one silo, as its sessions read them. */
export type SiloMessaging = {
  /** Newest first unless sorted otherwise; 20 unless limited otherwise. Errors: BAD_FILTER. */
  readonly getMessages: (filter?: JsonObject, options?: ListOptions) => Promise<InboxItem[]>;
  /** Calls back for every message that is routed here from now on. Returns how to stop. */
  readonly onMessage: (callback: (item: InboxItem) => void) => () => void;
};

/** Opens the messages of a silo. */
export function createSiloMessaging(engine: SpaceEngine, clock: Clock): SiloMessaging {
  const inbox = engine.collection(INBOX, INBOX_SHAPE);
  return {
    getMessages: async (filter = {}, options = {}) => {
      const parsed = parseFilter(filter);
      if (!parsed.ok) throw new SluiceError('BAD_FILTER', filterFailureText(parsed.error));
      const found = inbox.query(parsed.value, clock.nowMs(), { sort: [{ sentAt: 'desc' }], limit: 20, ...options });
      return found.records.map(recordToItem);
    },
    onMessage: (callback) =>
      inbox.onChange(({ type, record, origin }) => {
        if (type !== 'put' || !record || origin === 'self') return;
        const item = recordToItem(record);
        // After the page's transaction, so that what the callback throws cannot undo it.
        queueMicrotask(() => callback(item));
      }),
  };
}
