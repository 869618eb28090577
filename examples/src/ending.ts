/** How sharing ends: by being once-off, by a revoke, by giving a session back. */

import type { Account, AppSession, FeedStatus, GrantHandle } from '@sluice/client';

// #region once
/** The courier's side: one delivery of one field. Nothing follows it. */
export async function readOnce(courier: Account, person: string): Promise<string> {
  const pending = await courier.sharing.request(person, {
    schema: 'social/contact',
    filter: { name: 'Me' },
    fields: ['mobile'],
    duration: 'once',
    purpose: 'To deliver one parcel',
  });
  const answer = await pending.answer();
  if (answer.status !== 'granted') return answer.status; // 'declined' or 'expired'
  const [grant] = answer.grants;
  await grant?.upToDate(); // grant.status() is 'completed' from here on
  return String((await grant?.datastore().getOne())?.mobile);
}
// #endregion

// #region revoke
/** The person's side: end all that one application has. What was delivered before stays delivered. */
export async function endAll(person: Account, app: string): Promise<number> {
  const grants = person.sharing.grants.list().filter((grant) => grant.grantee === app && grant.isOpen);
  for (const { grantId } of grants) await person.sharing.revoke(grantId);
  return grants.length + (await person.connect.revokeApp(app));
}
// #endregion

// #region ended
/** The application's side: it hears of the end. The SDK wipes its copy by itself, unless the terms let it be kept for a while. */
export function watchEnd(grant: GrantHandle, ended: (status: FeedStatus) => void): () => void {
  return grant.onStatus((status) => {
    if (status === 'revoked' || status === 'expired') ended(status);
  });
}

/** It can also give a silo's session back by itself. The silo and its records stay with the person. */
export async function leaveSilo(session: AppSession): Promise<void> {
  await session.disconnect();
}
// #endregion
