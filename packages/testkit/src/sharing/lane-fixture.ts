/** A grant with a lane, and what tests of writing back do with it. */

import type { JsonObject, StreamId } from '@sluice/core/base';
import { sharePosts, type SharedPosts, until } from '../sharing-fixture.ts';
import type { Persona, TestNetwork } from '../test-network.ts';

/** Terms that let a grantee write whatever it likes. */
export const WRITE = { operations: ['insert', 'update', 'delete'], policy: 'auto' } as const;

/** Ten posts that the app reads and writes; `more` and `write` change the terms. */
export const shareBoth = (
  net: TestNetwork,
  more: object = {},
  write: object = {},
  owner?: Persona,
): Promise<SharedPosts> =>
  sharePosts(net, { access: 'readwrite', write: { ...WRITE, ...write }, ...more } as never, owner);

/** The record under a name, as the grantee sees it. */
export const find = ({ grant }: Pick<SharedPosts, 'grant'>, name: string): Promise<JsonObject> =>
  until(() => grant.datastore().getOne({ name }));

/** What the owner's record holds. */
export const contentOf = async ({ posts }: Pick<SharedPosts, 'posts'>, id: string): Promise<unknown> =>
  (await posts.get(id))?.content;

/** Changes a post through the grant. Returns the number of the write. */
export async function change(shared: SharedPosts, name: string, content: string): Promise<number> {
  const record = await find(shared, name);
  const { n } = await shared.grant.datastore().save({ ...record, content });
  return n ?? 0;
}

/** How many entries the node holds in the lane. */
export const entriesInLane = (net: TestNetwork, { owner, given }: SharedPosts): number =>
  net.storage.readPage({
    space: owner.account.open.home.keys.space,
    log: { type: 'stream', stream: given.lane as StreamId },
    after: 0,
    except: owner.account.open.home.self,
    whole: false,
    nowMs: net.clock.nowMs(),
  }).entries.length;
