import { type ActivityLog, type ActivityQuery, createActivityLog, type GrantRelease } from '@sluice/client';
import { createSystemClock, type Did, systemRandom, toDid } from '@sluice/core/base';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { fillDisk, saveUntilFull } from '../faults/full-disk.ts';
import { deviceOn } from '../messaging/messaging-fixture.ts';
import { post, sharePosts, until } from '../sharing-fixture.ts';
import { createTestNetwork, type Persona, type TestNetwork } from '../test-network.ts';

const CLINIC = toDid('did:web:clinic.example');
const GAME = toDid('did:web:game.example');
const DAY_MS = 86_400_000;

describe('the activity log', () => {
  let net: TestNetwork;
  let owner: Persona;
  let offsetMs = 0;

  beforeEach(async () => {
    offsetMs = 0;
    net = await createTestNetwork({ clock: createSystemClock(() => offsetMs) });
    owner = await net.person('owner');
  });
  afterEach(() => net.close());

  /** The log of an account, to be written to as sharing does. */
  const logOf = ({ account }: { account: Persona['account'] }): ActivityLog =>
    createActivityLog({ engine: account.open.home, clock: net.clock, random: systemRandom });
  const releaseTo = (grantee: Did, grantId: string, ids: readonly string[]): GrantRelease => ({
    grantId,
    grantee,
    puts: ids.map((id) => ({ id })),
    deletes: [],
    first: 1,
    last: ids.length,
  });
  const typesOf = (log: Pick<ActivityLog, 'list'>, query?: ActivityQuery) => log.list(query).map((e) => e.type);

  it('[ACT-1] request, consent, acceptance, decline and revoke are in it, on every device of the owner', async () => {
    const { app, given } = await sharePosts(net, {}, owner);
    const { activity } = owner.account.sharing;
    await until(() => typesOf(activity)[0] === 'acceptance');
    const refused = await app.account.sharing.request(owner.account.did, { schema: 'note', purpose: 'more of it' });
    await until(() => owner.account.mailbox.get(refused.id));
    await owner.account.sharing.decline(refused.id);
    await owner.account.sharing.revoke(given.grantId);
    await until(() => typesOf(activity)[0] === 'attestation');
    const types = ['attestation', 'revoke', 'decline', 'request', 'acceptance', 'consent', 'request'];
    expect(typesOf(activity)).toEqual(types);
    expect(activity.list()).toMatchObject([
      { wiped: 0, reason: 'revoked' },
      { grantId: given.grantId, grantee: app.account.did },
      { requestId: refused.id, grantee: app.account.did },
      { requestId: refused.id, purpose: 'more of it' },
      { grants: [given.grantId], grantee: app.account.did, document: expect.stringMatching(/^[0-9a-f]{64}$/) },
      { requestId: given.requestId, grants: [{ grantId: given.grantId, terms: given.terms }] },
      { requestId: given.requestId, purpose: 'for a test' },
    ]);
    await owner.account.open.synced();
    const phone = await net.restore(owner, 'phone');
    await phone.open.synced();
    expect(phone.sharing.activity.list()).toEqual(activity.list());
    const report = await phone.sharing.report(app.account.did, net.clock.nowMs());
    expect(report.grants).toMatchObject([{ grantId: given.grantId, terms: given.terms, status: 'revoked' }]);
  });

  it('[ACT-1] [ACT-2] a write that waits, its verdict and every acceptance are in it once, whichever devices hear of them', async () => {
    const phone = await deviceOn(net, owner, 'phone', {});
    try {
      const posts = await owner.account.vault.openDatastore('social/post');
      await posts.save(post(3));
      const write = { operations: ['update'], policy: 'propose' } as const;
      const { given, grant } = await sharePosts(net, { access: 'readwrite', write }, owner);
      const { grantId } = given;
      const record = await until(() => grant.datastore().getOne());
      const { n = 0 } = await grant.datastore().save({ ...record, content: 'please' });
      await until(() => phone.sharing.writes.list().length === 1);
      const of = { grantId, grantee: given.grantee, n, recordId: 'post-3', operation: 'update' };
      expect(phone.sharing.activity.list().find(({ type }) => type === 'write')).toMatchObject(of);
      await phone.sharing.writes.accept(grantId, n);
      await grant.settled(n);
      await owner.account.sharing.change(grantId, { filter: { type: 'odd' } });
      const acceptances = (account: Persona['account']) =>
        account.sharing.activity.list({ grantId }).filter(({ type }) => type === 'acceptance');
      for (const account of [owner.account, phone]) await until(() => acceptances(account).length === 2);
      await until(() => typesOf(phone.sharing.activity).includes('verdict'));
      for (const account of [owner.account, phone, owner.account]) await account.open.synced();
      const written = ['write', 'verdict', 'acceptance'];
      for (const account of [owner.account, phone]) {
        const events = account.sharing.activity.list().filter(({ type }) => written.includes(type));
        expect(events.map(({ type }) => type).sort()).toEqual(['acceptance', 'acceptance', 'verdict', 'write']);
      }
    } finally {
      await phone.close();
    }
  });

  it('[ACT-1] a request that says too much is noted no longer than a request may be, and once', async () => {
    const stranger = await net.app('https://stranger.example');
    const data = { request: 'AAAA', purpose: 'x'.repeat(20_000) };
    const sent = await stranger.account.mailbox.send(owner.account.did, 'inbox/type/syncRequest', data, 'x');
    const { activity } = owner.account.sharing;
    await until(() => activity.list().length > 0);
    // What the start of a process makes up for was noted already.
    await owner.account.sharing.start();
    expect(activity.list()).toMatchObject([{ requestId: sent.id, purpose: 'x'.repeat(500) }]);
  });

  it('[ACT-2] what two devices note of one thing is one event; what each does itself stays two', async () => {
    const phone = await net.restore(owner, 'phone');
    for (const account of [owner.account, phone]) {
      const { note } = logOf({ account });
      note({ type: 'request', requestId: 'r', grantee: CLINIC, purpose: 'x' });
      note({ type: 'expiry', grantId: 'g', grantee: CLINIC });
      note({ type: 'pause', grantId: 'g', grantee: CLINIC });
    }
    for (const account of [owner.account, phone, owner.account]) await account.open.synced();
    for (const account of [owner.account, phone])
      expect(typesOf(logOf({ account })).sort()).toEqual(['expiry', 'pause', 'pause', 'request']);
  });

  it('[ACT-3] an event that was noted survives the process and the node’s absence, and arrives', async () => {
    await owner.account.open.synced();
    await net.stopNode();
    const release = releaseTo(CLINIC, 'g', ['a', 'b']);
    logOf(owner).note({ type: 'release', releases: [release] });
    expect(owner.account.open.home.store.outboxSize()).toBeGreaterThan(0);
    await owner.account.close();
    const again = await net.reopen(owner);
    expect(logOf({ account: again }).list()).toMatchObject([{ type: 'release', releases: [release] }]);
    await net.startNode();
    await again.open.synced();
    const phone = await net.restore(owner, 'phone');
    await phone.open.synced();
    expect(phone.sharing.activity.list()).toMatchObject([{ type: 'release', releases: [release] }]);
  });

  it('[ACT-4] an event is listed by grantee, grant and time, newest first, with nothing of other grantees', async () => {
    const log = logOf(owner);
    const push = [releaseTo(CLINIC, 'g1', ['a']), releaseTo(CLINIC, 'g2', ['b']), releaseTo(GAME, 'g3', ['c'])];
    log.note({ type: 'release', releases: push });
    offsetMs += DAY_MS;
    const sinceMs = net.clock.nowMs();
    log.note({ type: 'revoke', grantId: 'g1', grantee: CLINIC });
    log.note({ type: 'revoke', grantId: 'g3', grantee: GAME });
    expect(typesOf(log)).toEqual(['revoke', 'revoke', 'release']);
    expect(log.list({ grantee: CLINIC })).toMatchObject([
      { type: 'revoke', grantId: 'g1' },
      { type: 'release', releases: push.slice(0, 2) },
    ]);
    expect(log.list({ grantId: 'g3' })).toMatchObject([{ grantId: 'g3' }, { releases: push.slice(2) }]);
    expect(typesOf(log, { grantee: CLINIC, sinceMs })).toEqual(['revoke']);
    expect(log.list({ limit: 2 })).toMatchObject([{ grantId: 'g3' }, { grantId: 'g1' }]);
    expect(typesOf(log, { limit: 9 })).toHaveLength(3);
  });

  it('[ACT-4] the newest of many are found without reading the rest', async () => {
    let read = 0;
    const { home } = owner.account.open;
    const counting: Parameters<typeof createActivityLog>[0]['engine'] = {
      ...home,
      collection: (name, shape) => {
        const collection = home.collection(name, shape);
        return {
          ...collection,
          query: (...args) => {
            const found = collection.query(...args);
            read += found.explained.examined;
            return found;
          },
        };
      },
    };
    const log = createActivityLog({ engine: counting, clock: net.clock, random: systemRandom });
    for (let i = 0; i < 300; i++) {
      offsetMs += DAY_MS / 4;
      log.note({ type: 'pause', grantId: `g${i % 3}`, grantee: CLINIC });
    }
    expect(log.list({ limit: 5 })).toHaveLength(5);
    expect(read).toBeLessThan(40);
    read = 0;
    expect(log.list({ grantId: 'g1', limit: 5 }).map((e) => ('grantId' in e ? e.grantId : ''))).toEqual(
      Array(5).fill('g1'),
    );
    expect(read).toBeLessThan(40);
    read = 0;
    expect(log.list({ sinceMs: net.clock.nowMs() - DAY_MS })).toHaveLength(4);
    expect(read).toBeLessThan(10);
  });

  it('[ACT-6] is kept for ever unless told otherwise, and then as long on every device; what was removed does not come back', async () => {
    const log = logOf(owner);
    const request = { type: 'request', requestId: 'old', grantee: CLINIC, purpose: 'x' } as const;
    log.note(request);
    offsetMs += 100 * DAY_MS;
    log.note({ type: 'pause', grantId: 'g', grantee: CLINIC });
    expect([log.kept(), log.list().length]).toEqual([undefined, 2]);
    expect(() => log.keep('a while')).toThrow(expect.objectContaining({ code: 'BAD_REQUEST' }));
    log.keep('P99D');
    expect(typesOf(log)).toEqual(['pause']);
    log.note(request);
    expect(typesOf(log)).toEqual(['pause']);
    await owner.account.open.synced();
    const phone = await net.restore(owner, 'phone');
    await phone.open.synced();
    expect([phone.sharing.activity.kept(), phone.sharing.activity.list().length]).toEqual(['P99D', 1]);
    // Time goes on; a device removes what is past when it next notes something.
    offsetMs += 100 * DAY_MS;
    log.note({ type: 'resume', grantId: 'g', grantee: CLINIC });
    expect(typesOf(log)).toEqual(['resume']);
    log.keep(undefined);
    expect(log.kept()).toBeUndefined();
  });

  it('[ACT-5] a release larger than an entry is kept whole, in one step', async () => {
    const log = logOf(owner);
    const ids = Array.from({ length: 30_000 }, (_, i) => `record-${String(i).padStart(33, '0')}`);
    log.note({ type: 'release', releases: [releaseTo(GAME, 'h', ['z']), releaseTo(CLINIC, 'g', ids)] });
    expect(log.list().length).toBeGreaterThan(3);
    const [report] = log.report(CLINIC, net.clock.nowMs() + 1).grants;
    expect(report?.held).toEqual(ids);
    expect(log.report(GAME, net.clock.nowMs() + 1).grants).toMatchObject([{ grantId: 'h', held: ['z'] }]);
    expect(log.report(CLINIC, net.clock.nowMs() - DAY_MS).grants).toEqual([]);
    await owner.account.open.synced();
  });

  it('[FLT-4] what a full disk keeps in it is removed when there is room, and keeps no account from being opened', async () => {
    const { app } = await sharePosts(net, {}, owner);
    const { sharing, mailbox } = owner.account;
    await until(() => typesOf(sharing.activity).includes('acceptance'));
    sharing.activity.keep('P30D');
    const asked = await app.account.sharing.request(owner.account.did, { schema: 'note', purpose: 'more of it' });
    await until(() => mailbox.get(asked.id));
    await owner.account.synced();
    const notes = await owner.account.vault.openDatabase('notes');
    await net.stopNode();
    fillDisk(owner.account);
    await saveUntilFull(notes, 'note', 40);
    await owner.account.close();
    offsetMs = 40 * DAY_MS;
    const full = await net.reopen(owner, { maxPages: 1 });
    expect(typesOf(full.sharing.activity)).toContain('acceptance');
    await full.close();
    const later = await net.reopen(owner);
    expect(typesOf(later.sharing.activity).filter((type) => type === 'request' || type === 'acceptance')).toEqual([]);
  });
});
