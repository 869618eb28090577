/**
 * How long a grantee's copy is shown and kept. What may be over is not shown, which protects the owner; it is removed only when the owner's
 * or the node's word makes that certain, so that a wrong clock here loses nothing. Must not know entries.
 */

import { bytesToHex, type Clock, type Tag } from '@sluice/core/base';
import { isStoreFull } from '../../errors.ts';
import type { LiveLink } from '../../link/live-link.ts';
import type { FeedChange } from './feed-change.ts';
import type { FeedRows } from './feed-rows.ts';
import type { ReaderState } from './reader-state.ts';

/** What a copy's life is judged by, and who is told. */
export type CopyLifeDeps = {
  readonly clock: Clock;
  readonly link: Pick<LiveLink, 'nodeSpan' | 'onState'>;
  readonly rows: FeedRows;
  readonly state: () => ReaderState;
  /** When the grant ends by its terms, in ms. */
  readonly endsAtMs: () => number | undefined;
  /** How long after its end the copy may be kept, in ms. */
  readonly keepMs: number;
  /** Whether the grant has ended, by its terms or otherwise. */
  readonly isEnded: () => boolean;
  readonly emit: (change: FeedChange) => void;
  /** The grant has ended by its terms, for certain. */
  readonly onOver: () => void;
  /** Time has passed: what is told of the grant may have changed. */
  readonly onLook: () => void;
  /** The copy of an ended grant has to go now. */
  readonly onDue: () => void;
};

/** The life of one copy. */
export type CopyLife = {
  /** The latest that it may be, in ms: what is over by it is not shown. */
  readonly shownMs: () => number;
  /** The earliest that it may be, in ms: what is over by it is over for certain. */
  readonly certainMs: () => number;
  /** Whether the grant may have ended by its terms. */
  readonly isOver: () => boolean;
  /** Whether the copy may have to be gone, and nothing of it is shown. */
  readonly isGone: () => boolean;
  /** When the copy of a grant that has just ended has to go. Of an end by the terms the instant is known, also to who was away when it came. */
  readonly wipeAtMs: (status: 'revoked' | 'expired' | 'dropped') => number;
  /** Notes a record that is not shown any more, or came and is not shown. */
  readonly hide: (tag: Tag, id: string) => void;
  /** Whether a record is not shown and not removed. */
  readonly hides: (id: string) => boolean;
  /** Removes what is over, and waits for the next that will be. */
  readonly arm: () => void;
  readonly start: () => void;
  readonly close: () => void;
};

/** How long removing waits when the local disk is full, in ms. */
const FULL_PAUSE_MS = 1_000;
const NEVER = Number.POSITIVE_INFINITY;

/** Creates the life of a copy. Nothing is removed before `start`. */
export function createCopyLife(deps: CopyLifeDeps): CopyLife {
  const { clock, link, rows, state } = deps;
  /** Records that are not shown any more and not removed yet, by tag. */
  const hidden = new Map<string, { readonly tag: Tag; readonly id: string }>();
  let cancelTimer: () => void = () => undefined;
  let stop: () => void = () => undefined;

  // Time only goes on: a clock that is set back brings nothing back that was gone by the owner's last word.
  const shownMs = (): number => Math.max(state().asOfMs, link.nodeSpan()?.toMs ?? clock.nowMs());
  const certainMs = (): number => Math.max(state().asOfMs, link.nodeSpan()?.fromMs ?? 0);
  const endMs = (): number => deps.endsAtMs() ?? NEVER;
  /** The end that is still to come, or to become certain. */
  const nextEndMs = (): number => (deps.isEnded() ? NEVER : endMs());

  const tellGone = (id: string): void => deps.emit({ type: 'delete', id, reason: 'expired', origin: 'owner' });

  function removeDue(nowMs: number): void {
    const certain = certainMs();
    const due = rows.due(nowMs);
    const names = new Set(due.map(({ tag }) => bytesToHex(tag)));
    for (const [name, { tag, id }] of [...hidden]) {
      if (names.has(name)) continue;
      // The clock was wrong and has been mended.
      hidden.delete(name);
      const record = rows.sumOf(tag) && rows.get(id);
      if (record) deps.emit({ type: 'put', id, record, origin: 'owner' });
    }
    for (const { tag, expiresMs } of due) {
      const name = bytesToHex(tag);
      const known = hidden.get(name);
      const id = known ? known.id : rows.idOf(tag);
      if (expiresMs <= certain) {
        rows.wipe(tag);
        hidden.delete(name);
      } else if (id !== undefined) hidden.set(name, { tag, id });
      if (!known && id !== undefined) tellGone(id);
    }
  }

  function arm(): void {
    cancelTimer();
    const nowMs = shownMs();
    if (nextEndMs() <= certainMs()) return deps.onOver();
    deps.onLook();
    try {
      removeDue(nowMs);
      if ((state().wipeAtMs ?? NEVER) <= certainMs()) deps.onDue();
    } catch (cause) {
      if (!isStoreFull(cause)) throw cause;
      cancelTimer = clock.timer(FULL_PAUSE_MS, arm);
      return;
    }
    const waitMs = Math.min(waitFrom(nowMs), link.nodeSpan() ? waitFrom(certainMs()) : NEVER);
    if (waitMs !== NEVER) cancelTimer = clock.timer(waitMs, arm);
  }

  /** How long until something is over, by a time. */
  function waitFrom(nowMs: number): number {
    const instants = [nextEndMs(), state().wipeAtMs, rows.nextExpiry(nowMs)];
    return Math.min(...instants.map((at) => (at !== undefined && at > nowMs ? at - nowMs : NEVER)));
  }

  return {
    shownMs,
    certainMs,
    isOver: () => nextEndMs() <= shownMs(),
    isGone: () => (state().wipeAtMs ?? endMs() + deps.keepMs) <= shownMs(),
    wipeAtMs: (status) => {
      // At once, whatever time it is.
      if (status === 'dropped' || deps.keepMs === 0) return 0;
      return Math.min(certainMs(), status === 'expired' ? endMs() : NEVER) + deps.keepMs;
    },
    hides: (id) => [...hidden.values()].some((one) => one.id === id),
    hide: (tag, id) => void hidden.set(bytesToHex(tag), { tag, id }),
    arm,
    start: () => {
      // A new connection tells what time it is.
      stop = link.onState((next) => {
        if (next === 'ready') arm();
      });
      arm();
    },
    close: () => {
      cancelTimer();
      stop();
    },
  };
}
