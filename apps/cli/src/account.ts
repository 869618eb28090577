/** Opening the account that a command works with, and closing it whatever happens. */

import { Account } from '@sluice/client';
import { openNodeStore } from '@sluice/client/node';
import type { Settings } from './settings.ts';

const SYNC_MS = 15_000;

export const accountOptions = async (settings: Settings, kind: 'vault' | 'app') => ({
  platform: settings.platform,
  store: openNodeStore(settings.store(kind)),
  passphrase: await settings.passphrase(),
  ...(settings.argon2 ? { argon2: settings.argon2 } : {}),
});

/**
 * Runs a command with the account open. It is synchronized before (as far as the node can be reached) and after, so that one command a
 * time is enough to work with.
 */
export async function withAccount<T>(
  settings: Settings,
  kind: 'vault' | 'app',
  work: (account: Account) => Promise<T>,
): Promise<T> {
  const account = await Account.open(await accountOptions(settings, kind));
  account.open.onAlarm((alarm) =>
    settings.output.note(`Alarm: the node served something that does not verify (${alarm.type}).`),
  );
  try {
    const online = await account.synced(SYNC_MS).then(
      () => true,
      () => false,
    );
    if (!online) settings.output.note('The node cannot be reached. Changes are kept here and sent when it is back.');
    const result = await work(account);
    if (online)
      await account
        .synced(SYNC_MS)
        .catch(() => settings.output.note('Not everything could be sent yet; it is kept and sent later.'));
    return result;
  } finally {
    await account.close();
  }
}
