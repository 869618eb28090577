/** Accounts: create, open again, restore from twelve words. */

import { Account, type Platform } from '@sluice/client';
import { openNodeStore } from '@sluice/client/node';

// #region account
/** A person's account at a node. The twelve words are shown once; with the node's address they bring everything back. */
export async function createPerson(
  platform: Platform,
  directory: string,
  passphrase: string,
): Promise<{ account: Account; phrase: string }> {
  const store = openNodeStore(directory);
  return Account.create({ platform, store, passphrase, node: 'https://node.sluice.test' });
}

export async function addDevice(
  platform: Platform,
  directory: string,
  passphrase: string,
  phrase: string,
): Promise<Account> {
  const store = openNodeStore(directory);
  return Account.restore({ platform, store, passphrase, phrase, node: 'https://node.sluice.test' });
}
// #endregion

// #region records
/** Records of a schema: validated, versioned by `_rev`, found by the schema's own indexes, the same on every device. */
export async function keepContacts(account: Account): Promise<number> {
  const contacts = await account.vault.openDatastore('social/contact');
  const { id } = await contacts.save({ name: 'Ada Example', firstName: 'Ada', mobile: '+31 6 1111 1111' });
  const ada = await contacts.get(id);
  await contacts.save({ ...ada, mobile: '+31 6 2222 2222' });
  const stop = contacts.changes((change) => console.log(change.type, change.id), { firstName: 'Ada' });
  const found = await contacts.getMany({ mobile: { $beginsWith: '+31' } }, { sort: [{ name: 'asc' }], limit: 10 });
  stop();
  return found.length;
}
// #endregion

// #region conflicts
/** Puts back what this person's own edits lost against other devices, and lets go of the rest. */
export async function preferMine(account: Account, myWriter: string): Promise<number> {
  const contacts = await account.vault.openDatastore('social/contact');
  const lost = await contacts.conflicts();
  for (const { key, writer } of lost) await contacts.resolve(key, writer === myWriter ? 'use-lost' : 'keep');
  return lost.length;
}
// #endregion
