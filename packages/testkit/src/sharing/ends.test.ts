/** How grants end while somebody is away, and what is then said of it. */

import { SluiceError } from '@sluice/client';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { fillDisk, freeDisk, saveUntilFull } from '../faults/full-disk.ts';
import { createJumpClock, type JumpClock } from '../jump-clock.ts';
import { post, sharePosts, type SharedPosts, until } from '../sharing-fixture.ts';
import { createTestNetwork, type Persona, type TestNetwork } from '../test-network.ts';

const DAY_MS = 86_400_000;

describe('the end of a grant', () => {
  let net: TestNetwork;
  let clock: JumpClock;
  /** Whether the node refuses control entries for now. */
  let refuses = false;
  const unhandled: unknown[] = [];
  const onUnhandled = (cause: unknown): void => void unhandled.push(cause);
  beforeEach(async () => {
    refuses = false;
    unhandled.length = 0;
    for (const name of ['unhandledRejection', 'uncaughtException']) process.on(name, onUnhandled);
    clock = createJumpClock();
    net = await createTestNetwork({
      clock,
      wrapStorage: (storage) => ({
        ...storage,
        push: async (job) =>
          refuses && job.parts.some((part) => part.type === 'ctl')
            ? { ok: false, code: 'RATE_LIMITED' }
            : storage.push(job),
      }),
    });
  });
  afterEach(async () => {
    await net.close();
    for (const name of ['unhandledRejection', 'uncaughtException']) process.off(name, onUnhandled);
  });

  const statusOf = ({ sharing }: Persona['account']): string | undefined => sharing.grants.list()[0]?.status;
  /** What the receipt says after the consent: each event and who brought it about. */
  const endsOf = async ({ sharing }: Persona['account'], grantId: string): Promise<readonly string[][]> => {
    const { content } = await sharing.receipts.export(grantId);
    const { event } = content as unknown as { event: { event_state: string; event_time: string; entity_id: string }[] };
    return event.slice(1).map((e) => [e.event_state, e.event_time, e.entity_id]);
  };
  const untilTomorrow = (): Promise<SharedPosts> =>
    sharePosts(net, { duration: { until: new Date(clock.nowMs() + DAY_MS).toISOString() } });
  const rowOf = ({ open }: Persona['account'], grantId: string): string | undefined =>
    open.home.access.rows.get(grantId)?.status;

  it('[GRANT-40] [GRANT-46] that came while no device of the owner was there is made up for, and so is the purge', async () => {
    const { owner, given } = await untilTomorrow();
    await owner.account.synced();
    await owner.account.close();
    clock.jump(2 * DAY_MS);
    const later = await net.reopen(owner);
    await until(() => rowOf(later, given.grantId) === 'revoked');
    expect(statusOf(later)).toBe('expired');
    await later.synced();
    await later.close();
    clock.jump(40 * DAY_MS);
    const last = await net.reopen(owner);
    await until(() => statusOf(last) === 'purged');
  });

  it('[RCPT-9] by its terms is said to be that, also when nothing of its feed is left', async () => {
    const { owner, given } = await untilTomorrow();
    const { duration } = given.terms;
    const expired = [['consent expired', (duration as { until: string }).until, owner.account.did]];
    clock.jump(2 * DAY_MS);
    await until(() => statusOf(owner.account) === 'expired');
    expect(await endsOf(owner.account, given.grantId)).toEqual(expired);
    clock.jump(40 * DAY_MS);
    await until(() => statusOf(owner.account) === 'purged');
    expect(await endsOf(owner.account, given.grantId)).toEqual(expired);
  });

  it('[RCPT-9] of a delivery made once is no withdrawal, and that of a grant that was given up is its grantee’s', async () => {
    const once = await sharePosts(net, { duration: 'once' });
    const { owner, app } = once;
    await until(() => statusOf(owner.account) === 'completed');
    clock.jump(31 * DAY_MS);
    await until(() => statusOf(owner.account) === 'purged');
    expect(await endsOf(owner.account, once.given.grantId)).toEqual([]);
    const { given, grant } = await sharePosts(net, {}, owner, app);
    await grant.drop();
    await until(() => rowOf(owner.account, given.grantId) === 'revoked');
    expect(await endsOf(owner.account, given.grantId)).toEqual([
      ['consent withdrawn', expect.any(String), app.account.did],
    ]);
  });

  it('[GRANT-40] that the node does not take at once is sent again', async () => {
    const { owner, given } = await untilTomorrow();
    await owner.account.synced();
    refuses = true;
    clock.jump(DAY_MS + 1_000);
    await until(() => statusOf(owner.account) === 'expired');
    await owner.account.synced();
    refuses = false;
    await net.stopNode();
    await net.startNode();
    await until(() => rowOf(owner.account, given.grantId) === 'revoked');
    expect(unhandled).toEqual([]);
  });

  it('[FLT-4] that comes on a full disk is noted when there is room', async () => {
    const { owner, given } = await untilTomorrow();
    await owner.account.synced();
    const notes = await owner.account.vault.openDatabase('notes');
    await net.stopNode();
    fillDisk(owner.account);
    await saveUntilFull(notes, 'note', 40);
    expect(() => clock.jump(DAY_MS + 1_000)).not.toThrow();
    expect(statusOf(owner.account)).toBe('expired');
    freeDisk(owner.account);
    await net.startNode();
    const { activity } = owner.account.sharing;
    await until(() => activity.list({ grantId: given.grantId }).some(({ type }) => type === 'expiry'));
    await until(() => rowOf(owner.account, given.grantId) === 'revoked');
    expect(unhandled).toEqual([]);
  });

  it('[GRANT-45] by its grantee, that the owner’s disk had no room for, is taken up at the next start', async () => {
    const { owner, given, grant } = await sharePosts(net);
    const { open, mailbox } = owner.account;
    const put = vi.spyOn(open.keychain, 'put').mockImplementation(() => {
      throw new SluiceError('STORE_FULL');
    });
    await grant.drop();
    await until(() => put.mock.calls.length > 0 && mailbox.list({ type: 'inbox/type/syncDrop' }).length > 0);
    put.mockRestore();
    expect(unhandled).toEqual([]);
    await owner.account.close();
    const later = await net.reopen(owner);
    await until(() => rowOf(later, given.grantId) === 'revoked');
  });

  it('[GRANT-50] that was put off while nobody read the grant brings it back when it is opened', async () => {
    const { app, grant } = await untilTomorrow();
    clock.jump(2 * DAY_MS);
    await until(() => grant.status() === 'expired');
    await until(async () => (await grant.datastore().count()) === 0);
    grant.close();
    const { keychain } = app.account.open;
    const item = keychain.get('received', grant.id);
    const laterEnd = new Date(clock.nowMs() + DAY_MS).toISOString();
    keychain.put('received', grant.id, { ...item, terms: { ...grant.terms, duration: { until: laterEnd } } });
    const again = await app.account.sharing.grants.open(grant.id);
    expect(again.status()).toBe('backfill');
  });

  it('[GRANT-50] that was put off, and that the node holds to be over still, is looked at by no account that is closed', async () => {
    const { owner, given, posts } = await untilTomorrow();
    await owner.account.synced();
    refuses = true;
    const { sharing } = owner.account;
    const inTwoDays = new Date(clock.nowMs() + 2 * DAY_MS).toISOString();
    await expect(sharing.change(given.grantId, { duration: { until: inTwoDays } })).rejects.toThrow();
    /** What is to happen two seconds from now. */
    const due = new Set<() => void>();
    const { timer } = clock;
    vi.spyOn(clock, 'timer').mockImplementation((delayMs, run) => {
      const done = (then: () => void) => () => {
        due.delete(run);
        then();
      };
      if (delayMs === 2_000) due.add(run);
      return done(timer(delayMs, done(run)));
    });
    clock.jump(DAY_MS + 60_000);
    await posts.save(post(50));
    await until(() => due.size > 0);
    await owner.account.close();
    expect(due.size).toBe(0);
  });

  it('[FEED-26] a key that the disk had no room for is made with a later append', async () => {
    const { owner, given, posts, grant } = await sharePosts(net);
    const { keychain } = owner.account.open;
    clock.jump(31 * DAY_MS);
    const put = vi.spyOn(keychain, 'put').mockImplementation(() => {
      throw new SluiceError('STORE_FULL');
    });
    await posts.save(post(50));
    await until(() => put.mock.calls.length > 0);
    put.mockRestore();
    await owner.account.synced();
    await posts.save(post(51));
    await until(() => keychain.list('grant-fact').some(({ id }) => id.startsWith(`${given.grantId}/key/`)));
    await until(async () => (await grant.datastore().count()) === 12);
    expect(unhandled).toEqual([]);
  });
});

describe('a grant that nobody says to have taken', () => {
  let net: TestNetwork;
  let clock: JumpClock;
  beforeEach(async () => {
    clock = createJumpClock();
    net = await createTestNetwork({ clock });
  });
  afterEach(() => net.close());
  const DURING_MS = 15 * DAY_MS;

  it('stands when its grantee took it while no device of the owner was there to hear of it', async () => {
    const owner = await net.person('poster');
    const app = await net.app('https://reader.example');
    const posts = await owner.account.vault.openDatastore('social/post');
    await posts.save(post(1));
    const pending = await app.account.sharing.request(owner.account.did, { schema: 'social/post', purpose: 'a test' });
    await until(() => owner.account.mailbox.get(pending.id));
    await app.account.close();
    await owner.account.sharing.consent(pending.id);
    await until(() => owner.account.sharing.feedsUpToDate());
    await owner.account.synced();
    await owner.account.close();
    const reader = await net.reopen(app);
    const answer = await reader.sharing.pending(pending.id).answer();
    const [grant] = answer.status === 'granted' ? answer.grants : [];
    await grant?.upToDate();
    clock.jump(DURING_MS);
    const later = await net.reopen(owner);
    await later.synced();
    const again = await later.vault.openDatastore('social/post');
    await again.save(post(2));
    await until(async () => (await grant?.datastore().count()) === 2);
    expect(later.sharing.grants.list()).toMatchObject([{ isOpen: true }]);
  });

  it('ends after two weeks when another answer to the same request was taken', async () => {
    const owner = await net.person('poster');
    const phone = await net.restore(owner, 'phone');
    const app = await net.app('https://reader.example');
    const pending = await app.account.sharing.request(owner.account.did, { schema: 'social/post', purpose: 'a test' });
    await until(() => owner.account.mailbox.get(pending.id) && phone.mailbox.get(pending.id));
    const both = await Promise.all([owner.account, phone].map(({ sharing }) => sharing.consent(pending.id)));
    expect(both.flat()).toHaveLength(2);
    await pending.answer();
    const { keychain } = owner.account.open;
    await until(() => keychain.list('grant-fact').some(({ id }) => id.endsWith('/accepted')));
    const open = (account: Persona['account']): number =>
      account.sharing.grants.list().filter(({ isOpen }) => isOpen).length;
    await until(() => open(owner.account) === 2);
    await owner.account.synced();
    await owner.account.close();
    await phone.close();
    clock.jump(DURING_MS);
    const later = await net.reopen(owner);
    await until(() => open(later) === 1);
  });
});
