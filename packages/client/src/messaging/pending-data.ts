/** The requester's side of a data request: what was asked, and what became of it. `expired` is this side's own clock. */

import type { JsonObject } from '@sluice/core/base';
import type { OpenAccount } from '../account/account.ts';
import { SluiceError } from '../errors.ts';
import type { LoadedSchema } from '../schema/index.ts';
import { checkAnswer, DATA_REQUEST, DATA_SEND, parseDataRequest, STATUS } from './data-request.ts';
import type { InboxItem } from './inbox-item.ts';
import type { Mailbox } from './mailbox.ts';
import type { SentItem } from './outbox.ts';
import { createRetry, type Retry } from './retry.ts';

/** How a data request ended. `expired` is the requester’s own clock. */
export type DataAnswer =
  | {
      readonly status: 'shared';
      readonly records: readonly JsonObject[];
      /** What came and does not satisfy schema, filter or limit, by its place in the answer. */
      readonly rejected: readonly { readonly index: number; readonly reason: string }[];
    }
  | { readonly status: 'declined' }
  | { readonly status: 'expired' };
/** `queued`: not yet at the recipient's node. `failed`: that node refused it. */
export type SentStatus = 'queued' | 'waiting' | 'shared' | 'accepted' | 'declined' | 'expired' | 'failed';

/** A data request on its way. */
export type PendingData = {
  readonly id: string;
  readonly status: () => SentStatus;
  /** Waits for the person or for the end of the request; with a time, no longer than that. */
  readonly answer: {
    (): Promise<DataAnswer>;
    (timeoutMs: number): Promise<DataAnswer | { readonly status: 'waiting' }>;
  };
  /** Calls back once with the answer. Returns how to stop. */
  readonly onAnswer: (callback: (answer: DataAnswer) => void) => () => void;
};

/** The data requests of an account, and what became of everything it sent. */
export type PendingRequests = {
  readonly pending: (id: string) => PendingData;
  readonly sentStatus: (id: string) => SentStatus;
};

/** Creates the requester's side of an account. */
export function createPendingRequests(
  account: OpenAccount,
  mailbox: Mailbox,
  loadSchema: (uri: string) => Promise<LoadedSchema>,
): PendingRequests {
  const { clock } = account.platform;

  const askedFor = (id: string): SentItem => {
    const sent = mailbox.sent(id);
    if (!sent) throw new SluiceError('NOT_FOUND', 'Nothing was sent under this id');
    return sent;
  };

  /** The first answer to something sent, by whom it was sent to and in its time. */
  const answerTo = (sent: SentItem): InboxItem | undefined =>
    mailbox
      .list({ replyTo: sent.id }, { sort: [{ sentAt: 'asc' }] })
      .find((item) => item.from === sent.to && item.sentAt <= sent.expiresAt && outcomeOf(item, sent) !== undefined);

  const toAnswer = async (item: InboxItem, sent: SentItem): Promise<DataAnswer> => {
    if (item.type === STATUS) return { status: 'declined' };
    const request = parseDataRequest(sent.data ?? {});
    const schema = await loadSchema(request.requestSchema);
    // A time window is that of the answer, however late it is read; no answer is older than its question.
    const { fitting, rejected } = checkAnswer(request, schema, item.data.data, Math.max(item.sentAt, sent.createdAt));
    return { status: 'shared', records: fitting, rejected };
  };

  const sentStatus = (id: string): SentStatus => {
    const sent = askedFor(id);
    const item = answerTo(sent);
    const outcome = item && outcomeOf(item, sent);
    if (outcome) return outcome;
    if (clock.nowMs() >= sent.expiresAt) return 'expired';
    return sent.state === 'sent' ? 'waiting' : sent.state;
  };

  /** Looks at an instant. A timer may run a moment before the clock shows it, and then it is set once more. */
  const armUntil = (atMs: number, look: () => boolean): (() => void) => {
    let cancel: () => void = () => undefined;
    const arm = (): void => {
      cancel = clock.timer(Math.max(1, atMs - clock.nowMs()), () => {
        if (!look()) arm();
      });
    };
    arm();
    return () => cancel();
  };

  const wait = (
    id: string,
    timeoutMs?: number,
  ): { readonly answer: Promise<DataAnswer | { status: 'waiting' }>; readonly stop: () => void } => {
    const stops: (() => void)[] = [];
    const stop = (): void => {
      for (const one of stops.splice(0)) one();
    };
    const answer = new Promise<DataAnswer | { status: 'waiting' }>((resolve, reject) => {
      const sent = askedFor(id);
      if (sent.type !== DATA_REQUEST) throw new SluiceError('NOT_FOUND', 'There is no such data request');
      const finish = (end: () => void): void => {
        stop();
        end();
      };
      const look = (): boolean => {
        const item = answerTo(sent);
        if (item) finish(() => toAnswer(item, sent).then(resolve, reject));
        else if (clock.nowMs() >= sent.expiresAt) finish(() => resolve({ status: 'expired' }));
        else return false;
        return true;
      };
      if (look()) return;
      stops.push(
        mailbox.onChange((item) => {
          if (item.replyTo === id) look();
        }),
        armUntil(sent.expiresAt, look),
        account.link.onState((state) => {
          if (state === 'closed') finish(() => reject(new SluiceError('CLOSED')));
        }),
      );
      if (timeoutMs !== undefined)
        stops.push(clock.timer(timeoutMs, () => finish(() => resolve({ status: 'waiting' }))));
    });
    return { answer, stop };
  };

  return {
    sentStatus,
    pending: (id) => ({
      id,
      status: () => sentStatus(id),
      answer: ((timeoutMs?: number) => wait(id, timeoutMs).answer) as PendingData['answer'],
      onAnswer: (callback) => {
        let stopped = false;
        let stop: () => void = () => undefined;
        let retry: Retry | undefined;
        const look = (): void => {
          if (stopped) return;
          const { answer, stop: stopWaiting } = wait(id);
          stop = stopWaiting;
          answer.then(
            (value) => {
              if (!stopped && value.status !== 'waiting') callback(value);
            },
            (cause: unknown) => {
              // Closing the account ends the waiting; there is nobody left to tell.
              if (account.closed()) return;
              if (!(cause instanceof SluiceError) || cause.code === 'NOT_FOUND') throw cause;
              // It came and cannot be judged now, as when the host of its schema does not answer.
              retry ??= createRetry(account, look);
              retry.later();
            },
          );
        };
        look();
        return () => {
          stopped = true;
          stop();
          retry?.done();
        };
      },
    }),
  };
}

/** What a reply says of what it answers; undefined when it decides nothing. */
function outcomeOf(item: InboxItem, sent: SentItem): 'shared' | MessageOutcome | undefined {
  if (item.type === DATA_SEND) return sent.type === DATA_REQUEST ? 'shared' : undefined;
  if (item.type !== STATUS) return undefined;
  if (item.data.status === 'declined') return 'declined';
  return item.data.status === 'accepted' && sent.type !== DATA_REQUEST ? 'accepted' : undefined;
}

type MessageOutcome = 'accepted' | 'declined';
