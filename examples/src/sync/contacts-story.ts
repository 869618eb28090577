/** The story of the contact details: three applications, a number changed by the person and one changed by an application. */

import type { Database, GrantHandle } from '@sluice/client';
import { until } from '@sluice/testkit';
import { askForCard, changeNumber, keepEqual } from './contacts.ts';
import { openStage, type Stage } from './stage.ts';

export type ContactsFacts = {
  /** The number in the tables of the three, and in the person's vault. */
  readonly afterThePerson: readonly unknown[];
  readonly afterTheBank: readonly unknown[];
  /** How often each application was told of a change by somebody else. */
  readonly told: readonly number[];
  /** What the bank's second write of the same number comes to. */
  readonly again: unknown;
  /** How many versions of the card the person's vault has seen. */
  readonly saves: number;
};

type Member = { readonly grant: GrantHandle; readonly customers: Database; told: number };

/** Plays the story. */
export async function playContacts(tell: Stage['tell'] = () => undefined): Promise<ContactsFacts> {
  const stage = await openStage(tell);
  try {
    return await play(stage);
  } finally {
    await stage.net.close();
  }
}

async function play({ net, tell }: Stage): Promise<ContactsFacts> {
  const { account: person } = await net.person('person');
  const vault = await person.vault.openDatastore('social/contact');
  const { id } = await vault.save({ name: 'Me', email: 'me@example.org', mobile: '+31 6 1111 1111', note: 'private' });
  let saves = 0;
  vault.changes(() => {
    saves++;
  });
  // The person agrees to whoever asks for the card.
  person.messaging.onMessage(async (item) => {
    if (item.type === 'inbox/type/syncRequest') await person.sharing.consent(item.id);
  });

  const members: Member[] = [];
  for (const name of ['bank', 'shop', 'club']) {
    const { account } = await net.app(`https://${name}.example`);
    const grant = await askForCard(account, person.did);
    if (!grant) throw new Error(`the ${name} got no grant`);
    const customers = await account.vault.openDatastore('social/contact');
    for (const card of await grant.datastore().getMany()) await customers.save(card, { force: true });
    const member: Member = { grant, customers, told: 0 };
    keepEqual(grant, customers, () => {
      member.told++;
    });
    members.push(member);
  }
  const numbers = async (): Promise<unknown[]> => {
    const tables = await Promise.all(members.map(({ customers }) => customers.getOne({ name: 'Me' })));
    return [...tables, await vault.get(id)].map((card) => card?.mobile);
  };
  const allHave = (mobile: string): Promise<unknown[]> =>
    until(async () => {
      const found = await numbers();
      return found.every((one) => one === mobile) && found;
    });
  const atRest = (): Promise<boolean> =>
    until(() => person.sharing.feedsUpToDate() && members.every(({ grant }) => grant.pending().length === 0));

  await vault.save({ ...(await vault.get(id)), mobile: '+31 6 2222 2222' });
  const afterThePerson = await allHave('+31 6 2222 2222');
  tell(`the person has a new number: ${afterThePerson.join(', ')}`);

  const [bank] = members as [Member, ...Member[]];
  const verdict = await changeNumber(bank.grant, bank.customers, '+31 6 3333 3333');
  const afterTheBank = await allHave('+31 6 3333 3333');
  await atRest();
  tell(`the bank is told another: ${afterTheBank.join(', ')}; its write: ${JSON.stringify(verdict)}`);
  const again = await changeNumber(bank.grant, bank.customers, '+31 6 3333 3333');
  await atRest();
  const told = members.map((member) => member.told);
  tell(`told of a change by somebody else: bank ${told[0]}, shop ${told[1]}, club ${told[2]}; written again: ${again}`);
  return { afterThePerson, afterTheBank, told, again, saves };
}
