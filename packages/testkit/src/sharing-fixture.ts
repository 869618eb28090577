/** A person with posts and an app that reads some of them: the start of most sharing tests. */

import type { JsonObject } from '@sluice/core/base';
import type { Database, GivenGrant, GrantHandle, RequestItem } from '@sluice/client';
import type { Persona, TestNetwork } from './test-network.ts';

export type SharedPosts = {
  readonly owner: Persona;
  readonly app: Persona;
  readonly posts: Database;
  readonly given: GivenGrant;
  readonly grant: GrantHandle;
};

const WAIT_MS = 10_000;

/** Waits for a fact, at most 10 s. */
export async function until<T>(look: () => T | undefined | false | Promise<T | undefined | false>): Promise<T> {
  const end = Date.now() + WAIT_MS;
  for (;;) {
    const value = await look();
    if (value !== undefined && value !== false) return value;
    if (Date.now() > end) throw new Error('waited 10 s for a fact that did not come');
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

export const post = (i: number, more: JsonObject = {}): JsonObject => ({
  _id: `post-${i}`,
  name: `Post ${i}`,
  content: `content ${i}`,
  type: i % 2 === 0 ? 'even' : 'odd',
  createdAt: '2026-01-15T12:00:00Z',
  ...more,
});

/** Has the owner answer the app's next synchronization request with yes, and opens the grants on the app's side. `between` comes after each step. */
export async function grantItems(
  owner: Persona,
  app: Persona,
  items: readonly RequestItem[],
  purpose = 'for a test',
  between: () => Promise<void> = async () => undefined,
): Promise<{ readonly given: readonly GivenGrant[]; readonly grants: readonly GrantHandle[] }> {
  const pending = await app.account.sharing.request(owner.account.did, { items, purpose });
  await until(() => owner.account.mailbox.get(pending.id));
  await between();
  const given = await owner.account.sharing.consent(pending.id);
  await between();
  const answer = await pending.answer();
  if (answer.status !== 'granted') throw new Error(`the request was ${answer.status}`);
  await Promise.all(answer.grants.map((g) => g.upToDate()));
  return { given, grants: answer.grants };
}

/** Ten posts, of which the app reads those that the terms let through. */
export async function sharePosts(
  net: TestNetwork,
  item: Partial<RequestItem> = {},
  owner?: Persona,
  app?: Persona,
): Promise<SharedPosts> {
  const person = owner ?? (await net.person('poster'));
  const reader = app ?? (await net.app('https://reader.example'));
  const posts = await person.account.vault.openDatastore('social/post');
  if (!owner) await posts.saveMany(Array.from({ length: 10 }, (_, i) => post(i)));
  const { given, grants } = await grantItems(person, reader, [{ schema: 'social/post', ...item }]);
  const [one] = given;
  const [grant] = grants;
  if (!one || !grant) throw new Error('no grant was given');
  return { owner: person, app: reader, posts, given: one, grant };
}
