/** The owner's copy of one lane: checked page by page, kept sealed until it is decided and trimmed. Must not know what is decided. */

import { type Clock, equalBytes, type SpaceId, type StreamId, toWriterId } from '@sluice/core/base';
import { toVerifyKey, type VerifyKey, writerId } from '@sluice/core/crypto';
import { checkPage, type Tampering } from '@sluice/core/stream';
import { encodePush, type Entry, type Header, type Page } from '@sluice/core/wire';
import type { LiveLink } from '../../link/live-link.ts';
import { openSpaceStore } from '../../store/space-store.ts';
import type { StoreDb } from '../../store/store-db.ts';

/** An entry of a lane whose seal is the grantee's. */
export type LaneItem = { readonly n: number; readonly header: Header; readonly entry: Entry };
/** What a replica needs. */
export type LaneReplicaDeps = {
  readonly db: StoreDb;
  readonly clock: Clock;
  readonly link: LiveLink;
  readonly space: SpaceId;
  readonly lane: StreamId;
  readonly granteeKey: Uint8Array;
  readonly onNews: () => void;
  /** The node served what the grantee did not write; nothing more of this lane is used. */
  readonly onAlarm: (what: Tampering) => void;
};
/** The owner's copy of one lane. */
export type LaneReplica = {
  /** Entries after a number, in order and without a gap, at most `limit`. */
  readonly after: (n: number, limit: number) => readonly LaneItem[];
  readonly at: (n: number) => LaneItem | undefined;
  /** The entry with the highest number. */
  readonly last: () => LaneItem | undefined;
  /** Drops entries up to a number, here and, soon, at the node. */
  readonly trim: (upTo: number) => void;
  readonly lane: StreamId;
  readonly start: () => void;
  readonly close: () => void;
};

/** A busy lane is trimmed at the node so often, in ms: a commit there for each write would cost as much as the write. */
const TRIM_MS = 250;

/** Opens the copy of a lane. */
export function openLaneReplica(deps: LaneReplicaDeps): LaneReplica {
  const { db, clock, link, space, lane } = deps;
  // Numbers, pins and cursor of a lane are its own, apart from those of the space.
  const self = toWriterId(new Uint8Array(lane));
  const store = openSpaceStore(db, space, self);
  const streamRow = store.streamRow(lane);
  const granteeKey: VerifyKey = toVerifyKey(deps.granteeKey);
  const writer = writerId(granteeKey);
  const items = new Map<number, LaneItem>();
  let lastN = 0;
  const keep = (item: LaneItem): void => {
    items.set(item.n, item);
    lastN = Math.max(lastN, item.n);
  };
  for (const { header, entry } of store.scan(streamRow)) keep({ n: header.n, header, entry });
  let stop: () => void = () => undefined;
  let trimmed = 0;
  let sentTrim = 0;
  let isJustSent = false;
  /** The node did not take the last one: no more for now. */
  let isUntaken = false;
  let cancelTimer: () => void = () => undefined;

  /** Has the node drop what was trimmed. What is not dropped now is dropped at the next look or connection: a full lane takes nothing more. */
  function sendTrim(): void {
    sentTrim = trimmed;
    isJustSent = true;
    isUntaken = false;
    link.push(space, encodePush([{ type: 'trim', stream: lane, upTo: trimmed }])).catch(() => {
      sentTrim = 0;
      isUntaken = true;
    });
    cancelTimer = clock.timer(TRIM_MS, () => {
      isJustSent = false;
      if (!isUntaken) trimAtNode();
    });
  }
  const trimAtNode = (): void => {
    if (trimmed > sentTrim && !isJustSent) sendTrim();
  };

  const onPage = (page: Page): void => {
    const checked = checkPage(page, store.pins(), (w) => (equalBytes(w, writer) ? granteeKey : undefined), self);
    if (!checked.ok) {
      stop();
      return deps.onAlarm(checked.error);
    }
    const { entries, pins } = checked.value;
    db.transactLazily(() => store.addPage(entries, pins, 'lane', page.cursor));
    for (const { header, entry } of entries) keep({ n: header.n, header, entry });
    if (entries.length > 0) deps.onNews();
  };

  return {
    lane,
    after: (n, limit) => {
      const found: LaneItem[] = [];
      for (let next = n + 1; found.length < limit; next++) {
        const item = items.get(next);
        if (!item) break;
        found.push(item);
      }
      return found;
    },
    at: (n) => items.get(n),
    last: () => items.get(lastN),
    trim: (upTo) => {
      if (upTo > trimmed) {
        trimmed = upTo;
        db.transactLazily(() => db.sql('DELETE FROM entry WHERE stream = ? AND n <= ?').run(streamRow, upTo));
        for (const n of items.keys()) if (n <= upTo) items.delete(n);
      }
      trimAtNode();
    },
    start: () => {
      const endPages = link.subscribe(
        space,
        { type: 'stream', stream: lane },
        { cursor: () => store.cursor('lane'), onPage, onClosed: () => undefined },
      );
      const endState = link.onState((state) => {
        if (state !== 'ready') return;
        isUntaken = false;
        trimAtNode();
      });
      stop = () => {
        endPages();
        endState();
      };
    },
    close: () => {
      stop();
      cancelTimer();
    },
  };
}
