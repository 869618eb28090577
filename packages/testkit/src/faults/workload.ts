/** Seeded writes of one owner, and what must be there after the first `m` of them. Must not know processes. */

import type { Account, Database, SluiceError } from '@sluice/client';
import type { Did, JsonObject } from '@sluice/core/base';
import { sha256 } from '@sluice/core/crypto';

export type StoreName = 'notes' | 'social/post';
export type Op =
  | {
      readonly type: 'put';
      readonly store: StoreName;
      readonly records: readonly JsonObject[];
      readonly ack: 'local' | 'node';
    }
  | { readonly type: 'delete'; readonly store: StoreName; readonly id: string }
  | { readonly type: 'message'; readonly text: string };
/** Content of every record by `store/id`. */
export type State = ReadonlyMap<string, string>;

const TYPE = 'inbox/type/message';
/** Records that are written again and again; every fifth write makes a new one. */
const POOL = 30;

/** The n-th write: the same for the same seed, whoever asks. */
export function opAt(seed: string, n: number): Op {
  const dice = sha256(new TextEncoder().encode(`${seed}/op/${n}`));
  const [kind = 0, pool = 0, fresh = 0, many = 0, side = 0, ack = 0] = dice;
  const store = side % 2 === 0 ? 'notes' : 'social/post';
  const id = fresh % 5 === 0 ? `new-${n}` : `r-${pool % POOL}`;
  const record = (i: number): JsonObject => ({
    _id: i === 0 ? id : `${id}-${i}`,
    content: `op ${n}, part ${i}`,
    type: (many + i) % 2 === 0 ? 'even' : 'odd',
  });
  if (kind < 25) return { type: 'message', text: `message ${n}` };
  if (kind < 65) return { type: 'delete', store, id: `r-${pool % POOL}` };
  const count = kind < 90 ? 6 : 1;
  return {
    type: 'put',
    store,
    records: Array.from({ length: count }, (_, i) => record(i)),
    ack: ack % 3 === 0 ? 'node' : 'local',
  };
}

/** Changes `state` to what it is after the write. */
function applyOp(state: Map<string, string>, op: Op): void {
  if (op.type === 'put') for (const r of op.records) state.set(`${op.store}/${r._id}`, contentOf(r));
  else if (op.type === 'delete') state.delete(`${op.store}/${op.id}`);
}

const contentOf = (record: JsonObject): string => `${record.content} ${record.type}`;

/** The state after the first `m` writes. */
export function stateAfter(seed: string, m: number): State {
  const state = new Map<string, string>();
  for (let n = 1; n <= m; n++) applyOp(state, opAt(seed, n));
  return state;
}

/** What an account holds, as it reads it. Throws on two records of one id. */
export async function readState(account: Account): Promise<State> {
  const state = new Map<string, string>();
  const stores = [await account.vault.openDatabase('notes'), await account.vault.openDatastore('social/post')];
  for (const [i, store] of stores.entries())
    for (const record of await store.getMany({}, { limit: 100_000 })) {
      const key = `${i === 0 ? 'notes' : 'social/post'}/${record._id}`;
      if (state.has(key)) throw new Error(`${key} is there twice`);
      state.set(key, contentOf(record));
    }
  return state;
}

/** One line that is the same for equal states. */
export const stateText = (state: State): string => JSON.stringify([...state].sort());

/** The last `m` of `from` to `to` whose state is the one seen; undefined when some write before is lost or half there. */
export function prefixOf(seed: string, seen: State, from: number, to: number): number | undefined {
  const text = stateText(seen);
  for (let m = to; m >= from; m--) if (stateText(stateAfter(seed, m)) === text) return m;
  return undefined;
}

/** What a grant over the odd posts shows of a state. */
export const oddPosts = (state: State): string[] =>
  [...state]
    .filter(([key, content]) => key.startsWith('social/post/') && content.endsWith(' odd'))
    .map(([, c]) => c)
    .sort();

export type OpEvents = {
  /** The write was called. */
  readonly started: (n: number) => void;
  /** The write resolved; `node` when it waited for the node, `message` with its id when it sent one. */
  readonly resolved: (n: number, how: 'local' | 'node' | 'message', messageId?: string) => void;
};

/** Writes op after op from `from` on, up to `width` of them waiting for the node, until `stop` says so. */
export async function writeOps(
  account: Account,
  friend: Did,
  seed: string,
  from: number,
  width: number,
  events: OpEvents,
  stop: () => boolean,
): Promise<void> {
  const stores: { readonly [name in StoreName]: Database } = {
    notes: await account.vault.openDatabase('notes'),
    'social/post': await account.vault.openDatastore('social/post'),
  };
  const underWay = new Set<Promise<void>>();
  const failures: unknown[] = [];
  for (let n = from; !stop() && failures.length === 0; n++) {
    const op = opAt(seed, n);
    events.started(n);
    // Called one after the other, so that the records have the order of the ops; only the waiting overlaps.
    const done = write(op).then(
      ([how, messageId]) => events.resolved(n, how, messageId),
      // While the node is down a friend cannot be looked up: that message is refused and not kept.
      (cause: unknown) => void ((cause as SluiceError).code === 'UNKNOWN_DID' || failures.push(cause)),
    );
    underWay.add(done);
    void done.then(() => underWay.delete(done));
    if (op.type !== 'message' && !(op.type === 'put' && op.ack === 'node')) await done;
    if (underWay.size >= width) await Promise.race(underWay);
  }
  await Promise.all(underWay);
  if (failures.length > 0) throw failures[0];

  async function write(op: Op): Promise<['local' | 'node' | 'message', string?]> {
    switch (op.type) {
      case 'put': {
        const options = { ack: op.ack, force: true } as const;
        const [first] = op.records;
        if (op.records.length === 1 && first) await stores[op.store].save(first, options);
        else await stores[op.store].saveMany(op.records, options);
        return [op.ack];
      }
      case 'delete':
        await stores[op.store].delete(op.id);
        return ['local'];
      case 'message':
        return [
          'message',
          (await account.messaging.send(friend, TYPE, { subject: 'hello', message: op.text }, op.text)).id,
        ];
    }
  }
}
