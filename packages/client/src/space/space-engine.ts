/**
 * One space at work: its replica, its control log, its collections, and the pump that sends what waits. Must not know accounts,
 * messages or grants; feeds join the pump through `FeedSource`.
 */

import { bytesToHex, type Clock, equalBytes, type StreamId, type Tag, type WriterId } from '@sluice/core/base';
import { type EpochKey, type SigningKey, writerId } from '@sluice/core/crypto';
import { createHlc, type HlcClock } from '@sluice/core/record';
import { type AccessState, checkPage, type CtlEntry, type Tampering, writerKey } from '@sluice/core/stream';
import {
  encodePush,
  type ErrorCode,
  firstRefusal,
  MAX_BATCH_ENTRIES,
  type Page,
  type PageEntry,
  type Entry,
  type PartAnswer,
  type PushAnswer,
  type PushPart,
} from '@sluice/core/wire';
import { isStoreFull, SluiceError } from '../errors.ts';
import { addListener } from '../listeners.ts';
import { createWaiters } from '../waiters.ts';
import { type LiveLink, LinkOffline, LinkRefusal } from '../link/live-link.ts';
import { readLog } from '../link/read-log.ts';
import type { Platform } from '../platform.ts';
import { type Collection, type CollectionKeys, type CollectionShape, openCollection } from '../store/collection.ts';
import { restageOutbox } from '../store/restage.ts';
import { openSpaceStore, type SpaceStore } from '../store/space-store.ts';
import type { StoreDb } from '../store/store-db.ts';
import { type ControlChange, openControlLog } from './control-log.ts';
import { pushBackControl } from './push-back.ts';
import { collectionKeys, type SpaceKeys } from './space-keys.ts';

/** Feed appends that ride on this space's pushes. */
export type FeedSource = {
  /** The next feed parts, made from state that is in the replica; empty when the feeds are up to date. */
  readonly prepare: () => readonly Extract<PushPart, { type: 'feed' }>[];
  /** The node's answers to the parts last prepared, or undefined when the push as a whole failed. */
  readonly settle: (answers: readonly PartAnswer[] | undefined) => Promise<void>;
};

/** What an honest node does not cause. Nothing more of that node is used. */
export type Alarm = Tampering | { readonly type: 'unreadable'; readonly stream: StreamId } | { readonly type: 'fork' };
/** How the following of a space stands. */
export type SpaceStatus = 'live' | 'offline' | 'revoked' | 'stopped';

/** One space at work: its collections, its control log, and the exchange with the node. */
export type SpaceEngine = {
  readonly keys: SpaceKeys;
  readonly self: WriterId;
  readonly writer: SigningKey;
  readonly store: SpaceStore;
  readonly hlc: HlcClock;
  readonly access: AccessState;
  readonly collection: (name: string, shape: CollectionShape, keys?: CollectionKeys) => Collection;
  readonly openCollections: () => ReadonlyMap<string, Collection>;
  /** Says which collections there are besides the open ones, whose unsent entries may have to be made anew. */
  readonly setCollections: (names: () => readonly string[]) => void;
  /** Starts following the space. `inbox` also follows its inbox log; `controlOnly` follows nothing but the control log. */
  readonly start: (follow?: {
    readonly inbox?: (entries: readonly PageEntry[], cursor: number) => Promise<void>;
    readonly controlOnly?: boolean;
  }) => void;
  /** Signs control changes and stores them at the node. Rejects with SluiceError. */
  readonly control: (changes: readonly ControlChange[], signer?: SigningKey) => Promise<void>;
  /** Takes up keys of epochs that arrived: what was sealed under them is read, and what waits for them is sent. */
  readonly addEpochs: (epochs: ReadonlyMap<number, EpochKey>) => boolean;
  readonly onControl: (listener: (fresh: readonly CtlEntry[]) => void) => () => void;
  /** Marks an inbox entry for dropping with the next push. Call inside the transaction that saves its content. */
  readonly drain: (tag: Tag) => void;
  readonly setFeeds: (source: FeedSource) => void;
  /** Sends what waits, soon. */
  readonly nudge: () => void;
  /** Resolves when everything saved so far is at the node and everything there is here. Rejects with SluiceError after `timeoutMs`. */
  readonly synced: (timeoutMs: number) => Promise<void>;
  readonly status: () => SpaceStatus;
  readonly onStatus: (listener: (status: SpaceStatus) => void) => () => void;
  readonly onAlarm: (listener: (alarm: Alarm) => void) => () => void;
  readonly close: () => void;
};

/** What a space is followed with. */
export type SpaceEngineDeps = {
  readonly platform: Pick<Platform, 'clock' | 'random'>;
  readonly db: StoreDb;
  readonly link: LiveLink;
  readonly keys: SpaceKeys;
  readonly writer: SigningKey;
};

const RETRY_MS = 1_000;
/** How long a control change waits to see itself in the log, in ms. It is stored by then, whether or not it was seen. */
const CONTROL_MS = 15_000;

/** Opens a space over its replica. Nothing is sent or fetched before `start`. */
export function openSpaceEngine({ platform, db, link, keys, writer }: SpaceEngineDeps): SpaceEngine {
  const { clock } = platform;
  const self = writerId(writer.publicKey);
  const store = openSpaceStore(db, keys.space, self);
  const hlc = createHlc(clock);
  const control = openControlLog(db, store, keys, hlc, clock);
  const collections = new Map<string, Collection>();
  const byStream = new Map<string, Collection>();
  const alarms = new Set<(alarm: Alarm) => void>();
  const statusListeners = new Set<(status: SpaceStatus) => void>();
  const controlListeners = new Set<(fresh: readonly CtlEntry[]) => void>();
  const waiters = createWaiters(clock);
  const caughtUp = { own: false, ctl: false };
  const stops: (() => void)[] = [];
  let controlOnly = false;
  let feeds: FeedSource | undefined;
  let closedCollections: () => readonly string[] = () => [];
  let status: SpaceStatus = 'offline';
  let pumping = false;
  let again = false;
  let cancelRetry: () => void = () => undefined;
  let full = false;
  /** A control page is there that could not be stored. */
  let controlWaits = false;
  /** Under which epoch the outbox was last made anew, and whether for its clock; forgotten when the node takes something. */
  let remade: { readonly epoch: number; readonly clock: boolean } | undefined;
  /** This clock was refused once: from then on the node's time is followed, so that a clock that was mended counts again. */
  let followsNode = false;
  /** Send the oldest waiting batch by itself: the node may have it already, with the answer lost. */
  let alone = false;
  /** The store may be closed from here on: whatever was under way must not touch it any more. */
  let closed = false;

  const raise = (alarm: Alarm): void => {
    for (const listener of alarms) listener(alarm);
  };
  const setStatus = (next: SpaceStatus): void => {
    if (next === status) return;
    status = next;
    for (const listener of [...statusListeners]) listener(next);
  };
  const stopFor = (alarm: Alarm): void => {
    setStatus('stopped');
    for (const stop of stops.splice(0)) stop();
    raise(alarm);
    waiters.wake();
  };

  /** Remembers whether the local disk was full for the last page, so that waiting for it says why it is in vain. */
  const noting =
    (handle: (page: Page) => void) =>
    (page: Page): void => {
      try {
        handle(page);
        full = false;
      } catch (cause) {
        full = isStoreFull(cause);
        waiters.wake();
        throw cause;
      }
    };

  const onControlPage = noting((page: Page): void => {
    controlWaits = true;
    const added = control.addPage(page);
    controlWaits = false;
    if (!added.ok) {
      stopFor(added.error);
      // A revoke that the node forgot holds again, whatever becomes of this node.
      if (added.error.what === 'rollback') pushBackControl(link, keys.space, control).catch(() => undefined);
      return;
    }
    if (!page.more) caughtUp.ctl = true;
    // Entries that were refused for an epoch unknown here may be made anew now.
    if (added.value.some((entry) => entry.public.type === 'epoch')) nudge();
    if (added.value.length > 0) for (const listener of controlListeners) listener(added.value);
    waiters.wake();
  });

  const heard = (nodeMs: number): void => {
    if (followsNode) hlc.reset(nodeMs);
  };

  const onOwnPage = (page: Page): void => {
    heard(page.nowMs);
    // The row of a writer may be in that control page: nothing is judged without it.
    if (controlWaits) throw new SluiceError('STORE_FULL');
    addOwnPage(page);
  };
  const addOwnPage = noting((page: Page): void => {
    const checked = checkPage(page, store.pins(), (w, s) => writerKey(control.state, w, s, writerId), self);
    if (!checked.ok) return stopFor(checked.error);
    const added = db.transactLazily(() => store.addPage(checked.value.entries, checked.value.pins, 'own', page.cursor));
    const arrived = new Map<string, { ls: number; tag: Tag }[]>();
    for (const { stream, ls, tag } of added) {
      const key = bytesToHex(stream);
      const list = arrived.get(key) ?? [];
      if (list.length === 0) arrived.set(key, list);
      list.push({ ls, tag });
    }
    for (const [stream, entries] of arrived) byStream.get(stream)?.arrived(entries);
    if (!page.more) caughtUp.own = true;
    if (added.length > 0 && feeds) nudge();
    waiters.wake();
  });

  const onClosed = (code: ErrorCode): void => {
    setStatus(code === 'REVOKED' || code === 'FORBIDDEN' ? 'revoked' : 'stopped');
    waiters.wake();
  };

  const nudge = (): void => {
    again = true;
    if (pumping) return;
    pumping = true;
    // Never inside the transaction that calls: what leaves before it is committed could be undone here and not there.
    queueMicrotask(() => void pump());
  };

  /** One attempt waits at a time: whatever is saved meanwhile is tried at once, and must not leave a timer of its own behind. */
  const retryLater = (): void => {
    cancelRetry();
    cancelRetry = clock.timer(RETRY_MS, nudge);
  };

  async function pump(): Promise<void> {
    try {
      while (again && !closed && link.state() === 'ready' && status !== 'revoked' && status !== 'stopped') {
        again = false;
        if (await pumpOnce()) again = true;
      }
    } catch (cause) {
      if (!isStoreFull(cause)) throw cause;
      // What the node took but could not be noted here is sent again, and the node gives the same answer.
      full = true;
      retryLater();
    } finally {
      pumping = false;
      waiters.wake();
    }
  }

  /** Sends one push. Returns whether there may be more to send. */
  async function pumpOnce(): Promise<boolean> {
    const unsent = store.outbox(alone ? 1 : undefined);
    const complete = !alone && (unsent?.complete ?? true);
    // Feeds speak of the replica's whole state, and drains of saved messages: both wait until the last of the outbox goes along.
    const tags = complete ? waitingDrains(db, store.spaceRow) : [];
    const feedParts = complete ? (feeds?.prepare() ?? []) : [];
    // What is about to be revealed has been noted meanwhile, as own entries that go along.
    const batch = feedParts.length > 0 ? store.outbox() : unsent;
    const parts: PushPart[] = [...(batch?.parts ?? [])];
    if (tags.length > 0) parts.push({ type: 'drain', tags });
    const firstFeed = parts.length;
    parts.push(...feedParts);
    if (parts.length === 0) return false;
    try {
      const answer = await link.push(keys.space, encodePush(parts));
      if (closed) return false;
      remade = undefined;
      db.transactLazily(() => {
        batch?.acked();
        for (const tag of tags) db.sql('DELETE FROM drain WHERE space = ? AND tag = ?').run(store.spaceRow, tag);
      });
      // A feed part is refused by itself, so this may be all that is heard of a clock that is ahead.
      if (answer.parts.some((part) => part.type === 'refused' && part.code === 'CLOCK_SKEW')) followsNode = true;
      heard(answer.nowMs);
      if (unsent?.complete ?? true) alone = false;
      if (feedParts.length > 0) await feeds?.settle(answer.parts.slice(firstFeed));
      return true;
    } catch (cause) {
      if (closed) return false;
      if (feedParts.length > 0) await feeds?.settle(undefined);
      return onPushFailed(cause, batch?.parts.length ?? 0);
    }
  }

  function onPushFailed(cause: unknown, batches: number): boolean {
    if (cause instanceof LinkOffline) return false;
    if (!(cause instanceof LinkRefusal)) throw cause;
    switch (cause.code) {
      case 'CLOCK_SKEW':
      case 'KEY_EPOCH':
        if (cause.code === 'CLOCK_SKEW') followsNode = true;
        heard(cause.nowMs);
        if (batches <= 1) return restage(cause.code === 'CLOCK_SKEW');
        // Refused together: the first of them may be there from a push whose answer was lost, and then its bytes must stay.
        alone = true;
        return true;
      case 'REVOKED':
      case 'FORBIDDEN':
        onClosed(cause.code);
        return false;
      case 'FORK':
      case 'GAP':
        stopFor({ type: 'fork' });
        return false;
      default:
        retryLater();
        return false;
    }
  }

  /** The node refused for certain, so no other copy of these bytes exists and they may be made anew under the same numbers. */
  function restage(forClock: boolean): boolean {
    alone = false;
    const epoch = keysOf('').epoch();
    // Made anew before for the same reason, and refused all the same: the key has not come yet, or the node makes fun of us.
    if (remade && remade.epoch === epoch && (remade.clock || !forClock)) {
      retryLater();
      return false;
    }
    const { random } = platform;
    const done = restageOutbox({ db, store, writer, hlc, random, keysOf: keysByStream });
    for (const collection of collections.values()) collection.forget();
    // Only once it is done: a full disk, or a collection that nobody has opened yet, must not count as an attempt.
    if (done) remade = { epoch, clock: forClock || (remade?.clock ?? false) };
    else retryLater();
    return done;
  }

  const keysOf = (name: string): CollectionKeys => collectionKeys(keys, name, () => control.state.epoch);
  const streamKeys = new Map<string, CollectionKeys>();
  const keysByStream = (stream: StreamId): CollectionKeys | undefined => {
    const open = streamKeys.get(bytesToHex(stream));
    if (open) return open;
    return closedCollections()
      .map(keysOf)
      .find((named) => equalBytes(named.stream, stream));
  };

  const readControl = () => readLog(link, keys.space, { type: 'ctl' }, store.cursor('ctl'), onControlPage);

  /** Of two changes at once each has to stand on the other, so that they are made one after the other. */
  let lastControl: Promise<unknown> = Promise.resolve();
  const oneByOne = <T>(work: () => Promise<T>): Promise<T> => {
    const mine = lastControl.then(work, work);
    lastControl = mine.catch(() => undefined);
    return mine;
  };

  async function changeControl(changes: readonly ControlChange[], signer: SigningKey): Promise<void> {
    const send = (entries: readonly Entry[]): Promise<PushAnswer> =>
      link.push(keys.space, encodePush([{ type: 'ctl', entries }]));
    let entries = control.write(changes, signer);
    for (let at = 0; at < entries.length; at += MAX_BATCH_ENTRIES) {
      let part = entries.slice(at, at + MAX_BATCH_ENTRIES);
      const answer = await send(part)
        .catch(async (cause: unknown) => {
          if (!(cause instanceof LinkRefusal) || at > 0) throw cause;
          // A revoke must not fail because this device's clock is wrong: stamped by the node's, it is sent once more.
          if (cause.code === 'CLOCK_SKEW') {
            followsNode = true;
            heard(cause.nowMs);
          }
          // Nor because an earlier answer was lost: the node has entries of this signer that have not come here yet.
          else if (cause.code === 'FORK' || cause.code === 'GAP') await within(clock, CONTROL_MS, readControl());
          else throw cause;
          entries = control.write(changes, signer);
          part = entries.slice(0, MAX_BATCH_ENTRIES);
          return send(part);
        })
        .catch((cause: unknown) => {
          if (cause instanceof LinkRefusal) throw new SluiceError(`NODE_${cause.code}`);
          if (cause instanceof LinkOffline) throw new SluiceError('OFFLINE');
          throw cause;
        });
      const refusal = firstRefusal(answer);
      if (refusal) throw new SluiceError(`NODE_${refusal}`);
      // Folded in the node's order, which decides whose epoch counts when two devices start one at once.
      await within(clock, CONTROL_MS, readControl());
    }
  }

  const isSynced = (): boolean =>
    (caughtUp.own || controlOnly) &&
    caughtUp.ctl &&
    !pumping &&
    store.outboxSize() === 0 &&
    waitingDrains(db, store.spaceRow).length === 0;

  return {
    keys,
    self,
    writer,
    store,
    hlc,
    access: control.state,
    collection: (name, shape, own) => {
      const known = collections.get(name);
      if (known) return known;
      const named = own ?? keysOf(name);
      const opened = openCollection({
        db,
        store,
        keys: named,
        shape,
        writer,
        writerId: self,
        hlc,
        clock,
        random: platform.random,
        onUnreadable: (stream) => raise({ type: 'unreadable', stream }),
      });
      collections.set(name, opened);
      byStream.set(bytesToHex(named.stream), opened);
      streamKeys.set(bytesToHex(named.stream), named);
      return opened;
    },
    openCollections: () => collections,
    setCollections: (names) => {
      closedCollections = names;
    },
    start: (follow = {}) => {
      const live = (on: boolean): void => {
        if (status === 'live' || status === 'offline') setStatus(on ? 'live' : 'offline');
        if (on) nudge();
        else caughtUp.own = caughtUp.ctl = false;
        waiters.wake();
      };
      stops.push(link.onState((s) => live(s === 'ready')));
      stops.push(
        link.subscribe(
          keys.space,
          { type: 'ctl' },
          { cursor: () => store.cursor('ctl'), onPage: onControlPage, onClosed },
        ),
      );
      controlOnly = follow.controlOnly ?? false;
      if (controlOnly) return live(link.state() === 'ready');
      stops.push(
        link.subscribe(keys.space, { type: 'own' }, { cursor: () => store.cursor('own'), onPage: onOwnPage, onClosed }),
      );
      const { inbox } = follow;
      if (inbox) {
        const onPage = (page: Page): Promise<void> => inbox(page.entries, page.cursor);
        stops.push(
          link.subscribe(keys.space, { type: 'inbox' }, { cursor: () => store.cursor('inbox'), onPage, onClosed }),
        );
      }
      live(link.state() === 'ready');
    },
    control: (changes, signer = writer) => oneByOne(() => changeControl(changes, signer)),
    addEpochs: (arrived) => {
      const fresh = [...arrived].filter(([n]) => !keys.epochs.has(n));
      if (fresh.length === 0 || closed) return false;
      for (const [n, key] of fresh) keys.epochs.set(n, key);
      for (const collection of collections.values()) collection.keysArrived();
      nudge();
      return true;
    },
    onControl: (listener) => addListener(controlListeners, listener),
    drain: (tag) => {
      db.sql('INSERT OR IGNORE INTO drain (space, tag) VALUES (?, ?)').run(store.spaceRow, tag);
    },
    setFeeds: (source) => {
      feeds = source;
    },
    nudge,
    synced: async (timeoutMs) => {
      full = false;
      nudge();
      const failure = (): SluiceError | undefined => (full ? new SluiceError('STORE_FULL') : stopReason(status));
      await waiters.until(() => failure() ?? isSynced(), timeoutMs);
      // Caught up is what was true at some moment before; asking once more makes it true as of this call.
      const rounds = [readControl, () => readLog(link, keys.space, { type: 'own' }, store.cursor('own'), onOwnPage)];
      for (const round of controlOnly ? rounds.slice(0, 1) : rounds) await within(clock, timeoutMs, round());
    },
    status: () => status,
    onStatus: (listener) => addListener(statusListeners, listener),
    onAlarm: (listener) => addListener(alarms, listener),
    close: () => {
      closed = true;
      cancelRetry();
      for (const stop of stops.splice(0)) stop();
      waiters.end();
      for (const collection of collections.values()) collection.saveSnapshot();
    },
  };
}

/** Gives up on the node after a time; the work itself goes on when it is back. */
function within<T>(clock: Clock, timeoutMs: number, work: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const cancel = clock.timer(timeoutMs, () => reject(new SluiceError('OFFLINE')));
    work.then(resolve, reject).finally(cancel);
  });
}

function stopReason(status: SpaceStatus): SluiceError | undefined {
  if (status === 'revoked') return new SluiceError('REVOKED');
  if (status === 'stopped') return new SluiceError('TAMPERED');
  return undefined;
}

function waitingDrains(db: StoreDb, spaceRow: number): Tag[] {
  return db
    .sql('SELECT tag FROM drain WHERE space = ? LIMIT ?')
    .all(spaceRow, MAX_BATCH_ENTRIES)
    .map((row) => row.tag as Tag);
}
