/** Scenario 2, Request: an app asks a person for records; the person picks, or declines. */

import type { Account } from '@sluice/client';

// #region request
/** The clinic's side. `expired` is its own clock's word: nothing is answered by itself. */
export async function askForLicence(clinic: Account, person: string): Promise<string> {
  const pending = await clinic.messaging.request(person, {
    requestSchema: 'credential/driving-licence',
    filter: { country: 'NL' },
    userSelect: true,
    userSelectLimit: 1,
    purpose: 'To register you at the desk',
  });
  const answer = await pending.answer();
  return answer.status === 'shared' ? String(answer.records[0]?.licenceNumber) : answer.status;
}
// #endregion

// #region share
/** The person's side: look at what fits, then share or decline. */
export async function shareFirst(person: Account, requestId: string): Promise<number> {
  const fitting = await person.messaging.matching(requestId);
  if (fitting[0]) await person.messaging.share(requestId, [String(fitting[0]._id)]);
  else await person.messaging.decline(requestId);
  return fitting.length;
}
// #endregion
