/** When a grantee's copy has to be gone: at the grant's end, or as long after it as the terms let it be retained (spec/grant.md GRANT-42). */

import type { Clock } from '@sluice/core/base';
import type { ReaderState } from './reader-state.ts';

/** What the end of a copy is told by. */
export type CopyEndDeps = {
  readonly clock: Pick<Clock, 'nowMs'>;
  /** The node's time, as far as it is known. */
  readonly link: { readonly nodeMs: () => number };
  /** When the grant ends by its terms, in ms. */
  readonly endsAtMs: () => number | undefined;
  /** How long after its end the copy may be kept, in ms. */
  readonly keepMs: number;
};

const NEVER = Number.POSITIVE_INFINITY;

/**
 * Tells the end of a copy by whichever is later, this clock or the node's or the owner's last word: a clock that is set back brings nothing
 * back.
 */
export function createCopyEnd(deps: CopyEndDeps, state: () => Pick<ReaderState, 'asOfMs' | 'wipeAtMs'>) {
  const laterMs = (): number => Math.max(deps.clock.nowMs(), deps.link.nodeMs(), state().asOfMs);
  const endMs = (): number => deps.endsAtMs() ?? NEVER;
  const isOver = (): boolean => endMs() <= laterMs();
  return {
    /** Whether the grant has ended by its terms. */
    isOver,
    /** Whether the copy has to be gone by now, wiped or not. */
    isGone: (): boolean => (state().wipeAtMs ?? endMs() + deps.keepMs) <= laterMs(),
    /** When the copy of a grant that has just ended goes. Of an end by the terms the instant is known, also to who was away when it came. */
    wipeAtMs: (status: 'revoked' | 'expired' | 'dropped'): number =>
      Math.min(laterMs(), status === 'expired' ? endMs() : NEVER) + (status === 'dropped' ? 0 : deps.keepMs),
    /** How long until the next of the two, by the clock that is ahead. */
    delayMs: (): number => Math.min(state().wipeAtMs ?? NEVER, isOver() ? NEVER : endMs()) - laterMs(),
  };
}
