/**
 * The grantee's end of a lane: writes are kept, sealed, in the local store, numbered and sent in order, and stay pending until the owner's
 * verdict. Must not know how records are shown.
 */

import {
  bytesToBase64url,
  bytesToHex,
  bytesToUtf8,
  type Clock,
  equalBytes,
  type Random,
  type SpaceId,
  type StreamId,
  toWriterId,
  utf8ToBytes,
} from '@sluice/core/base';
import { type AeadKey, type SigningKey, writerId } from '@sluice/core/crypto';
import {
  acknowledgementOf,
  isAcknowledgement,
  type LaneVerdicts,
  type LaneWrite,
  MAX_KEPT_REJECTIONS,
  openLaneWrite,
  type Rejection,
  sealLaneWrite,
  verdictsByNumber,
} from '@sluice/core/grant';
import { createHlc, type Hlc } from '@sluice/core/record';
import { sealHash } from '@sluice/core/stream';
import { decodeHeader, type Entry, encodePush, type ErrorCode, type Header } from '@sluice/core/wire';
import { isStoreFull, SluiceError, unlessFull } from '../../errors.ts';
import { addListener } from '../../listeners.ts';
import { type LiveLink, LinkOffline, LinkRefusal } from '../../link/live-link.ts';
import { createWaiters } from '../../waiters.ts';
import { readLog } from '../../link/read-log.ts';
import { restageWith } from '../../store/restage.ts';
import { openSpaceStore } from '../../store/space-store.ts';
import { getMeta, setMeta, type StoreDb } from '../../store/store-db.ts';
import { followMoves, loadNotes, saveNotes } from './kept-notes.ts';

/** A write that has no effect at the owner yet. `queued`: not at the node. `waiting`: the owner is to look at it. */
export type PendingWrite = LaneWrite & {
  readonly n: number;
  readonly state: 'queued' | 'sent' | 'waiting' | 'accepted';
  /** Its stamp, in ms. */
  readonly atMs: number;
};
/** What became of one write. */
export type WriteVerdict = {
  readonly n: number;
  readonly id: string;
  readonly accepted: boolean;
  /** Why it was not accepted. */
  readonly code?: Rejection;
};

/** What a lane is written with. */
export type LaneWriterDeps = {
  readonly db: StoreDb;
  readonly clock: Clock;
  readonly random: Random;
  /** The connection, speaking as the pairwise key. */
  readonly link: LiveLink;
  readonly space: SpaceId;
  readonly lane: StreamId;
  readonly pairwise: SigningKey;
  /** The lane's key of an epoch, and the epoch in force. */
  readonly keyOf: (epoch: number) => AeadKey | undefined;
  readonly epoch: () => number;
  /** How many writes a day the terms allow. */
  readonly perDay: () => number;
  /** The last verdicts that were seen. */
  readonly verdicts: () => LaneVerdicts;
  /** The node has more of it: what was decided already may be told now. */
  readonly onSent: () => void;
};

/** The grantee's end of a lane. */
export type LaneWriter = {
  /**
   * Keeps a write and sends it soon. Durable when it returns. Returns its number. Throws SluiceError STORE_FULL, OVER_QUOTA when the day's
   * writes (UTC, by the node's time) are used up as far as is known here, and OFFLINE before the lane was reached once.
   */
  readonly write: (write: Omit<LaneWrite, 'seen'>) => number;
  /** Writes without an effect yet, oldest first. */
  readonly pending: () => readonly PendingWrite[];
  /** Forgets what is decided. Returns what was not told before. Call inside a transaction. */
  readonly decide: (verdicts: LaneVerdicts) => readonly WriteVerdict[];
  /** The number that a write has now: another device of this account may have taken the first one. */
  readonly numberOf: (n: number) => number;
  /** Why a write was refused, if it was: also long after the owner has said it. */
  readonly refusalOf: (n: number) => Rejection | undefined;
  /** Takes note of an instant of the owner's: what is written from now on is later. */
  readonly observe: (instant: Hlc) => void;
  /** Reads the local store again, after a rollback. */
  readonly reload: () => void;
  /** Forgets every write, sent or not: the grant has ended. Call inside a transaction. */
  readonly wipe: () => void;
  readonly onProblem: (listener: (code: ErrorCode) => void) => () => void;
  /** Why nothing is sent at present. */
  readonly problem: () => ErrorCode | undefined;
  /** A fresh id for a new record. */
  readonly newId: () => string;
  /** Whether the lane was reached once. */
  readonly isReached: () => boolean;
  /** Resolves when the lane was reached once and can be written to, with or without a connection. Rejects with OFFLINE. */
  readonly reached: (timeoutMs: number) => Promise<void>;
  readonly start: () => void;
  readonly close: () => void;
};

const RETRY_MS = 1_000;
const DAY_MS = 86_400_000;
/** How long to wait after a refusal that only the owner or another day can end. */
const LONG_RETRY_MS = 15_000;

/** Opens a lane over the local store. */
export function openLaneWriter(deps: LaneWriterDeps): LaneWriter {
  const { db, clock, link, lane, pairwise } = deps;
  // A lane has numbers and an outbox of its own, so that one that is refused keeps no other back.
  const store = openSpaceStore(db, deps.space, toWriterId(new Uint8Array(lane)));
  const streamRow = store.streamRow(lane);
  const self = writerId(pairwise.publicKey);
  // By the node's time as far as it is known: a write stamped by a slow clock would lose to what it was made on.
  const hlc = createHlc({ nowMs: () => link.nodeMs() });
  const problems = new Set<(code: ErrorCode) => void>();
  const waiters = createWaiters(clock);
  let problem: ErrorCode | undefined;
  let sending = false;
  let again = false;
  let looked = false;
  let closed = false;
  /** Numbers of ours are taken. */
  let renumber = false;
  /** Which number a write has now that was given another before. */
  let renumbered = loadNotes(db, 'moved', lane);
  /** Why a write was refused: the owner says it until it hears that it was seen. */
  let refused = loadNotes(db, 'refused', lane);
  /** Writes whose verdict was told. */
  const told = new Set<number>();
  let sentBefore = 0;
  let cancelRetry: () => void = () => undefined;
  let stop: () => void = () => undefined;

  type Kept = { readonly header: Header; readonly write: LaneWrite };
  const open = (entry: Entry): Kept | undefined => {
    const header = decodeHeader(entry.header);
    const key = header.ok ? deps.keyOf(header.value.epoch) : undefined;
    const write = key && openLaneWrite(key, lane, entry);
    return header.ok && write?.ok ? { header: header.value, write: write.value } : undefined;
  };
  /** By number: opened once, since every read of the grant's records asks for them. */
  let opened: Map<number, Kept> | undefined;
  /** What `pending` gave last, as long as nothing has changed: it is asked for each record that is read. */
  let listed:
    | { readonly verdicts: LaneVerdicts; readonly sent: number; readonly writes: readonly PendingWrite[] }
    | undefined;
  const kept = (): Map<number, Kept> => {
    if (opened) return opened;
    opened = new Map();
    for (const { entry, header } of store.scan(streamRow)) {
      const one = open(entry);
      if (one) opened.set(header.n, one);
      hlc.observe(header.hlc);
    }
    return opened;
  };
  kept();
  const reload = (): void => {
    opened = undefined;
    listed = undefined;
    refused = loadNotes(db, 'refused', lane);
    renumbered = loadNotes(db, 'moved', lane);
    // A verdict that could not be stored was not told either.
    told.clear();
  };

  const sentUpTo = (): number =>
    Number(db.sql('SELECT n FROM pin WHERE stream = ? AND writer = ?').get(streamRow, store.self)?.n ?? 0);

  const seal = (n: number, write: LaneWrite): { readonly entry: Entry; readonly header: Header } => {
    const epoch = deps.epoch();
    const key = deps.keyOf(epoch);
    if (!key) throw new TypeError('the grant has no key of its epoch');
    return sealLaneWrite(key, lane, { writer: self, n, hlc: hlc.tick(), epoch }, write, deps.random);
  };

  const adoptedName = `lane/${bytesToHex(lane)}`;
  const isAdopted = (): boolean => getMeta(db, adoptedName) !== undefined;
  /** Another store may have written before this one: its numbers go on, or this store's first would look like a fork. */
  async function adopt(): Promise<void> {
    let end: { readonly n: number; readonly hash: Uint8Array } | undefined;
    await readLog(link, deps.space, { type: 'stream', stream: lane }, 0, (page) => {
      for (const item of page.vector) if (equalBytes(item.writer, self)) end = item;
    });
    if (closed) return;
    db.transact(() => {
      if (renumber && end && isOurs(end)) return;
      sentBefore = sentUpTo();
      if (end) {
        db.sql('UPDATE stream SET n = ?, hash = ? WHERE id = ?').run(end.n, end.hash, streamRow);
        setSent(end);
      }
      setMeta(db, adoptedName, Uint8Array.of(1));
      if (renumber) renumberUnsent();
    });
    // Not before: what was undone is still to be done.
    renumber = false;
    waiters.wake();
  }

  /** Whether the node's last seal is one of those that wait here: an answer was lost, and everything up to it is stored. */
  function isOurs(end: { readonly n: number; readonly hash: Uint8Array }): boolean {
    const rows = db.sql('SELECT id, last_n, seal FROM outbox WHERE stream = ? ORDER BY id').all(streamRow);
    const match = rows.find((row) => equalBytes(sealHash(row.seal as Uint8Array), end.hash));
    if (!match) return false;
    db.sql('DELETE FROM outbox WHERE stream = ? AND id <= ?').run(streamRow, Number(match.id));
    setSent(end);
    return true;
  }

  const setSent = (end: { readonly n: number; readonly hash: Uint8Array }): void => {
    db.sql('INSERT OR REPLACE INTO pin (stream, writer, n, hash) VALUES (?, ?, ?, ?)').run(
      streamRow,
      store.self,
      end.n,
      end.hash,
    );
  };

  const dayName = `lane-day/${bytesToHex(lane)}`;
  const today = (): number => Math.floor(link.nodeMs() / DAY_MS);
  /** Writes made today. What waited when the day began may be sent in it, so it counts. */
  function madeToday(): number {
    const text = getMeta(db, dayName);
    const [day, made] = text ? bytesToUtf8(text).split(' ').map(Number) : [];
    if (day === today() && made !== undefined) return made;
    const sent = sentUpTo();
    return [...kept().keys()].filter((n) => n > sent).length;
  }
  const assertRoom = (): void => {
    const perDay = deps.perDay();
    if (madeToday() >= perDay)
      throw new SluiceError('OVER_QUOTA', `This grant takes ${perDay} writes a day, and as many were made today`);
  };

  const setProblem = (code: ErrorCode | undefined): void => {
    if (problem === code) return;
    problem = code;
    if (code) for (const listener of problems) listener(code);
  };

  const nudge = (): void => {
    again = true;
    if (!sending) void pump();
  };
  const later = (ms: number): void => {
    cancelRetry();
    cancelRetry = clock.timer(ms, nudge);
  };

  /** A verdict may have been heard of before it was known that the node has the write, also by a process that ended in between. */
  const look = (): void => {
    if (!looked) deps.onSent();
    looked = true;
  };

  async function pump(): Promise<void> {
    sending = true;
    try {
      look();
      while (again && !closed && link.state() === 'ready') {
        again = false;
        if (!isAdopted() || renumber) {
          await adopt();
          if (closed) break;
          // It may have turned out that the node has taken what was decided already.
          deps.onSent();
        }
        const batch = store.outbox();
        if (!batch) break;
        await link.push(deps.space, encodePush(batch.parts));
        if (closed) break;
        batch.acked();
        deps.onSent();
        setProblem(undefined);
        again = true;
      }
    } catch (cause) {
      if (closed) return;
      if (isStoreFull(cause)) {
        reload();
        later(RETRY_MS);
      } else if (cause instanceof LinkRefusal) onRefused(cause);
      else if (!(cause instanceof LinkOffline)) throw cause;
    } finally {
      sending = false;
    }
  }

  function onRefused({ code, nowMs }: LinkRefusal): void {
    if (code === 'CLOCK_SKEW') {
      hlc.reset(nowMs);
      restage();
      return later(RETRY_MS);
    }
    setProblem(code);
    // Another device of this account wrote under these numbers: ours get the next ones.
    if (code === 'FORK' || code === 'GAP') {
      renumber = true;
      return later(RETRY_MS);
    }
    // REVOKED is for good, and the grant's own status says it.
    if (code !== 'REVOKED' && code !== 'FORBIDDEN') later(LONG_RETRY_MS);
  }

  /** Goes on after what the node has, and gives what was not sent the numbers that follow. */
  function renumberUnsent(): void {
    const unsent = [...kept()].filter(([n]) => n > sentBefore).sort(([a], [b]) => a - b);
    db.sql('DELETE FROM outbox WHERE stream = ?').run(streamRow);
    for (const [n] of unsent) forget(n);
    followMoves(renumbered, new Map(unsent.map(([n, { write }]) => [n, add(write, false)])));
    saveNotes(db, 'moved', lane, renumbered);
  }

  /** The node refused for certain, so no other copy of these bytes exists and they may be made anew under the same numbers. */
  function restage(): void {
    restageWith(db, store, pairwise, () => (entry) => {
      const old = open(entry);
      if (!old) return entry;
      const fresh = seal(old.header.n, old.write);
      kept().set(old.header.n, { header: fresh.header, write: old.write });
      return fresh.entry;
    });
  }

  /** One that is made anew under another number was counted before. */
  const add = (write: LaneWrite, isCounted = true): number => {
    const next = store.nextN(streamRow);
    const { entry, header } = seal(next, write);
    db.transact(() => {
      if (isCounted) setMeta(db, dayName, utf8ToBytes(`${today()} ${madeToday() + 1}`));
      store.addOwn(streamRow, lane, [{ tag: header.tag, entry, header, replaces: [] }], pairwise);
    });
    kept().set(next, { header, write });
    listed = undefined;
    return next;
  };

  const forget = (n: number): void => {
    kept().delete(n);
    listed = undefined;
    db.sql('DELETE FROM entry WHERE stream = ? AND n = ?').run(streamRow, n);
  };

  /** Up to which number no verdict is still to come: one that waits may be refused yet, which the owner must not forget before it was heard. */
  const seenOf = ({ upTo, waiting }: LaneVerdicts): number =>
    waiting.reduce((least, n) => Math.min(least, n - 1), upTo);

  /** Says how far verdicts were seen. */
  function acknowledge(): void {
    if (closed || db.sql('SELECT 1 FROM outbox WHERE stream = ?').get(streamRow)) return;
    try {
      add(acknowledgementOf(seenOf(deps.verdicts())));
    } catch (cause) {
      // The next verdicts ask for it again.
      return unlessFull(cause);
    }
    nudge();
  }

  return {
    write: (draft) => {
      if (!isAdopted()) throw new SluiceError('OFFLINE', 'The lane of this grant was never reached from here');
      assertRoom();
      const write = { ...draft, seen: seenOf(deps.verdicts()) };
      const n = add(write);
      nudge();
      return n;
    },
    pending: () => {
      const sent = sentUpTo();
      const verdicts = deps.verdicts();
      if (listed && listed.verdicts === verdicts && listed.sent === sent) return listed.writes;
      const stateOf = verdictsByNumber(verdicts);
      const writes = [...kept()]
        .filter(([, { write }]) => !isAcknowledgement(write))
        .sort(([a], [b]) => a - b)
        .map(([n, { header, write }]): PendingWrite => {
          const verdict = n <= sent ? stateOf(n) : 'open';
          const state =
            verdict === 'waiting' ? 'waiting' : verdict === 'accepted' ? 'accepted' : n <= sent ? 'sent' : 'queued';
          return { ...write, n, state, atMs: header.hlc.ms };
        });
      listed = { verdicts, sent, writes };
      return writes;
    },
    decide: (next) => {
      const news: WriteVerdict[] = [];
      const verdictOfNext = verdictsByNumber(next);
      const sent = sentUpTo();
      // The owner keeps what it refused until it hears that it was seen, and decides no more when it keeps too much.
      const seen = seenOf(next);
      if (next.rejected.length >= MAX_KEPT_REJECTIONS / 2 && next.rejected.some(({ n }) => n <= seen))
        queueMicrotask(acknowledge);
      for (const [n, { write }] of [...kept()]) {
        // A number that the node has not taken from here may be another device's.
        if (n > sent) continue;
        const verdict = verdictOfNext(n);
        if (verdict === 'open' || verdict === 'waiting') continue;
        const accepted = verdict === 'accepted' || verdict === 'applied';
        const isNews = !told.has(n) && !isAcknowledgement(write);
        if (isNews) news.push({ n, id: write.id, accepted, ...(accepted ? {} : { code: verdict }) });
        told.add(n);
        if (!accepted) refused.set(n, verdict);
        // An accepted write is shown until the feed shows it.
        if (verdict !== 'accepted') forget(n);
      }
      if (news.some(({ accepted }) => !accepted)) saveNotes(db, 'refused', lane, refused);
      return news;
    },
    numberOf: (n) => renumbered.get(n) ?? n,
    refusalOf: (n) => refused.get(n),
    reload,
    observe: hlc.observe,
    wipe: () => {
      for (const table of ['outbox', 'entry']) db.sql(`DELETE FROM ${table} WHERE stream = ?`).run(streamRow);
      reload();
    },
    onProblem: (listener) => addListener(problems, listener),
    problem: () => problem,
    newId: () => `w${bytesToBase64url(deps.random(16))}`,
    isReached: isAdopted,
    reached: (timeoutMs) => waiters.until(isAdopted, timeoutMs),
    start: () => {
      // A process that ended between the node's word and the end of this may have left something undone.
      deps.onSent();
      stop = link.onState((state) => {
        if (state === 'ready') nudge();
      });
      nudge();
    },
    close: () => {
      closed = true;
      waiters.end();
      cancelRetry();
      stop();
    },
  };
}
