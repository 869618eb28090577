/**
 * The owner's end of a lane: decides on the grantee's writes in order, and makes those that the feed says are accepted. The verdict comes
 * first and counts, so that two agents never decide differently; the write itself is a join, so that it takes effect once whoever makes it.
 */

import { bytesToHex, type Clock, equalBytes, hexToBytes } from '@sluice/core/base';
import type { AeadKey, GrantSecret, StreamTagKey } from '@sluice/core/crypto';
import {
  bornRecordId,
  feedTag,
  isAcknowledgement,
  isLaneRecordId,
  laneEntryHash,
  type LaneVerdicts,
  type LaneWrite,
  laneKey,
  MAX_KEPT_REJECTIONS,
  MAX_WAITING_WRITES,
  openLaneWrite,
  type Rejection,
} from '@sluice/core/grant';
import type { RecordState, Stamp } from '@sluice/core/record';
import { SluiceError } from '../../errors.ts';
import type { Collection } from '../../store/collection.ts';
import type { StoreDb } from '../../store/store-db.ts';
import type { LaneDesk } from '../feed/feed-work.ts';
import { type Accepted, judge, type JudgeRule } from './judge.ts';
import type { LaneItem, LaneReplica } from './lane-replica.ts';
import { carries, changeBy, heldBefore, laneWriter, operationOn } from './made-write.ts';
import type { WriteLog, WriteRecord } from './write-log.ts';

/** What a desk works with. */
export type LaneDeskDeps = {
  readonly db: StoreDb;
  readonly clock: Clock;
  readonly rule: JudgeRule;
  /** The number of the terms. */
  readonly term: number;
  readonly secret: GrantSecret;
  readonly tagKey: StreamTagKey;
  readonly keyOf: (epoch: number) => AeadKey | undefined;
  readonly collection: Collection;
  readonly replica: LaneReplica;
  readonly writes: WriteLog;
  readonly nudge: () => void;
  /** Whether the node has everything that this device keeps. */
  readonly isStored: () => boolean;
  /** Writes were made, or wait for the owner. */
  readonly onWrites: (records: readonly WriteRecord[]) => void;
  /** One field goes to and fro between this grantee and somebody else. */
  readonly onOscillation: (field: string) => void;
};

/** A write to be decided on or made: out of the lane, or out of what the owner's devices keep. Undefined content cannot be read. */
type Held = {
  readonly n: number;
  readonly write: LaneWrite | undefined;
  readonly stamp: Stamp;
  readonly hash: () => Uint8Array;
};

/** Writes decided on in one step. */
const STEP_WRITES = 500;
/**
 * A busy lane is decided on so often, in ms. A verdict and what it makes are a push each, and all feeds of a space go through one: whoever
 * writes without a pause would keep the others waiting. The first write after a pause is decided on at once.
 */
const PACE_MS = 25;
/** A field that changes hands more often than this within the window goes to and fro. */
const MAX_ALTERNATIONS = 6;
const WINDOW_MS = 10 * 60_000;

/** Opens the desk of one grant. */
export function createLaneDesk(deps: LaneDeskDeps): LaneDesk {
  const { collection, replica, writes, rule, clock } = deps;
  const writerHex = laneWriter(replica.lane);
  const alternations = new Map<string, number[]>();
  /** Waiting writes that the node holds among the owner's own entries. */
  const kept = new Set<number>();
  let ids: Map<string, string> | undefined;
  /** The last write that was decided on here, and whether that was just now. */
  let decided = { upTo: 0, justNow: false };
  let cancelTimer: () => void = () => undefined;
  const stopIds = collection.onChange((change) => {
    if (change.type === 'put') ids?.set(granteeId(change.id), change.id);
  });

  const granteeId = (recordId: string): string =>
    feedTag({ grantId: rule.grantId, secret: deps.secret, tagKey: deps.tagKey }, recordId).id;
  /** The owner's id of a record that the grantee names. */
  function recordIdOf(id: string): string | undefined {
    if (isLaneRecordId(id)) return bornRecordId(rule.grantId, id);
    ids ??= new Map(collection.ids().map((recordId) => [granteeId(recordId), recordId]));
    return ids.get(id);
  }

  const open = ({ header, entry }: LaneItem): LaneWrite | undefined => {
    const key = deps.keyOf(header.epoch);
    const opened = key && openLaneWrite(laneKey(key), replica.lane, entry);
    return opened?.ok ? opened.value : undefined;
  };
  const heldOf = (item: LaneItem): Held => ({
    n: item.n,
    write: open(item),
    stamp: { ...item.header.hlc, writer: writerHex },
    hash: () => laneEntryHash(item.entry),
  });
  function heldAt(n: number): Held | undefined {
    const item = replica.at(n);
    if (item) return heldOf(item);
    const kept = writes.get(rule.grantId, n);
    if (!kept?.lane) return undefined;
    const { operation, set, remove, at, lane } = kept;
    const { hash, ...named } = lane;
    return {
      n,
      write: { ...named, operation, set, remove, seen: 0 },
      stamp: { ...at, writer: writerHex },
      hash: () => hexToBytes(hash),
    };
  }

  /** Judges writes one after the other, each on top of those before it that are accepted. */
  function createSession(stated: LaneVerdicts) {
    const drafts = new Map<string, RecordState | undefined>();
    const stateOf = (recordId: string): RecordState | undefined =>
      drafts.has(recordId) ? drafts.get(recordId) : collection.stateById(recordId);
    const judgeHeld = ({ write, stamp }: Held, groundOf = stateOf): Accepted | Rejection => {
      if (!write) return 'MALFORMED';
      const recordId = recordIdOf(write.id);
      const before = recordId === undefined ? undefined : groundOf(recordId);
      return judge(rule, write, stamp, recordId, before, clock.nowMs());
    };
    const take = (accepted: Accepted): void => void drafts.set(accepted.change.id, accepted.state);
    // What is accepted but not made yet is the ground of what comes after it.
    for (const n of stated.unapplied) {
      const held = heldAt(n);
      const verdict = held && judgeHeld(held);
      if (verdict && typeof verdict !== 'string') take(verdict);
    }
    return { stateOf, judgeHeld, take };
  }

  /** The writes that wait, in their order: what the grantee wrote on top of them may wait with them. */
  function createWaiting({ stateOf, judgeHeld }: ReturnType<typeof createSession>) {
    const numbers: number[] = [];
    /** The records as they would be if all of these were made; looked at only when a write needs one. */
    let hoped: Map<string, RecordState> | undefined;
    const groundOf = (recordId: string): RecordState | undefined => hoped?.get(recordId) ?? stateOf(recordId);
    const hope = (held: Held | undefined): void => {
      const verdict = held && judgeHeld(held, groundOf);
      if (verdict && typeof verdict !== 'string') hoped?.set(verdict.change.id, verdict.state);
    };
    return {
      numbers,
      add: (n: number): void => {
        numbers.push(n);
        if (hoped) hope(heldAt(n));
      },
      /** Whether a write keeps the terms if what waits before it is made. */
      carries: (held: Held): boolean => {
        if (!hoped) {
          hoped = new Map();
          for (const n of numbers) hope(heldAt(n));
        }
        return typeof judgeHeld(held, groundOf) !== 'string';
      },
    };
  }

  function next(stated: LaneVerdicts): LaneVerdicts | undefined {
    // What was kept since may have reached the node by now.
    trim(stated);
    const fresh: LaneItem[] = [];
    // A grantee says in any later entry what it has seen, one that is not decided yet included.
    const last = replica.last();
    const seen = Math.min(stated.upTo, (last && open(last)?.seen) ?? 0);
    const session = createSession(stated);
    const { numbers: waiting, ...wait } = createWaiting(session);
    const rejected = stated.rejected.filter(({ n }) => n > seen);
    const unapplied = stated.unapplied.filter((n) => !isMade(n));
    const reject = (n: number, code: Rejection): void => void rejected.push({ n, code });
    // What is refused has to be told: what is new beside more than that is decided when some of it was seen.
    const isFull = (): boolean => rejected.length >= MAX_KEPT_REJECTIONS;
    /** Records of which a write that waited was refused just now: what stands on it goes with it. */
    const fallen = new Set<string>();
    for (const n of stated.waiting) {
      // Also beside refusals that fill the list: a grantee cannot say that it has seen those while this waits.
      const known = writes.get(rule.grantId, n);
      if (known?.status === 'declined') {
        reject(n, 'DECLINED');
        fallen.add(known.recordId);
        continue;
      }
      const isYes = known?.status === 'accepted';
      const isUndone = known?.status === 'undone';
      // Another device of the owner may have it, on its way here.
      const held = known && (isYes || isUndone || fallen.has(known.recordId)) ? heldAt(n) : undefined;
      if (!known || !held || !isNamed(stated, held)) {
        wait.add(n);
        continue;
      }
      // What was taken back before it was told is accepted, and made already.
      if (isUndone) continue;
      const verdict = session.judgeHeld(held);
      if (typeof verdict === 'string' ? wait.carries(held) : !isYes) wait.add(n);
      else if (typeof verdict === 'string') {
        reject(n, verdict);
        fallen.add(known.recordId);
      } else {
        session.take(verdict);
        unapplied.push(n);
      }
    }
    for (const item of decided.justNow ? [] : replica.after(stated.upTo, STEP_WRITES)) {
      if (isFull()) break;
      fresh.push(item);
      const held = heldOf(item);
      if (held.write && isAcknowledgement(held.write)) continue;
      const verdict = session.judgeHeld(held);
      if (typeof verdict === 'string' ? wait.carries(held) : rule.write.policy === 'propose') {
        if (waiting.length >= MAX_WAITING_WRITES) reject(item.n, 'TOO_MANY_WAITING');
        else wait.add(item.n);
      } else if (typeof verdict === 'string') reject(item.n, verdict);
      else {
        session.take(verdict);
        unapplied.push(item.n);
      }
    }
    const entries = [...waiting, ...unapplied].flatMap((n) => {
      const known = stated.entries.find((e) => e.n === n);
      const held = known ? undefined : heldAt(n);
      return known ? [known] : held ? [{ n, hash: held.hash() }] : [];
    });
    const verdicts: LaneVerdicts = { upTo: fresh.at(-1)?.n ?? stated.upTo, waiting, rejected, unapplied, entries };
    const isSame =
      verdicts.upTo === stated.upTo &&
      waiting.length === stated.waiting.length &&
      unapplied.join() === stated.unapplied.join() &&
      rejected.length === stated.rejected.length;
    return isSame ? undefined : verdicts;
  }

  const isMade = (n: number): boolean => {
    const status = writes.get(rule.grantId, n)?.status;
    return status === 'applied' || status === 'undone';
  };

  function act(stated: LaneVerdicts): void {
    notePace(stated);
    const session = createSession({ ...stated, unapplied: [] });
    const made: WriteRecord[] = [];
    const joins: Parameters<Collection['join']>[0][number][] = [];
    for (const n of stated.unapplied) {
      const held = isMade(n) ? undefined : heldAt(n);
      // Another entry under this number is not the one that was accepted.
      if (!held?.write || !isNamed(stated, held)) continue;
      const { write, stamp } = held;
      const accepted = session.judgeHeld(held);
      // Accepted is accepted, whatever has become of the record since: the stamps decide.
      const change = typeof accepted === 'string' ? changeOf(write) : accepted.change;
      const before = collection.stateById(change.id);
      // Another device made it, and its word of what was there before is still to come.
      if (before && carries(before, stamp)) continue;
      if (typeof accepted !== 'string') session.take(accepted);
      noteHands(change.id, Object.keys(change.set), before);
      joins.push({ change, stamp });
      made.push({
        ...recordOf(held, write, change.id, before),
        status: 'applied',
        ...heldBefore(before, write, writerHex, rule.merges),
        term: deps.term,
      });
    }
    const waiting = stated.waiting.flatMap((n) => {
      const held = writes.get(rule.grantId, n) ? undefined : heldAt(n);
      if (!held?.write || !isNamed(stated, held)) return [];
      const { write } = held;
      const lane = { id: write.id, ...(write.base ? { base: write.base } : {}), hash: bytesToHex(held.hash()) };
      return [{ ...recordOf(held, write, changeOf(write).id), lane, status: 'waiting' } satisfies WriteRecord];
    });
    const unlisted = stated.rejected.flatMap(({ n, code }) => {
      const held = writes.get(rule.grantId, n) ? undefined : heldAt(n);
      return held?.write
        ? [{ ...recordOf(held, held.write, changeOf(held.write).id), status: 'rejected', code } satisfies WriteRecord]
        : [];
    });
    const refused = stated.rejected.flatMap(({ n, code }) => {
      const known = writes.get(rule.grantId, n);
      return known && (known.status === 'waiting' || known.status === 'accepted' || known.status === 'declined')
        ? [{ ...known, status: 'rejected', code } satisfies WriteRecord]
        : [];
    });
    const records = [...made, ...waiting, ...unlisted, ...refused];
    if (records.length > 0) {
      deps.db.transact(() => {
        // The writes first: whoever sees that one is applied holds what it made.
        makeAll(joins);
        writes.put(records);
        // In the same commit: what took effect is noted, and the disk is waited for once.
        deps.onWrites(records);
      });
      deps.nudge();
    }
    trim(stated);
  }

  /** What comes meanwhile is decided on together. */
  function notePace({ upTo }: LaneVerdicts): void {
    if (upTo <= decided.upTo) return;
    decided = { upTo, justNow: true };
    cancelTimer();
    cancelTimer = clock.timer(PACE_MS, () => {
      decided = { ...decided, justNow: false };
      if (replica.at(upTo + 1)) deps.nudge();
    });
  }

  const changeOf = (write: LaneWrite) =>
    changeBy(write, recordIdOf(write.id) ?? bornRecordId(rule.grantId, write.id), rule.schema);

  /** Whether this is the very entry that was decided on under its number. */
  const isNamed = (stated: LaneVerdicts, { n, hash }: Held): boolean => {
    const named = stated.entries.find((e) => e.n === n);
    return named !== undefined && equalBytes(named.hash, hash());
  };

  /** Makes what was accepted. What the record cannot take any more, since it was judged before others wrote, has no effect. */
  function makeAll(joins: Parameters<Collection['join']>[0]): void {
    if (joins.length === 0) return;
    try {
      collection.join(joins);
    } catch (cause) {
      if (!(cause instanceof SluiceError) || cause.code !== 'INVALID_RECORD') throw cause;
      if (joins.length > 1) for (const join of joins) makeAll([join]);
    }
  }

  /** `before`: the record when the write is made. */
  const recordOf = ({ n, stamp }: Held, write: LaneWrite, recordId: string, before?: RecordState) => ({
    grantId: rule.grantId,
    n,
    recordId,
    operation: operationOn(write.operation, before),
    set: write.set,
    remove: [...write.remove],
    at: { ms: stamp.ms, counter: stamp.counter },
  });

  /**
   * What can be decided no more, and is in the feed, need not lie in the lane, nor what waits once every device of the owner can read it
   * elsewhere: a proposal that nobody looks at must not keep all that comes after it.
   */
  function trim({ upTo, waiting, unapplied }: LaneVerdicts): void {
    const isStored = deps.isStored();
    const isKept = (n: number): boolean => {
      if (kept.has(n) || !isStored || !writes.get(rule.grantId, n)?.lane) return kept.has(n);
      kept.add(n);
      return true;
    };
    const open = [...waiting.filter((n) => !isKept(n)), ...unapplied];
    const last = open.length > 0 ? open.reduce((a, b) => Math.min(a, b)) - 1 : upTo;
    replica.trim(last);
  }

  function noteHands(recordId: string, names: readonly string[], before: RecordState | undefined): void {
    const nowMs = clock.nowMs();
    for (const name of names) {
      const stamp = before?.stamps[before.stampOf[name] ?? 0];
      if (!stamp || stamp.writer === writerHex) continue;
      const key = `${recordId}/${name}`;
      const times = [...(alternations.get(key) ?? []).filter((at) => at > nowMs - WINDOW_MS), nowMs];
      alternations.set(key, times);
      if (times.length > MAX_ALTERNATIONS) {
        alternations.delete(key);
        deps.onOscillation(name);
      }
    }
  }

  replica.start();
  return {
    next,
    act,
    close: () => {
      stopIds();
      cancelTimer();
      replica.close();
    },
  };
}
