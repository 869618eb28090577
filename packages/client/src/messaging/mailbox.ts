/**
 * The mailbox of an account: sends sealed messages, drains the inbox into the home space, and hands verified messages on. Must not know
 * what message types mean.
 */

import { bytesToHex, type Did, isJsonObject, type JsonObject, type JsonValue } from '@sluice/core/base';
import { parseFilter, type Sort } from '@sluice/core/filter';
import type { Identity } from '@sluice/core/identity';
import {
  createMessageId,
  MAX_MESSAGE_LIFE_MS,
  type Message,
  type MessageFailure,
  openMessage,
  sealMessage,
} from '@sluice/core/message';
import { decodeHeader, MAX_DEPOSIT, MAX_DEPOSIT_BYTES, type PageEntry } from '@sluice/core/wire';
import type { OpenAccount } from '../account/account.ts';
import { SluiceError } from '../errors.ts';
import { createNodeHttp } from '../link/node-http.ts';
import { readLog } from '../link/read-log.ts';
import type { CollectionShape } from '../store/collection.ts';

export type MessageStatus = 'accepted' | 'declined';
export type InboxItem = {
  readonly id: string;
  readonly type: string;
  readonly from: Did;
  readonly to: Did;
  readonly context?: string;
  readonly message: string;
  readonly data: JsonObject;
  readonly sentAt: number;
  readonly expiresAt: number;
  readonly replyTo?: string;
  readonly receivedAt: number;
  readonly read: boolean;
  readonly status?: MessageStatus;
};
export type SendOptions = { readonly context?: string; readonly replyTo?: string; readonly expiresInMs?: number };
export type Outgoing = {
  readonly to: Did;
  readonly type: string;
  readonly data: JsonObject;
  readonly message: string;
  readonly options?: SendOptions;
};
export type ListOptions = { readonly limit?: number; readonly skip?: number; readonly sort?: Sort };

export type Mailbox = {
  readonly start: () => void;
  /** Resolves when every message that waited at the node as of this call was drained. */
  readonly fetched: () => Promise<void>;
  /** Errors: UNKNOWN_DID, NO_INBOX, MESSAGE_TOO_LARGE, OFFLINE, NODE_*. */
  readonly send: (
    to: Did,
    type: string,
    data: JsonObject,
    message: string,
    options?: SendOptions,
  ) => Promise<{ readonly id: string }>;
  readonly sendMany: (items: readonly Outgoing[]) => Promise<readonly { readonly id: string }[]>;
  /** Calls back for every verified message that arrives, here or on another device of this account. Returns how to stop. */
  readonly on: (type: string | undefined, handler: (item: InboxItem) => void) => () => void;
  /** Messages that were dropped because they did not verify: why, and nothing of their content. */
  readonly onRejected: (handler: (reason: MessageFailure['type']) => void) => () => void;
  readonly get: (id: string) => InboxItem | undefined;
  readonly list: (filter?: JsonObject, options?: ListOptions) => InboxItem[];
  readonly update: (id: string, change: { readonly read?: boolean; readonly status?: MessageStatus }) => void;
};

/** How long a message lives unless the sender says otherwise, in ms. */
const LIFE_MS = 14 * 24 * 3600 * 1000;
const RETRY_MS = 30_000;
const SHAPE: CollectionShape = {
  indexes: [
    { name: 'type', fields: ['type', 'sentAt'] },
    { name: 'sentAt', fields: ['sentAt'] },
  ],
  formats: new Map(),
  merges: new Map(),
};
export const INBOX = 'inbox';

/** Creates the mailbox. Nothing is drained before `start`. */
export function createMailbox(account: OpenAccount): Mailbox {
  const { platform, home, store, resolver } = account;
  const { clock, random } = platform;
  const inbox = home.collection(INBOX, SHAPE);
  const handlers = new Set<{ readonly type: string | undefined; readonly run: (item: InboxItem) => void }>();
  const rejected = new Set<(reason: MessageFailure['type']) => void>();
  const cards = new Map<string, number>();
  /** Messages whose sender could not be resolved just now; they stay at the node until they can. */
  const waiting = new Map<string, PageEntry>();

  inbox.onChange((change) => {
    if (change.type !== 'put' || !change.record || change.record.read !== false || change.record.status !== undefined)
      return;
    const item = toItem(change.record);
    for (const handler of [...handlers])
      if (handler.type === undefined || handler.type === item.type) handler.run(item);
  });

  const resolve = async (did: Did): Promise<Identity> => {
    const identity = await resolver.resolve(did);
    if (!identity.ok) throw new SluiceError('UNKNOWN_DID', `${did} cannot be resolved: ${identity.error.type}`);
    return identity.value;
  };

  const seal = async (item: Outgoing, recipient: Identity): Promise<{ id: string; sealed: Uint8Array }> => {
    const nowMs = clock.nowMs();
    const life = Math.min(item.options?.expiresInMs ?? LIFE_MS, MAX_MESSAGE_LIFE_MS);
    const { context, replyTo } = item.options ?? {};
    const message: Message = {
      id: createMessageId(random),
      type: item.type,
      from: account.did,
      to: item.to,
      message: item.message,
      data: item.data,
      createdMs: nowMs,
      expiresMs: nowMs + life,
      ...(context === undefined ? {} : { context }),
      ...(replyTo === undefined ? {} : { replyTo }),
    };
    const sealed = await sealMessage(message, { did: account.did, key: account.device, card: account.card }, recipient);
    if (!sealed.ok) throw new SluiceError('MESSAGE_TOO_LARGE');
    return { id: message.id, sealed: sealed.value };
  };

  const sendMany = async (items: readonly Outgoing[]): Promise<readonly { id: string }[]> => {
    const ids: { id: string }[] = [];
    for (const [did, mine] of groupByRecipient(items)) {
      const recipient = await resolve(did);
      if (!recipient.inbox) throw new SluiceError('NO_INBOX');
      const http = createNodeHttp(platform, { url: recipient.inbox.url });
      let batch: Uint8Array[] = [];
      let size = 0;
      const flush = async (): Promise<void> => {
        if (batch.length === 0) return;
        const done = await http.deposit((recipient.inbox as NonNullable<Identity['inbox']>).space, batch);
        if (!done.ok) throw new SluiceError(done.error.type === 'offline' ? 'OFFLINE' : `NODE_${done.error.code}`);
        batch = [];
        size = 0;
      };
      for (const item of mine) {
        const { id, sealed } = await seal(item, recipient);
        if (batch.length === MAX_DEPOSIT || size + sealed.length > MAX_DEPOSIT_BYTES / 2) await flush();
        batch.push(sealed);
        size += sealed.length;
        ids.push({ id });
      }
      await flush();
    }
    return ids;
  };

  /** Opens what can be opened, then saves and drains in one local transaction; the cursor never passes what was not decided. */
  const drain = async (entries: readonly PageEntry[], cursor: number | undefined): Promise<void> => {
    const deps = { me: account.did, sealing: account.sealing, resolve: resolver.resolve, nowMs: clock.nowMs(), cards };
    const opened = await Promise.all(
      entries.map(async (entry) => ({ entry, result: entry.body ? await openMessage(entry.body, deps) : undefined })),
    );
    if (account.closed()) return;
    const reasons: MessageFailure['type'][] = [];
    store.db.transact(() => {
      const saves = opened.flatMap(({ entry, result }) => {
        const header = decodeHeader(entry.header);
        if (!header.ok) return [];
        const key = bytesToHex(header.value.tag);
        if (result && !result.ok && result.error.type === 'unresolved') {
          waiting.set(key, entry);
          return [];
        }
        waiting.delete(key);
        home.drain(header.value.tag);
        if (result && !result.ok) reasons.push(result.error.type);
        // A message that came before is drained again and saved once: its id is remembered as long as it lives.
        return result?.ok && !inbox.get(result.value.id) ? [toSave(result.value, clock.nowMs())] : [];
      });
      if (saves.length > 0) inbox.save(uniqueById(saves));
      if (cursor !== undefined && waiting.size === 0) home.store.setCursor('inbox', cursor);
    });
    for (const reason of reasons) for (const handler of rejected) handler(reason);
    home.nudge();
    if (waiting.size > 0) clock.timer(RETRY_MS, () => void drain([...waiting.values()], undefined));
  };

  return {
    start: () => home.start({ inbox: drain }),
    fetched: async () => {
      await readLog(account.link, home.keys.space, { type: 'inbox' }, home.store.cursor('inbox'), (page) =>
        drain(page.entries, page.cursor),
      );
    },
    send: async (to, type, data, message, options) => {
      const [sent] = await sendMany([{ to, type, data, message, ...(options ? { options } : {}) }]);
      return sent as { id: string };
    },
    sendMany,
    on: (type, run) => {
      const handler = { type, run };
      handlers.add(handler);
      return () => handlers.delete(handler);
    },
    onRejected: (handler) => {
      rejected.add(handler);
      return () => rejected.delete(handler);
    },
    get: (id) => {
      const record = inbox.get(id);
      return record && toItem(record);
    },
    list: (filter = {}, options = {}) => {
      const parsed = parseFilter(filter);
      if (!parsed.ok) throw new SluiceError('BAD_FILTER');
      return inbox.query(parsed.value, clock.nowMs(), { sort: [{ sentAt: 'desc' }], ...options }).records.map(toItem);
    },
    update: (id, change) => {
      const record = inbox.get(id);
      if (!record) throw new SluiceError('NOT_FOUND', 'There is no such message');
      inbox.save([{ id, document: { ...record, ...change } as JsonObject, force: true }]);
      home.nudge();
    },
  };
}

function toSave(
  m: Message,
  nowMs: number,
): { readonly id: string; readonly document: JsonObject; readonly force: boolean } {
  const document: Record<string, JsonValue> = {
    type: m.type,
    from: m.from,
    to: m.to,
    message: m.message,
    data: m.data,
    sentAt: m.createdMs,
    expiresAt: m.expiresMs,
    receivedAt: nowMs,
    read: false,
  };
  if (m.context !== undefined) document.context = m.context;
  if (m.replyTo !== undefined) document.replyTo = m.replyTo;
  return { id: m.id, document, force: true };
}

function toItem(record: JsonObject): InboxItem {
  return {
    id: String(record._id),
    type: String(record.type),
    from: record.from as Did,
    to: record.to as Did,
    message: String(record.message),
    data: isJsonObject(record.data) ? record.data : {},
    sentAt: Number(record.sentAt),
    expiresAt: Number(record.expiresAt),
    receivedAt: Number(record.receivedAt),
    read: record.read === true,
    ...(typeof record.context === 'string' ? { context: record.context } : {}),
    ...(typeof record.replyTo === 'string' ? { replyTo: record.replyTo } : {}),
    ...(record.status === 'accepted' || record.status === 'declined' ? { status: record.status } : {}),
  };
}

function groupByRecipient(items: readonly Outgoing[]): Map<Did, Outgoing[]> {
  const groups = new Map<Did, Outgoing[]>();
  for (const item of items) {
    const group = groups.get(item.to);
    if (group) group.push(item);
    else groups.set(item.to, [item]);
  }
  return groups;
}

const uniqueById = <T extends { readonly id: string }>(items: readonly T[]): T[] => [
  ...new Map(items.map((i) => [i.id, i])).values(),
];
