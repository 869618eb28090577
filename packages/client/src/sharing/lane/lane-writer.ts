/**
 * The grantee's end of a lane: writes are kept, sealed, in the local store, numbered and sent in order, and stay pending until the owner's
 * verdict. Must not know how records are shown.
 */

import {
  bytesToBase64url,
  bytesToHex,
  type Clock,
  equalBytes,
  type Random,
  type SpaceId,
  type StreamId,
  toWriterId,
} from '@sluice/core/base';
import { type AeadKey, type SigningKey, writerId } from '@sluice/core/crypto';
import {
  type LaneVerdicts,
  type LaneWrite,
  openLaneWrite,
  type Rejection,
  sealLaneWrite,
  verdictOf,
} from '@sluice/core/grant';
import { createHlc } from '@sluice/core/record';
import { decodeHeader, type Entry, encodePush, type ErrorCode, type Header } from '@sluice/core/wire';
import { isStoreFull, SluiceError } from '../../errors.ts';
import { addListener } from '../../listeners.ts';
import { type LiveLink, LinkOffline, LinkRefusal } from '../../link/live-link.ts';
import { createWaiters } from '../../waiters.ts';
import { readLog } from '../../link/read-log.ts';
import { restageWith } from '../../store/restage.ts';
import { openSpaceStore } from '../../store/space-store.ts';
import { getMeta, setMeta, type StoreDb } from '../../store/store-db.ts';

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
  /** The last verdicts that were seen. */
  readonly verdicts: () => LaneVerdicts;
};

/** The grantee's end of a lane. */
export type LaneWriter = {
  /** Keeps a write and sends it soon. Durable when it returns. Returns its number. Throws SluiceError STORE_FULL, and OFFLINE before the lane was reached once. */
  readonly write: (write: Omit<LaneWrite, 'seen'>) => number;
  /** Writes without an effect yet, oldest first. */
  readonly pending: () => readonly PendingWrite[];
  /** Forgets what `next` decides. Returns what it says that `before` did not. Call inside the transaction of the page that brought it. */
  readonly decide: (before: LaneVerdicts, next: LaneVerdicts) => readonly WriteVerdict[];
  /** Reads the local store again, after a rollback. */
  readonly reload: () => void;
  /** Forgets every write, sent or not: the grant has ended. Call inside a transaction. */
  readonly wipe: () => void;
  readonly onProblem: (listener: (code: ErrorCode) => void) => () => void;
  /** Why nothing is sent at present. */
  readonly problem: () => ErrorCode | undefined;
  /** A fresh id for a new record. */
  readonly newId: () => string;
  /** Resolves when the lane was reached once and can be written to, with or without a connection. Rejects with OFFLINE. */
  readonly reached: (timeoutMs: number) => Promise<void>;
  readonly start: () => void;
  readonly close: () => void;
};

const RETRY_MS = 1_000;
/** How long to wait after a refusal that only the owner or another day can end. */
const LONG_RETRY_MS = 15_000;

/** Opens a lane over the local store. */
export function openLaneWriter(deps: LaneWriterDeps): LaneWriter {
  const { db, clock, link, lane, pairwise } = deps;
  // A lane has numbers and an outbox of its own, so that one that is refused keeps no other back.
  const store = openSpaceStore(db, deps.space, toWriterId(new Uint8Array(lane)));
  const streamRow = store.streamRow(lane);
  const self = writerId(pairwise.publicKey);
  const hlc = createHlc(clock);
  const problems = new Set<(code: ErrorCode) => void>();
  const waiters = createWaiters(clock);
  let problem: ErrorCode | undefined;
  let sending = false;
  let again = false;
  let closed = false;
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
      if (end) {
        db.sql('UPDATE stream SET n = ?, hash = ? WHERE id = ?').run(end.n, end.hash, streamRow);
        db.sql('INSERT OR REPLACE INTO pin (stream, writer, n, hash) VALUES (?, ?, ?, ?)').run(
          streamRow,
          store.self,
          end.n,
          end.hash,
        );
      }
      setMeta(db, adoptedName, Uint8Array.of(1));
    });
    waiters.wake();
  }

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

  async function pump(): Promise<void> {
    sending = true;
    try {
      while (again && !closed && link.state() === 'ready') {
        again = false;
        if (!isAdopted()) await adopt();
        const batch = store.outbox();
        if (!batch) break;
        await link.push(deps.space, encodePush(batch.parts));
        if (closed) break;
        batch.acked();
        setProblem(undefined);
        again = true;
      }
    } catch (cause) {
      if (closed) return;
      if (isStoreFull(cause)) later(RETRY_MS);
      else if (cause instanceof LinkRefusal) onRefused(cause);
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
    // REVOKED and FORK are for good; the grant's own status says the first.
    if (code !== 'REVOKED' && code !== 'FORBIDDEN' && code !== 'FORK' && code !== 'GAP') later(LONG_RETRY_MS);
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

  const forget = (n: number): void => {
    kept().delete(n);
    db.sql('DELETE FROM entry WHERE stream = ? AND n = ?').run(streamRow, n);
  };

  return {
    write: (draft) => {
      if (!isAdopted()) throw new SluiceError('OFFLINE', 'The lane of this grant was never reached from here');
      const write = { ...draft, seen: deps.verdicts().upTo };
      const next = store.nextN(streamRow);
      const { entry, header } = seal(next, write);
      db.transact(() => store.addOwn(streamRow, lane, [{ tag: header.tag, entry, header, replaces: [] }], pairwise));
      kept().set(next, { header, write });
      nudge();
      return next;
    },
    pending: () => {
      const sent = sentUpTo();
      return [...kept()]
        .sort(([a], [b]) => a - b)
        .map(([n, { header, write }]) => {
          const verdict = verdictOf(deps.verdicts(), n);
          const state =
            verdict === 'waiting' ? 'waiting' : verdict === 'accepted' ? 'accepted' : n <= sent ? 'sent' : 'queued';
          return { ...write, n, state, atMs: header.hlc.ms };
        });
    },
    decide: (before, next) => {
      const news: WriteVerdict[] = [];
      for (const [n, { write }] of [...kept()]) {
        const verdict = verdictOf(next, n);
        if (verdict === 'open' || verdict === 'waiting') continue;
        const known = verdictOf(before, n);
        const accepted = verdict === 'accepted' || verdict === 'applied';
        if (known === 'open' || known === 'waiting')
          news.push({ n, id: write.id, accepted, ...(accepted ? {} : { code: verdict as Rejection }) });
        // An accepted write is shown until the feed shows it.
        if (verdict !== 'accepted') forget(n);
      }
      return news;
    },
    reload,
    wipe: () => {
      for (const table of ['outbox', 'entry']) db.sql(`DELETE FROM ${table} WHERE stream = ?`).run(streamRow);
      reload();
    },
    onProblem: (listener) => addListener(problems, listener),
    problem: () => problem,
    newId: () => `w${bytesToBase64url(deps.random(16))}`,
    reached: (timeoutMs) => waiters.until(isAdopted, timeoutMs),
    start: () => {
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
