/** Scenario 3, Silo: an app keeps its own databases with the person, unlocked by consent. */

import { type Account, Network, VaultAccount } from '@sluice/client';

// #region connect
/** The game's side: ask, wait for the person's yes, then read and write the silo. */
export async function saveGame(game: Account, show: (request: Uint8Array) => void, level: number): Promise<string> {
  const pending = await game.connect.request('Star Miner');
  show(pending.document); // as a QR code, a link or a file
  const outcome = await pending.answer();
  if (outcome.status !== 'connected') return outcome.status;
  const account = new VaultAccount(outcome.session, game.schemas);
  const context = await Network.connect({ account, context: { name: 'Star Miner' } });
  const saves = await context.openDatastore('game/save');
  await saves.save({ name: 'Slot 1', level }, { ack: 'node' });
  return outcome.status;
}
// #endregion

// #region approve
/** The person's side: who asks is what the signature proves, not what the app says. */
export async function approve(person: Account, request: Uint8Array, expectedOrigin: string): Promise<boolean> {
  const { origin } = await person.connect.inspect(request);
  if (origin === expectedOrigin) await person.connect.approve(request);
  else await person.connect.decline(request);
  return origin === expectedOrigin; // later: person.connect.revokeApp('did:web:game.example')
}
// #endregion
