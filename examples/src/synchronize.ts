/** Scenario 4, Synchronize: a live, filtered, revocable stream of a person's records. */

import type { Account, FeedChange, GrantHandle } from '@sluice/client';

// #region synchronize
/** The clinic's side: the last six months of immunizations, three fields of each, live until revoked. */
export async function followImmunizations(
  clinic: Account,
  person: string,
  onChange: (change: FeedChange) => void,
): Promise<GrantHandle | undefined> {
  const pending = await clinic.sharing.request(person, {
    schema: 'fhir/immunization',
    filter: { occurrenceDateTime: { $within: 'P6M' } },
    fields: ['vaccineCode', 'occurrenceDateTime', { path: 'status', optional: true }],
    purpose: 'To follow your treatment',
  });
  const answer = await pending.answer();
  if (answer.status !== 'granted') return undefined;
  const [grant] = answer.grants;
  if (answer.narrowed) await grant?.accept(); // grant.terms says what is left; or grant.drop()
  grant?.changes(onChange); // and grant.datastore().getMany({ status: 'completed' })
  await grant?.upToDate();
  return grant;
}
// #endregion

// #region consent
/** The person's side: see exactly what would be revealed, then agree, narrower if you like. */
export async function consentTo(person: Account, requestId: string): Promise<string> {
  const preview = await person.sharing.preview(requestId);
  const [grant] = await person.sharing.consent(requestId, { fields: ['vaccineCode', 'occurrenceDateTime'] });
  return `${preview.items[0]?.sentence} ${preview.items[0]?.matching} now. To end it: revoke ${grant?.grantId}`;
}
// #endregion
