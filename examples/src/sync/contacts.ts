/** Contact details kept equal in several applications: whoever changes a number, all have it, and nothing goes round in circles. */

import type { Account, Database, GrantHandle, WriteVerdict } from '@sluice/client';
import type { JsonObject } from '@sluice/core/base';

// #region ask
/** An application's side: it reads and changes a person's card. `auto`: the person agrees once, and not to each change. */
export async function askForCard(app: Account, person: string): Promise<GrantHandle | undefined> {
  const pending = await app.sharing.request(person, {
    schema: 'social/contact',
    access: 'readwrite',
    filter: { name: 'Me' },
    fields: ['name', 'email', 'mobile'],
    write: { operations: ['update'], fields: ['email', 'mobile'], policy: 'auto', perDay: 20 },
    purpose: 'To keep your contact details up to date',
  });
  const answer = await pending.answer();
  const [grant] = answer.status === 'granted' ? answer.grants : [];
  await grant?.upToDate();
  return grant;
}
// #endregion

// #region keep
/** The application's own table of customers follows the grant. Changes of `origin: 'self'` are its own, and in it already. */
export function keepEqual(grant: GrantHandle, customers: Database, told: (card: JsonObject) => void): () => void {
  return grant.changes(async ({ origin, record, id }) => {
    if (origin === 'self') return;
    if (record) await customers.save({ ...record, _id: id }, { force: true });
    else await customers.delete(id);
    if (record) told(record);
  });
}
// #endregion

// #region change
/** The customer calls and has a new number: into the application's own table, and through the grant to the person and all others. */
export async function changeNumber(
  grant: GrantHandle,
  customers: Database,
  mobile: string,
): Promise<WriteVerdict | 'unchanged'> {
  const card = await grant.datastore().getOne({ name: 'Me' });
  if (!card) throw new Error('the person shares no card any more');
  await customers.save({ ...card, mobile }, { force: true });
  const { n } = await grant.datastore().save({ ...card, mobile });
  return n === undefined ? 'unchanged' : grant.settled(n);
}
// #endregion
