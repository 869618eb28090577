/**
 * Live subscriptions of one connection. Each holds a cursor and a credit, never a buffer: when there is news, credit and room, the
 * next page is read from the log. Must not know sockets; `send` is all it has.
 */

import type { SpaceId } from '@sluice/core/base';
import type { VerifyKey } from '@sluice/core/crypto';
import { type ErrorCode, formatLogName, type LogName, type Page } from '@sluice/core/wire';
import type { Watch } from './news.ts';

/** What subscriptions ask of their connection and their node. */
export type SubscriptionPort = {
  readonly read: (
    key: VerifyKey,
    space: SpaceId,
    log: LogName,
    after: number,
    whole: boolean,
  ) => { ok: true; value: Page } | { ok: false; code: ErrorCode };
  readonly watch: Watch;
  readonly mayRead: (key: VerifyKey, space: SpaceId, log: LogName) => ErrorCode | 'allowed';
  /** Whether the connection takes more at present; when it does again, `resume` has to be called. */
  readonly hasRoom: () => boolean;
  /** Sends a page and returns its size in bytes. */
  readonly sendPage: (id: number, page: Page) => number;
  readonly sendClosed: (id: number, code: ErrorCode) => void;
};

type Subscription = {
  readonly key: VerifyKey;
  readonly space: SpaceId;
  readonly log: LogName;
  /** Ends the watch for news. */
  readonly stop: () => void;
  cursor: number;
  credit: number;
  first: boolean;
  news: boolean;
};

/** Subscriptions one connection may hold. */
const MAX_SUBSCRIPTIONS = 10_000;

/** The subscriptions of one connection. */
export type Subscriptions = {
  /** Opens a subscription that `key` asks for. */
  readonly open: (id: number, key: VerifyKey, space: SpaceId, log: LogName, after: number, credit: number) => void;
  readonly credit: (id: number, bytes: number) => void;
  readonly close: (id: number) => void;
  /** Goes on where there was no room. */
  readonly resume: () => void;
  /** Forgets every subscription; nothing is sent any more. */
  readonly end: () => void;
};

/** Starts without any subscription. Source: spec/live.md LIVE-2, LIVE-3, LIVE-6. */
export function createSubscriptions(port: SubscriptionPort): Subscriptions {
  const all = new Map<number, Subscription>();

  const drop = (id: number, code?: ErrorCode): void => {
    const sub = all.get(id);
    if (!sub) return;
    all.delete(id);
    sub.stop();
    if (code) port.sendClosed(id, code);
  };

  const pump = (id: number): void => {
    const sub = all.get(id);
    if (!sub) return;
    while (sub.news && sub.credit > 0 && port.hasRoom()) {
      const page = port.read(sub.key, sub.space, sub.log, sub.cursor, sub.first);
      if (!page.ok) return drop(id, page.code);
      sub.news = page.value.more;
      if (page.value.cursor <= sub.cursor && !sub.first) return;
      sub.cursor = page.value.cursor;
      if (!page.value.more) sub.first = false;
      sub.credit -= port.sendPage(id, page.value);
    }
  };

  const recheck = (id: number): void => {
    const sub = all.get(id);
    const verdict = sub ? port.mayRead(sub.key, sub.space, sub.log) : 'allowed';
    if (verdict !== 'allowed') drop(id, verdict);
  };
  const news = (id: number): void => {
    const sub = all.get(id);
    if (!sub) return;
    sub.news = true;
    if (sub.log.type === 'ctl') recheck(id);
    pump(id);
  };

  return {
    open: (id, key, space, log, after, credit) => {
      if (all.has(id) || all.size >= MAX_SUBSCRIPTIONS) return port.sendClosed(id, all.has(id) ? 'EXISTS' : 'QUOTA');
      const stops = [port.watch(space, formatLogName(log), () => news(id))];
      // A control entry may close any subscription of the space, so each asks again.
      if (log.type !== 'ctl') stops.push(port.watch(space, 'ctl', () => recheck(id)));
      const stop = (): void => {
        for (const end of stops) end();
      };
      all.set(id, { key, space, log, stop, cursor: after, credit, first: true, news: true });
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
    end: () => {
      for (const id of [...all.keys()]) drop(id);
    },
  };
}
