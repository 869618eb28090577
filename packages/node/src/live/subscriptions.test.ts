import { toSpaceId } from '@sluice/core/base';
import { toVerifyKey } from '@sluice/core/crypto';
import type { ErrorCode, Page } from '@sluice/core/wire';
import { describe, expect, it } from 'vitest';
import { createSubscriptions } from './subscriptions.ts';

const SPACE = toSpaceId(new Uint8Array(32).fill(1));
const KEY = toVerifyKey(new Uint8Array(32).fill(2));
const PAGE_COST = 100;

/** Subscriptions over a log of numbers, five on a page, each page of one size. */
function overLog(head: number) {
  const sent: { readonly id: number; readonly cursor: number; readonly whole: boolean }[] = [];
  const closed: { readonly id: number; readonly code: ErrorCode }[] = [];
  const log = { head };
  const socket = { room: Number.POSITIVE_INFINITY };
  const wakes = new Set<() => void>();
  const page = (after: number, whole: boolean): Page => {
    const cursor = Math.max(after, Math.min(log.head, after + 5));
    const more = cursor < log.head;
    const lists = { entries: [], seals: [], dead: [], holes: [], vector: [] };
    return { cursor, head: log.head, more, nowMs: 0, whole: whole && !more, ...lists };
  };
  const subscriptions = createSubscriptions({
    read: (_key, _space, _log, after, whole) => ({ ok: true, value: page(after, whole) }),
    mayRead: () => 'allowed',
    watch: (_space, log, wake) => {
      if (log === 'own') wakes.add(wake);
      return () => wakes.delete(wake);
    },
    hasRoom: () => socket.room > 0,
    sendPage: (id, { cursor, whole }) => {
      socket.room--;
      sent.push({ id, cursor, whole });
      return PAGE_COST;
    },
    sendClosed: (id, code) => closed.push({ id, code }),
  });
  const grow = (to: number): void => {
    log.head = to;
    for (const wake of [...wakes]) wake();
  };
  return { subscriptions, sent, closed, grow, socket, wakes };
}

describe('subscriptions', () => {
  it('[LIVE-6] a page costs its size, and is sent while any credit is left', () => {
    const { subscriptions, sent } = overLog(20);
    subscriptions.open(1, KEY, SPACE, { type: 'own' }, 0, PAGE_COST + 1);
    expect(sent.map(({ cursor }) => cursor)).toEqual([5, 10]);
    subscriptions.credit(1, PAGE_COST - 1);
    expect(sent).toHaveLength(2);
    subscriptions.credit(1, 1);
    expect(sent.map(({ cursor }) => cursor)).toEqual([5, 10, 15]);
  });

  it('[LIVE-2] no page is read while the connection has no room, and the next goes on where it stopped', () => {
    const { subscriptions, sent, grow, socket } = overLog(20);
    socket.room = 2;
    subscriptions.open(1, KEY, SPACE, { type: 'own' }, 0, 1000 * PAGE_COST);
    grow(25);
    expect(sent.map(({ cursor }) => cursor)).toEqual([5, 10]);
    socket.room = 10;
    subscriptions.resume();
    expect(sent.map(({ cursor }) => cursor)).toEqual([5, 10, 15, 20, 25]);
  });

  it('[LIVE-7] the first answer comes even with nothing new, and the one that reaches the head is whole', () => {
    const { subscriptions, sent, grow } = overLog(7);
    subscriptions.open(1, KEY, SPACE, { type: 'own' }, 7, 1000);
    subscriptions.open(2, KEY, SPACE, { type: 'own' }, 0, 1000);
    expect(sent).toEqual([
      { id: 1, cursor: 7, whole: true },
      { id: 2, cursor: 5, whole: false },
      { id: 2, cursor: 7, whole: true },
    ]);
    grow(7);
    expect(sent).toHaveLength(3);
    grow(8);
    expect(sent.slice(3)).toEqual([
      { id: 1, cursor: 8, whole: false },
      { id: 2, cursor: 8, whole: false },
    ]);
  });

  it('an id in use is refused and the subscription under it goes on', () => {
    const { subscriptions, sent, closed, grow } = overLog(1);
    subscriptions.open(1, KEY, SPACE, { type: 'own' }, 0, 1000);
    subscriptions.open(1, KEY, SPACE, { type: 'own' }, 0, 1000);
    expect(closed).toEqual([{ id: 1, code: 'EXISTS' }]);
    grow(2);
    expect(sent.map(({ cursor }) => cursor)).toEqual([1, 2]);
    subscriptions.close(1);
    grow(3);
    expect(sent).toHaveLength(2);
  });

  it('an ended or closed subscription watches nothing', () => {
    const { subscriptions, wakes } = overLog(5);
    for (const id of [1, 2, 3]) subscriptions.open(id, KEY, SPACE, { type: 'own' }, 0, 1000);
    subscriptions.close(2);
    expect(wakes.size).toBe(2);
    subscriptions.end();
    expect(wakes.size).toBe(0);
  });
});
