/**
 * The database port over a statement log: an in-memory SQLite to work on, and the commits that would be on the disk. A crash throws the
 * database away and plays the commits that were kept. A commit is there whole or not at all. Must not know any table.
 */

import { type Db, type DbOptions, openDb, type Statement } from '@sluice/sqlite';

type Params = readonly (null | number | bigint | string | Uint8Array)[];
type Write = { readonly text: string; readonly params: Params | undefined };
type Commit = readonly Write[];

/** What a disk holds: every commit in order, of which the first `synced` survive a power cut. */
export type SimDisk = { commits: readonly Commit[]; synced: number };

/** A disk with nothing on it. */
export const createSimDisk = (): SimDisk => ({ commits: [], synced: 0 });
/** A disk with the same content. */
export const copyDisk = (disk: SimDisk): SimDisk => ({ ...disk });

/** What can be done around a commit: a process may end right before or right after it, and the disk may have no room for it. */
export type CommitHook = {
  readonly before: () => void;
  readonly after: () => void;
  /** Why nothing can be committed at present. */
  readonly full?: () => Error | undefined;
};

/** The database of one process. */
export type SimStore = {
  readonly db: Db;
  /** The process is gone: what it still does on its database is seen by nobody. */
  readonly detach: () => void;
};

const NO_HOOK: CommitHook = { before: () => undefined, after: () => undefined };
const WRITE = /^\s*(INSERT|UPDATE|DELETE|REPLACE|CREATE|DROP|ALTER)\b/i;

/** Has a process that was killed, or a machine without power, lose all but the first `keep` commits. */
export function crashDisk(disk: SimDisk, keep: number): void {
  if (keep < disk.synced) throw new RangeError('what was synced cannot be lost');
  disk.commits = disk.commits.slice(0, keep);
}

/** Opens the database that the disk holds. */
export function openSimStore(disk: SimDisk, hook: CommitHook = NO_HOOK, options: DbOptions = {}): SimStore {
  const inner = openDb(':memory:', options);
  for (const commit of disk.commits)
    inner.transact(() => {
      for (const { text, params } of commit) {
        if (params) inner.sql(text).run(...params);
        else inner.exec(text);
      }
    });
  const log: Commit[] = [...disk.commits];
  disk.commits = log;
  let attached = true;
  /** Right before a commit of something. */
  const before = (): void => {
    hook.before();
    const full = hook.full?.();
    if (full) throw full;
  };
  let depth = 0;
  let open: Write[] = [];

  const append = (writes: readonly Write[], lazily: boolean): void => {
    if (!attached || writes.length === 0) return;
    log.push(writes);
    if (!lazily) disk.synced = log.length;
  };
  /** A write outside of any transaction is a synced commit of its own. */
  const write = <T>(entry: Write, run: () => T): T => {
    if (depth > 0) {
      const result = run();
      open.push(entry);
      return result;
    }
    before();
    const result = run();
    append([entry], options.synchronous === 'NORMAL');
    hook.after();
    return result;
  };

  /** Whether the transaction that runs need not wait for the disk. */
  let lazy = false;
  const run = <T>(body: () => T, lazily: boolean): T => {
    const mark = open.length;
    const outermost = depth === 0;
    lazy = lazily && (outermost || lazy);
    depth++;
    let result: T;
    try {
      result = inner.transact(() => {
        const value = body();
        if (outermost && open.length > 0) before();
        return value;
      });
    } catch (cause) {
      open.length = mark;
      throw cause;
    } finally {
      depth--;
    }
    if (outermost) {
      const done = open;
      open = [];
      append(done, lazy || options.synchronous === 'NORMAL');
      if (done.length > 0) hook.after();
    }
    return result;
  };

  const statements = new Map<string, Statement>();
  const sql = (text: string): Statement => {
    const known = statements.get(text);
    if (known) return known;
    const statement = inner.sql(text);
    const logged: Statement = WRITE.test(text)
      ? {
          ...statement,
          run: (...params) => write({ text, params }, () => statement.run(...params)),
          insert: (...params) => write({ text, params }, () => statement.insert(...params)),
        }
      : statement;
    statements.set(text, logged);
    return logged;
  };

  return {
    db: {
      sql,
      exec: (text) => {
        if (/^\s*PRAGMA\b/i.test(text)) inner.exec(text);
        else write({ text, params: undefined }, () => inner.exec(text));
      },
      transact: (body) => run(body, false),
      transactLazily: (body) => run(body, true),
      onRollback: inner.onRollback,
      limitPages: inner.limitPages,
      close: () => {
        // An orderly end leaves nothing in memory alone.
        if (attached) disk.synced = log.length;
        attached = false;
        inner.close();
      },
    },
    detach: () => {
      if (attached) disk.commits = log.slice();
      attached = false;
    },
  };
}
