/** What people and apps do in a simulation: edits, requests, consents, revokes, at random. */

import { SluiceError, type Account, type Database, type GrantHandle, type RequestItem } from '@sluice/client';
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
  /** Records that grantees made. */
  readonly born: { readonly grantId: string; readonly n: number; readonly token: string }[];
  tokens: number;
};
/** Nothing was acknowledged yet. */
export const createLedger = (): Ledger => ({ saved: [], deleted: new Set(), notes: [], born: [], tokens: 0 });

const DAY_MS = 86_400_000;
const RECORDS = 8;
const FILTERS: readonly JsonObject[] = [{}, { type: 'odd' }, { type: { $in: ['odd', 'even'] } }];
const WINDOWS: readonly JsonObject[] = [
  { createdAt: { $within: 'P7D' } },
  { $and: [{ type: 'odd' }, { createdAt: { $within: 'P7D' } }] },
  { createdAt: { $within: 'PT1M' } },
];
const FIELDS: readonly RequestItem['fields'][] = [
  undefined,
  ['content'],
  ['content', 'createdAt'],
  ['tags'],
  ['content', 'type', { path: 'createdAt', transform: 'year' }],
];
const WRITES: readonly NonNullable<RequestItem['write']>[] = [
  { operations: ['insert', 'update', 'delete'], policy: 'auto' },
  { operations: ['insert', 'update', 'delete'], policy: 'propose' },
  { operations: ['insert'], fields: ['content', 'type', 'createdAt'], policy: 'auto' },
];

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
export function requestOf(chance: Chance, owner: string, nowMs: number, onAsked: () => void): Operation {
  const filter = chance.pick(chance.happens(0.4) ? WINDOWS : FILTERS);
  const fields = chance.pick(FIELDS);
  const write = chance.happens(0.4) ? chance.pick(WRITES) : undefined;
  const until = { until: isoOf(nowMs + 20_000 + chance.below(100_000)) };
  const kind = chance.below(10);
  const duration = kind < 2 && !write ? 'once' : kind < 4 ? until : 'standing';
  const item: RequestItem = {
    schema: 'social/post',
    filter,
    duration,
    ...(fields ? { fields } : {}),
    ...(write ? { access: 'readwrite', write } : {}),
    ...(chance.happens(0.1) ? { frequency: 'PT20S' } : {}),
  };
  return {
    name: `request ${JSON.stringify({ ...item, schema: undefined })}`,
    run: async (account) => {
      const sent = await account.sharing.request(owner, { ...item, purpose: 'simulated' });
      onAsked();
      return sent.queued ? 'queued' : 'sent';
    },
  };
}

/** The owner answers the request that waits longest, perhaps with less than was asked. */
export const consentOf = (chance: Chance): Operation => {
  const declines = chance.happens(0.1);
  const narrowing = chance.happens(0.2) ? { filter: { type: 'odd' } } : undefined;
  return {
    name: declines ? 'decline' : narrowing ? 'narrow' : 'consent',
    run: async (account) => {
      const [request] = await account.sharing.requests();
      if (!request) return 'nothing';
      if (declines) await account.sharing.decline(request.id);
      else await account.sharing.consent(request.id, narrowing);
      return 'answered';
    },
  };
};

/** What an owner does with a grant that has not ended. */
export const decideOf = (chance: Chance): Operation => {
  const which = chance.below(1_000);
  const what = chance.pick(['revoke', 'pause', 'resume', 'rotateKey', 'rotateKey'] as const);
  return {
    name: what,
    run: async (account) => {
      const open = account.sharing.grants.list().filter((g) => !ENDED.has(g.status));
      const grant = open[which % Math.max(1, open.length)];
      if (!grant) return 'nothing';
      await account.sharing[what](grant.grantId);
      return `done ${grant.grantId.slice(0, 8)}`;
    },
  };
};

/** Answers a proposal that waits, and lets a paused grant go on: what an owner does sooner or later. */
export const tidyOf = (chance: Chance, resumes: boolean): Operation => {
  const accepts = chance.happens(0.6);
  return {
    name: 'tidy',
    run: async (account) => {
      const { grants, resume, writes } = account.sharing;
      const paused = resumes ? grants.list().filter((g) => g.status === 'paused') : [];
      for (const { grantId } of paused) await resume(grantId);
      const waiting = writes.list().filter(({ status }) => status === 'waiting');
      for (const { grantId, n } of waiting) await (accepts ? writes.accept(grantId, n) : writes.reject(grantId, n));
      return `done ${paused.length} ${waiting.length}`;
    },
  };
};

/** A grantee takes what was narrowed, or writes back: a new record, a change, a delete of its own. */
export function writeOf(
  chance: Chance,
  ledger: Ledger,
  nowMs: number,
  handles: ReadonlyMap<string, GrantHandle>,
): Operation {
  const token = `w${ledger.tokens++}`;
  const which = chance.below(1_000);
  const kind = chance.below(10);
  const type = chance.pick(['odd', 'even']);
  return {
    name: `write ${token}`,
    run: async () => {
      const open = [...handles.values()];
      for (const handle of open)
        if (handle.status() === 'offered') {
          await handle.accept();
          return 'accepted terms';
        }
      const handle = open.filter((h) => h.terms.write && h.status() === 'live')[which % Math.max(1, open.length)];
      if (!handle) return 'nothing';
      const store = handle.datastore();
      const records = await store.getMany({}, { limit: 100 });
      const mine = records.filter((record) => /^w.{22}$/.test(String(record._id)));
      if (kind < 2 && mine.length > 0) {
        await store.delete(String(chance.pick(mine)._id));
        return 'delete';
      }
      const old = kind < 6 && records.length > 0 ? chance.pick(records) : undefined;
      const { n } = await store.save({ ...(old ?? { type, createdAt: isoOf(nowMs) }), content: token });
      if (n !== undefined && !old) ledger.born.push({ grantId: handle.id, n, token });
      return old ? 'update' : 'insert';
    },
  };
}

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
