/**
 * Drains the inbox log: opens and verifies each message, saves it and marks it for dropping in one local transaction. What cannot be
 * decided yet stays at the node, and the saved cursor stays before it. Must not know what message types mean.
 */

import { bytesToHex, type Did, err, type Tag } from '@sluice/core/base';
import { type Message, type MessageFailure, openMessage } from '@sluice/core/message';
import { decodeHeader, type PageEntry } from '@sluice/core/wire';
import type { OpenAccount } from '../account/account.ts';
import { isStoreFull, SluiceError } from '../errors.ts';
import { readLog } from '../link/read-log.ts';
import type { SpaceEngine } from '../space/space-engine.ts';
import type { Collection } from '../store/collection.ts';
import { mayPass } from './courier.ts';
import { INBOX, INBOX_SHAPE, messageToSave } from './inbox-item.ts';
import { createRetry, isStoreFailure } from './retry.ts';

/** Takes messages from the node into the account’s own inbox, each once. */
export type InboxDrain = {
  /** Handles a page that the live connection brought. */
  readonly onPage: (entries: readonly PageEntry[], cursor: number) => Promise<void>;
  /** Resolves when all that waited at the node as of this call was drained, or was found not to be decidable now. */
  readonly fetched: () => Promise<void>;
};

type Opened = {
  readonly tag: Tag;
  readonly result: Awaited<ReturnType<typeof openMessage>>;
  readonly isPending: boolean;
};

/** Messages that cannot be decided now and wait at the node at once; it holds 10,000 of all kinds. */
const MAX_UNDECIDED = 500;

/** What a drain tells. */
type DrainEvents = {
  readonly onRejected: (reason: MessageFailure['type']) => void;
  /** A message came under an id that is known, from this sender. */
  readonly onRepeat: (id: string, from: Did) => void;
};

/** Creates the drain of an account's inbox into its home collection. */
export function createInboxDrain(
  account: OpenAccount,
  inbox: Collection,
  { onRejected, onRepeat }: DrainEvents,
): InboxDrain {
  const { home, store, resolver } = account;
  const { clock } = account.platform;
  const cards = new Map<string, number>();
  /** Tags of the messages that could not be decided. */
  const waiting = new Set<string>();
  /** Whether the node may hold messages after the saved cursor that were not decided. */
  let held = false;
  let fetches = 0;
  const retry = createRetry(account, () => {
    fetched().catch((cause: unknown) => {
      if (!account.closed() && !isStoreFailure(cause)) throw cause;
    });
  });

  const open = async (entry: PageEntry): Promise<Opened | undefined> => {
    const header = decodeHeader(entry.header);
    if (!header.ok || !entry.body) return undefined;
    // By the node's time, which senders date by: this clock may be wrong.
    const nowMs = account.link.nodeMs();
    const deps = { me: account.did, sealing: account.sealing, resolve: resolver.resolve, nowMs, cards };
    const found = await openMessage(entry.body, deps);
    // By this clock it is past its end, and the node may be lying to pass on an old one: it stays until both say the same.
    const isDoubtful = found.ok && found.value.expiresMs <= clock.nowMs();
    const result = isDoubtful ? err({ type: 'expired' as const }) : found;
    const isPending = isDoubtful || (!found.ok && isUndecided(found.error));
    return { tag: header.value.tag, result, isPending };
  };

  /** Whether a message stays at the node. There is room for some, so that senders who are never found cannot fill the inbox. */
  const isHeld = ({ tag, isPending }: Opened): boolean => {
    const name = bytesToHex(tag);
    const waits = isPending && (waiting.has(name) || waiting.size < MAX_UNDECIDED);
    if (waits) waiting.add(name);
    else waiting.delete(name);
    return waits;
  };

  /** The silo that a message is meant for, if the account has it. Nothing is created. */
  const siloOf = async (m: Message): Promise<SpaceEngine | undefined> => {
    if (m.context === undefined) return undefined;
    const app = m.contextApp ?? m.from;
    const known = account.contexts().find(({ context }) => context.name === m.context && context.app === app);
    return known && account.openContext(known.context, false);
  };

  /** Saves and drains what can be decided. Returns whether that was all. */
  const drain = async (entries: readonly PageEntry[]): Promise<boolean> => {
    const opened = (await Promise.all(entries.map(open))).filter((o) => o !== undefined);
    const decided = opened.filter((one) => !isHeld(one));
    const routed: { readonly message: Message; readonly silo: SpaceEngine; readonly to: Collection }[] = [];
    for (const { result } of decided) {
      const silo = result.ok ? await siloOf(result.value) : undefined;
      if (result.ok && silo) routed.push({ message: result.value, silo, to: silo.collection(INBOX, INBOX_SHAPE) });
    }
    if (account.closed()) return false;
    // A message that came before is drained again and saved once: its record is the memory of its id.
    const came = new Map<string, Message>();
    for (const { result } of decided)
      if (result.ok && !came.has(result.value.id)) came.set(result.value.id, result.value);
    let fresh: ReadonlySet<string> = new Set();
    try {
      store.db.transact(() => {
        const nowMs = clock.nowMs();
        const saved = inbox.save([...came.values()].map((m) => messageToSave(m, nowMs)));
        fresh = new Set(saved.map(({ id }) => id));
        for (const { message, to } of routed) route(message, to, nowMs);
        for (const { tag } of decided) home.drain(tag);
      });
    } catch (cause) {
      // The transaction was rolled back: what the collections decoded meanwhile is not so.
      inbox.forget();
      for (const { to } of routed) to.forget();
      if (isStoreFailure(cause)) return false;
      throw cause;
    }
    for (const { result } of decided) if (!result.ok) onRejected(result.error.type);
    for (const { id, from } of came.values()) if (!fresh.has(id)) onRepeat(id, from);
    if (decided.length > 0) home.nudge();
    for (const { silo } of routed) silo.nudge();
    return decided.length === opened.length;
  };

  /** A copy for the silo. What its sessions have put in the way there must hold up nobody's messages but theirs. */
  const route = (message: Message, to: Collection, nowMs: number): void => {
    try {
      store.db.transact(() => {
        to.save([messageToSave(message, nowMs)]);
      });
    } catch (cause) {
      if (!(cause instanceof SluiceError) || isStoreFull(cause)) throw cause;
      to.forget();
    }
  };

  const advance = (cursor: number): void => {
    if (held || fetches > 0 || account.closed() || cursor <= home.store.cursor('inbox')) return;
    // Losing this to a crash costs reading again, so it need not wait for the disk.
    store.db.transactLazily(() => home.store.setCursor('inbox', cursor));
  };
  const hold = (): void => {
    held = true;
    retry.later();
  };

  const fetched = async (): Promise<void> => {
    // What is held back lies after the saved cursor, so this reading meets it again.
    held = false;
    fetches++;
    let all = true;
    let last = 0;
    try {
      await readLog(account.link, home.keys.space, { type: 'inbox' }, home.store.cursor('inbox'), async (page) => {
        if (!(await drain(page.entries))) all = false;
        last = page.cursor;
      });
    } catch (cause) {
      hold();
      throw cause;
    } finally {
      fetches--;
    }
    if (!all) return hold();
    if (!held) retry.done();
    advance(last);
  };

  return {
    onPage: async (entries, cursor) => {
      if (await drain(entries)) advance(cursor);
      else if (!account.closed()) hold();
    },
    fetched,
  };
}

/** Of what is refused, only a sender who cannot be looked up now is undecided. */
const isUndecided = (failure: MessageFailure): boolean => failure.type === 'unresolved' && mayPass(failure.cause);
