/** What a grantee makes of the message that its owner changed a grant's terms (spec/grant.md). Must not know how grants are read. */

import { isJsonObject, type JsonValue } from '@sluice/core/base';
import { parseTerms, wrongNarrowing } from '@sluice/core/grant';
import type { OpenAccount } from '../account/account.ts';
import { SluiceError } from '../errors.ts';
import type { InboxItem, Mailbox } from '../messaging/mailbox.ts';
import { itemToReceived, receivedToItem } from './grant-item.ts';
import { SYNC_TERMS } from './sync-request.ts';
import type { LoadSchema } from './terms.ts';

/** Starts to take up changed terms. `catchUp` takes those that came while nobody did. */
export function followChangedTerms(
  account: OpenAccount,
  mailbox: Pick<Mailbox, 'on' | 'list'>,
  loadSchema: LoadSchema,
): { readonly catchUp: () => void } {
  const { keychain, home } = account;

  /** Terms that go beyond what was asked, or are older than those known, are not taken. */
  const take = async ({ from, data }: InboxItem): Promise<void> => {
    const { grantId, term, terms } = data;
    const held = typeof grantId === 'string' ? keychain.get('received', grantId) : undefined;
    if (!held || held.session === true || typeof grantId !== 'string' || !isTerm(term) || !isJsonObject(terms)) return;
    const grant = itemToReceived(grantId, held);
    if (grant.owner !== from || term <= grant.term) return;
    const schema = await loadSchema(grant.terms.schema);
    const parsed = parseTerms(terms, schema.formats);
    if (!parsed.ok || wrongNarrowing(grant.asked, parsed.value.terms)) return;
    const latest = itemToReceived(grantId, keychain.get('received', grantId) ?? held);
    if (account.closed() || term <= latest.term) return;
    keychain.put('received', grantId, receivedToItem({ ...latest, terms: parsed.value.terms, term }));
    home.nudge();
  };
  const takeLater = (item: InboxItem): void =>
    void take(item).catch((cause: unknown) => {
      // A schema that cannot be had now is looked for again at the next start.
      if (!(cause instanceof SluiceError)) throw cause;
    });

  mailbox.on(SYNC_TERMS, takeLater);
  return {
    catchUp: () => {
      for (const item of mailbox.list({ type: SYNC_TERMS })) takeLater(item);
    },
  };
}

const isTerm = (value: JsonValue | undefined): value is number => Number.isSafeInteger(value);
