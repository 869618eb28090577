/** A clinic that reads six months of a patient's records and writes results back, and the patient who has the say in each of them. */

import type { Account, GrantHandle, PendingRequest, WriteRecord, WriteVerdict } from '@sluice/client';
import type { RevokeCertificate } from '@sluice/core/grant';

// #region ask
const LAST_SIX_MONTHS = { $within: 'P6M' };

/** The clinic's side: two kinds of records in one request. It reads both, and wants to write observations. */
export async function askForSixMonths(clinic: Account, patient: string): Promise<PendingRequest> {
  return clinic.sharing.request(patient, {
    items: [
      {
        schema: 'fhir/observation',
        access: 'readwrite',
        filter: { effectiveDateTime: LAST_SIX_MONTHS },
        write: { operations: ['insert', 'update'], policy: 'propose', perDay: 100 },
      },
      {
        schema: 'fhir/immunization',
        filter: { occurrenceDateTime: LAST_SIX_MONTHS },
        fields: ['vaccineCode', 'occurrenceDateTime', 'status'],
      },
    ],
    purpose: 'To follow your treatment',
  });
}
// #endregion

// #region agree
/** The patient's side: what exactly would be revealed, in a sentence for each kind of record, and then the yes. */
export async function agree(
  patient: Account,
  requestId: string,
  isFine: (sentence: string, matching: number) => boolean,
): Promise<boolean> {
  const { items } = await patient.sharing.preview(requestId);
  const yes = items.every(({ sentence, matching }) => isFine(sentence, matching));
  if (yes) await patient.sharing.consent(requestId);
  else await patient.sharing.decline(requestId);
  return yes;
}
// #endregion

// #region read
/** The clinic's side: the grants in the order they were asked for, each a live copy that is queried like any datastore. */
export async function openRecords(
  pending: PendingRequest,
): Promise<{ observations: GrantHandle; immunizations: GrantHandle } | undefined> {
  const answer = await pending.answer();
  if (answer.status !== 'granted') return undefined; // 'declined', or 'expired' by the clinic's own clock
  const [observations, immunizations] = answer.grants;
  if (!observations || !immunizations) return undefined;
  await Promise.all([observations.upToDate(), immunizations.upToDate()]);
  return { observations, immunizations };
}
// #endregion

// #region write
/** The clinic's side: a new result. It shows here at once, and is the patient's when the patient says so. */
export async function writeResult(
  observations: GrantHandle,
  result: { text: string; value: number; unit: string; at: string },
): Promise<{ id: string; verdict: () => Promise<WriteVerdict> }> {
  const { id, n = 0 } = await observations.datastore().save({
    resourceType: 'Observation',
    status: 'preliminary',
    code: { text: result.text },
    effectiveDateTime: result.at,
    valueQuantity: { value: result.value, unit: result.unit },
  });
  return { id, verdict: () => observations.settled(n) };
}

/** What was read is changed like any record: read it, save it. Only the fields that differ are written. */
export async function confirmResult(observations: GrantHandle, id: string): Promise<WriteVerdict | 'unchanged'> {
  const result = await observations.datastore().get(id);
  const { n } = await observations.datastore().save({ ...result, status: 'final' });
  return n === undefined ? 'unchanged' : observations.settled(n);
}
// #endregion

// #region review
/** The patient's side: each write that waits is decided on, those that wait already and those to come. Returns how to stop. */
export function review(patient: Account, isWelcome: (write: WriteRecord) => boolean): () => void {
  const { writes } = patient.sharing;
  const decide = async (write: WriteRecord): Promise<void> => {
    if (isWelcome(write)) await writes.accept(write.grantId, write.n);
    else await writes.reject(write.grantId, write.n);
  };
  for (const write of writes.list()) void decide(write);
  return writes.onWaiting((write) => void decide(write));
}
// #endregion

// #region origins
/** The patient's side: who wrote each field of a record that was not written by the patient, and by which consent. */
export async function writersOf(patient: Account, recordId: string): Promise<{ readonly [field: string]: string }> {
  const { fields } = await patient.sharing.writes.origins('fhir/observation', recordId);
  return Object.fromEntries(
    Object.entries(fields).map(([name, { grantee, grantId }]) => [name, `${grantee} by grant ${grantId}`]),
  );
}
// #endregion

// #region undo
/** The patient's side: takes back all that one grant has written, as one. What somebody else has changed since stays. */
export async function takeBack(patient: Account, grantId: string): Promise<number> {
  const { undone } = await patient.sharing.writes.undo(grantId);
  return undone;
}
// #endregion

// #region end
/** The patient's side: the end, and its proof. Without the node it is kept, holds here at once, and is sent when the node is back. */
export async function endTreatment(patient: Account, grantId: string): Promise<RevokeCertificate | 'pending'> {
  const outcome = await patient.sharing.revoke(grantId);
  if (outcome.status === 'pending' || !outcome.certificate) return 'pending';
  return outcome.certificate; // certificate(grantId) has it later too, then with the clinic's word that its copy is gone
}
// #endregion
