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

/** A write of a grantee that its caller was given a number for; one that deletes has no content. */
export type GranteeWrite = {
  readonly grantId: string;
  readonly n: number;
  /** Of the record, as the grantee names it. */
  readonly id: string;
  readonly kind: 'insert' | 'update' | 'delete';
  readonly token?: string;
};

/** What is remembered of all that was acknowledged. */
export type Ledger = {
  readonly saved: Acknowledged[];
  readonly deleted: Set<string>;
  /** Notes that were saved, by token. */
  readonly notes: string[];
  /** What grantees wrote. */
  readonly writes: GranteeWrite[];
  tokens: number;
};
/** Nothing was acknowledged yet. */
export const createLedger = (): Ledger => ({ saved: [], deleted: new Set(), notes: [], writes: [], tokens: 0 });

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
  ['content', { path: 'type', optional: true }, { path: 'createdAt', optional: true }],
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
  const write = chance.happens(0.6) ? chance.pick(WRITES) : undefined;
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

const CHANGED_FILTERS: readonly JsonObject[] = [{}, ...FILTERS, ...WINDOWS, { content: { $exists: true } }];
const CHANGED_FIELDS = ['all', 'all', ['content'], ['content', 'type'], ['content', 'createdAt']] as const;
const CHANGED_WRITES = [{ operations: ['insert'] }, { policy: 'propose' }, { fields: ['content'] }] as const;

/** A change of one open grant, within what was asked or beyond it; the same on each device that makes it. */
export const changeOf = (chance: Chance, nowMs: number): Operation => {
  const which = chance.below(1_000);
  const kind = chance.below(8);
  const end = isoOf(nowMs + 5_000 + chance.below(100_000));
  const narrowing: Parameters<Account['sharing']['change']>[1] = {
    ...(kind < 4 ? { filter: chance.pick(CHANGED_FILTERS) } : {}),
    ...(kind > 2 && kind < 6 ? { fields: chance.pick(CHANGED_FIELDS) } : {}),
    ...(kind === 6 ? { duration: chance.happens(0.7) ? { until: end } : 'standing' } : {}),
    ...(kind === 7 ? { write: chance.pick(CHANGED_WRITES) } : {}),
  };
  return {
    name: `change ${JSON.stringify(narrowing)}`,
    run: async (account) => {
      const open = account.sharing.grants.list().filter((g) => !ENDED.has(g.status));
      const grant = open[which % Math.max(1, open.length)];
      if (!grant) return 'nothing';
      await account.sharing.change(grant.grantId, narrowing);
      return `done ${grant.grantId.slice(0, 8)}`;
    },
  };
};

/** The owner ends its always-on agent. */
export const shutOutAgent = (): Operation => ({
  name: 'shut-out',
  run: async ({ sharing: { agents } }) => {
    const agent = agents.list().find(({ status }) => status === 'active');
    if (!agent) return 'nothing';
    await agents.revoke(agent.id);
    return 'done';
  },
});

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
      return `done ${paused.length} ${waiting.length} ${accepts ? 'accepted' : 'refused'} ${waiting.map(({ n }) => n).join(' ')}`;
    },
  };
};

/** What is remembered of the grants that an app has open. */
export type OpenGrants = {
  readonly handles: ReadonlyMap<string, GrantHandle>;
  /** What a record of a grant shows since this app wrote it, until somebody else is heard of. */
  readonly own: Map<string, string>;
};

/** A grantee takes what was narrowed, or writes back: a new record, a change, a delete of its own. */
export function writeOf(chance: Chance, ledger: Ledger, nowMs: number, { handles, own }: OpenGrants): Operation {
  const token = `w${ledger.tokens++}`;
  const which = chance.below(1_000);
  const kind = chance.below(10);
  const type = chance.pick(['odd', 'even']);
  let made: GranteeWrite | undefined;
  return {
    name: `write ${token}`,
    // What a process still does after its end counts for nothing.
    acknowledged: () => made && ledger.writes.push(made),
    run: async () => {
      const open = [...handles.values()];
      for (const handle of open)
        if (handle.status() === 'offered') {
          await handle.accept();
          return 'accepted terms';
        }
      const writable = open.filter((h) => h.terms.write && h.status() === 'live');
      const handle = writable[which % Math.max(1, writable.length)];
      if (!handle) return 'nothing';
      const store = handle.datastore();
      const records = await store.getMany({}, { limit: 100 });
      const mine = records.filter((record) => /^w.{22}$/.test(String(record._id)));
      const done = (write: Omit<GranteeWrite, 'grantId'>): string => {
        made = { grantId: handle.id, ...write };
        return write.kind;
      };
      if (kind < 2 && mine.length > 0) {
        const id = String(chance.pick(mine)._id);
        const { n } = await store.delete(id);
        return done({ id, n, kind: 'delete' });
      }
      const old = kind < 6 && records.length > 0 ? chance.pick(records) : undefined;
      const { id, n } = await store.save({ ...(old ?? { type, createdAt: isoOf(nowMs) }), content: token });
      if (n === undefined) return 'same';
      own.set(`${handle.id}/${id}`, JSON.stringify(await store.get(id)));
      return done({ id, n, kind: old ? 'update' : 'insert', token });
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
