/** The ad network's story: three people who answer in three ways, batches by the hour, a pause, and only differences that move. */

import type { Account, FeedChange, GrantHandle } from '@sluice/client';
import type { JsonObject } from '@sluice/core/base';
import { until } from '@sluice/testkit';
import { agreeToLess, askForTaste, followAll, takeWhatIsOffered, whilePaused } from './ad-network.ts';
import { arrived, openStage, type Stage } from './stage.ts';

export type AdNetworkFacts = {
  /** How many posts and preferences the network took of each. */
  readonly taken: { readonly ana: number; readonly bob: number; readonly cas: number };
  /** A post as the network sees it, without its id and schema. */
  readonly posts: { readonly ana: JsonObject; readonly bob: JsonObject };
  /** How the grants stand that Cas gave and the network did not take. */
  readonly dropped: readonly string[];
  /** Changes that the network heard of: right after three edits, and when the hour was over. */
  readonly beforeTheHour: number;
  readonly afterTheHour: number;
  readonly pausedStatus: string;
  /** What came of six edits that were made during the pause. */
  readonly afterThePause: number;
};

const HOUR_MS = 3600 * 1000;

/** Plays the story. */
export async function playAdNetwork(tell: Stage['tell'] = () => undefined): Promise<AdNetworkFacts> {
  const stage = await openStage(tell);
  try {
    return await play(stage);
  } finally {
    await stage.net.close();
  }
}

async function play({ net, tell, passTime }: Stage): Promise<AdNetworkFacts> {
  const { account: network } = await net.app('https://ads.example');
  const join = async (name: string, answer: (person: Account, id: string) => Promise<unknown>) => {
    const { account: person } = await net.person(name);
    const posts = await person.vault.openDatastore('social/post');
    await posts.saveMany([post('cake', 'public'), post('love', 'friends')]);
    const preferences = await person.vault.openDatastore('preferences/advertising');
    await preferences.save({ name: 'Advertising', interests: ['cooking'], optOut: ['gambling'] });
    const pending = await askForTaste(network, person.did);
    await arrived(person, pending.id);
    await answer(person, pending.id);
    const grants = await takeWhatIsOffered(pending, ({ terms }) => terms.duration === 'standing');
    tell(`${name}: the network took ${grants.length} of 2 grants`);
    return { person, posts, preferences, grants };
  };
  const ana = await join('ana', (person, id) => person.sharing.consent(id));
  const bob = await join('bob', agreeToLess);
  const cas = await join('cas', (person, id) => person.sharing.consent(id, { duration: 'once' }));
  const given = () => cas.person.sharing.grants.list().map(({ status }) => status);
  const dropped = await until(() => !given().includes('offered') && given());

  const heard: (FeedChange & { readonly owner: string })[] = [];
  followAll([...ana.grants, ...bob.grants], (owner, change) => heard.push({ owner, ...change }));
  const heardOf = ({ did }: Account): number => heard.filter(({ owner }) => owner === did).length;

  for (const tag of ['bread', 'pies', 'soup']) await ana.posts.save(post(tag, 'public'));
  await ana.person.synced();
  const beforeTheHour = heardOf(ana.person);
  passTime(HOUR_MS);
  await ana.preferences.save({ ...(await ana.preferences.getOne()), interests: ['cooking', 'travel'] });
  const afterTheHour = await until(() => heardOf(ana.person) >= 4 && heardOf(ana.person));
  tell(`ana: ${beforeTheHour} of three new posts at once, ${afterTheHour} changes when the hour was over`);

  const [bobs] = bob.grants as [GrantHandle, ...GrantHandle[]];
  let pausedStatus = '';
  await whilePaused(bob.person, bobs.id, async () => {
    pausedStatus = await until(() => bobs.status() === 'paused' && bobs.status());
    for (const content of ['one', 'two', 'three']) await bob.posts.save({ ...post('cake', 'public'), content }, FORCE);
    await bob.posts.save(post('slip', 'public'));
    await bob.posts.delete('slip');
    await bob.posts.save({ ...post('cake', 'public'), tags: ['cake', 'recipes'] }, FORCE);
    passTime(HOUR_MS);
  });
  await until(() => heardOf(bob.person) > 0);
  await until(() => bob.person.sharing.feedsUpToDate());
  await bob.person.synced();
  await bobs.upToDate();
  const afterThePause = heardOf(bob.person);
  tell(`bob: six edits while it was ${pausedStatus} came as ${afterThePause} change`);
  return {
    taken: { ana: ana.grants.length, bob: bob.grants.length, cas: cas.grants.length },
    posts: { ana: await shownOf(ana.grants[0]), bob: await shownOf(bobs) },
    dropped,
    beforeTheHour,
    afterTheHour,
    pausedStatus,
    afterThePause,
  };
}

const FORCE = { force: true } as const;

const post = (tag: string, visibility: string): JsonObject => ({
  _id: tag,
  name: tag,
  content: `All about ${tag}`,
  uri: `https://posts.example/${tag}`,
  createdAt: '2026-03-04T05:06:07Z',
  tags: [tag],
  visibility,
});

async function shownOf(grant: GrantHandle | undefined): Promise<JsonObject> {
  const { _id, schema, ...shown } = (await grant?.datastore().getOne({ tags: 'cake' })) ?? {};
  return shown;
}
