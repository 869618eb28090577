/** What a grantee has to say to the owner: that it accepts, gives up, or has wiped. Must not know how grants are read. */

import { bytesToBase64url, bytesToHex, equalBytes, type JsonObject } from '@sluice/core/base';
import { sha256 } from '@sluice/core/crypto';
import { endsAtMs, signAcceptance, signAttestation, type WipeReason } from '@sluice/core/grant';
import type { OpenAccount } from '../account/account.ts';
import { SluiceError, unlessFull } from '../errors.ts';
import type { InboxItem, Mailbox } from '../messaging/mailbox.ts';
import type { GrantFacts } from './grant-facts.ts';
import { itemToReceived, type ReceivedGrant } from './grant-item.ts';
import { SYNC_ACCEPT, SYNC_DROP, SYNC_GRANT, SYNC_HEARD, SYNC_TERMS, SYNC_WIPED } from './sync-request.ts';
import { ANSWER_MS, type Word, type Words } from './words.ts';

/** The grantee’s words. */
export type GranteeWords = {
  /** Accepts grants of one consent, and the terms that the owner changed before. `alongside` is stored with the message. */
  readonly accept: (grants: readonly ReceivedGrant[], alongside?: () => void) => Promise<void>;
  /** Accepts changed terms. `alongside` is stored with the message. */
  readonly acceptTerms: (grant: ReceivedGrant, receipt: Uint8Array, alongside: () => void) => Promise<void>;
  /** Notes that a grant is given up, before its copy goes, with how many records that wipes. */
  readonly noteDrop: (grant: ReceivedGrant, wiped: number) => void;
  /** Tells the owner of a grant that was noted as given up. */
  readonly sayDrop: (grant: ReceivedGrant) => Promise<void>;
  /** Tells the owner that the copy is gone since the grant ended. */
  readonly wiped: (grant: ReceivedGrant, wiped: number, reason: WipeReason) => void;
  /** What the owner is not known to have heard. Of an acceptance it tells by asking again. */
  readonly unheard: () => Iterable<Word>;
  /** Takes up what was heard while nobody did. */
  readonly catchUp: () => void;
};

/** Creates the words of an account as a grantee. */
export function createGranteeWords(
  account: OpenAccount,
  mailbox: Pick<Mailbox, 'on' | 'onRepeat' | 'list'>,
  words: Words,
  facts: GrantFacts,
): GranteeWords {
  const { keychain } = account;
  const { clock } = account.platform;
  const signer = { did: account.did, key: account.device, card: account.card };

  const word = (
    { owner, requestId }: Pick<ReceivedGrant, 'owner' | 'requestId'>,
    name: string,
    type: string,
    message: string,
    data: () => JsonObject,
  ): Word => ({ name, to: owner, type, data, message, replyTo: requestId });

  /** The signed word that a receipt is accepted, for these of its grants. */
  const acceptWord = (
    grant: ReceivedGrant,
    ids: readonly string[],
    document: Uint8Array,
    acceptedAtMs: number,
  ): Word => {
    const receipt = bytesToHex(sha256(document));
    // Grants have ids that say nothing of them; of one there may be any number of changes.
    const what = equalBytes(document, grant.receipt) ? 'given' : receipt;
    return word(grant, `accept/${what}/${ids.join()}`, SYNC_ACCEPT, 'Accepted', () => {
      const acceptance = signAcceptance({ receipt, grants: ids, acceptedAtMs }, signer);
      return { replyId: grant.requestId, grants: ids, acceptance: bytesToBase64url(acceptance) };
    });
  };
  const attested = (grantId: string, fact: JsonObject, reason: WipeReason): JsonObject => ({
    grants: [grantId],
    attestation: bytesToBase64url(
      signAttestation({ grantId, wiped: Number(fact.wiped ?? 0), atMs: Number(fact.at), reason }, signer),
    ),
  });
  const dropWord = (grant: ReceivedGrant, fact: JsonObject): Word =>
    word(grant, `drop/${grant.grantId}`, SYNC_DROP, 'Given up', () => attested(grant.grantId, fact, 'dropped'));
  const wipedWord = (grant: ReceivedGrant, fact: JsonObject): Word => {
    const reason: WipeReason = fact.reason === 'expired' ? 'expired' : 'revoked';
    return word(grant, `wiped/${grant.grantId}/${String(fact.at)}`, SYNC_WIPED, 'The copy is wiped', () =>
      attested(grant.grantId, fact, reason),
    );
  };

  /** Says a word; what fails once it is kept, fails for the message alone: an owner who no longer takes messages has given the grant all the same. */
  async function sayKept(said: Word, alongside: () => void): Promise<void> {
    let isKept = false;
    try {
      await words.say(said, () => {
        alongside();
        isKept = true;
      });
    } catch (cause) {
      if (!isKept || !(cause instanceof SluiceError)) throw cause;
    }
  }

  const heldGrant = (grantId: string): ReceivedGrant | undefined => {
    const item = keychain.get('received', grantId);
    return item && item.session !== true ? itemToReceived(grantId, item) : undefined;
  };

  /** What was accepted of a grant that was not given up: as it came, and as its terms stand now. */
  const acceptancesOf = (grant: ReceivedGrant): readonly Word[] => {
    const { grantId, receipt, changed } = grant;
    const accepted = facts.get(grantId, 'accepted');
    if (!accepted || facts.get(grantId, 'dropped')) return [];
    const ids = Array.isArray(accepted.grants) ? accepted.grants.map(String) : [grantId];
    const atMs = Number(accepted.at);
    return [
      acceptWord(grant, ids, receipt, atMs),
      ...(changed ? [acceptWord(grant, [grantId], changed, account.link.nodeMs())] : []),
    ];
  };
  const grantsIn = ({ data, from }: InboxItem): readonly ReceivedGrant[] => {
    const ids: readonly unknown[] = Array.isArray(data.grants) ? data.grants : [data];
    return ids.flatMap((one) => {
      const id = typeof one === 'object' && one !== null && 'grantId' in one ? one.grantId : one;
      const grant = typeof id === 'string' ? heldGrant(id) : undefined;
      return grant?.owner === from ? [grant] : [];
    });
  };
  // Who says something again has no answer to it.
  for (const type of [SYNC_GRANT, SYNC_TERMS])
    mailbox.onRepeat(type, (item) => {
      for (const grant of grantsIn(item)) for (const said of acceptancesOf(grant)) words.repeat(said, ANSWER_MS);
    });

  /** What a grant ended with, at this side, and the owner is not known to have heard. */
  const endsOf = (grant: ReceivedGrant): readonly Word[] => {
    const { grantId, terms } = grant;
    const dropped = facts.get(grantId, 'dropped');
    const wipes = facts.all(grantId, 'wiped/').map(({ fact }) => fact);
    const last = wipes.reduce<JsonObject | undefined>((a, b) => (a && Number(a.at) > Number(b.at) ? a : b), undefined);
    // An end that was put off since says nothing of the grant as it is.
    const isOver = last?.reason !== 'expired' || (endsAtMs(terms) ?? Number.POSITIVE_INFINITY) <= clock.nowMs();
    const said = [
      ...(dropped ? [dropWord(grant, dropped)] : []),
      ...(last && isOver && !dropped ? [wipedWord(grant, last)] : []),
    ];
    return said.filter(({ name }) => !facts.get(grantId, `heard/${words.idOf(name)}`));
  };
  const onHeard = (item: InboxItem): void => {
    for (const grant of grantsIn(item))
      for (const { name } of endsOf(grant))
        if (words.idOf(name) === item.data.replyId)
          facts.note(grant.grantId, `heard/${words.idOf(name)}`, { at: clock.nowMs() });
  };
  const hear = (item: InboxItem): void => {
    try {
      onHeard(item);
    } catch (cause) {
      // It is heard at the next start.
      unlessFull(cause);
    }
  };
  mailbox.on(SYNC_HEARD, hear);

  return {
    accept: async (grants, alongside = () => undefined) => {
      const [first] = grants;
      if (!first) return;
      const at = clock.nowMs();
      const ids = grants.map((g) => g.grantId);
      await sayKept(acceptWord(first, ids, first.receipt, at), () => {
        alongside();
        for (const id of ids) facts.note(id, 'accepted', { at, grants: ids });
      });
      // Terms that the owner changed before: they are what is accepted.
      for (const id of ids) {
        const held = heldGrant(id);
        if (held?.changed) await sayKept(acceptWord(held, [id], held.changed, at), () => undefined);
      }
    },
    acceptTerms: (grant, receipt, alongside) =>
      sayKept(acceptWord(grant, [grant.grantId], receipt, account.link.nodeMs()), alongside),
    noteDrop: ({ grantId }, wiped) => facts.note(grantId, 'dropped', { at: clock.nowMs(), wiped }),
    sayDrop: async (grant) => {
      const fact = facts.get(grant.grantId, 'dropped');
      if (fact) await words.say(dropWord(grant, fact));
    },
    wiped: (grant, wiped, reason) => {
      const fact = { at: clock.nowMs(), wiped, reason };
      // What the store cannot take now is not promised; the copy is gone all the same.
      words
        .say(wipedWord(grant, fact), () => {
          facts.note(grant.grantId, 'attested', { at: fact.at });
          facts.note(grant.grantId, `wiped/${fact.at}`, fact);
        })
        .catch(() => undefined);
    },
    *unheard() {
      for (const { id, item } of keychain.list('received'))
        if (item.session !== true) yield* endsOf(itemToReceived(id, item));
    },
    catchUp: () => {
      for (const item of mailbox.list({ type: SYNC_HEARD })) hear(item);
    },
  };
}
