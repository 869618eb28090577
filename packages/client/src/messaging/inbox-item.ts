/** Messages as the inbox keeps them: one record each, under the message's own id. */

import { type Did, isJsonObject, type JsonObject, type JsonValue } from '@sluice/core/base';
import type { Message } from '@sluice/core/message';
import type { CollectionShape, SaveItem } from '../store/collection.ts';

/** How the owner answered. */
export type MessageStatus = 'accepted' | 'declined';
/** A message that arrived and whose sender was verified. */
export type InboxItem = {
  /** The message's id, 32 hex digits. */
  readonly id: string;
  readonly type: string;
  readonly from: Did;
  readonly to: Did;
  /** Name of the context it is meant for. */
  readonly context?: string;
  /** The application of that context; without it, the sender. */
  readonly contextApp?: Did;
  readonly message: string;
  readonly data: JsonObject;
  readonly sentAt: number;
  readonly expiresAt: number;
  readonly replyTo?: string;
  readonly receivedAt: number;
  readonly read: boolean;
  readonly status?: MessageStatus;
};

/** Type of a message in words. */
export const MESSAGE = 'inbox/type/message';
/** The collection of a space's messages. */
export const INBOX = 'inbox';
/** How the collection of messages is indexed. */
export const INBOX_SHAPE: CollectionShape = {
  indexes: [
    { name: 'type', fields: ['type', 'sentAt'] },
    { name: 'sentAt', fields: ['sentAt'] },
    { name: 'replyTo', fields: ['replyTo'] },
  ],
  formats: new Map(),
  merges: new Map(),
};

/** The record of a verified message. Once it was here, it stays what it has become. */
export function messageToSave(m: Message, nowMs: number): SaveItem {
  const document: { [field: string]: JsonValue } = {
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
  if (m.contextApp !== undefined) document.contextApp = m.contextApp;
  if (m.replyTo !== undefined) document.replyTo = m.replyTo;
  return { id: m.id, document, force: true, onlyNew: true };
}

/** The item of a record that `messageToSave` made. */
export function recordToItem(record: JsonObject): InboxItem {
  const { context, contextApp, replyTo, status } = record;
  return {
    id: String(record._id),
    type: String(record.type),
    from: record.from as Did,
    to: record.to as Did,
    message: String(record.message),
    data: isJsonObject(record.data) ? (record.type === MESSAGE ? withoutBadLink(record.data) : record.data) : {},
    sentAt: Number(record.sentAt),
    expiresAt: Number(record.expiresAt),
    receivedAt: Number(record.receivedAt),
    read: record.read === true,
    ...(typeof context === 'string' ? { context } : {}),
    ...(typeof contextApp === 'string' ? { contextApp: contextApp as Did } : {}),
    ...(typeof replyTo === 'string' ? { replyTo } : {}),
    ...(status === 'accepted' || status === 'declined' ? { status } : {}),
  };
}

/** A person is going to press it: a link that is no https address is not shown. */
function withoutBadLink(data: JsonObject): JsonObject {
  const { link, ...rest } = data;
  return link === undefined || (isJsonObject(link) && isWebAddress(link.url)) ? data : rest;
}

/** Whether this is an address that a person may be offered: no script, no file. */
export const isWebAddress = (value: JsonValue | undefined): value is string =>
  typeof value === 'string' && URL.canParse(value) && new URL(value).protocol === 'https:';
