/**
 * The one SQLite driver behind node and client: the `node:sqlite` API, built in from Node 22.13, from a prebuilt package before.
 * Must not know any table.
 */

type Value = null | number | bigint | string | Uint8Array;
type Row = Record<string, Value>;

/** A prepared statement. */
export type Statement = {
  /** Runs the statement and returns the number of changed rows. */
  readonly run: (...params: readonly Value[]) => number;
  /** Runs an INSERT and returns the new row's id. */
  readonly insert: (...params: readonly Value[]) => number;
  readonly get: (...params: readonly Value[]) => Row | undefined;
  readonly all: (...params: readonly Value[]) => Row[];
};

/** A SQLite database in this process. */
export type Db = {
  /** Prepares a statement once; the same text gives the same statement. */
  readonly sql: (text: string) => Statement;
  readonly exec: (text: string) => void;
  /** Runs `body` in one IMMEDIATE transaction; any throw rolls it back. Nested calls are savepoints. */
  readonly transact: <T>(body: () => T) => T;
  /**
   * The same without waiting for the disk: a killed process loses nothing of it, a power cut may lose the latest, in order. Only for
   * what can be had again: pages fetched, answers noted. A `transact` inside has it wait after all: what must last lasts wherever it is written.
   */
  readonly transactLazily: <T>(body: () => T) => T;
  /** Calls back after every rollback, also of a nested call: what was remembered of the work that was undone must go. */
  readonly onRollback: (listener: () => void) => void;
  /** Caps the file at so many pages from now on, or at its present size when that is more. */
  readonly limitPages: (pages: number) => void;
  readonly close: () => void;
};

/** How the database syncs, and how many pages it may take. */
export type DbOptions = {
  readonly synchronous?: 'FULL' | 'NORMAL';
  readonly maxPages?: number;
  /** What is thrown in place of a SqliteFailure. */
  readonly toError?: (failure: SqliteFailure) => Error;
};

/** An infrastructure fault of the database, with SQLite's own result code. */
export class SqliteFailure extends Error {
  readonly code: 'full' | 'busy' | 'corrupt' | 'other';

  constructor(code: SqliteFailure['code'], options?: ErrorOptions) {
    super(`the local database failed: ${code}`, options);
    this.name = 'SqliteFailure';
    this.code = code;
  }
}

const PRIMARY = { 5: 'busy', 6: 'busy', 10: 'full', 11: 'corrupt', 13: 'full', 26: 'corrupt' } as const;

type DatabaseSync = {
  exec(sql: string): void;
  prepare(sql: string): {
    run(...p: unknown[]): { changes: number | bigint; lastInsertRowid: number | bigint };
    get(...p: unknown[]): unknown;
    all(...p: unknown[]): unknown;
  };
  close(): void;
};

/** Named as text, since the types of Node do not have it in all versions; what is used of either driver is declared above. */
const driver = (await import('node:sqlite' as string).catch(() => import('@photostructure/sqlite'))) as unknown as {
  DatabaseSync: new (path: string) => DatabaseSync;
};

/**
 * Opens or creates a database file in WAL mode.
 *
 * Errors: SqliteFailure (full, busy, corrupt, other) or what `toError` makes of it, from this and every later call.
 */
export function openDb(path: string, options: DbOptions = {}): Db {
  const guarded = <T>(body: () => T): T => runGuarded(body, options.toError);
  const raw = guarded(() => new driver.DatabaseSync(path));
  guarded(() => {
    raw.exec('PRAGMA busy_timeout = 5000');
    raw.exec('PRAGMA journal_mode = WAL');
    raw.exec(`PRAGMA synchronous = ${options.synchronous ?? 'FULL'}`);
    raw.exec('PRAGMA temp_store = MEMORY');
  });
  const limitPages = (pages: number): void =>
    guarded(() => raw.exec(`PRAGMA max_page_count = ${Math.max(1, Math.trunc(pages))}`));
  if (options.maxPages !== undefined) limitPages(options.maxPages);
  const listeners = new Set<() => void>();
  const statements = new Map<string, Statement>();
  let depth = 0;
  let lazy = false;
  /** Something inside the lazy transaction that runs must last. */
  let mustLast = false;

  const sql = (text: string): Statement => {
    const known = statements.get(text);
    if (known) return known;
    const prepared = guarded(() => raw.prepare(text));
    const statement: Statement = {
      run: (...params) => guarded(() => Number(prepared.run(...params).changes)),
      insert: (...params) => guarded(() => Number(prepared.run(...params).lastInsertRowid)),
      get: (...params) => guarded(() => prepared.get(...params) as Row | undefined),
      all: (...params) => guarded(() => prepared.all(...params) as Row[]),
    };
    statements.set(text, statement);
    return statement;
  };

  const run = <T>(body: () => T): T => {
    const name = depth === 0 ? undefined : `s${depth}`;
    guarded(() => raw.exec(name ? `SAVEPOINT ${name}` : 'BEGIN IMMEDIATE'));
    depth++;
    try {
      const result = body();
      depth--;
      guarded(() => raw.exec(name ? `RELEASE ${name}` : 'COMMIT'));
      return result;
    } catch (cause) {
      depth = name ? Number(name.slice(1)) : 0;
      rollback(raw, name);
      for (const listener of listeners) listener();
      throw cause;
    }
  };

  const transact = <T>(body: () => T): T => {
    if (lazy) mustLast = true;
    return run(body);
  };

  const durable = options.synchronous ?? 'FULL';
  const transactLazily = <T>(body: () => T): T => {
    if (depth > 0 || durable !== 'FULL') return run(body);
    guarded(() => raw.exec('PRAGMA synchronous = NORMAL'));
    lazy = true;
    mustLast = false;
    try {
      const result = run(body);
      // How a commit syncs cannot be changed while it runs.
      if (mustLast) syncLog(raw);
      return result;
    } finally {
      lazy = false;
      guarded(() => raw.exec('PRAGMA synchronous = FULL'));
    }
  };

  return {
    sql,
    exec: (text) => guarded(() => raw.exec(text)),
    transact,
    transactLazily,
    onRollback: (listener) => void listeners.add(listener),
    limitPages,
    close: () => {
      foldLog(raw);
      statements.clear();
      listeners.clear();
      guarded(() => raw.close());
    },
  };
}

/**
 * Folds the write-ahead log into the file, so that a copy of the file alone is whole.
 * NOTE: the driver for Node 20 keeps the handle of a closed database until its statements are collected, so SQLite's own fold comes too late.
 */
function foldLog(raw: DatabaseSync): void {
  try {
    raw.exec('PRAGMA wal_checkpoint(TRUNCATE)');
  } catch {
    // On a full disk the log stays beside the file and is read at the next opening.
  }
}

/** A checkpoint syncs the write-ahead log before it copies any of it; the copy may find the disk full, and is made again later. */
function syncLog(raw: DatabaseSync): void {
  try {
    raw.exec('PRAGMA wal_checkpoint(PASSIVE)');
  } catch {
    // The commit itself is done, and synced.
  }
}

/** A full disk may already have rolled the transaction back by itself; then there is nothing left to undo. */
function rollback(raw: DatabaseSync, name: string | undefined): void {
  try {
    raw.exec(name ? `ROLLBACK TO ${name}; RELEASE ${name}` : 'ROLLBACK');
  } catch {
    // The failure that led here is the one to report.
  }
}

function runGuarded<T>(body: () => T, toError: DbOptions['toError']): T {
  try {
    return body();
  } catch (cause) {
    const code = (cause as { errcode?: number }).errcode;
    if (code === undefined) throw cause;
    const failure = new SqliteFailure(PRIMARY[(code & 0xff) as keyof typeof PRIMARY] ?? 'other', { cause });
    throw toError ? toError(failure) : failure;
  }
}
