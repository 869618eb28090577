/** Reads a log once, from a cursor to its head. */

import type { SpaceId } from '@sluice/core/base';
import type { ErrorCode, LogName, Page } from '@sluice/core/wire';
import type { LiveLink } from './live-link.ts';

/** Whether the head was reached, or with which code the node ended it. */
export type ReadOutcome = { readonly ok: true } | { readonly ok: false; readonly code: ErrorCode };

/** Hands every page to `onPage` and resolves at the head, or when the node ends the subscription. */
export function readLog(
  link: Pick<LiveLink, 'subscribe'>,
  space: SpaceId,
  log: LogName,
  after: number,
  onPage: (page: Page) => void | Promise<void>,
): Promise<ReadOutcome> {
  let cursor = after;
  return new Promise((resolve, reject) => {
    const stop = link.subscribe(space, log, {
      cursor: () => cursor,
      onPage: async (page) => {
        try {
          await onPage(page);
          cursor = page.cursor;
          if (page.more) return;
          stop();
          resolve({ ok: true });
        } catch (cause) {
          stop();
          reject(cause);
        }
      },
      onClosed: (code) => resolve({ ok: false, code }),
    });
  });
}
