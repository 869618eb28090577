/**
 * Live subscriptions of one connection. Each holds a cursor and a credit, never a buffer: when there is news, credit and room, the
 * next page is read from the log. Must not know sockets; `send` is all it has.
 */

import { bytesToHex, type SpaceId } from '@sluice/core/base';
import { type ErrorCode, formatLogName, type LogName, type Page } from '@sluice/core/wire';
import type { TouchedLog } from '../storage/port.ts';

export type SubscriptionPort = {
  readonly read: (
    space: SpaceId,
    log: LogName,
    after: number,
    whole: boolean,
  ) => { ok: true; value: Page } | { ok: false; code: ErrorCode };
  readonly mayRead: (space: SpaceId, log: LogName) => ErrorCode | 'allowed';
  /** Whether the connection takes more at present; when it does again, `resume` has to be called. */
  readonly hasRoom: () => boolean;
  /** Sends a page and returns its size in bytes. */
  readonly sendPage: (id: number, page: Page) => number;
  readonly sendClosed: (id: number, code: ErrorCode) => void;
};

type Subscription = {
  readonly space: SpaceId;
  readonly log: LogName;
  readonly key: string;
  cursor: number;
  credit: number;
  first: boolean;
  news: boolean;
};

/** Subscriptions one connection may hold. */
const MAX_SUBSCRIPTIONS = 10_000;

export type Subscriptions = {
  readonly open: (id: number, space: SpaceId, log: LogName, after: number, credit: number) => void;
  readonly credit: (id: number, bytes: number) => void;
  readonly close: (id: number) => void;
  /** Goes on where there was no room. */
  readonly resume: () => void;
  readonly touched: (logs: readonly TouchedLog[]) => void;
};

const logKey = (space: SpaceId, log: string): string => `${bytesToHex(space)}/${log}`;

export function createSubscriptions(port: SubscriptionPort): Subscriptions {
  const all = new Map<number, Subscription>();
  const byLog = new Map<string, Set<number>>();

  const drop = (id: number, code?: ErrorCode): void => {
    const sub = all.get(id);
    if (!sub) return;
    all.delete(id);
    const ids = byLog.get(sub.key);
    ids?.delete(id);
    if (ids?.size === 0) byLog.delete(sub.key);
    if (code) port.sendClosed(id, code);
  };

  const pump = (id: number): void => {
    const sub = all.get(id);
    if (!sub) return;
    while (sub.news && sub.credit > 0 && port.hasRoom()) {
      const page = port.read(sub.space, sub.log, sub.cursor, sub.first);
      if (!page.ok) return drop(id, page.code);
      sub.news = page.value.more;
      if (page.value.cursor <= sub.cursor && !sub.first) return;
      sub.cursor = page.value.cursor;
      if (!page.value.more) sub.first = false;
      sub.credit -= port.sendPage(id, page.value);
    }
  };

  return {
    open: (id, space, log, after, credit) => {
      if (all.has(id) || all.size >= MAX_SUBSCRIPTIONS) return port.sendClosed(id, all.has(id) ? 'EXISTS' : 'QUOTA');
      const key = logKey(space, formatLogName(log));
      all.set(id, { space, log, key, cursor: after, credit, first: true, news: true });
      const ids = byLog.get(key) ?? new Set();
      byLog.set(key, ids.add(id));
      pump(id);
    },
    credit: (id, bytes) => {
      const sub = all.get(id);
      if (!sub) return;
      sub.credit += bytes;
      pump(id);
    },
    close: (id) => drop(id),
    resume: () => {
      for (const id of [...all.keys()]) pump(id);
    },
    touched: (logs) => {
      for (const { space, log } of logs) {
        // A control entry may have closed any subscription of the space, so each asks again before it is served another byte.
        if (log === 'ctl') closeForbidden(all, bytesToHex(space), port, drop);
        for (const id of byLog.get(logKey(space, log)) ?? []) {
          const sub = all.get(id);
          if (sub) sub.news = true;
          pump(id);
        }
      }
    },
  };
}

function closeForbidden(
  all: Map<number, Subscription>,
  space: string,
  port: SubscriptionPort,
  drop: (id: number, code: ErrorCode) => void,
): void {
  for (const [id, sub] of all) {
    if (!sub.key.startsWith(space)) continue;
    const verdict = port.mayRead(sub.space, sub.log);
    if (verdict !== 'allowed') drop(id, verdict);
  }
}
