/** The owner's change of what a grant gives: a new receipt, its row, and the message to the grantee (spec/grant.md). */

import { bytesToHex, hexToBytes } from '@sluice/core/base';
import { sha256 } from '@sluice/core/crypto';
import { type GrantTerms, type ReceiptContent, signReceipt } from '@sluice/core/grant';
import type { OpenAccount } from '../account/account.ts';
import { SluiceError } from '../errors.ts';
import { createTurns } from '../turns.ts';
import type { ActivityLog } from './activity-log.ts';
import { consentSentence, displayName } from './consent-sentence.ts';
import type { GivenGrants } from './given-grants.ts';
import type { GrantView } from './grant-item.ts';
import { type Narrowing, narrow } from './narrowing.ts';
import { openOwnReceipt, termsWord } from './owner-words.ts';
import { latestChange, noteChange } from './standing-terms.ts';
import { signWithin } from './sync-request.ts';
import { assertEndsLater, isNarrowed, type LoadSchema } from './terms.ts';
import type { Words } from './words.ts';

/** `changed`: the node holds everybody to the new terms. `pending`: it will as soon as it can be reached; nothing is sealed here by the old ones. */
export type ChangeOutcome = { readonly status: 'changed' | 'pending' };

/**
 * The terms that a change would leave, for its preview and for itself. Errors: BAD_REQUEST (beyond what was asked, or over before it begins),
 * BAD_FILTER, and by which a grant that has ended says so: COMPLETED, EXPIRED, REVOKED.
 */
export async function changedTerms(
  grant: GrantView,
  narrowing: Narrowing,
  loadSchema: LoadSchema,
  nowMs: number,
): Promise<GrantTerms> {
  const { isOpen, status } = grant;
  if (!isOpen && status === 'completed') throw new SluiceError('COMPLETED');
  if (!isOpen)
    throw new SluiceError(status === 'expired' ? 'EXPIRED' : 'REVOKED', `A grant that is ${status} cannot be changed`);
  const terms = await narrow(grant.asked, grant.terms, narrowing, loadSchema);
  assertEndsLater([terms], nowMs);
  return terms;
}

/** Creates the change of given grants. */
export function createTermsChange(
  account: OpenAccount,
  words: Pick<Words, 'say'>,
  grants: GivenGrants,
  note: ActivityLog['note'],
): (grantId: string, narrowing: Narrowing) => Promise<ChangeOutcome> {
  const { clock } = account.platform;
  const signer = { did: account.did, key: account.device, card: account.card };
  const change = async (grantId: string, narrowing: Narrowing): Promise<ChangeOutcome> => {
    const grant = grants.get(grantId);
    const { schema } = await grants.schemaOf(grant);
    const terms = await changedTerms(grant, narrowing, async () => schema, clock.nowMs());
    if (!isNarrowed(grant.terms, terms)) return { status: 'changed' };
    const parties = { owner: account.did, grantee: grant.grantee };
    const first = await openOwnReceipt(account, grant);
    const term = grant.term + 1;
    const previous = latestChange(grants.facts, grantId)?.hash ?? bytesToHex(sha256(grant.receipt));
    const content: ReceiptContent = {
      ...parties,
      requestHash: hexToBytes(first.request),
      purpose: grant.purpose,
      shown: consentSentence(terms, schema, displayName(grant.grantee)),
      grants: [{ grantId, terms }],
      givenAtMs: clock.nowMs(),
      change: { previous, term },
    };
    const receipt = signWithin('The receipt of these terms', () => signReceipt(content, signer));
    let row: Promise<boolean> | undefined;
    let hash = '';
    const decide = (): void => {
      hash = noteChange(grants.facts, grantId, { term, terms, receipt, previous });
      note({ type: 'change', grantId, grantee: grant.grantee, terms });
      // After the transaction, and before the grantee is told: it is the row that holds everybody to the new terms.
      row = Promise.resolve().then(() => grants.sendRow(grantId));
      row.catch(() => undefined);
    };
    try {
      await words.say(termsWord(grant, receipt), decide);
    } catch (cause) {
      // A grantee who no longer takes messages is held to the new terms all the same.
      const isKept = grants.facts.get(grantId, `terms/${hash}`) !== undefined;
      if (!isKept || !(cause instanceof SluiceError)) throw cause;
    }
    return { status: (await row) ? 'changed' : 'pending' };
  };
  // A change says what differs from the terms as they are: of two at once the second is of what the first has left.
  const inTurn = createTurns();
  return (grantId, narrowing) => inTurn(grantId, () => change(grantId, narrowing));
}
