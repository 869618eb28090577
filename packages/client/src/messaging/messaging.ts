/** Scenarios 1 and 2: send records to a person, ask a person for records, and the person's side of both. */

import {
  bytesToHex,
  type Did,
  isJsonObject,
  type JsonObject,
  type JsonValue,
  toDid,
  utf8ToBytes,
} from '@sluice/core/base';
import { hmacSha256 } from '@sluice/core/crypto';
import type { OpenAccount } from '../account/account.ts';
import type { Context } from '../context.ts';
import { SluiceError } from '../errors.ts';
import type { SchemaLoader } from '../schema/index.ts';
import {
  checkAnswer,
  DATA_REQUEST,
  DATA_SEND,
  type DataRequest,
  MESSAGE,
  parseDataRequest,
  requestFilter,
  STATUS,
} from './data-request.ts';
import type { InboxItem, ListOptions, Mailbox, MessageStatus, SendOptions } from './mailbox.ts';

export type DataAnswer =
  | {
      readonly status: 'shared';
      readonly records: readonly JsonObject[];
      readonly rejected: readonly { readonly index: number; readonly reason: string }[];
    }
  | { readonly status: 'declined' }
  | { readonly status: 'expired' };
export type SentStatus = 'waiting' | MessageStatus | 'expired';
export type PendingData = { readonly id: string; readonly answer: () => Promise<DataAnswer> };
export type AcceptResult = {
  readonly saved: readonly { readonly id: string; readonly schema: string }[];
  readonly failed: readonly { readonly index: number; readonly reason: string }[];
};

export type Messaging = {
  /** Sends a message of any type. Errors: UNKNOWN_DID, NO_INBOX, MESSAGE_TOO_LARGE, OFFLINE. */
  readonly send: (
    did: string,
    type: string,
    data: JsonObject,
    message: string,
    options?: SendOptions,
  ) => Promise<{ readonly id: string }>;
  /** Asks a person for records. The answer never comes by itself: the person presses, or this clock runs out. */
  readonly request: (
    did: string,
    request: DataRequest & { readonly expiresInMs?: number; readonly message?: string },
  ) => Promise<PendingData>;
  readonly pending: (id: string) => PendingData;
  /** What became of something sent. */
  readonly sentStatus: (id: string) => SentStatus;
  readonly onMessage: (callback: (item: InboxItem) => void) => () => void;
  readonly getMessages: (filter?: JsonObject, options?: ListOptions) => Promise<InboxItem[]>;
  /** Saves the records of a dataSend into the Vault, and tells the sender. Errors: ALREADY_ANSWERED, BAD_MESSAGE. */
  readonly accept: (id: string) => Promise<AcceptResult>;
  readonly decline: (id: string) => Promise<void>;
  readonly reply: (id: string, data: JsonObject, message: string) => Promise<{ readonly id: string }>;
  /** Which of this person's records fit a dataRequest. */
  readonly matching: (id: string, options?: { readonly limit?: number }) => Promise<JsonObject[]>;
  /** Answers a dataRequest with chosen records. Errors: BAD_REQUEST (too many, or one that does not fit), ALREADY_ANSWERED. */
  readonly share: (id: string, recordIds: readonly string[]) => Promise<void>;
};

export type MessagingDeps = {
  readonly account: OpenAccount;
  readonly mailbox: Mailbox;
  readonly vault: Context;
  readonly schemas: SchemaLoader;
};

const REQUEST_MS = 14 * 24 * 3600 * 1000;
/** What the owner's side decides about a record that came from elsewhere; a sender's word on these is dropped. */
const OWNERS_FIELDS = new Set([
  '_id',
  '_rev',
  'insertedAt',
  'modifiedAt',
  'schema',
  'sourceApplication',
  'sourceAccountId',
]);

/** Creates the messaging side of an account. */
export function createMessaging({ account, mailbox, vault }: MessagingDeps): Messaging {
  const { clock } = account.platform;
  const { keychain } = account;

  const openFor = (id: string, type?: string): InboxItem => {
    const item = mailbox.get(id);
    if (!item || (type !== undefined && item.type !== type))
      throw new SluiceError('NOT_FOUND', 'There is no such message');
    if (item.status) throw new SluiceError('ALREADY_ANSWERED');
    return item;
  };
  const tell = async (item: InboxItem, status: MessageStatus, failed: AcceptResult['failed'] = []): Promise<void> => {
    const data: JsonObject = {
      replyId: item.id,
      status,
      ...(failed.length > 0 ? { failed: failed.map((f) => f.index) } : {}),
    };
    await mailbox.send(item.from, STATUS, data, status === 'accepted' ? 'Accepted' : 'Declined', { replyTo: item.id });
  };

  /** The id of an accepted record: from message and place, so that accepting twice saves once, and the sender has no say in it. */
  const acceptedId = (item: InboxItem, index: number): string =>
    bytesToHex(hmacSha256(account.home.keys.tagSecret, utf8ToBytes(`accepted/${item.id}/${index}`)).subarray(0, 16));

  const saveOne = async (
    item: InboxItem,
    record: JsonValue,
    index: number,
  ): Promise<{ id: string; schema: string } | string> => {
    if (!isJsonObject(record) || typeof record.schema !== 'string') return 'the record names no schema';
    const content: Record<string, JsonValue> = {};
    for (const [name, value] of Object.entries(record)) if (!OWNERS_FIELDS.has(name)) content[name] = value;
    try {
      const store = await vault.openDatastore(record.schema);
      const id = acceptedId(item, index);
      await store.save(
        { ...content, _id: id, sourceApplication: item.from, sourceAccountId: item.from },
        { force: true },
      );
      return { id, schema: store.schema?.id ?? record.schema };
    } catch (cause) {
      if (cause instanceof SluiceError && ['INVALID_RECORD', 'UNKNOWN_SCHEMA', 'BAD_SCHEMA'].includes(cause.code))
        return cause.message;
      throw cause;
    }
  };

  const matching = async (
    id: string,
    limit = 100,
  ): Promise<{ item: InboxItem; request: DataRequest; records: JsonObject[] }> => {
    const item = mailbox.get(id);
    if (!item || item.type !== DATA_REQUEST) throw new SluiceError('NOT_FOUND', 'There is no such data request');
    const request = parseDataRequest(item.data);
    const schema = await vault.registry.load(request.requestSchema);
    const collection = vault.registry.openWith(schema);
    return {
      item,
      request,
      records: collection.query(requestFilter(request, schema), clock.nowMs(), { limit }).records,
    };
  };

  const waitForAnswer = (id: string): Promise<DataAnswer> => {
    const asked = keychain.get('request', id);
    if (!asked) return Promise.reject(new SluiceError('NOT_FOUND', 'There is no such request'));
    const request = parseDataRequest(asked.request as JsonObject);
    return new Promise((resolve, reject) => {
      const finish = (end: () => void): void => {
        for (const stop of stops) stop();
        end();
      };
      const settle = (item: InboxItem): void => {
        // Only the one who was asked can answer.
        if (item.data.replyId !== id || item.from !== asked.to) return;
        if (item.type === STATUS && item.data.status === 'declined') finish(() => resolve({ status: 'declined' }));
        if (item.type !== DATA_SEND) return;
        finish(() => {
          vault.registry.load(request.requestSchema).then((schema) => {
            const { fitting, rejected } = checkAnswer(request, schema, item.data.data, clock.nowMs());
            resolve({ status: 'shared', records: fitting, rejected });
          }, reject);
        });
      };
      const cancel = clock.timer(Math.max(0, Number(asked.expiresAt) - clock.nowMs()), () =>
        finish(() => resolve({ status: 'expired' })),
      );
      const stops = [mailbox.on(DATA_SEND, settle), mailbox.on(STATUS, settle), cancel];
      for (const item of mailbox.list({ type: { $in: [DATA_SEND, STATUS] } })) settle(item);
    });
  };
  const pending = (id: string): PendingData => ({ id, answer: () => waitForAnswer(id) });

  return {
    send: async (did, type, data, message, options) => {
      const sent = await mailbox.send(toDid(did), type, data, message, options);
      keychain.put('request', sent.id, {
        kind: 'sent',
        to: did,
        type,
        expiresAt: clock.nowMs() + (options?.expiresInMs ?? REQUEST_MS),
      });
      account.home.nudge();
      return sent;
    },
    request: async (did, { expiresInMs = REQUEST_MS, message, ...request }) => {
      const schema = await vault.registry.load(request.requestSchema);
      requestFilter(request, schema);
      const data = { ...request, requestSchema: schema.id } as unknown as JsonObject;
      const sent = await mailbox.send(
        toDid(did),
        DATA_REQUEST,
        data,
        message ?? request.purpose ?? `Request for ${schema.title}`,
        { expiresInMs },
      );
      keychain.put('request', sent.id, {
        kind: 'data',
        to: did,
        request: data,
        expiresAt: clock.nowMs() + expiresInMs,
      });
      account.home.nudge();
      return pending(sent.id);
    },
    pending,
    sentStatus: (id) => {
      const sent = keychain.get('request', id);
      if (!sent) throw new SluiceError('NOT_FOUND', 'Nothing was sent under this id');
      const answer = mailbox
        .list({ type: STATUS }, {})
        .find((item) => item.data.replyId === id && item.from === sent.to);
      if (answer?.data.status === 'accepted' || answer?.data.status === 'declined') return answer.data.status;
      return clock.nowMs() > Number(sent.expiresAt) ? 'expired' : 'waiting';
    },
    onMessage: (callback) => mailbox.on(undefined, callback),
    getMessages: async (filter, options = {}) => mailbox.list(filter, { limit: 20, ...options }),
    accept: async (id) => {
      const item = openFor(id);
      if (item.type === DATA_REQUEST)
        throw new SluiceError('BAD_MESSAGE', 'A data request is answered by sharing records');
      const saved: { id: string; schema: string }[] = [];
      const failed: { index: number; reason: string }[] = [];
      if (item.type === DATA_SEND) {
        const records = Array.isArray(item.data.data) ? item.data.data : [];
        for (const [index, record] of records.entries()) {
          const outcome = await saveOne(item, record as JsonValue, index);
          if (typeof outcome === 'string') failed.push({ index, reason: outcome });
          else saved.push(outcome);
        }
        if (saved.length === 0)
          throw new SluiceError(
            'BAD_MESSAGE',
            `None of the ${records.length} records could be saved${failed[0] ? `: ${failed[0].reason}` : ''}`,
          );
      }
      mailbox.update(id, { status: 'accepted', read: true });
      if (item.type !== MESSAGE) await tell(item, 'accepted', failed);
      return { saved, failed };
    },
    decline: async (id) => {
      const item = openFor(id);
      mailbox.update(id, { status: 'declined', read: true });
      if (item.type !== MESSAGE) await tell(item, 'declined');
    },
    reply: async (id, data, message) => {
      const item = mailbox.get(id);
      if (!item) throw new SluiceError('NOT_FOUND', 'There is no such message');
      return mailbox.send(item.from as Did, item.type, { ...data, replyId: id }, message, { replyTo: id });
    },
    matching: async (id, { limit = 100 } = {}) => (await matching(id, limit)).records,
    share: async (id, recordIds) => {
      openFor(id, DATA_REQUEST);
      const { item, request, records } = await matching(id, 10_000);
      const chosen = recordIds.map((wanted) => records.find((r) => r._id === wanted));
      if (chosen.length === 0 || chosen.some((r) => r === undefined))
        throw new SluiceError('BAD_REQUEST', 'Choose records that fit the request');
      if (request.userSelectLimit !== undefined && chosen.length > request.userSelectLimit)
        throw new SluiceError('BAD_REQUEST', `At most ${request.userSelectLimit} records may be shared`);
      const data = chosen.map((record) => {
        const { _rev: _, ...rest } = record as JsonObject;
        return rest as JsonObject;
      });
      mailbox.update(id, { status: 'accepted', read: true });
      await mailbox.send(item.from, DATA_SEND, { replyId: id, data }, 'Here is what you asked for', { replyTo: id });
    },
  };
}
