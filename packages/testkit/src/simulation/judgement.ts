/** What must be so once all is quiet: everybody is in step, nothing acknowledged is lost, and each grantee sees what its terms say. */

import type { GrantView } from '@sluice/client';
import { differenceOf } from './feed-model.ts';
import { type Oracle, stateOf } from './oracle.ts';
import type { Participants } from './participants.ts';
import { START_MS } from './sim-client.ts';
import type { Ledger } from './workload.ts';

/** A rule that does not hold, and how. */
export type Flaw = { readonly invariant: string; readonly text: string };
/** What is judged. */
export type JudgementDeps = {
  readonly participants: Participants;
  readonly ledger: Ledger;
  /** Virtual time. */
  readonly nowMs: () => number;
};

/** What is not as it must be once all is quiet; undefined when nothing is. */
export async function flawOf(deps: JudgementDeps): Promise<Flaw | undefined> {
  const { owners, node, oracle } = deps.participants;
  const look = oracle();
  const storage = node()?.storage;
  const accounts = owners.flatMap((o) => (o.account ? [o.account] : []));
  if (!look || !storage || accounts.length < owners.length) return { invariant: 'I15', text: 'somebody is not up' };
  look.look(storage);
  for (const [schema, history] of [
    ['social/post', look.posts],
    ['note', look.notes],
  ] as const) {
    const want = [...history.documentsAt().values()]
      .map((d) => JSON.stringify(d))
      .sort()
      .join('\n');
    for (const [i, account] of accounts.entries()) {
      const got = await stateOf(account, schema);
      if (got !== want)
        return { invariant: 'I1', text: `${owners[i]?.name} shows of ${schema}\n${got}\ninstead of\n${want}` };
    }
  }
  const lost = lostWrite(look, deps.ledger);
  if (lost) return { invariant: 'I2', text: `the acknowledged write ${lost} is in no state` };
  if (!accounts.every((account) => account.sharing.feedsUpToDate()))
    return { invariant: 'I15', text: 'a feed is behind' };
  for (const grant of owners[0]?.account?.sharing.grants.list() ?? []) {
    const flaw = await flawOfGrant(deps, look, grant);
    if (flaw) return flaw;
  }
  return undefined;
}

function lostWrite(look: Oracle, ledger: Ledger): string | undefined {
  const posts = look.posts.documentsAt();
  const has = (id: string, token: string, all: ReturnType<Oracle['posts']['documentsAt']>): boolean =>
    ((all.get(id)?.tags as string[] | undefined) ?? []).includes(token);
  const lost = ledger.saved.find(({ id, token }) => !ledger.deleted.has(id) && !has(id, token, posts));
  if (lost) return `${lost.token} of ${lost.id}`;
  const notes = look.notes.documentsAt();
  return ledger.notes.find((token) => ![...notes.keys()].some((id) => has(id, token, notes)));
}

async function flawOfGrant(deps: JudgementDeps, look: Oracle, grant: GrantView): Promise<Flaw | undefined> {
  const { apps } = deps.participants;
  const nowMs = START_MS + deps.nowMs();
  const model = look.feeds().find((m) => m.grant.grantId === grant.grantId);
  const app = apps.find((a) => `did:web:${a.name}.sim.test` === grant.grantee);
  const name = `${grant.grantId.slice(0, 8)} of ${app?.name}`;
  if (!model || !app) return { invariant: 'I15', text: `nobody watches ${name}` };
  const handle = app.handles.get(grant.grantId);
  // Its end comes to a grantee when the node next closes its subscription, which need not be soon.
  if (grant.status === 'purged' || grant.status === 'expired') return undefined;
  if (grant.status === 'revoked') {
    const status = handle?.status();
    return status === undefined || status === 'revoked' || status === 'expired'
      ? undefined
      : { invariant: 'I15', text: `${name} is revoked and says ${status}` };
  }
  if (look.isRevoked(grant.grantId)) return { invariant: 'I15', text: `${name} is revoked at the node alone` };
  if (!handle) {
    // Two devices may answer one request before they hear of each other: its asker takes one of the answers.
    if (app.missed || app.answered.has(grant.requestId)) return undefined;
    return { invariant: 'I15', text: `${name} has not come to its grantee` };
  }
  if (grant.status === 'offered' && app.missed) return undefined;
  if (handle.pending().length > 0) return { invariant: 'I7', text: `${name} has writes without an effect` };
  const records = await handle.datastore().getMany({}, { limit: 10_000 });
  const got = new Map(records.map((record) => [String(record._id), record]));
  if (grant.terms.duration === 'once') {
    const done = model.ended() && handle.status() === 'completed';
    const wrong = done ? differenceOf(model.shown(nowMs), got) : 'it has not ended';
    return wrong ? { invariant: 'I4', text: `${name}, once: ${wrong}` } : undefined;
  }
  const wrong = differenceOf(model.expected(look.posts.documentsAt(), nowMs), got);
  if (wrong) return { invariant: 'I4', text: `${name} ${wrong}` };
  if (handle.status() !== 'live') return { invariant: 'I15', text: `${name} says ${handle.status()}` };
  return undefined;
}
