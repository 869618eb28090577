/** What happens between an owner and its grantees, as the activity log keeps it: one record for each event. Must not know where they are kept. */

import type { Did, JsonObject, JsonValue } from '@sluice/core/base';
import type { GrantTerms, WipeReason, WriteOperation } from '@sluice/core/grant';

/** One grant and whom it was given to. */
export type OfGrant = { readonly grantId: string; readonly grantee: Did };

/** A record that a release puts into a feed, by the owner's id; `expiresMs` is when it leaves the grant's window of time by itself. */
export type ReleasedRecord = { readonly id: string; readonly expiresMs?: number };
/** What one push puts into the feed of one grant. `first` and `last` are the numbers its entries have in that feed. */
export type GrantRelease = OfGrant & {
  readonly puts: readonly ReleasedRecord[];
  readonly deletes: readonly string[];
  readonly first: number;
  readonly last: number;
};

/** What happened. A release is noted before the push that makes it, so it says what was released at most. */
export type Activity =
  | { readonly type: 'request'; readonly requestId: string; readonly grantee: Did; readonly purpose: string }
  | {
      readonly type: 'consent';
      readonly requestId: string;
      readonly grantee: Did;
      readonly grants: readonly { readonly grantId: string; readonly terms: GrantTerms }[];
    }
  | { readonly type: 'decline'; readonly requestId: string; readonly grantee: Did }
  /** `document` is the hash of the acceptance in hex, `message` the id of what it came in. */
  | {
      readonly type: 'acceptance';
      readonly grantee: Did;
      readonly grants: readonly string[];
      readonly document: string;
      readonly message: string;
    }
  | { readonly type: 'release'; readonly releases: readonly GrantRelease[] }
  /** A write that waits for the owner. */
  | (OfGrant & {
      readonly type: 'write';
      readonly n: number;
      readonly recordId: string;
      readonly operation: WriteOperation;
    })
  | (OfGrant & {
      readonly type: 'verdict';
      readonly n: number;
      readonly recordId: string;
      readonly operation: WriteOperation;
      readonly accepted: boolean;
      /** Why it was refused. */
      readonly code?: string;
    })
  | (OfGrant & { readonly type: 'undo'; readonly undone: number })
  | (OfGrant & { readonly type: 'pause' | 'resume' | 'revoke' | 'expiry' | 'completion' | 'drop' })
  | (OfGrant & { readonly type: 'change'; readonly terms: GrantTerms })
  /** A change that does not stand, since another device made one meanwhile: its receipt’s hash in hex, what it said, and what stands. */
  | (OfGrant & {
      readonly type: 'overtaken';
      readonly document: string;
      readonly lost: GrantTerms;
      readonly terms: GrantTerms;
    })
  /** `document` is the hash of the attestation in hex. */
  | (OfGrant & {
      readonly type: 'attestation';
      readonly wiped: number;
      readonly reason: WipeReason;
      readonly document: string;
    });

/** An event with its place in time: `atMs`, and `counter` among those of one millisecond. */
export type ActivityEvent = Activity & { readonly id: string; readonly atMs: number; readonly counter: number };

/** The grants and grantees that an event is about. */
export function subjectsOf(activity: Activity): {
  readonly grants: readonly string[];
  readonly grantees: readonly Did[];
} {
  switch (activity.type) {
    case 'request':
    case 'decline':
      return { grants: [], grantees: [activity.grantee] };
    case 'consent':
      return { grants: activity.grants.map((g) => g.grantId), grantees: [activity.grantee] };
    case 'acceptance':
      return { grants: activity.grants, grantees: [activity.grantee] };
    case 'release':
      return {
        grants: [...new Set(activity.releases.map((r) => r.grantId))],
        grantees: [...new Set(activity.releases.map((r) => r.grantee))],
      };
    default:
      return { grants: [activity.grantId], grantees: [activity.grantee] };
  }
}

/**
 * What names an event that every device of the owner may come to note, so that it is one event; undefined for one that only the device
 * that did it notes.
 */
export function keyOf(activity: Activity): string | undefined {
  switch (activity.type) {
    case 'request':
    case 'consent':
    case 'decline':
      return activity.requestId;
    // Not by its document: the node must not see under which name it is kept whether two are of one content.
    case 'acceptance':
      return activity.message;
    case 'attestation':
    case 'overtaken':
      return activity.document;
    case 'write':
    case 'verdict':
      return `${activity.grantId}/${activity.n}`;
    case 'revoke':
    case 'expiry':
    case 'completion':
    case 'drop':
      return activity.grantId;
    default:
      return undefined;
  }
}

/** An event as it is kept. Most released records have no expiry, and a push may hold thousands of them: these are kept as their ids. */
export function activityToJson(activity: Activity): JsonObject {
  if (activity.type !== 'release') return activity;
  const releases = activity.releases.map((release) => ({
    ...release,
    puts: release.puts.map(({ id, expiresMs }): JsonValue => (expiresMs === undefined ? id : [id, expiresMs])),
  }));
  return { type: 'release', releases };
}

/** Reads an event that `activityToJson` wrote. */
export function jsonToActivity(json: JsonObject): Activity {
  // Our own writing, sealed until now: it was an Activity before it was kept.
  if (json.type !== 'release') return json as unknown as Activity;
  const releases = json.releases as unknown as readonly (Omit<GrantRelease, 'puts'> & {
    readonly puts: readonly (string | readonly [id: string, expiresMs: number])[];
  })[];
  return {
    type: 'release',
    releases: releases.map((release) => ({
      ...release,
      puts: release.puts.map((put) => (typeof put === 'string' ? { id: put } : { id: put[0], expiresMs: put[1] })),
    })),
  };
}
