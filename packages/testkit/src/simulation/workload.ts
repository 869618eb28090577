/** What people and apps do in a simulation: edits, requests, consents, revokes, at random. */

import { SluiceError, type Account, type Database, type GrantHandle } from '@sluice/client';
import type { JsonObject } from '@sluice/core/base';
import type { Chance } from './chance.ts';

/** Something that somebody does: `run` says what became of it, `acknowledged` is called when its caller heard of it. */
export type Operation = {
  readonly name: string;
  readonly run: (account: Account) => Promise<string>;
  readonly acknowledged?: () => unknown;
};

/** A record's content that a save was acknowledged for. */
export type Acknowledged = { readonly id: string; readonly token: string };

/** What is remembered of all that was acknowledged. */
export type Ledger = {
  readonly saved: Acknowledged[];
  readonly deleted: Set<string>;
  /** Notes that were saved, by token. */
  readonly notes: string[];
  tokens: number;
};
/** Nothing was acknowledged yet. */
export const createLedger = (): Ledger => ({ saved: [], deleted: new Set(), notes: [], tokens: 0 });

const DAY_MS = 86_400_000;
const RECORDS = 8;
const FILTERS: readonly JsonObject[] = [{}, { type: 'odd' }, { type: { $in: ['odd', 'even'] } }];
const WINDOWS: readonly JsonObject[] = [
  { createdAt: { $within: 'P7D' } },
  { $and: [{ type: 'odd' }, { createdAt: { $within: 'P7D' } }] },
  { createdAt: { $within: 'PT1M' } },
];
const FIELDS: readonly (readonly string[] | undefined)[] = [undefined, ['content'], ['content', 'createdAt'], ['tags']];

/** States from which nothing comes any more. */
const ENDED: ReadonlySet<string> = new Set(['revoked', 'expired', 'completed', 'purged']);

const isoOf = (ms: number): string => new Date(ms).toISOString();

/** A new record, or a change of one. */
export function editOf(chance: Chance, ledger: Ledger, nowMs: number): Operation {
  const id = `r${chance.below(RECORDS)}`;
  const token = `t${ledger.tokens++}`;
  const change: Record<string, string> = {};
  if (chance.happens(0.7)) change.type = chance.pick(['odd', 'even', 'none']);
  if (chance.happens(0.7)) change.content = `content ${token}`;
  if (chance.happens(0.5))
    change.createdAt = isoOf(chance.happens(0.3) ? nowMs - chance.below(90_000) : nowMs - chance.below(14 * DAY_MS));
  return {
    name: `edit ${id} ${token}`,
    run: async (account) => {
      const posts = await postsOf(account);
      const old = await posts.get(id);
      const tags = [...((old?.tags as string[] | undefined) ?? []), token];
      const base = old ?? { _id: id, content: `content ${token}`, type: 'odd', createdAt: isoOf(nowMs) };
      await posts.save({ ...base, ...change, tags });
      return old ? 'changed' : 'new';
    },
    acknowledged: () => ledger.saved.push({ id, token }),
  };
}

/** Deletes a record, if it is there. */
export function deleteOf(chance: Chance, ledger: Ledger): Operation {
  const id = `r${chance.below(RECORDS)}`;
  return {
    name: `delete ${id}`,
    run: async (account) => {
      const posts = await postsOf(account);
      // Noted before, since it counts even where nobody hears that it was done.
      if (await posts.get(id)) ledger.deleted.add(id);
      return (await posts.delete(id)) ? 'deleted' : 'absent';
    },
  };
}

/** Saves something of a type that nobody was granted. */
export function noteOf(chance: Chance, ledger: Ledger): Operation {
  const token = `n${ledger.tokens++}`;
  const id = `note-${chance.below(3)}`;
  return {
    name: `note ${id} ${token}`,
    run: async (account) => {
      const notes = await account.vault.openDatastore('note');
      const old = await notes.get(id);
      await notes.save({ ...(old ?? { _id: id }), content: token, tags: [...((old?.tags as string[]) ?? []), token] });
      return 'saved';
    },
    acknowledged: () => ledger.notes.push(token),
  };
}

/** An app asks for posts. */
export function requestOf(chance: Chance, owner: string, windows: boolean, onAsked: () => void): Operation {
  const filter = chance.pick(windows && chance.happens(0.7) ? WINDOWS : FILTERS);
  const fields = chance.pick(FIELDS);
  const once = chance.happens(0.2);
  return {
    name: `request ${JSON.stringify({ filter, fields, once })}`,
    run: async (account) => {
      const terms = {
        schema: 'social/post',
        filter,
        ...(fields ? { fields } : {}),
        duration: once ? 'once' : 'standing',
      } as const;
      const sent = await account.sharing.request(owner, { ...terms, purpose: 'simulated' });
      onAsked();
      return sent.queued ? 'queued' : 'sent';
    },
  };
}

/** The owner answers the request that waits longest. */
export const consentOf = (chance: Chance): Operation => {
  const declines = chance.happens(0.1);
  return {
    name: declines ? 'decline' : 'consent',
    run: async (account) => {
      const [request] = await account.sharing.requests();
      if (!request) return 'nothing';
      if (declines) await account.sharing.decline(request.id);
      else await account.sharing.consent(request.id);
      return 'answered';
    },
  };
};

/** The owner ends some grant. */
export const revokeOf = (chance: Chance): Operation => {
  const which = chance.below(1_000);
  return {
    name: 'revoke',
    run: async (account) => {
      const active = account.sharing.grants.list().filter((g) => !ENDED.has(g.status));
      const grant = active[which % Math.max(1, active.length)];
      if (!grant) return 'nothing';
      await account.sharing.revoke(grant.grantId);
      return `revoked ${grant.grantId.slice(0, 8)}`;
    },
  };
};

const postsOf = (account: Account): Promise<Database> => account.vault.openDatastore('social/post');

/** Opens every grant that an app received, and waits for answers, noting which requests had one; tries again what the network kept from it. */
export function followGrants(
  account: Account,
  handles: Map<string, GrantHandle>,
  answered: Set<string>,
  onOpened: (handle: GrantHandle) => void,
  later: (run: () => void) => void,
): void {
  const retry = (attempt: () => Promise<void>): void => {
    attempt().catch((cause: unknown) => {
      if (!(cause instanceof SluiceError)) throw cause;
      if (cause.code !== 'CLOSED') later(() => retry(attempt));
    });
  };
  const open = (handle: GrantHandle): void => {
    if (handles.has(handle.id)) return;
    handles.set(handle.id, handle);
    onOpened(handle);
  };
  for (const { grantId } of account.sharing.grants.received())
    if (!handles.has(grantId)) retry(async () => open(await account.sharing.grants.open(grantId)));
  // A request counts from when it is kept, whether or not its caller lived to hear of it.
  for (const { id } of account.open.keychain.list('request'))
    retry(async () => {
      const answer = await account.sharing.pending(id).answer();
      answered.add(id);
      if (answer.status === 'granted') for (const handle of answer.grants) open(handle);
    });
}
