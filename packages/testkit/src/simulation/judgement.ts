/** What must be so once all is quiet: everybody is in step, nothing acknowledged is lost, and each grantee sees what its terms say. */

import type { GrantHandle, GrantView } from '@sluice/client';
import { jsonEquals, type JsonValue } from '@sluice/core/base';
import type { GrantTerms } from '@sluice/core/grant';
import { differenceOf, type FeedModel } from './feed-model.ts';
import type { App } from './listening.ts';
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
  const accounts = owners.flatMap((o) => (o.running ? [o.running] : []));
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
  for (const grant of owners[0]?.running?.sharing.grants.list() ?? []) {
    const flaw = await flawOfGrant(deps, look, grant);
    if (flaw) return flaw;
  }
  return flawOfWrites(deps, look) ?? flawOfAgent(deps.participants);
}

/** An agent keeps up what the owner's devices do, or knows that it was shut out. */
function flawOfAgent({ agent: of, owners }: Participants): Flaw | undefined {
  const agent = of();
  if (!agent) return undefined;
  const [account] = owners.flatMap((o) => o.running ?? []);
  const [known] = account?.sharing.agents.list() ?? [];
  const status = agent.running?.status();
  if (known?.status === 'revoked')
    return status === 'revoked' ? undefined : { invariant: 'I15', text: `the agent is shut out and says ${status}` };
  if (known?.status !== 'active') return { invariant: 'I15', text: `the agent is ${known?.status} for ever` };
  const work = agent.running?.work();
  if (status !== 'live' || !work?.upToDate()) return { invariant: 'I15', text: `the agent is ${status} and behind` };
  for (const { grantId, isOpen, status: want } of account?.sharing.grants.list() ?? []) {
    const got = work.grants().find((grant) => grant.grantId === grantId)?.status;
    if (isOpen && got !== want)
      return { invariant: 'I15', text: `${grantId.slice(0, 8)} is ${want}, and ${got} for the agent` };
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

/** How the copy of a grant may stand that is over, whether its terms said so or the owner. */
const ENDED: ReadonlySet<string> = new Set(['revoked', 'expired', 'purged']);
const OVER: ReadonlySet<string> = new Set(['revoked', 'expired', 'completed']);

/** A grant that is over has nothing left at its grantee, which knows it. */
async function flawOfEnded(name: string, grant: GrantView, handle: GrantHandle): Promise<Flaw | undefined> {
  const status = handle.status();
  if (!OVER.has(status)) return { invariant: 'I15', text: `${name} is ${grant.status} and says ${status}` };
  const left = await handle.datastore().count();
  // What was delivered once and whole is its reader's.
  if (left === 0 || status === 'completed') return undefined;
  return { invariant: 'I5', text: `${name} is ${grant.status}, and ${left} records of it are left` };
}

/** Each write of a grantee has changed the owner's records once, or was refused and has changed nothing. */
function flawOfWrites(deps: JudgementDeps, look: Oracle): Flaw | undefined {
  const { owners, apps } = deps.participants;
  const { writes } = deps.ledger;
  for (const { grantId, n, id, kind, token = '' } of writes) {
    const name = `the ${kind} ${token}, write ${n} of ${grantId.slice(0, 8)},`;
    const places = look.posts.writesOf(token);
    if (places.size > 1) return { invariant: 'I7', text: `${name} was made twice: ${[...places].join(' and ')}` };
    for (const { name: owner, running: account } of owners) {
      const grant = account?.sharing.grants.list().find((g) => g.grantId === grantId);
      const status = account?.sharing.writes.list(grantId).find((write) => write.n === n)?.status;
      if (status === 'rejected' && places.size > 0) return { invariant: 'I7', text: `${name} was refused and made` };
      // What the same grantee wrote over it at once is all that is left of it.
      const isLast = !writes.some((other) => other.grantId === grantId && other.id === id && other.n > n);
      if (status === 'applied' && kind === 'insert' && isLast && places.size === 0)
        return { invariant: 'I7', text: `${name} was accepted and is not there` };
      // What an ended grant wrote may stay undecided.
      if (grant?.status !== 'live') continue;
      if (status !== 'applied' && status !== 'rejected')
        return { invariant: 'I7', text: `${name} is ${status ?? 'unknown'} at ${owner}` };
      const told = apps.map((app) => app.verdicts.get(`${grantId}/${n}`)).find((verdict) => verdict !== undefined);
      if (told !== undefined && told !== (status === 'applied'))
        return { invariant: 'I7', text: `${name} was ${status}, and its grantee was told otherwise` };
    }
  }
  return undefined;
}

/** At every device of its grantee, the ones that have just come included. */
async function flawOfGrant(deps: JudgementDeps, look: Oracle, grant: GrantView): Promise<Flaw | undefined> {
  const model = look.feeds().find((m) => m.grant.grantId === grant.grantId);
  const readers = deps.participants.apps.filter((app) => app.did === grant.grantee);
  if (!model || readers.length === 0) return { invariant: 'I15', text: `nobody watches ${grant.grantId.slice(0, 8)}` };
  for (const app of readers) {
    const flaw = await flawAt(deps, look, grant, model, app);
    if (flaw) return flaw;
  }
  return undefined;
}

async function flawAt(
  deps: JudgementDeps,
  look: Oracle,
  grant: GrantView,
  model: FeedModel,
  app: App,
): Promise<Flaw | undefined> {
  const nowMs = START_MS + deps.nowMs();
  const name = `${grant.grantId.slice(0, 8)} of ${app.name}`;
  const handle = app.handles.get(grant.grantId);
  if (ENDED.has(grant.status)) return handle && flawOfEnded(name, grant, handle);
  if (look.isRevoked(grant.grantId)) return { invariant: 'I15', text: `${name} is revoked at the node alone` };
  if (!handle) {
    // Two devices may answer one request before they hear of each other: its asker takes one of the answers.
    if (app.answered.has(grant.requestId)) return undefined;
    return { invariant: 'I15', text: `${name} has not come to its grantee` };
  }
  if (handle.pending().length > 0)
    return {
      invariant: 'I7',
      text: `${name} has writes without an effect: ${handle.status()} ${JSON.stringify(handle.pending())}`,
    };
  const records = await handle.datastore().getMany({}, { limit: 10_000 });
  const got = new Map(records.map(({ _rev, ...record }) => [String(record._id), record]));
  if (grant.terms.duration === 'once') {
    // It is delivered once: to a device that comes later it need not be.
    if (app.isLate) return undefined;
    const done = model.ended() && handle.status() === 'completed';
    const wrong = done ? differenceOf(model.shown(nowMs), got) : 'it has not ended';
    return wrong ? { invariant: 'I4', text: `${name}, once: ${wrong}` } : undefined;
  }
  const wrong = differenceOf(model.expected(look.posts.documentsAt(), nowMs, grant.terms), got);
  if (wrong) return { invariant: 'I4', text: `${name} ${wrong}` };
  if (handle.status() !== 'live') return { invariant: 'I15', text: `${name} says ${handle.status()}` };
  if (!sameTerms(handle.terms, grant.terms))
    return {
      invariant: 'I15',
      text: `${name} is on terms that its grantee does not know: ${JSON.stringify(grant.terms)}, not ${JSON.stringify(handle.terms)}`,
    };
  return undefined;
}

const sameTerms = (a: GrantTerms, b: GrantTerms): boolean =>
  jsonEquals(a as unknown as JsonValue, b as unknown as JsonValue);
