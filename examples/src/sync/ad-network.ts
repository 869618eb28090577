/** An ad network that follows posts and preferences of several people: read only, a part of each record, as each of them allows. */

import type { Account, FeedChange, GrantHandle, Narrowing, PendingRequest, RequestItem } from '@sluice/client';

// #region ask
const POSTS: RequestItem = {
  schema: 'social/post',
  fields: [
    'tags',
    { path: 'createdAt', transform: 'year' }, // 2026 and no more
    { path: 'uri', transform: 'pseudonym', optional: true }, // the same post keeps the same name, and it leads nowhere
    { path: 'content', optional: true }, // a person may take this away and still agree
  ],
};
const PREFERENCES: RequestItem = { schema: 'preferences/advertising', fields: ['interests', 'optOut'] };

/** The network's side. `frequency`: at most one batch an hour. `retention`: a copy may be kept for a week after the end. */
export async function askForTaste(network: Account, person: string): Promise<PendingRequest> {
  return network.sharing.request(person, {
    items: [
      { ...POSTS, frequency: 'PT1H', retention: 'P7D' },
      { ...PREFERENCES, frequency: 'PT1H', retention: 'P7D' },
    ],
    purpose: 'To show you advertising that you like',
  });
}
// #endregion

// #region narrow
/** A person's side: yes, but of public posts alone and without their text. One narrowing for each item that was asked. */
const PUBLIC_ONLY: readonly Narrowing[] = [
  { filter: { visibility: 'public' }, fields: ['tags', { path: 'createdAt', transform: 'year' }] },
  {},
];

/** Nothing flows of a narrowed grant until the network has taken it; `sharing.grants.list()` shows it as `offered`. */
export async function agreeToLess(person: Account, requestId: string): Promise<void> {
  const { items } = await person.sharing.preview(requestId, PUBLIC_ONLY); // what it comes to, before the yes
  if (items.length > 0) await person.sharing.consent(requestId, PUBLIC_ONLY);
}
// #endregion

// #region accept
/** The network's side: narrowed terms are looked at and taken, or left. What was agreed as asked needs no answer. */
export async function takeWhatIsOffered(
  pending: PendingRequest,
  isEnough: (grant: GrantHandle) => boolean,
): Promise<readonly GrantHandle[]> {
  const answer = await pending.answer();
  if (answer.status !== 'granted') return [];
  const taken: GrantHandle[] = [];
  for (const grant of answer.grants)
    if (isEnough(grant)) {
      await grant.accept();
      await grant.upToDate();
      taken.push(grant);
    } else await grant.drop(); // and the person is told
  return taken;
}
// #endregion

// #region follow
/** The network's side: whoever the owner is, one call follows. All grants at one node share one connection. */
export function followAll(
  grants: readonly GrantHandle[],
  onChange: (owner: string, change: FeedChange) => void,
): () => void {
  const stops = grants.map((grant) => grant.changes((change) => onChange(grant.owner, change)));
  return () => {
    for (const stop of stops) stop();
  };
}
// #endregion

// #region pause
/** A person's side: nothing is sealed or served while `work` lasts, and then only the difference on the whole moves. */
export async function whilePaused(person: Account, grantId: string, work: () => Promise<void>): Promise<void> {
  await person.sharing.pause(grantId);
  try {
    await work();
  } finally {
    await person.sharing.resume(grantId);
  }
}
// #endregion
