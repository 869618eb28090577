/** Scenario 1, Send: an app sends records to a person; the person accepts or declines. */

import type { Account, InboxItem } from '@sluice/client';

// #region send
/** The clinic's side: sends a lab result and later asks what became of it. */
export async function sendResult(clinic: Account, person: string): Promise<string> {
  const result = {
    schema: 'fhir/observation',
    resourceType: 'Observation',
    code: { text: 'Haemoglobin' },
    effectiveDateTime: '2026-04-02T09:30:00+02:00',
    valueQuantity: { value: 13.9, unit: 'g/dL' },
  };
  const sent = await clinic.messaging.send(person, 'inbox/type/dataSend', { data: [result] }, 'Your lab result');
  return sent.id; // clinic.messaging.sentStatus(sent.id): 'waiting', 'accepted', 'declined' or 'expired'
}
// #endregion

// #region accept
/** The person's side: every message that arrives is verified before it is shown here. */
export function acceptFrom(person: Account, trusted: string, done: (saved: number) => void): () => void {
  return person.messaging.onMessage(async (item: InboxItem) => {
    if (item.from !== trusted) return void person.messaging.decline(item.id);
    const { saved } = await person.messaging.accept(item.id);
    done(saved.length);
  });
}
// #endregion
