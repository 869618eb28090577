/** What can go wrong, and being offline. */

import { type Account, SluiceError } from '@sluice/client';

// #region errors
/** Every call rejects with one class: a stable `code`, a sentence that says what to do, and `issues` where there are several. */
export async function sendOrSay(clinic: Account, person: string, data: { schema: string }[]): Promise<string> {
  try {
    const sent = await clinic.messaging.send(person, 'inbox/type/dataSend', { data }, 'Your results');
    return sent.queued ? 'kept; it goes out when the person’s node can be reached' : 'sent';
  } catch (cause) {
    if (!(cause instanceof SluiceError)) throw cause; // a bug, not an answer
    if (cause.code === 'UNKNOWN_DID' || cause.code === 'NO_INBOX') return `nobody to send to: ${cause.message}`;
    if (cause.code === 'MESSAGE_TOO_LARGE') return 'too large to send: ask for a synchronization instead';
    return `${cause.message} ${cause.issues.map((issue) => `${issue.path} ${issue.message}`).join(', ')}`;
  }
}
// #endregion

// #region offline
/** Saving never waits for the node. What is saved offline is sent when the node is back, also by a later process. */
export async function saveAnywhere(person: Account, content: string): Promise<'at the node' | 'kept here'> {
  const notes = await person.vault.openDatastore('note');
  await notes.save({ name: 'Note', content }); // durable on this device from here on
  try {
    await person.synced(2000); // and at the node
    return 'at the node';
  } catch (cause) {
    if (cause instanceof SluiceError && cause.code === 'OFFLINE') return 'kept here';
    throw cause;
  }
}
// #endregion
