/**
 * The live connection to one node as one key: subscriptions and pushes over one WebSocket, reconnecting by itself. A subscription
 * resumes from its owner's cursor, so a lost connection costs time and nothing else. Must not know what pages hold.
 */

import { bytesToHex, type Clock, type SpaceId } from '@sluice/core/base';
import type { SigningKey } from '@sluice/core/crypto';
import { signHello } from '@sluice/core/identity';
import {
  type ClientFrame,
  decodeServerFrame,
  encodeClientFrame,
  type ErrorCode,
  formatLogName,
  type LogName,
  type Page,
  PROTOCOL_VERSION,
  type PushAnswer,
  type ServerFrame,
} from '@sluice/core/wire';
import { isStoreFull } from '../errors.ts';
import type { NodeAddress, Platform, Socket } from '../platform.ts';
import { createNodeTime, type NodeSpan } from './node-time.ts';

/** A refusal by the node. `nowMs` is its clock. */
export class LinkRefusal extends Error {
  readonly code: ErrorCode;
  readonly nowMs: number;

  constructor(code: ErrorCode, nowMs: number) {
    super(`the node refused: ${code}`);
    this.name = 'LinkRefusal';
    this.code = code;
    this.nowMs = nowMs;
  }
}

/** The connection was lost or could not be made; whether a push in flight was stored is unknown. */
export class LinkOffline extends Error {
  constructor() {
    super('the node cannot be reached');
    this.name = 'LinkOffline';
  }
}

/** What a subscriber to one log is asked and told. */
export type SubscriptionEvents = {
  /** Where to go on from, asked at every (re)connection. */
  readonly cursor: () => number;
  /** Handles one page; the next is not asked for before it is done. `bytes` is its size on the wire. */
  readonly onPage: (page: Page, bytes: number) => void | Promise<void>;
  /** The node ended the subscription; it is not taken up again. */
  readonly onClosed: (code: ErrorCode) => void;
};

/** How a connection stands. Only `closed` is for ever. */
export type LinkState = 'connecting' | 'ready' | 'offline' | 'closed';

/** One live connection to a node, opened again by itself, for any number of subscriptions and pushes. */
export type LiveLink = {
  readonly subscribe: (space: SpaceId, log: LogName, events: SubscriptionEvents) => () => void;
  /** Rejects with LinkRefusal or LinkOffline. */
  readonly push: (space: SpaceId, push: Uint8Array) => Promise<PushAnswer>;
  readonly state: () => LinkState;
  readonly onState: (listener: (state: LinkState) => void) => () => void;
  /** Resolves when connected; rejects with LinkOffline after `timeoutMs`. */
  readonly ready: (timeoutMs: number) => Promise<void>;
  /** Bytes received and sent so far; of a view, those of its own subscriptions and pushes. */
  readonly traffic: () => { readonly received: number; readonly sent: number };
  /** The node's time, in ms, as likely as can be said; this clock's while the node has said nothing. */
  readonly nodeMs: () => number;
  /** Between which instants it is at the node; undefined while the node has said nothing. */
  readonly nodeSpan: () => NodeSpan | undefined;
  /** The same connection as another key. Closing this view ends its own subscriptions and nothing else. */
  readonly as: (key: SigningKey) => LiveLink;
  readonly close: () => void;
};

/** Bytes of pages the node may send ahead of what was handled. */
const CREDIT = 2 * 1024 * 1024;
/** Handled bytes are given back in portions, since a frame for every small page would cost as much as the page. */
const CREDIT_PORTION = CREDIT / 4;
const FIRST_RETRY_MS = 100;
const LAST_RETRY_MS = 10_000;
/** How long pushes wait for a connection that is made to hear the time, in ms. */
const ASK_MS = 2_000;
/** How long a subscription pauses whose page found the local disk full, in ms. */
const FULL_PAUSE_MS = 1_000;

/**
 * What comes in one line is handled in the order in which it came, whichever subscription or push it belongs to: a page that was made earlier
 * knows less, and handled after a later one, or after the answer to a push, it would look like a node that went back. Own and control log
 * of a space and the answers to its pushes are one line, since who may write stands in the control log. Every other log is a line of its
 * own, so that none waits for a slow handler of another.
 */
type Line = { end: Promise<void> };
/** What the node said first: the nonce of this connection, and how far its clock is ahead of the monotonic one here, in ms. */
type Welcome = { readonly nonce: Uint8Array; readonly aheadMs: number };
/** A key that speaks on the connection, under its number; 0 said hello. */
type Speaker = {
  readonly number: number;
  readonly key: SigningKey;
  readonly traffic: { received: number; sent: number };
};
type Sub = {
  id: number;
  readonly speaker: Speaker;
  readonly space: SpaceId;
  readonly log: LogName;
  readonly events: SubscriptionEvents;
  readonly line: Line;
  run: number;
  /** Bytes handled and not yet given back as credit. */
  handled: number;
};
type Waiting = {
  readonly speaker: Speaker;
  readonly space: SpaceId;
  readonly push: Uint8Array;
  readonly line: Line;
  readonly resolve: (answer: PushAnswer) => void;
  readonly reject: (cause: Error) => void;
};

/** Connects, and keeps connected until `close`. */
export function openLiveLink(
  platform: Pick<Platform, 'clock' | 'random' | 'openSocket'>,
  node: NodeAddress,
  key: SigningKey,
): LiveLink {
  const { clock } = platform;
  const subs = new Map<number, Sub>();
  const waiting = new Map<number, Waiting>();
  const lines = new Map<string, Line>();
  const listeners = new Set<(state: LinkState) => void>();
  const first: Speaker = { number: 0, key, traffic: { received: 0, sent: 0 } };
  const speakers = new Map<number, Speaker>([[0, first]]);
  let state: LinkState = 'connecting';
  let socket: Socket | undefined;
  let welcomed: Welcome | undefined;
  const time = createNodeTime(clock);
  let nextId = 1;
  let nextSpeaker = 1;
  let run = 0;
  /** The connection was given up to hear the time anew: pushes wait for the next one. */
  let isAsking = false;
  let cancelAsk: () => void = () => undefined;
  let retryMs = FIRST_RETRY_MS;
  let cancelRetry: () => void = () => undefined;

  const lineOf = (space: SpaceId, log: LogName): Line => {
    const name = `${bytesToHex(space)}/${log.type === 'ctl' ? 'own' : formatLogName(log)}`;
    const line = lines.get(name) ?? { end: Promise.resolve() };
    lines.set(name, line);
    return line;
  };

  const setState = (next: LinkState): void => {
    if (state === next) return;
    state = next;
    for (const listener of [...listeners]) listener(next);
  };

  const send = (frame: ClientFrame, speaker: Speaker = first): void => {
    const bytes = encodeClientFrame(frame);
    first.traffic.sent += bytes.length;
    if (speaker !== first) speaker.traffic.sent += bytes.length;
    socket?.send(bytes);
  };
  const received = (speaker: Speaker | undefined, bytes: number): void => {
    if (speaker && speaker !== first) speaker.traffic.received += bytes;
  };
  /** By the node's time: it is what the node compares with, and this clock may be wrong. */
  const prove = (who: SigningKey, { nonce, aheadMs }: Welcome): Uint8Array =>
    signHello(who, node.did, nonce, Math.trunc(aheadMs + clock.monotonicMs()));
  const introduce = (speaker: Speaker): void => {
    if (welcomed && speaker !== first) send({ type: 'key', key: speaker.number, proof: prove(speaker.key, welcomed) });
  };

  const subscribeNow = (sub: Sub): void => {
    sub.run = run;
    sub.handled = 0;
    send(
      {
        type: 'sub',
        id: sub.id,
        key: sub.speaker.number,
        space: sub.space,
        log: formatLogName(sub.log),
        after: sub.events.cursor(),
        credit: CREDIT,
      },
      sub.speaker,
    );
  };

  const onPage = (id: number, page: Page, bytes: number): void => {
    const sub = subs.get(id);
    received(sub?.speaker, bytes);
    if (!sub || sub.run !== run) return;
    const mine = run;
    sub.line.end = sub.line.end.then(async () => {
      if (sub.run !== mine || !subs.has(id)) return;
      await sub.events.onPage(page, bytes);
      if (run !== mine || state !== 'ready') return;
      sub.handled += bytes;
      if (sub.handled < CREDIT_PORTION) return;
      send({ type: 'credit', id, bytes: sub.handled }, sub.speaker);
      sub.handled = 0;
    });
    // Any other throw in the handler is its bug; it must not stop the connection.
    sub.line.end = sub.line.end.catch((cause: unknown) => {
      if (isStoreFull(cause)) return pause(sub);
      queueMicrotask(() => {
        throw cause;
      });
    });
  };

  /** Nothing of the page was stored: the subscription starts again from its cursor, under another id, so that no page under way counts. */
  const pause = (sub: Sub): void => {
    if (!end(sub)) return;
    sub.run = -1;
    sub.id = nextId++;
    subs.set(sub.id, sub);
    clock.timer(FULL_PAUSE_MS, () => {
      if (subs.get(sub.id) === sub && state === 'ready' && sub.run !== run) subscribeNow(sub);
    });
  };

  /** Returns whether it had not ended before. */
  const end = (sub: Sub): boolean => {
    if (subs.get(sub.id) !== sub) return false;
    subs.delete(sub.id);
    if (state === 'ready' && sub.run === run) send({ type: 'unsub', id: sub.id }, sub.speaker);
    return true;
  };

  const answered = (id: number, bytes: number, settle: (push: Waiting) => void): void => {
    const push = waiting.get(id);
    received(push?.speaker, bytes);
    waiting.delete(id);
    if (push) void push.line.end.then(() => settle(push));
  };

  const onFrame = (frame: ServerFrame, bytes: number): void => {
    switch (frame.type) {
      case 'welcome':
        if (frame.node !== node.did || frame.version !== PROTOCOL_VERSION) return lost();
        welcomed = { nonce: frame.nonce, aheadMs: frame.nowMs - clock.monotonicMs() };
        time.hear(frame.nowMs, true);
        send({ type: 'hello', proof: prove(key, welcomed) });
        for (const speaker of speakers.values()) introduce(speaker);
        return;
      case 'ready':
        retryMs = FIRST_RETRY_MS;
        setState('ready');
        for (const sub of subs.values()) subscribeNow(sub);
        isAsking = false;
        for (const [id, push] of [...waiting]) sendPush(id, push);
        return;
      case 'page':
        time.hear(frame.page.nowMs, false);
        return onPage(frame.id, frame.page, bytes);
      case 'closed': {
        const sub = subs.get(frame.id);
        subs.delete(frame.id);
        // What was served before the end is handled before the end is told.
        if (sub) void sub.line.end.then(() => sub.events.onClosed(frame.code));
        return;
      }
      case 'pushed':
        time.hear(frame.answer.nowMs, false);
        return answered(frame.id, bytes, (push) => push.resolve(frame.answer));
      case 'refused':
        time.hear(frame.nowMs, false);
        return answered(frame.id, bytes, (push) => push.reject(new LinkRefusal(frame.code, frame.nowMs)));
    }
  };

  const sendPush = (id: number, { speaker, space, push }: Waiting): void => {
    // What waited for a key that is closed since has nobody to speak for it.
    if (!speakers.has(speaker.number)) return failPush(id);
    send({ type: 'push', id, key: speaker.number, space, push }, speaker);
  };
  const failPush = (id: number): void => {
    waiting.get(id)?.reject(new LinkOffline());
    waiting.delete(id);
  };
  const failPushes = (): void => {
    isAsking = false;
    for (const id of [...waiting.keys()]) failPush(id);
  };

  const lost = (): void => {
    if (state === 'closed') return;
    run++;
    const old = socket;
    socket = undefined;
    welcomed = undefined;
    old?.close();
    if (!isAsking) failPushes();
    setState('offline');
    cancelRetry();
    // Jitter by a quarter, so that a restarted node is not met by all its clients at once.
    const jitter = ((platform.random(1)[0] ?? 0) / 255) * 0.25;
    cancelRetry = clock.timer(retryMs * (1 + jitter), connect);
    retryMs = Math.min(retryMs * 2, LAST_RETRY_MS);
  };

  /** A clock was set, or the machine slept: a new connection tells the time, and the old one may be dead. */
  const asked = <T>(answer: T): T => {
    const isDue = (): boolean => state === 'ready' && time.isDoubtful();
    if (isDue()) queueMicrotask(() => isDue() && askTime());
    return answer;
  };
  /** The same bytes get the same answer from the node, so that whoever pushes need not know of this. */
  const askTime = (): void => {
    isAsking = true;
    lost();
    cancelAsk();
    cancelAsk = clock.timer(ASK_MS, () => {
      if (isAsking) failPushes();
    });
  };

  function connect(): void {
    if (state === 'closed') return;
    setState('connecting');
    const mine = ++run;
    const current = (action: () => void): void => {
      if (run === mine && state !== 'closed') action();
    };
    socket = platform.openSocket(new URL('/v1/live', node.url), {
      onOpen: () => undefined,
      onMessage: (bytes) =>
        current(() => {
          first.traffic.received += bytes.length;
          const frame = decodeServerFrame(bytes);
          if (frame.ok) onFrame(frame.value, bytes.length);
          else lost();
        }),
      onClose: () =>
        current(() => {
          failPushes();
          lost();
        }),
    });
  }
  connect();

  const onState = (listener: (state: LinkState) => void): (() => void) => {
    listeners.add(listener);
    return () => listeners.delete(listener);
  };

  const close = (): void => {
    setState('closed');
    run++;
    cancelRetry();
    cancelAsk();
    failPushes();
    subs.clear();
    lines.clear();
    socket?.close();
  };
  const silence = (speaker: Speaker): void => {
    for (const sub of [...subs.values()]) if (sub.speaker === speaker) end(sub);
    speakers.delete(speaker.number);
  };

  const speakAs = (speaker: Speaker): LiveLink => ({
    subscribe: (space, log, events) => {
      const id = nextId++;
      const sub: Sub = { id, speaker, space, log, events, line: lineOf(space, log), run: -1, handled: 0 };
      subs.set(id, sub);
      if (state === 'ready') subscribeNow(sub);
      return () => void end(sub);
    },
    push: (space, push) => {
      if (state !== 'ready' && !isAsking) return Promise.reject(new LinkOffline());
      const id = nextId++;
      return new Promise((resolve, reject) => {
        const entry = { speaker, space, push, line: lineOf(space, { type: 'own' }), resolve, reject };
        waiting.set(id, entry);
        if (state === 'ready') sendPush(id, entry);
      });
    },
    state: () => state,
    onState,
    ready: (timeoutMs) => waitReady(clock, () => state, onState, timeoutMs),
    nodeMs: () => asked(time.nowMs()),
    nodeSpan: () => asked(time.span()),
    traffic: () => ({ ...speaker.traffic }),
    as: (other) => {
      const added: Speaker = { number: nextSpeaker++, key: other, traffic: { received: 0, sent: 0 } };
      speakers.set(added.number, added);
      introduce(added);
      return speakAs(added);
    },
    close: () => (speaker === first ? close() : silence(speaker)),
  });
  return speakAs(first);
}

function waitReady(
  clock: Clock,
  state: () => LinkState,
  onState: (l: (s: LinkState) => void) => () => void,
  timeoutMs: number,
): Promise<void> {
  if (state() === 'ready') return Promise.resolve();
  return new Promise((resolve, reject) => {
    const stop = onState((next) => {
      if (next !== 'ready' && next !== 'closed') return;
      cancel();
      stop();
      if (next === 'ready') resolve();
      else reject(new LinkOffline());
    });
    const cancel = clock.timer(timeoutMs, () => {
      stop();
      reject(new LinkOffline());
    });
  });
}
