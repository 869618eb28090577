/**
 * What the two sides of a grant have to hear of each other. A message ends after 30 days at most, and whoever it is for may be away for longer; so a
 * word is said again while it is not known to be heard. Must not know what is said.
 */

import { bytesToHex, type Did, type JsonObject, utf8ToBytes } from '@sluice/core/base';
import { hmacSha256 } from '@sluice/core/crypto';
import { MAX_MESSAGE_LIFE_MS } from '@sluice/core/message';
import type { OpenAccount } from '../account/account.ts';
import { SluiceError } from '../errors.ts';
import type { Mailbox } from '../messaging/mailbox.ts';

/** Something to be heard. */
export type Word = {
  /** The same whenever it is said again, and no other word's. */
  readonly name: string;
  readonly to: Did;
  readonly type: string;
  readonly data: () => JsonObject | Promise<JsonObject>;
  readonly message: string;
  readonly replyTo: string;
};

/** Says words, and says them again. */
export type Words = {
  /** The id of a word's message. It is the same when the word is said again, so that whoever has it is not shown it twice. */
  readonly idOf: (name: string) => string;
  /** Keeps a word, `alongside` in the same transaction, then sends it: at once, or when it can be. Errors: those of `Mailbox.post`. */
  readonly say: (word: Word, alongside?: () => void) => Promise<void>;
  /** Says a word that was said before, unless it was said so lately, in ms. What keeps it from going out now is tried again later. */
  readonly repeat: (word: Word, everyMs: number) => void;
  /** From here on says again what `unheard` gives, at once and as long as it gives it. */
  readonly start: (unheard: () => Iterable<Word>) => void;
  readonly close: () => void;
};

const DAY_MS = 24 * 3_600_000;
/** When a word is said again, in ms: well before what was said last comes to its end. */
const REPEAT_MS = 20 * DAY_MS;
/** An answer to a word that was said again is given so often at most, in ms. */
export const ANSWER_MS = DAY_MS;

/** Creates the words of an account. */
export function createWords(account: OpenAccount, mailbox: Pick<Mailbox, 'post' | 'sent'>): Words {
  const { clock } = account.platform;
  let cancel: () => void = () => undefined;
  const underWay = new Set<string>();

  // Under a secret: nobody else can put something under that id before it comes.
  const idOf = (name: string): string =>
    bytesToHex(hmacSha256(account.home.keys.tagSecret, utf8ToBytes(`word/${name}`)).subarray(0, 16));

  const say: Words['say'] = async ({ name, to, type, data, message, replyTo }, alongside) => {
    await mailbox.post(
      { to, type, data: await data(), message, options: { replyTo, expiresInMs: MAX_MESSAGE_LIFE_MS } },
      { after: 'note', patient: true, id: idOf(name), ...(alongside ? { alongside } : {}) },
    );
  };
  const repeat: Words['repeat'] = (word, everyMs) => {
    const last = mailbox.sent(idOf(word.name));
    // A clock that was set must not put it off for ever.
    if (underWay.has(word.name) || (last && Math.abs(clock.nowMs() - last.createdAt) < everyMs)) return;
    underWay.add(word.name);
    say(word)
      .catch((cause: unknown) => {
        if (!account.closed() && !(cause instanceof SluiceError)) throw cause;
      })
      .finally(() => underWay.delete(word.name));
  };

  return {
    idOf,
    say,
    repeat,
    start: (unheard) => {
      const round = (): void => {
        for (const word of unheard()) repeat(word, REPEAT_MS);
        cancel = clock.timer(DAY_MS, round);
      };
      round();
    },
    close: () => cancel(),
  };
}
