/**
 * The mailbox of an account: sends sealed messages, drains the inbox into the home space, and hands verified messages on. Must not know
 * what message types mean.
 */

import type { Did, JsonObject } from '@sluice/core/base';
import { filterFailureText, parseFilter, type Sort } from '@sluice/core/filter';
import type { MessageFailure } from '@sluice/core/message';
import type { OpenAccount } from '../account/account.ts';
import { SluiceError } from '../errors.ts';
import { addListener, tell } from '../listeners.ts';
import { createCourier, type Draft, type Outgoing, type Recipient, type SendOptions } from './courier.ts';
import { createInboxDrain } from './inbox-drain.ts';
import { INBOX, INBOX_SHAPE, type InboxItem, type MessageStatus, recordToItem } from './inbox-item.ts';
import { createOutbox, type Posted, type PostOptions, type SentItem } from './outbox.ts';

export { INBOX, type InboxItem, type MessageStatus } from './inbox-item.ts';
export type { Outgoing, SendOptions } from './courier.ts';

/** Which of the messages found are returned, and in what order. */
export type ListOptions = { readonly limit?: number; readonly skip?: number; readonly sort?: Sort };
/** What an owner changes of a message. */
export type MessageChange = { readonly read?: boolean; readonly status?: MessageStatus };

/** The messages of an account, in and out. */
export type Mailbox = {
  readonly start: () => void;
  /** Resolves when every message that waited at the node as of this call was drained, or found not to be decidable now. */
  readonly fetched: () => Promise<void>;
  /** Sends at once or not at all. Errors: UNKNOWN_DID, NO_INBOX, MESSAGE_TOO_LARGE, BAD_MESSAGE, OFFLINE, NODE_*. */
  readonly send: (
    to: Did,
    type: string,
    data: JsonObject,
    message: string,
    options?: SendOptions,
  ) => Promise<{ readonly id: string }>;
  /** Sends many; nothing is sent unless every recipient is found. The ids are in the order of the items. */
  readonly sendMany: (items: readonly Outgoing[]) => Promise<readonly { readonly id: string }[]>;
  /** Keeps a message with what it answers, then sends it: at once, or when the recipient's node can be reached. */
  readonly post: (item: Outgoing, options: PostOptions) => Promise<Posted>;
  /** What became of a message that was posted. */
  readonly sent: (id: string) => SentItem | undefined;
  /** Calls back once for every verified message that arrives, here or on another device of this account. Returns how to stop. */
  readonly on: (type: string | undefined, handler: (item: InboxItem) => void) => () => void;
  /** Calls back on this device for a message that came again: its sender does not know that it was heard. Returns how to stop. */
  readonly onRepeat: (type: string, handler: (item: InboxItem) => void) => () => void;
  /** Calls back for every change of a message: arrival, read, answer. */
  readonly onChange: (handler: (item: InboxItem) => void) => () => void;
  /** Messages that were dropped because they did not verify: why, and nothing of their content. */
  readonly onRejected: (handler: (reason: MessageFailure['type']) => void) => () => void;
  readonly get: (id: string) => InboxItem | undefined;
  /** Newest first unless sorted otherwise. */
  readonly list: (filter?: JsonObject, options?: ListOptions) => InboxItem[];
  readonly update: (id: string, change: MessageChange) => void;
};

/** Ids of messages that were handed on, so that a second device's copy of one is not handed on again. */
const MAX_ANNOUNCED = 20_000;

/** Creates the mailbox. Nothing is drained before `start`. */
export function createMailbox(account: OpenAccount): Mailbox {
  const { platform, home } = account;
  const inbox = home.collection(INBOX, INBOX_SHAPE);
  const courier = createCourier(account);
  const outbox = createOutbox(account, courier);
  const handlers = new Set<{ readonly type: string | undefined; readonly run: (item: InboxItem) => void }>();
  const watchers = new Set<(item: InboxItem) => void>();
  const repeated = new Set<{ readonly type: string; readonly run: (item: InboxItem) => void }>();
  const rejected = new Set<(reason: MessageFailure['type']) => void>();
  const announced = new Set<string>();
  const drain = createInboxDrain(account, inbox, {
    onRejected: (reason) => {
      for (const handler of [...rejected]) tell(handler, reason);
    },
    onRepeat: (id, from) => {
      const record = inbox.get(id);
      const item = record && recordToItem(record);
      if (item?.from !== from) return;
      for (const { type, run } of [...repeated]) if (type === item.type) tell(run, item);
    },
  });

  let changed: InboxItem[] = [];
  inbox.onChange((change) => {
    if (change.type !== 'put' || !change.record) return;
    // A handler runs after the transaction that saves the message, so it cannot undo it; what is undone is not handed on.
    if (changed.length === 0) queueMicrotask(handOn);
    changed.push(recordToItem(change.record));
  });

  /** Whether something was undone meanwhile, so that each message has to be looked up before it is handed on. */
  let isDoubtful = false;
  account.store.db.onRollback(() => {
    isDoubtful = changed.length > 0;
  });

  function handOn(): void {
    const items = changed;
    const lookUp = isDoubtful;
    changed = [];
    isDoubtful = false;
    if (account.closed()) return;
    for (const item of items) {
      if (lookUp && !inbox.get(item.id)) continue;
      for (const watcher of [...watchers]) tell(watcher, item);
      if (item.read || item.status !== undefined || announced.has(item.id)) continue;
      remember(announced, item.id);
      for (const { type, run } of [...handlers]) if (type === undefined || type === item.type) tell(run, item);
    }
  }

  const sendMany: Mailbox['sendMany'] = async (items) => {
    const drafts = items.map((item) => courier.draft(item));
    const groups = groupByRecipient(drafts);
    const recipients = new Map<Did, Recipient>();
    for (const did of groups.keys()) {
      const found = await courier.find(did);
      if (!found.ok) throw found.error.error;
      recipients.set(did, found.value);
    }
    for (const [did, mine] of groups) {
      const done = await courier.depositAll(recipients.get(did) as Recipient, mine);
      if (!done.ok) throw done.error.error;
    }
    return drafts.map(({ id }) => ({ id }));
  };

  return {
    start: () => {
      home.start({ inbox: drain.onPage });
      outbox.start();
    },
    fetched: drain.fetched,
    send: async (to, type, data, message, options) => {
      const [sent] = await sendMany([{ to, type, data, message, ...(options ? { options } : {}) }]);
      return sent as { id: string };
    },
    sendMany,
    post: outbox.post,
    sent: outbox.sent,
    on: (type, run) => addListener(handlers, { type, run }),
    onRepeat: (type, run) => addListener(repeated, { type, run }),
    onChange: (handler) => addListener(watchers, handler),
    onRejected: (handler) => addListener(rejected, handler),
    get: (id) => {
      const record = inbox.get(id);
      return record && recordToItem(record);
    },
    list: (filter = {}, options = {}) => {
      const parsed = parseFilter(filter);
      if (!parsed.ok) throw new SluiceError('BAD_FILTER', filterFailureText(parsed.error));
      return inbox
        .query(parsed.value, platform.clock.nowMs(), { sort: [{ sentAt: 'desc' }], ...options })
        .records.map(recordToItem);
    },
    update: (id, change) => {
      const record = inbox.get(id);
      if (!record) throw new SluiceError('NOT_FOUND', 'There is no such message');
      inbox.save([{ id, document: { ...record, ...change } as JsonObject, force: true }]);
      home.nudge();
    },
  };
}

function remember(set: Set<string>, id: string): void {
  const oldest = set.size >= MAX_ANNOUNCED ? set.values().next().value : undefined;
  if (oldest !== undefined) set.delete(oldest);
  set.add(id);
}

function groupByRecipient(drafts: readonly Draft[]): Map<Did, Draft[]> {
  const groups = new Map<Did, Draft[]>();
  for (const draft of drafts) {
    const group = groups.get(draft.to);
    if (group) group.push(draft);
    else groups.set(draft.to, [draft]);
  }
  return groups;
}
