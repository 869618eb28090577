import { type Did, toDid } from '@sluice/core/base';
import type { GrantTerms } from '@sluice/core/grant';
import { describe, expect, it } from 'vitest';
import type { Activity, ActivityEvent, GrantRelease } from './activity.ts';
import { foldReport } from './activity-report.ts';

const CLINIC = toDid('did:web:clinic.example');
const OTHER = toDid('did:web:other.example');
const terms = (more: Partial<GrantTerms> = {}): GrantTerms => ({
  schema: 'https://schemas.example/visit',
  schemaHash: 'ab'.repeat(32),
  access: 'read',
  filter: {},
  duration: 'standing',
  ...more,
});
const events = (...activities: readonly (Activity & { readonly at?: number })[]): ActivityEvent[] =>
  activities.map((activity, i) => ({ ...activity, id: String(i), atMs: activity.at ?? i, counter: 0 }));
const consent = (grantId: string, given = terms()): Activity => ({
  type: 'consent',
  requestId: 'r',
  grantee: CLINIC,
  grants: [{ grantId, terms: given }],
});
const release = (grantId: string, puts: GrantRelease['puts'], deletes: readonly string[] = [], grantee: Did = CLINIC) =>
  ({ type: 'release', releases: [{ grantId, grantee, puts, deletes, first: 1, last: 2 }] }) as const;
const of = (grantId: string, activity: { readonly type: string }): Activity =>
  ({ ...activity, grantId, grantee: CLINIC }) as Activity;
const only = (list: readonly ActivityEvent[], atMs = 1000) => {
  const { grants } = foldReport(CLINIC, atMs, list);
  if (grants.length !== 1) throw new Error(`${grants.length} grants`);
  return grants[0];
};

describe('a report', () => {
  it('[ACT-5] says which records were held, and which were taken back and not given again', () => {
    const list = events(
      consent('g'),
      release('g', [{ id: 'a' }, { id: 'b' }, { id: 'c' }]),
      release('g', [{ id: 'd' }], ['a', 'b']),
      release('g', [{ id: 'b' }]),
    );
    expect(only(list)).toEqual({
      grantId: 'g',
      terms: terms(),
      status: 'live',
      held: ['b', 'c', 'd'],
      takenBack: ['a'],
      writes: [],
      wiped: [],
    });
  });

  it('[ACT-5] leaves out records whose window had closed by then, with nobody there to take them back', () => {
    const list = events(
      consent('g'),
      release('g', [
        { id: 'a', expiresMs: 500 },
        { id: 'b', expiresMs: 501 },
      ]),
    );
    expect(only(list, 499)).toMatchObject({ held: ['a', 'b'], takenBack: [] });
    expect(only(list, 500)).toMatchObject({ held: ['b'], takenBack: ['a'] });
    // Written anew it got another window.
    const again = [...list, ...events({ ...release('g', [{ id: 'a', expiresMs: 900 }]), at: 600 })];
    expect(only(again, 700)).toMatchObject({ held: ['a'], takenBack: ['b'] });
  });

  it('[ACT-5] states the terms in force: those of the last change', () => {
    const narrow = terms({ fields: ['date'] });
    expect(only(events(consent('g'), of('g', { type: 'change', ...{ terms: narrow } })))?.terms).toEqual(narrow);
    expect(only(events(release('g', [{ id: 'a' }])))?.terms).toBeUndefined();
  });

  it('[ACT-5] an end stands whatever comes after, the stronger of two wins, a pause ends by a resume', () => {
    const status = (...types: readonly string[]) =>
      only(events(consent('g'), ...types.map((type) => of('g', { type }))))?.status;
    expect(status()).toBe('live');
    expect(status('pause')).toBe('paused');
    expect(status('pause', 'resume')).toBe('live');
    expect(status('completion', 'pause')).toBe('completed');
    expect(status('revoke', 'completion')).toBe('revoked');
    expect(status('expiry', 'drop')).toBe('expired');
    expect(status('drop', 'resume')).toBe('dropped');
    expect(status('expiry', 'revoke')).toBe('revoked');
    const until = terms({ duration: { until: new Date(500).toISOString() } });
    expect(only(events(consent('g', until)), 499)?.status).toBe('live');
    expect(only(events(consent('g', until)), 500)?.status).toBe('expired');
  });

  it('[ACT-5] names the writes that were accepted and not undone, and what was attested', () => {
    const verdict = (n: number, accepted = true) =>
      of('g', { type: 'verdict', ...{ n, recordId: `x${n}`, operation: 'insert', accepted } });
    const attested = (wiped: number) =>
      of('g', { type: 'attestation', ...{ wiped, reason: 'revoked', document: 'd' } });
    const list = events(consent('g'), verdict(1), verdict(2, false), attested(3), attested(4));
    expect(only(list)).toMatchObject({
      writes: [{ n: 1, recordId: 'x1', operation: 'insert', atMs: 1 }],
      wiped: [
        { count: 4, reason: 'revoked', atMs: 4 },
        { count: 3, atMs: 3 },
      ],
    });
    const undone = [...list, ...events({ ...of('g', { type: 'undo', ...{ undone: 1 } }), at: 9 })];
    expect(only([...undone, ...events(verdict(5))])?.writes.map((w) => w.n)).toEqual([5]);
  });

  it('[ACT-5] speaks of one grantee alone, though one push releases to several', () => {
    const [mine, theirs] = [release('g', [{ id: 'a' }]), release('h', [{ id: 'secret' }], [], OTHER)];
    const list = events(consent('g'), { type: 'release', releases: [...mine.releases, ...theirs.releases] });
    expect(only(list)?.held).toEqual(['a']);
    expect(JSON.stringify(foldReport(CLINIC, 1000, list))).not.toContain('secret');
  });
});
