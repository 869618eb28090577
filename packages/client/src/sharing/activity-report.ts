/** What a grantee knew at an instant, folded from the activity log. Must not know how the log is kept. */

import type { Did } from '@sluice/core/base';
import { endsAtMs, type GrantTerms, type WipeReason, type WriteOperation } from '@sluice/core/grant';
import type { ActivityEvent, GrantRelease } from './activity.ts';

/** How a grant stood at the instant of a report. */
export type ReportedStatus = 'live' | 'paused' | 'completed' | 'expired' | 'revoked' | 'dropped';

/** A write of the grantee that the owner's side took. */
export type AcceptedWrite = {
  readonly n: number;
  readonly recordId: string;
  readonly operation: WriteOperation;
  readonly atMs: number;
};

/** One grant at an instant. Ids are the owner's. */
export type GrantReport = {
  readonly grantId: string;
  /** The terms in force; undefined when the log does not reach back to the consent. */
  readonly terms?: GrantTerms;
  readonly status: ReportedStatus;
  /** Records that were released and not taken back: what the grantee held at most, an ended grant's included. */
  readonly held: readonly string[];
  /** Records that had been released and were taken back, or left the window of time. */
  readonly takenBack: readonly string[];
  /** Writes accepted and not undone. */
  readonly writes: readonly AcceptedWrite[];
  /** What the grantee said it wiped, the last word first. */
  readonly wiped: readonly { readonly count: number; readonly reason: WipeReason; readonly atMs: number }[];
};
/** What one grantee knew. */
export type Report = { readonly grantee: Did; readonly atMs: number; readonly grants: readonly GrantReport[] };

type Fold = {
  terms?: GrantTerms;
  status: ReportedStatus;
  /** Records released last with a put, and when they leave by themselves. */
  readonly put: Map<string, number | undefined>;
  readonly gone: Set<string>;
  writes: AcceptedWrite[];
  readonly wiped: GrantReport['wiped'][number][];
};

/** An end stands, whatever is noted after it; of two ends the stronger. */
const STRENGTH: { readonly [status in ReportedStatus]: number } = {
  live: 0,
  paused: 0,
  completed: 1,
  dropped: 2,
  expired: 3,
  revoked: 4,
};
const ENDS = {
  pause: 'paused',
  resume: 'live',
  revoke: 'revoked',
  expiry: 'expired',
  completion: 'completed',
  drop: 'dropped',
} as const;

/** Folds the events of one grantee up to an instant, oldest first. */
export function foldReport(grantee: Did, atMs: number, events: readonly ActivityEvent[]): Report {
  const grants = new Map<string, Fold>();
  const foldOf = (grantId: string): Fold => {
    const known = grants.get(grantId);
    if (known) return known;
    const fresh: Fold = { status: 'live', put: new Map(), gone: new Set(), writes: [], wiped: [] };
    grants.set(grantId, fresh);
    return fresh;
  };
  for (const event of events) apply(event, grantee, foldOf);
  return { grantee, atMs, grants: [...grants].map(([grantId, fold]) => toGrantReport(grantId, fold, atMs)) };
}

function apply(event: ActivityEvent, grantee: Did, foldOf: (grantId: string) => Fold): void {
  switch (event.type) {
    case 'consent':
      for (const { grantId, terms } of event.grants) foldOf(grantId).terms = terms;
      return;
    case 'change':
    case 'overtaken':
      foldOf(event.grantId).terms = event.terms;
      return;
    case 'release':
      for (const release of event.releases)
        if (release.grantee === grantee) applyRelease(foldOf(release.grantId), release);
      return;
    case 'verdict': {
      const { n, recordId, operation, atMs, accepted } = event;
      if (accepted) foldOf(event.grantId).writes.push({ n, recordId, operation, atMs });
      return;
    }
    case 'undo':
      foldOf(event.grantId).writes = [];
      return;
    case 'attestation':
      foldOf(event.grantId).wiped.unshift({ count: event.wiped, reason: event.reason, atMs: event.atMs });
      return;
    case 'request':
    case 'decline':
    case 'acceptance':
    case 'write':
      return;
    default:
      moveTo(foldOf(event.grantId), ENDS[event.type]);
  }
}

function applyRelease(fold: Fold, { puts, deletes }: GrantRelease): void {
  for (const { id, expiresMs } of puts) {
    fold.put.set(id, expiresMs);
    fold.gone.delete(id);
  }
  for (const id of deletes) {
    fold.put.delete(id);
    fold.gone.add(id);
  }
}

function moveTo(fold: Fold, status: ReportedStatus): void {
  if (STRENGTH[status] >= STRENGTH[fold.status]) fold.status = status;
}

function toGrantReport(grantId: string, fold: Fold, atMs: number): GrantReport {
  const { terms, put, gone, writes, wiped } = fold;
  // A grant with an end and a record with a window go by time alone: nobody needs to be there to note it.
  const endMs = terms && endsAtMs(terms);
  if (endMs !== undefined && endMs <= atMs) moveTo(fold, 'expired');
  const isPast = (expiresMs: number | undefined): boolean => expiresMs !== undefined && expiresMs <= atMs;
  return {
    grantId,
    ...(terms ? { terms } : {}),
    status: fold.status,
    held: [...put].flatMap(([id, expiresMs]) => (isPast(expiresMs) ? [] : [id])).sort(),
    takenBack: [...gone, ...[...put].flatMap(([id, expiresMs]) => (isPast(expiresMs) ? [id] : []))].sort(),
    writes,
    wiped,
  };
}
