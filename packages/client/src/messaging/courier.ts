/** Carries messages: finds the recipient's key and inbox, seals, deposits. Keeps nothing. */

import { bytesToHex, type Did, err, type JsonObject, ok, type Result } from '@sluice/core/base';
import { type DidFailure, describeDidFailure, type Identity, type InboxService } from '@sluice/core/identity';
import { createMessageId, MAX_MESSAGE_LIFE_MS, type MessageRecipient, sealMessage } from '@sluice/core/message';
import { ERROR_TABLE, MAX_DEPOSIT, MAX_DEPOSIT_BYTES } from '@sluice/core/wire';
import type { OpenAccount } from '../account/account.ts';
import { SluiceError } from '../errors.ts';
import { createNodeHttp } from '../link/node-http.ts';

/** Where a message belongs at the recipient, what it answers, and how long it stands. */
export type SendOptions = {
  /** Name of the recipient's context it is meant for. */
  readonly context?: string;
  /** The application of that context; without it, the sender. */
  readonly contextApp?: Did;
  readonly replyTo?: string;
  /** Default 14 days, at most 30. */
  readonly expiresInMs?: number;
};
/** A message before it is given an id and a time. */
export type Outgoing = {
  readonly to: Did;
  readonly type: string;
  readonly data: JsonObject;
  readonly message: string;
  readonly options?: SendOptions;
};
/** A message with its id and times, before it is sealed. */
export type Draft = Omit<Outgoing, 'options'> &
  Pick<SendOptions, 'context' | 'contextApp' | 'replyTo'> & {
    readonly id: string;
    readonly createdAt: number;
    readonly expiresAt: number;
  };
/** Who a message is sealed to, and the inbox it is left at. */
export type Recipient = MessageRecipient & { readonly inbox: InboxService };
/** `later`: trying again may help. */
export type DeliveryFailure = { readonly later: boolean; readonly error: SluiceError };

/** Writes, seals and delivers messages of one account. */
export type Courier = {
  readonly self: MessageRecipient;
  /** A message with a fresh id, unless it is given one. Throws BAD_MESSAGE on a lifetime that is none. */
  readonly draft: (item: Outgoing, id?: string) => Draft;
  /** Errors: OFFLINE (the host of the DID does not answer), UNKNOWN_DID, NO_INBOX. */
  readonly find: (did: Did) => Promise<Result<Recipient, DeliveryFailure>>;
  /** Throws MESSAGE_TOO_LARGE, BAD_MESSAGE or UNKNOWN_DID (the recipient's key cannot be sealed to). */
  readonly seal: (draft: Draft, recipient: MessageRecipient) => Promise<Uint8Array>;
  readonly deposit: (recipient: Recipient, sealed: readonly Uint8Array[]) => Promise<Result<null, DeliveryFailure>>;
  /** Seals and deposits many, up to 100 at a time; the next are sealed while the ones before are under way. */
  readonly depositAll: (recipient: Recipient, drafts: readonly Draft[]) => Promise<Result<null, DeliveryFailure>>;
};

/** How long a message lives unless the sender says otherwise, in ms. */
const LIFE_MS = 14 * 24 * 3600 * 1000;
/** Failures of a DID that may pass by themselves. */
const PASSING: ReadonlySet<DidFailure['type']> = new Set(['unreachable', 'not-found']);

/** Tells whether a DID that did not resolve may do so later. */
export const mayPass = (failure: DidFailure): boolean => PASSING.has(failure.type);

/** A clock that is off by less is taken as it is, in ms. */
const SMALL_SKEW_MS = 60_000;
/** How long a message waits for the node to say what time it is, after a start or when a clock was set, in ms. */
const TIME_WAIT_MS = 2_000;

/** Creates the courier of an account: it signs with the account's device. */
export function createCourier(account: OpenAccount): Courier {
  const { platform, link } = account;
  const { clock } = platform;
  const sender = { did: account.did, key: account.device, card: account.card };

  const isTimeClear = (): boolean => {
    const span = link.nodeSpan();
    return span !== undefined && span.toMs - span.fromMs < SMALL_SKEW_MS;
  };
  const nodeSpeaks = async (): Promise<void> => {
    // A connection that has become doubtful is given up first.
    await undefined;
    await link.ready(TIME_WAIT_MS).catch(() => undefined);
  };
  /** The wait for the node's time, once as long as it cannot be had. */
  let waited: Promise<void> | undefined;
  /** The times of a message by the node's clock, since by one that is far off every recipient would refuse it: as not written yet, or as past its end. */
  const timesOf = async ({ createdAt, expiresAt }: Draft): Promise<{ createdMs: number; expiresMs: number }> => {
    if (!isTimeClear()) {
      waited ??= nodeSpeaks();
      await waited;
    }
    // What was waited for is of the time before a clock is set again.
    if (isTimeClear()) waited = undefined;
    const nowMs = clock.nowMs();
    const { fromMs, toMs } = link.nodeSpan() ?? { fromMs: nowMs, toMs: nowMs };
    const isRight = Math.max(Math.abs(fromMs - nowMs), Math.abs(toMs - nowMs)) < SMALL_SKEW_MS;
    if (isRight && createdAt <= nowMs) return { createdMs: createdAt, expiresMs: expiresAt };
    // Where it may be earlier or later, the message is not from the future by the one nor past its end by the other.
    const ageMs = Math.max(0, nowMs - createdAt);
    const createdMs = fromMs - ageMs;
    const endsMs = toMs - ageMs + (expiresAt - createdAt);
    return { createdMs, expiresMs: Math.min(endsMs, createdMs + MAX_MESSAGE_LIFE_MS) };
  };

  const seal: Courier['seal'] = async (draft, recipient) => {
    const { createdAt: _, expiresAt: __, ...content } = draft;
    const message = { ...content, from: account.did, ...(await timesOf(draft)) };
    const sealed = await sealMessage(message, sender, recipient);
    if (sealed.ok) return sealed.value;
    if (sealed.error.type === 'too-large') throw new SluiceError('MESSAGE_TOO_LARGE');
    if (sealed.error.type === 'bad-recipient')
      throw new SluiceError('UNKNOWN_DID', `${recipient.did} publishes a key that nothing can be sealed to`);
    throw new SluiceError('BAD_MESSAGE', 'The type, text or data of the message is over its limit, or is not JSON');
  };

  const deposit: Courier['deposit'] = async ({ inbox }, sealed) => {
    const done = await createNodeHttp(platform, { url: inbox.url }).deposit(inbox.space, sealed);
    if (done.ok) return done;
    const { error } = done;
    return error.type === 'offline'
      ? err({
          later: true,
          error: new SluiceError(
            'OFFLINE',
            'The node of the recipient cannot be reached. Nothing was sent; try again later.',
          ),
        })
      : err({ later: ERROR_TABLE[error.code].retry !== 'never', error: new SluiceError(`NODE_${error.code}`) });
  };

  return {
    self: { did: account.did, sealingKey: account.sealing.publicKey },
    draft: ({ options = {}, ...item }, id = createMessageId(platform.random)) => {
      const { expiresInMs = LIFE_MS, context, contextApp, replyTo } = options;
      const life = Math.floor(Math.min(expiresInMs, MAX_MESSAGE_LIFE_MS));
      if (!(life > 0)) throw new SluiceError('BAD_MESSAGE', 'A message has to live for a while');
      const createdAt = clock.nowMs();
      return {
        ...item,
        id,
        createdAt,
        expiresAt: createdAt + life,
        ...(context === undefined ? {} : { context }),
        ...(contextApp === undefined ? {} : { contextApp }),
        ...(replyTo === undefined ? {} : { replyTo }),
      };
    },
    find: async (did) => {
      const found: Result<Identity, DidFailure> = await account.resolver.resolve(did);
      if (!found.ok)
        return err({
          later: mayPass(found.error),
          error:
            found.error.type === 'unreachable'
              ? new SluiceError('OFFLINE', `The host of ${did} does not answer. Nothing was sent; try again later.`)
              : new SluiceError(
                  'UNKNOWN_DID',
                  `${did} cannot be resolved. ${describeDidFailure(found.error)} Check it, and that its host is reachable.`,
                ),
        });
      const { sealingKey, inbox } = found.value;
      return inbox ? ok({ did, sealingKey, inbox }) : err({ later: false, error: new SluiceError('NO_INBOX') });
    },
    seal,
    deposit,
    depositAll: async (recipient, drafts) => {
      let underWay: Promise<Result<null, DeliveryFailure>> = Promise.resolve(ok(null));
      let batch: Uint8Array[] = [];
      let size = 0;
      for (const draft of drafts) {
        const sealed = await seal(draft, recipient);
        if (batch.length === MAX_DEPOSIT || size + sealed.length > MAX_DEPOSIT_BYTES / 2) {
          const before = await underWay;
          if (!before.ok) return before;
          underWay = deposit(recipient, batch);
          batch = [];
          size = 0;
        }
        batch.push(sealed);
        size += sealed.length;
      }
      const before = await underWay;
      return before.ok && batch.length > 0 ? deposit(recipient, batch) : before;
    },
  };
}

/** How this device is named in what the account's devices share. */
export const deviceName = (account: OpenAccount): string => bytesToHex(account.device.publicKey);
