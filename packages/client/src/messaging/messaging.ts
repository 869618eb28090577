/** Scenarios 1 and 2: send records to a person, ask a person for records, and the person's side of both. */

import {
  bytesToHex,
  type Did,
  isDid,
  isJsonObject,
  type JsonObject,
  type JsonValue,
  utf8ToBytes,
} from '@sluice/core/base';
import { hmacSha256 } from '@sluice/core/crypto';
import { type Filter, matches } from '@sluice/core/filter';
import { bundledAliases, bundledSchemas } from '@sluice/schemas';
import type { OpenAccount } from '../account/account.ts';
import type { Context } from '../context.ts';
import { notADid, SluiceError } from '../errors.ts';
import type { SchemaLoader } from '../schema/index.ts';
import type { Collection } from '../store/collection.ts';
import type { SendOptions } from './courier.ts';
import { DATA_REQUEST, DATA_SEND, type DataRequest, parseDataRequest, requestFilter, STATUS } from './data-request.ts';
import { type InboxItem, MESSAGE, type MessageStatus } from './inbox-item.ts';
import type { ListOptions, Mailbox } from './mailbox.ts';
import type { Posted } from './outbox.ts';
import { createPendingRequests, type PendingData, type SentStatus } from './pending-data.ts';

/** What became of the records of an accepted message, by their place in it. */
export type AcceptResult = {
  readonly saved: readonly { readonly id: string; readonly schema: string }[];
  readonly failed: readonly { readonly index: number; readonly reason: string }[];
};

/** Sending, asking and answering, as an application or a Vault does it. */
export type Messaging = {
  /**
   * Sends a message of any type; the known ones are checked. `queued` says that it is kept here until the recipient's node can be reached.
   *
   * Errors: UNKNOWN_DID, NO_INBOX, MESSAGE_TOO_LARGE, BAD_MESSAGE, NODE_*.
   */
  readonly send: (
    did: string,
    type: string,
    data: JsonObject,
    message: string,
    options?: SendOptions,
  ) => Promise<Posted>;
  /**
   * Asks a person for records. The answer never comes by itself: the person presses, or this clock runs out.
   *
   * Errors: those of `send`, UNKNOWN_SCHEMA, BAD_SCHEMA, BAD_FILTER.
   */
  readonly request: (
    did: string,
    request: DataRequest & { readonly expiresInMs?: number; readonly message?: string },
  ) => Promise<PendingData>;
  readonly pending: (id: string) => PendingData;
  /** What became of something sent. Errors: NOT_FOUND. */
  readonly sentStatus: (id: string) => SentStatus;
  readonly onMessage: (callback: (item: InboxItem) => void) => () => void;
  readonly getMessages: (filter?: JsonObject, options?: ListOptions) => Promise<InboxItem[]>;
  /** Saves the records of a dataSend into the Vault, and tells the sender. Errors: NOT_FOUND, ALREADY_ANSWERED, BAD_MESSAGE. */
  readonly accept: (id: string) => Promise<AcceptResult>;
  readonly decline: (id: string) => Promise<void>;
  /** Answers with a message of the same type, which leaves the item open. */
  readonly reply: (id: string, data: JsonObject, message: string) => Promise<Posted>;
  /** Which of this person's records fit a dataRequest. Nothing leaves this device by asking. */
  readonly matching: (id: string, options?: { readonly limit?: number }) => Promise<JsonObject[]>;
  /** Answers a dataRequest with chosen records. Errors: BAD_REQUEST (too many, or one that does not fit), EXPIRED, ALREADY_ANSWERED. */
  readonly share: (id: string, recordIds: readonly string[]) => Promise<void>;
};

/** What messaging is built over. */
export type MessagingDeps = {
  readonly account: OpenAccount;
  readonly mailbox: Mailbox;
  readonly vault: Context;
  readonly schemas: SchemaLoader;
};

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
/** Items that a press on accept cannot answer, and what does. */
const OTHER_VERBS: { readonly [type: string]: string } = {
  [DATA_REQUEST]: 'A data request is answered by sharing records',
  'inbox/type/syncRequest': 'A synchronization request is answered by consent',
  'inbox/type/datastoreSync': 'A synchronization request is answered by consent',
};
/** Items whose sender waits for no answer: the press stays here. */
const UNANSWERED: ReadonlySet<string> = new Set([
  MESSAGE,
  STATUS,
  ...['syncGrant', 'syncAccept', 'syncDrop', 'syncWiped', 'syncTerms', 'syncHeard'].map((name) => `inbox/type/${name}`),
]);
const PAYLOAD_TYPES = 'inbox/type/';

/** Creates the messaging side of an account. */
export function createMessaging({ account, mailbox, vault, schemas }: MessagingDeps): Messaging {
  const { clock } = account.platform;
  const requests = createPendingRequests(account, mailbox, vault.registry.load);
  const underWay = new Set<string>();

  const itemOf = (id: string, type?: string): InboxItem => {
    const item = mailbox.get(id);
    if (!item || (type !== undefined && item.type !== type))
      throw new SluiceError('NOT_FOUND', 'There is no such message');
    return item;
  };

  /** Answers an open item once, however often and however fast it is pressed. */
  const answerOnce = async <T>(
    id: string,
    type: string | undefined,
    answer: (item: InboxItem) => Promise<T>,
  ): Promise<T> => {
    const item = itemOf(id, type);
    if (item.status || underWay.has(id)) throw new SluiceError('ALREADY_ANSWERED');
    underWay.add(id);
    try {
      return await answer(item);
    } finally {
      underWay.delete(id);
    }
  };

  /** Checks the payload of a known type. Types of others are theirs to check. */
  const checkPayload = async (type: string, data: JsonObject): Promise<void> => {
    const schema = type.startsWith(PAYLOAD_TYPES) ? await schemas.load(type) : undefined;
    const issues = schema?.ok ? schema.value.validate(data) : [];
    if (issues.length > 0)
      throw new SluiceError(
        'BAD_MESSAGE',
        `The data is not that of ${type}: ${issues[0]?.path} ${issues[0]?.message}`,
        issues,
      );
  };

  const settle = async (item: InboxItem, status: MessageStatus, failed: AcceptResult['failed'] = []): Promise<void> => {
    const update = (): void => mailbox.update(item.id, { status, read: true });
    if (UNANSWERED.has(item.type)) return update();
    const places = failed.map((f) => f.index);
    const data: JsonObject = { replyId: item.id, status, ...(places.length > 0 ? { failed: places } : {}) };
    const message = status === 'accepted' ? 'Accepted' : 'Declined';
    try {
      await mailbox.post(
        { to: item.from, type: STATUS, data, message, options: { replyTo: item.id } },
        { after: 'forget', alongside: update, patient: true },
      );
    } catch (cause) {
      // The decision is the owner's and stands, also when the sender can no longer be told.
      if (!(cause instanceof SluiceError) || cause.code === 'CLOSED') throw cause;
      update();
    }
  };

  const pseudonym = (text: string): string =>
    bytesToHex(hmacSha256(account.home.keys.tagSecret, utf8ToBytes(text)).subarray(0, 16));

  /** Saves one record of a dataSend; returns why not, in words. */
  const saveOne = async (
    item: InboxItem,
    record: JsonValue,
    index: number,
  ): Promise<{ id: string; schema: string } | string> => {
    if (!isJsonObject(record) || typeof record.schema !== 'string') return 'the record names no schema';
    if (!isPublicSchema(record.schema)) return 'the record’s schema is neither bundled nor at an https address';
    const content: Record<string, JsonValue> = {};
    for (const [name, value] of Object.entries(record)) if (!OWNERS_FIELDS.has(name)) content[name] = value;
    try {
      const store = await vault.openDatastore(record.schema);
      // From message and place: accepting twice saves once, and the sender has no say in it.
      const id = pseudonym(`accepted/${item.id}/${index}`);
      const saved = { id, schema: store.schema?.id ?? record.schema };
      if (await store.get(id)) return saved;
      await store.save(
        { ...content, _id: id, sourceApplication: item.from, sourceAccountId: item.from },
        { force: true },
      );
      return saved;
    } catch (cause) {
      if (cause instanceof SluiceError && ['INVALID_RECORD', 'UNKNOWN_SCHEMA', 'BAD_SCHEMA'].includes(cause.code))
        return cause.message;
      throw cause;
    }
  };

  /**
   * What a data request asks of the Vault. A schema that no record here has is not fetched: whoever asked would see in the log of its
   * own server that somebody looked.
   */
  const readRequest = async (
    item: InboxItem,
  ): Promise<{ request: DataRequest; found?: { filter: Filter; collection: Collection } }> => {
    const request = parseDataRequest(item.data);
    const { requestSchema } = request;
    const schema = await vault.registry.loadKnown(requestSchema);
    if (!schema) return { request };
    return { request, found: { filter: requestFilter(request, schema), collection: vault.registry.openWith(schema) } };
  };

  const post = async (
    did: string,
    type: string,
    data: JsonObject,
    message: string,
    options?: SendOptions,
  ): Promise<Posted> => {
    if (!isDid(did)) throw notADid(did);
    await checkPayload(type, data);
    return mailbox.post(
      { to: did, type, data, message, ...(options ? { options } : {}) },
      { after: type === DATA_REQUEST ? 'keep' : 'note' },
    );
  };

  return {
    send: post,
    request: async (did, { expiresInMs, message, ...request }) => {
      const schema = await vault.registry.load(request.requestSchema);
      const data = { ...request, requestSchema: schema.id };
      requestFilter(parseDataRequest(data), schema);
      const words = message ?? request.purpose ?? `Request for ${schema.title}`;
      const posted = await post(
        did,
        DATA_REQUEST,
        data,
        words,
        expiresInMs === undefined ? undefined : { expiresInMs },
      );
      return requests.pending(posted.id);
    },
    pending: requests.pending,
    sentStatus: requests.sentStatus,
    onMessage: (callback) => mailbox.on(undefined, callback),
    getMessages: async (filter, options = {}) => mailbox.list(filter, { limit: 20, ...options }),
    accept: (id) =>
      answerOnce(id, undefined, async (item) => {
        const instead = OTHER_VERBS[item.type];
        if (instead) throw new SluiceError('BAD_MESSAGE', instead);
        const saved: { id: string; schema: string }[] = [];
        const failed: { index: number; reason: string }[] = [];
        if (item.type === DATA_SEND) {
          await checkPayload(DATA_SEND, item.data);
          const records = item.data.data as readonly JsonValue[];
          for (const [index, record] of records.entries()) {
            const outcome = await saveOne(item, record, index);
            if (typeof outcome === 'string') failed.push({ index, reason: outcome });
            else saved.push(outcome);
          }
          if (saved.length === 0)
            throw new SluiceError(
              'BAD_MESSAGE',
              `None of the ${records.length} records could be saved: ${failed[0]?.reason}`,
            );
        }
        await settle(item, 'accepted', failed);
        return { saved, failed };
      }),
    decline: (id) => answerOnce(id, undefined, (item) => settle(item, 'declined')),
    reply: async (id, data, message) => {
      const { from, type } = itemOf(id);
      return post(from, type, { ...data, replyId: id }, message, { replyTo: id });
    },
    matching: async (id, { limit = 100 } = {}) => {
      const { found } = await readRequest(itemOf(id, DATA_REQUEST));
      return found ? found.collection.query(found.filter, clock.nowMs(), { limit }).records : [];
    },
    share: (id, recordIds) =>
      answerOnce(id, DATA_REQUEST, async (item) => {
        if (item.expiresAt <= clock.nowMs()) throw new SluiceError('EXPIRED', 'The time for this request has passed');
        const { request, found } = await readRequest(item);
        const chosen = [...new Set(recordIds)].map((wanted) => found?.collection.get(wanted));
        const fitting = chosen.filter((r) => r !== undefined && found && matches(found.filter, r, clock.nowMs()));
        if (chosen.length === 0 || fitting.length < chosen.length)
          throw new SluiceError('BAD_REQUEST', 'Choose records that fit the request');
        if (request.userSelectLimit !== undefined && chosen.length > request.userSelectLimit)
          throw new SluiceError('BAD_REQUEST', `At most ${request.userSelectLimit} records may be shared`);
        const data = { replyId: id, data: fitting.map((record) => toShare(record as JsonObject, item.from)) };
        await checkPayload(DATA_SEND, data);
        await mailbox.post(
          { to: item.from, type: DATA_SEND, data, message: 'Here is what you asked for', options: { replyTo: id } },
          { after: 'forget', alongside: () => mailbox.update(id, { status: 'accepted', read: true }), patient: true },
        );
      }),
  };

  /** A record as one requester gets it: under a name that is the same whenever this requester gets it, and another for everybody else. */
  function toShare(record: JsonObject, requester: Did): JsonObject {
    const { _rev: _, _id, ...content } = record;
    return { ...content, _id: pseudonym(`shared/${requester}/${String(_id)}`) } as JsonObject;
  }
}

const isBundled = (uri: string): boolean => bundledAliases.has(uri) || bundledSchemas.has(uri);
/** Whether a stranger may name this schema: never a file of this machine. */
const isPublicSchema = (uri: string): boolean => isBundled(uri) || uri.startsWith('https://');
