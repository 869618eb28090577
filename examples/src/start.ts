/** Where a program begins: the account of an application, opened if it is there and made if it is not. */

// #region start
import { Account, SluiceError } from '@sluice/client';
import { createNodePlatform, openNodeStore } from '@sluice/client/node';

/** `origin` is where the application publishes `didDocumentOf(account)` as `/.well-known/did.json`; `node` is its node's address. */
export async function openApp(
  options: { directory: string; passphrase: string; origin: string; node: string },
  platform = createNodePlatform(),
): Promise<{ account: Account; phrase?: string }> {
  const { directory, passphrase, origin, node } = options;
  const store = openNodeStore(directory);
  try {
    return { account: await Account.open({ platform, store, passphrase }) };
  } catch (cause) {
    if (!(cause instanceof SluiceError) || cause.code !== 'NOT_FOUND') throw cause;
  }
  return Account.create({ platform, store, passphrase, node, appOrigin: origin }); // with the twelve words: keep them
}
// #endregion
