/**
 * What was sent, and what still has to be: a message is kept, together with whatever it answers, before it leaves this device, so that
 * neither a crash nor a node that is down loses it. Must not know what message types mean.
 */

import { type Did, err, isJsonObject, type JsonObject, type JsonValue } from '@sluice/core/base';
import { parseFilter } from '@sluice/core/filter';
import type { OpenAccount } from '../account/account.ts';
import { SluiceError } from '../errors.ts';
import type { CollectionShape } from '../store/collection.ts';
import { type Courier, type DeliveryFailure, type Draft, deviceName, type Outgoing } from './courier.ts';
import { createRetry, isStoreFailure } from './retry.ts';

/** A message that was posted, and how far it came. Units: ms since the Unix epoch. */
export type SentItem = {
  readonly id: string;
  readonly to: Did;
  readonly type: string;
  readonly createdAt: number;
  readonly expiresAt: number;
  /** `failed`: the recipient's node refused it for good, or it expired here. */
  readonly state: 'queued' | 'sent' | 'failed';
  /** Kept after it left only where `after` says so. */
  readonly data?: JsonObject;
};
/** What remains once a message has left: nothing, that it was sent, or its data as well. */
export type AfterSending = 'forget' | 'note' | 'keep';
/** What is kept of a message, and what is stored together with it. */
export type PostOptions = {
  readonly after: AfterSending;
  /** Runs in the transaction that keeps the message, with its id. */
  readonly alongside?: (id: string) => void;
  /** Also takes a message to somebody whose DID is not found just now, because it was seen before. */
  readonly patient?: boolean;
  /** The id of the message. One that was posted under it before is sent anew, with a life of its own. */
  readonly id?: string;
};
/** `queued`: it is kept here and goes out when the recipient's node can be reached. */
export type Posted = { readonly id: string; readonly queued: boolean };

/** Messages on their way out, kept until the other node has taken them. */
export type Outbox = {
  /** Errors: UNKNOWN_DID, NO_INBOX, MESSAGE_TOO_LARGE, BAD_MESSAGE, NODE_*, CLOSED. */
  readonly post: (item: Outgoing, options: PostOptions) => Promise<Posted>;
  readonly sent: (id: string) => SentItem | undefined;
  /** Sends what waits, now and at every connection. */
  readonly start: () => void;
};

/** NOTE: no schema can take this name, since a schema's database has no slash. */
const SENT = 'messages/sent';
const SHAPE: CollectionShape = {
  indexes: [
    { name: 'state', fields: ['state'] },
    { name: 'expiresAt', fields: ['expiresAt'] },
  ],
  formats: new Map(),
  merges: new Map(),
};
const UNSEALABLE: ReadonlySet<string> = new Set(['MESSAGE_TOO_LARGE', 'BAD_MESSAGE', 'UNKNOWN_DID']);
/** How long a message of another device is left to that device, in ms. */
const OTHERS_MS = 60_000;

/** How long what was sent can be asked about after its end, in ms. */
const KEEP_MS = 30 * 24 * 3600 * 1000;
/** Rows forgotten in one go. */
const FORGET_STEP = 500;

/** Creates the outbox of an account. */
export function createOutbox(account: OpenAccount, courier: Courier): Outbox {
  const { clock } = account.platform;
  const { home } = account;
  const rows = home.collection(SENT, SHAPE);
  const me = deviceName(account);
  const busy = new Set<string>();
  let flushing = false;
  const retry = createRetry(account, () => flush());

  const put = (id: string, document: JsonObject): void => {
    rows.save([{ id, document, force: true }]);
    home.nudge();
  };

  const settle = (
    id: string,
    outcome: { readonly ok: true } | { readonly ok: false; readonly error: DeliveryFailure },
  ): boolean => {
    if (account.closed()) return false;
    const row = rows.get(id);
    if (!row) return true;
    if (!outcome.ok && outcome.error.later) return false;
    if (outcome.ok && row.after === 'forget') {
      rows.remove([id]);
      home.nudge();
    } else put(id, spent(row, outcome.ok ? 'sent' : 'failed'));
    return true;
  };

  const queuedRows = (): JsonObject[] => {
    const filter = parseFilter({ state: 'queued' });
    return filter.ok ? rows.query(filter.value, clock.nowMs(), { sort: [{ createdAt: 'asc' }] }).records : [];
  };

  /** Returns whether the message is done with. `away`: who could not be reached just now, and is not waited for again. */
  const sendRow = async (row: JsonObject, away: Set<Did>): Promise<boolean> => {
    const draft = rowToDraft(row);
    if (busy.has(draft.id)) return true;
    if (draft.expiresAt <= clock.nowMs()) {
      put(draft.id, spent(row, 'failed'));
      return true;
    }
    if (away.has(draft.to) || (row.by !== me && clock.nowMs() < draft.createdAt + OTHERS_MS)) return false;
    busy.add(draft.id);
    try {
      const recipient = await courier.find(draft.to);
      const outcome = recipient.ok
        ? await courier.deposit(recipient.value, [await courier.seal(draft, recipient.value)])
        : recipient;
      if (!outcome.ok && outcome.error.later) away.add(draft.to);
      return settle(draft.id, outcome);
    } catch (cause) {
      // What cannot be sealed to whom the DID now names never can be, and must not hold up the messages behind it.
      if (!(cause instanceof SluiceError) || !UNSEALABLE.has(cause.code)) throw cause;
      return settle(draft.id, err({ later: false, error: cause }));
    } finally {
      busy.delete(draft.id);
    }
  };

  /** Drops what ended long ago. What still waits is settled first. */
  const forgetOld = (): void => {
    const filter = parseFilter({ expiresAt: { $lt: clock.nowMs() - KEEP_MS }, state: { $in: ['sent', 'failed'] } });
    if (!filter.ok) return;
    const { records } = rows.query(filter.value, clock.nowMs(), { limit: FORGET_STEP });
    if (records.length === 0) return;
    rows.remove(records.map((row) => String(row._id)));
    home.nudge();
  };

  const flushAll = async (): Promise<void> => {
    let left = false;
    const away = new Set<Did>();
    for (const row of queuedRows()) {
      if (!(await sendRow(row, away))) left = true;
      if (account.closed()) return;
    }
    forgetOld();
    if (left) retry.later();
    else retry.done();
  };

  const flush = (): void => {
    if (flushing || account.closed()) return;
    flushing = true;
    flushAll()
      .catch((cause: unknown) => {
        if (account.closed()) return;
        retry.later();
        if (!isStoreFailure(cause)) throw cause;
      })
      .finally(() => {
        flushing = false;
      });
  };

  return {
    post: async (item, { after, alongside, patient = false, id }) => {
      const draft = courier.draft(item, id);
      const recipient = await courier.find(draft.to);
      // A host that does not answer may be the very node that is down; nothing published there is a mistake of the caller.
      if (!recipient.ok && !(recipient.error.later && (patient || recipient.error.error.code === 'OFFLINE')))
        throw recipient.error.error;
      // Sealed to ourselves where the recipient is not known yet: what cannot be sealed is refused before it is kept.
      const sealed = await courier.seal(draft, recipient.ok ? recipient.value : courier.self);
      if (account.closed()) throw new SluiceError('CLOSED');
      busy.add(draft.id);
      try {
        account.store.db.transact(() => {
          rows.save([{ id: draft.id, document: draftToRow(draft, after, me), force: true }]);
          alongside?.(draft.id);
        });
        home.nudge();
        const outcome = recipient.ok ? await courier.deposit(recipient.value, [sealed]) : recipient;
        const done = settle(draft.id, outcome);
        if (!outcome.ok && done) throw outcome.error.error;
        if (!done) retry.later();
        return { id: draft.id, queued: !done };
      } finally {
        busy.delete(draft.id);
      }
    },
    sent: (id) => {
      const row = rows.get(id);
      return row && rowToSent(row);
    },
    start: () => {
      account.link.onState((state) => {
        if (state === 'ready') flush();
      });
      flush();
    },
  };
}

function draftToRow(draft: Draft, after: AfterSending, by: string): JsonObject {
  const { id: _, ...content } = draft;
  return { ...content, state: 'queued', after, by } as JsonObject;
}

function rowToDraft(row: JsonObject): Draft {
  const { context, contextApp, replyTo } = row;
  return {
    id: String(row._id),
    to: row.to as Did,
    type: String(row.type),
    message: String(row.message),
    data: isJsonObject(row.data) ? row.data : {},
    createdAt: Number(row.createdAt),
    expiresAt: Number(row.expiresAt),
    ...(typeof context === 'string' ? { context } : {}),
    ...(typeof contextApp === 'string' ? { contextApp: contextApp as Did } : {}),
    ...(typeof replyTo === 'string' ? { replyTo } : {}),
  };
}

/** The row of a message that will not be sent (again): without its content. */
function spent(row: JsonObject, state: SentItem['state']): JsonObject {
  const { to, type, createdAt, expiresAt, after, data } = row as { readonly [field: string]: JsonValue };
  return { to, type, createdAt, expiresAt, after, state, ...(after === 'keep' ? { data } : {}) } as JsonObject;
}

function rowToSent(row: JsonObject): SentItem {
  return {
    id: String(row._id),
    to: row.to as Did,
    type: String(row.type),
    createdAt: Number(row.createdAt),
    expiresAt: Number(row.expiresAt),
    state: row.state === 'sent' || row.state === 'failed' ? row.state : 'queued',
    ...(isJsonObject(row.data) ? { data: row.data } : {}),
  };
}
