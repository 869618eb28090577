/** What the owner of grants has to say to who they are for: the answer to a request, and terms that changed. Must not know what they answer. */

import { bytesToBase64url, bytesToHex, equalBytes, hexToBytes, ok } from '@sluice/core/base';
import { sha256 } from '@sluice/core/crypto';
import { type OpenedReceipt, openReceipt } from '@sluice/core/grant';
import type { OpenAccount } from '../account/account.ts';
import { SluiceError } from '../errors.ts';
import type { InboxItem } from '../messaging/mailbox.ts';
import type { GivenGrants } from './given-grants.ts';
import { type GivenGrant, itemToGiven } from './grant-item.ts';
import { latestChange } from './standing-terms.ts';
import { syncGrantData } from './sync-grant.ts';
import { SYNC_GRANT, SYNC_HEARD, SYNC_TERMS } from './sync-request.ts';
import type { Word } from './words.ts';

/** The grants of one consent, as they were given. Result: a word that hands them over. */
export function grantWord(
  { home: { keys } }: Pick<OpenAccount, 'home'>,
  given: readonly [GivenGrant, ...GivenGrant[]],
  requestHash: Uint8Array,
): Word {
  const [{ requestId, grantee, granteeHpke, receipt, givenAtMs }] = given;
  return {
    // Of when it was given and not of what: a node must not tell two answers by what they say.
    name: `grant/${requestId}/${givenAtMs}`,
    to: grantee,
    type: SYNC_GRANT,
    data: () =>
      syncGrantData(
        { grants: given, node: keys.node, space: keys.space, receipt },
        { id: requestId, hash: requestHash, hpkeKey: granteeHpke },
      ),
    message: 'Synchronization granted',
    replyTo: requestId,
  };
}

/** The word that the terms of a grant are now those of this receipt. */
export const termsWord = ({ grantId, grantee, requestId }: GivenGrant, receipt: Uint8Array): Word => ({
  name: `terms/${bytesToHex(sha256(receipt))}`,
  to: grantee,
  type: SYNC_TERMS,
  data: () => ({ grantId, receipt: bytesToBase64url(receipt) }),
  message: 'The terms of a grant changed',
  replyTo: requestId,
});

/** The word that a message of a grantee was heard: that it gave these grants up, or what it wiped. */
export const heardWord = ({ id, from }: InboxItem, grants: readonly string[]): Word => ({
  name: `heard/${id}`,
  to: from,
  type: SYNC_HEARD,
  data: () => ({ replyId: id, grants }),
  message: 'Heard',
  replyTo: id,
});

/** Opens the receipt of a grant as it was given. Rejects with BAD_MESSAGE when it is not one that this account signed. */
export async function openOwnReceipt(account: OpenAccount, grant: GivenGrant): Promise<OpenedReceipt> {
  const { did, identityKey, sealing } = account;
  // This account's own word needs no looking up.
  const self = { did, identityKey: identityKey.publicKey, sealingKey: sealing.publicKey };
  const opened = await openReceipt(
    grant.receipt,
    { owner: did, grantee: grant.grantee },
    // Whatever time it is: the device's card was good when it signed.
    { resolve: async () => ok(self), nowMs: Math.max(account.link.nodeMs(), grant.givenAtMs) },
  );
  if (opened.ok) return opened.value;
  throw new SluiceError('BAD_MESSAGE', 'The receipt of this grant is not one that this account signed');
}

/** What no acceptance is held of: answers to requests, and the terms that stand now. */
export function* ownersUnheard(account: OpenAccount, { list, facts }: GivenGrants): Iterable<Word> {
  const all = list();
  const isTaken = (grantId: string): boolean => facts.get(grantId, 'accepted') !== undefined;
  const taken = new Map(all.flatMap((g) => (isTaken(g.grantId) ? [[g.requestId, g.receipt] as const] : [])));
  const handed = new Set<string>();
  for (const grant of all) {
    const { grantId, requestId, status, isOpen } = grant;
    if (!isOpen && status !== 'completed') continue;
    const change = latestChange(facts, grantId);
    if (change && isOpen && !facts.get(grantId, `taken/${change.hash}`)) yield termsWord(grant, change.receipt);
    // Of two answers to one request, one was taken.
    const other = taken.get(requestId);
    if (isTaken(grantId) || (other && !equalBytes(other, grant.receipt))) continue;
    const word = handWord(account, grant);
    if (handed.has(word.name)) continue;
    handed.add(word.name);
    yield word;
  }
}

/** The answer that a grant came with, made anew of what is kept of it. */
function handWord(account: OpenAccount, grant: GivenGrant): Word {
  return {
    ...grantWord(account, [grant], new Uint8Array(0)),
    data: async () => {
      const receipt = await openOwnReceipt(account, grant);
      // As they were given, in the order of the receipt, those that have ended included: it speaks of all of them.
      const given = receipt.grants.flatMap(({ grantId }) => {
        const item = account.keychain.get('grant', grantId);
        return item ? [itemToGiven(grantId, item)] : [];
      });
      return grantWord(account, [given[0] ?? grant, ...given.slice(1)], hexToBytes(receipt.request)).data();
    },
  };
}
