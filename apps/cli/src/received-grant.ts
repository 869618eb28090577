/** Grants that an application received: those whose consent came while nobody waited for it are taken up first. */

import type { Account, GrantHandle } from '@sluice/client';
import { needId } from './arguments.ts';
import type { Settings } from './settings.ts';

const ALL = 100_000;
const TAKE_UP_MS = 5000;

/** Opens the one grant that a start of its id names. */
export async function receivedGrant(account: Account, s: Settings, given: string): Promise<GrantHandle> {
  await takeUpAnswers(account, s);
  const ids = account.sharing.grants.received().map((g) => g.grantId);
  return account.sharing.grants.open(needId(ids, given, 'grant', 'List them with sluice app grants.'));
}

/** Takes up consents that came while nobody waited for them. */
export async function takeUpAnswers(account: Account, s: Settings): Promise<void> {
  const known = new Set(account.sharing.grants.received().map((g) => g.requestId));
  const asked = new Set(account.open.keychain.list('request').map(({ id }) => id));
  const late = account.mailbox
    .list({ type: 'inbox/type/syncGrant' }, { limit: ALL })
    .map((item) => item.data.replyId)
    .filter((id): id is string => typeof id === 'string' && asked.has(id) && !known.has(id));
  for (const id of new Set(late)) {
    let cancel = (): void => undefined;
    const timeout = new Promise<void>((resolve) => {
      cancel = s.clock.timer(TAKE_UP_MS, resolve);
    });
    // What is no valid consent stays unused; a command about grants is no place to fail for it.
    await Promise.race([
      timeout,
      account.sharing
        .pending(id)
        .answer()
        .catch(() => undefined),
    ]);
    cancel();
  }
}
