/** The story of the bridges: a club's members are carried between two people, each way, by one application or two, until all is at rest. */

import type { Account, Database, GrantHandle } from '@sluice/client';
import type { JsonObject } from '@sluice/core/base';
import { until } from '@sluice/testkit';
import { bridge, type Carried } from './bridge.ts';
import { openStage, type Stage } from './stage.ts';

export type BridgeFacts = {
  /** E-mail address and number of each club member, of the two people. */
  readonly members: readonly [ada: readonly string[], ben: readonly string[]];
  /** What the two bridges did with all the changes they heard of. */
  readonly carried: { readonly [what in Carried]: number };
  /** How many of Ada's friends who are in no club came to Ben. */
  readonly strangers: number;
};

const CLUB = { tags: 'club' };

/** Plays the story. */
export async function playBridge(apps: 'one' | 'two', tell: Stage['tell'] = () => undefined): Promise<BridgeFacts> {
  const stage = await openStage(tell);
  try {
    return await play(stage, apps);
  } finally {
    await stage.net.close();
  }
}

async function play({ net, tell }: Stage, apps: 'one' | 'two'): Promise<BridgeFacts> {
  const { account: ada } = await net.person('ada');
  const { account: ben } = await net.person('ben');
  const contactsOf = (person: Account): Promise<Database> => person.vault.openDatastore('social/contact');
  const [adas, bens] = [await contactsOf(ada), await contactsOf(ben)];
  await adas.saveMany([contact('kim', '1'), contact('lou', '2'), { ...contact('max', '3'), tags: ['friend'] }]);
  await bens.saveMany([contact('kim', '1'), contact('noa', '4')]);
  for (const person of [ada, ben])
    person.messaging.onMessage(async (item) => {
      if (item.type === 'inbox/type/syncRequest') await person.sharing.consent(item.id);
    });

  const reports: { readonly way: 'there' | 'back'; readonly what: Carried; readonly mobile: unknown }[] = [];
  const run = (way: 'there' | 'back', from: GrantHandle, to: GrantHandle): void => {
    const byEmail = ({ email = '' }: JsonObject): JsonObject => ({ email });
    bridge(from, to, byEmail, (what, record) => reports.push({ way, what, mobile: record?.mobile }));
  };
  const { account: there } = await net.app('https://there.example');
  const { account: back } = apps === 'one' ? { account: there } : await net.app('https://back.example');
  const [a, b] = [await askForClub(there, ada.did), await askForClub(there, ben.did)];
  run('there', a, b);
  if (apps === 'one') run('back', b, a);
  else run('back', await askForClub(back, ben.did), await askForClub(back, ada.did));

  const membersOf = async (contacts: Database): Promise<string[]> =>
    (await contacts.getMany(CLUB)).map(({ email, mobile }) => `${String(email)} ${String(mobile)}`).sort();
  const bothHave = (...wanted: string[]): Promise<true> =>
    until(async () => {
      const found = [await membersOf(adas), await membersOf(bens)];
      return found.every((members) => members.join() === wanted.join());
    });
  /** A number has gone once around: the bridge of the way back has heard of what the other one wrote. */
  const wentAround = (way: 'there' | 'back', mobile: string): Promise<true> =>
    until(() => reports.some((report) => report.way === way && report.mobile === mobile));

  await bothHave('kim@club.example 1', 'lou@club.example 2', 'noa@club.example 4');
  await Promise.all([wentAround('back', '2'), wentAround('there', '4')]);
  tell(`both have ${(await membersOf(bens)).join(', ')}`);
  const kim = await adas.getOne({ email: 'kim@club.example' });
  await adas.save({ ...kim, mobile: '11' });
  await bothHave('kim@club.example 11', 'lou@club.example 2', 'noa@club.example 4');
  const noa = await bens.getOne({ email: 'noa@club.example' });
  await bens.save({ ...noa, mobile: '44' });
  await bothHave('kim@club.example 11', 'lou@club.example 2', 'noa@club.example 44');
  await Promise.all([wentAround('back', '11'), wentAround('there', '44')]);

  const carried = { written: 0, unchanged: 0, own: 0, refused: 0 };
  for (const { what } of reports) carried[what]++;
  tell(`two edits later both have ${(await membersOf(bens)).join(', ')}; the bridges: ${JSON.stringify(carried)}`);
  return {
    members: [await membersOf(adas), await membersOf(bens)],
    carried,
    strangers: await bens.count({ name: 'max' }),
  };
}

const contact = (name: string, mobile: string): JsonObject => ({
  name,
  email: `${name}@club.example`,
  mobile,
  tags: ['club'],
});

async function askForClub(app: Account, person: string): Promise<GrantHandle> {
  const pending = await app.sharing.request(person, {
    schema: 'social/contact',
    access: 'readwrite',
    filter: CLUB,
    fields: ['name', 'email', 'mobile', 'tags'],
    write: { operations: ['insert', 'update'], policy: 'auto' },
    purpose: 'To keep the members of the club equal',
  });
  const answer = await pending.answer();
  const [grant] = answer.status === 'granted' ? answer.grants : [];
  if (!grant) throw new Error(`the request was ${answer.status}`);
  await grant.upToDate();
  return grant;
}
