/** What a grant lives through after the yes, at the person's devices and at the application. */

import type { Account, GrantHandle, PendingRequest } from '@sluice/client';
import type { JsonObject } from '@sluice/core/base';

// #region until
/** An application's side: until an instant, and then it may keep its copy for 30 days. Both sides know when it is over; nobody need be there. */
export async function askUntil(app: Account, person: string, until: string): Promise<PendingRequest> {
  return app.sharing.request(person, {
    schema: 'social/post',
    filter: { visibility: 'public' },
    duration: { until },
    retention: 'P30D',
    purpose: 'For the exhibition',
  });
}
// #endregion

// #region watch
/** An application's side: everything that may happen to a grant, as it happens. */
export function watch(grant: GrantHandle, told: (what: string) => void): () => void {
  const stops = [
    grant.onStatus((status) => told(`it is ${status}`)), // live, paused, completed, revoked, expired, dropped
    grant.onAlarm(({ what }) => told(`the node does not serve what the person sealed: ${what}`)),
    grant.onVerdict(({ id, accepted, code }) => told(accepted ? `${id} was taken` : `${id} was refused: ${code}`)),
    grant.changes(({ type, origin, reason }) => told(`${type} by ${origin}${reason ? `, ${reason}` : ''}`)),
  ];
  return () => {
    for (const stop of stops) stop();
  };
}
// #endregion

// #region again
/** A later process of the application: what it was granted is kept, and its copy is readable at once, online or not. */
export async function openAgain(app: Account): Promise<readonly GrantHandle[]> {
  const received = app.sharing.grants.received();
  return Promise.all(received.map(({ grantId }) => app.sharing.grants.open(grantId)));
}
// #endregion

// #region change
/** A person's side, at any time: other terms, at most those that were asked. What differs moves, and nothing else. */
export async function holdBack(person: Account, grantId: string, tag: string): Promise<number> {
  const narrowing = { filter: { $not: { tags: tag } } }; // `$ne` on a list would ask for one that is another
  const { difference } = await person.sharing.previewChange(grantId, narrowing);
  await person.sharing.change(grantId, narrowing); // `filter: {}` gives all that was asked again
  return difference.records.removed;
}
// #endregion

// #region key
/** A person's side, on any device: a new key, sealed to the application in the feed itself, before anything is sealed under it. */
export async function renewKey(person: Account, grantId: string): Promise<void> {
  await person.sharing.rotateKey(grantId);
  await person.synced();
}
// #endregion

// #region proofs
/** A person's side: what was agreed, what was revealed, and how it ended, each to be kept or shown to somebody else. */
export async function proofsOf(person: Account, app: string, grantId: string): Promise<JsonObject> {
  const receipt = await person.sharing.receipts.export(grantId); // ISO/IEC TS 27560, signed by both sides
  const report = await person.sharing.report(app, person.open.platform.clock.nowMs()); // what the application knows at an instant
  const events = person.sharing.activity.list({ grantId, limit: 100 }); // newest first
  const certificate = await person.sharing.certificate(grantId); // of a grant that was revoked
  const mine = report.grants.find((grant) => grant.grantId === grantId);
  return {
    receipt,
    held: mine?.held.length ?? 0,
    takenBack: mine?.takenBack.length ?? 0,
    events: events.map(({ type }) => type),
    ...(certificate ? { revokedAt: new Date(certificate.revokedAtMs).toISOString() } : {}),
  };
}
// #endregion
