/** Group commit: jobs that arrive in one turn of the event loop share one durable transaction. */

import type { ErrorCode } from '@sluice/core/wire';
import { type Db, SqliteFailure } from '@sluice/sqlite';
import type { Outcome } from '../port.ts';
import { Refused } from './tables.ts';

type Job = {
  readonly run: () => unknown;
  readonly resolve: (outcome: Outcome<unknown>) => void;
  readonly fail: (cause: unknown) => void;
};

/** Gathers writes into groups that are committed together. */
export type CommitQueue = {
  /** Runs `body` inside the next group; resolves after the commit, or with the code of a Refused. Other throws reject. */
  readonly add: <T>(body: () => T) => Promise<Outcome<T>>;
  readonly drain: () => Promise<void>;
};

/** When a group is committed: `run` is called once, later than what runs now. */
export type Schedule = (run: () => void) => void;

const nextTurn: Schedule = (run) => void setImmediate(run);

/** Most jobs in one transaction, so that a burst does not delay its first answer without bound. */
const MAX_GROUP = 64;

/** `onCommitted` and `onRolledBack` let the caller publish or forget what it staged in memory. */
export function createCommitQueue(
  db: Db,
  hooks: { readonly onCommitted: () => void; readonly onRolledBack: () => void },
  schedule: Schedule = nextTurn,
): CommitQueue {
  const waiting: Job[] = [];
  let scheduled = false;
  const idle: (() => void)[] = [];

  const runOne = (job: Job): (() => void) => {
    try {
      const value = db.transact(job.run);
      return () => job.resolve({ ok: true, value });
    } catch (cause) {
      if (cause instanceof Refused) return () => job.resolve({ ok: false, code: cause.code });
      if (cause instanceof SqliteFailure) throw cause;
      return () => job.fail(cause);
    }
  };

  const flush = (): void => {
    const group = waiting.splice(0, MAX_GROUP);
    let answers: (() => void)[];
    let committed = true;
    try {
      answers = db.transact(() => group.map(runOne));
    } catch (cause) {
      hooks.onRolledBack();
      answers = group.map((job) => () => answerFailure(job, cause));
      committed = false;
    }
    for (const answer of answers) answer();
    if (committed) hooks.onCommitted();
    scheduled = waiting.length > 0;
    if (scheduled) schedule(flush);
    else for (const done of idle.splice(0)) done();
  };

  return {
    add: <T>(body: () => T) =>
      new Promise<Outcome<T>>((resolve, fail) => {
        waiting.push({ run: body, resolve: resolve as (outcome: Outcome<unknown>) => void, fail });
        if (!scheduled) {
          scheduled = true;
          schedule(flush);
        }
      }),
    drain: () => (scheduled ? new Promise((resolve) => idle.push(resolve)) : Promise.resolve()),
  };
}

function answerFailure(job: Job, cause: unknown): void {
  const codes: { readonly [k in SqliteFailure['code']]?: ErrorCode } = { full: 'DISK_FULL', busy: 'UNAVAILABLE' };
  const code = cause instanceof SqliteFailure ? codes[cause.code] : undefined;
  if (code) job.resolve({ ok: false, code });
  else job.fail(cause);
}
