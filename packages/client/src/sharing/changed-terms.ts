/** What a grantee makes of the message that its owner changed a grant's terms (spec/grant.md). Must not know how grants are read. */

import { bytesToHex, isJsonObject } from '@sluice/core/base';
import { sha256 } from '@sluice/core/crypto';
import {
  type GrantTerms,
  openReceipt,
  type OpenedReceipt,
  parseTerms,
  standsAbove,
  wrongNarrowing,
} from '@sluice/core/grant';
import type { OpenAccount } from '../account/account.ts';
import { unpackBytes } from '../account/keychain.ts';
import { SluiceError } from '../errors.ts';
import type { InboxItem, Mailbox } from '../messaging/mailbox.ts';
import { itemToReceived, type ReceivedGrant, receivedToItem } from './grant-item.ts';
import { documentOf, SYNC_TERMS } from './sync-request.ts';
import type { LoadSchema } from './terms.ts';

/** Stores changed terms by `store`, and says to the owner that they are accepted where the grant is. */
export type KeepTerms = (
  grant: ReceivedGrant,
  change: { readonly terms: GrantTerms; readonly receipt: Uint8Array },
  store: () => void,
) => Promise<void>;

/**
 * Starts to take up changed terms. `catchUp` takes those that came while nobody did, or before the grant
 * they are of. `keep` stores them by `store`, and says to the
 * owner that they are accepted where the grant is.
 */
export function followChangedTerms(
  account: OpenAccount,
  mailbox: Pick<Mailbox, 'on' | 'list'>,
  loadSchema: LoadSchema,
  keep: KeepTerms,
): { readonly catchUp: (grantIds?: readonly string[]) => void } {
  const { keychain, home } = account;

  const heldGrant = (grantId: string): ReceivedGrant | undefined => {
    const item = keychain.get('received', grantId);
    return item && item.session !== true ? itemToReceived(grantId, item) : undefined;
  };
  const isNews = (grant: ReceivedGrant | undefined, change: OpenedReceipt): grant is ReceivedGrant =>
    grant !== undefined &&
    standsAbove(change, { term: grant.term, hash: grant.changed ? bytesToHex(sha256(grant.changed)) : '' });

  /** Terms that go beyond what was asked, or do not stand above those known, are not taken. */
  const take = async ({ from, data }: InboxItem): Promise<void> => {
    const { grantId, receipt } = data;
    const grant = typeof grantId === 'string' ? heldGrant(grantId) : undefined;
    const document = documentOf(receipt);
    const request = grant && keychain.get('request', grant.requestId);
    if (!grant || !document || !request || grant.owner !== from) return;
    const opened = await openReceipt(
      document,
      { owner: grant.owner, grantee: account.did, requestHash: unpackBytes(request.hash) },
      { resolve: account.resolver.resolve, nowMs: account.link.nodeMs() },
    );
    if (!opened.ok) {
      if (opened.error.type === 'document' && opened.error.cause.type === 'unresolved')
        throw new SluiceError('UNKNOWN_DID');
      return;
    }
    const change = opened.value;
    const [given] = change.grants;
    if (given?.grantId !== grant.grantId || !isNews(grant, change) || !isJsonObject(given.terms)) return;
    const schema = await loadSchema(grant.terms.schema);
    const parsed = parseTerms(given.terms, schema.formats);
    if (!parsed.ok || wrongNarrowing(grant.asked, parsed.value.terms) || account.closed()) return;
    const { terms } = parsed.value;
    await keep(grant, { terms, receipt: document }, () => {
      const latest = heldGrant(grant.grantId);
      if (isNews(latest, change))
        keychain.put(
          'received',
          grant.grantId,
          receivedToItem({ ...latest, terms, term: change.term, changed: document }),
        );
    });
    home.nudge();
  };
  const takeLater = (item: InboxItem): void =>
    void take(item).catch((cause: unknown) => {
      // A schema or a signer that cannot be had now is looked for again at the next start.
      if (!(cause instanceof SluiceError)) throw cause;
    });

  const catchUp = (grantIds?: readonly string[]): void => {
    for (const item of mailbox.list({ type: SYNC_TERMS })) {
      const { grantId } = item.data;
      if (!grantIds || (typeof grantId === 'string' && grantIds.includes(grantId))) takeLater(item);
    }
  };
  mailbox.on(SYNC_TERMS, takeLater);
  // Terms may have been changed before this device had the grant.
  keychain.onArrival('received', (grantId) => queueMicrotask(() => account.closed() || catchUp([grantId])));
  return { catchUp };
}
