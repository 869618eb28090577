import type { Account } from '@sluice/client';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { until } from '../sharing-fixture.ts';
import { createTestNetwork, type TestNetwork } from '../test-network.ts';
import { idsOf, note } from './full-disk.ts';

describe('a node whose disk is full', () => {
  let net: TestNetwork;
  let limitPages: (pages: number) => void;
  const codes = new Map<string, number>();
  beforeEach(async () => {
    codes.clear();
    const count = (code: string): void => void codes.set(code, (codes.get(code) ?? 0) + 1);
    net = await createTestNetwork({
      wrapStorage: (storage) => {
        limitPages = storage.limitPages;
        return {
          ...storage,
          push: async (job) => {
            const done = await storage.push(job);
            count(done.ok ? 'push ok' : `push ${done.code}`);
            return done;
          },
          deposit: async (...args) => {
            const done = await storage.deposit(...args);
            count(done.ok ? 'deposit ok' : `deposit ${done.code}`);
            return done;
          },
        };
      },
    });
  });
  afterEach(() => net.close());

  const notesOf = (account: Account) => account.vault.openDatabase('notes');
  const refusals = (what: string): number => codes.get(`${what} DISK_FULL`) ?? 0;

  it('[PUSH-8] [FLT-6] refuses with DISK_FULL, clients keep what waits, and with space again all of it is there once', async () => {
    const owner = await net.person('owner');
    const friend = await net.person('friend');
    const notes = await notesOf(owner.account);
    const early = Array.from({ length: 50 }, (_, i) => note(`early-${i}`));
    await notes.saveMany(early, { ack: 'node' });
    await friend.account.synced();
    const heard: string[] = [];
    friend.account.mailbox.on(undefined, ({ id }) => heard.push(id));

    limitPages(1);
    const late = Array.from({ length: 200 }, (_, i) => note(`late-${i}`));
    for (let at = 0; at < late.length; at += 20) await notes.saveMany(late.slice(at, at + 20));
    await until(() => refusals('push') > 0);
    const large = { text: 'x'.repeat(150_000) };
    const posted = await owner.account.messaging.send(friend.account.did, 'test/large', large, 'hello');
    expect([posted.queued, refusals('deposit')]).toEqual([true, 1]);
    // Reading goes on, and nothing of the refused pushes is there.
    await friend.account.synced();
    expect(friend.account.mailbox.list()).toEqual([]);
    expect(owner.account.open.home.store.outboxSize()).toBeGreaterThan(0);
    const before = [...early, ...late].map((r) => String(r._id)).sort();
    expect(await idsOf(notes)).toEqual(before);

    // A client that is started anew meanwhile has the same waiting.
    await owner.account.close();
    const again = await net.reopen(owner);
    const seen = refusals('push');
    await until(() => refusals('push') > seen);
    expect(again.open.home.store.outboxSize()).toBeGreaterThan(0);

    limitPages(1_000_000);
    await until(() => again.open.home.store.outboxSize() === 0);
    await again.synced();
    const fresh = await net.restore(owner, 'fresh');
    await fresh.synced();
    expect(await idsOf(await notesOf(fresh))).toEqual(before);
    // What the friend was sent waits for the next connection.
    await again.close();
    const later = await net.reopen(owner);
    await until(() => heard.length > 0);
    await later.synced();
    await friend.account.synced();
    expect(heard).toEqual([posted.id]);
    expect(friend.account.mailbox.list().map(({ id }) => id)).toEqual([posted.id]);
  });
});
