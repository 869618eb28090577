import type { InboxItem } from '@sluice/client';
import { afterEach, describe, expect, it } from 'vitest';
import { grantItems, until } from '../sharing-fixture.ts';
import { createFaultNetwork, type FaultNetwork } from './fault-network.ts';
import { momentAt, pass } from './moments.ts';
import { oddPosts, prefixOf, readState, stateText, writeOps } from './workload.ts';

const SEED = 'kill-node/1';
const POINTS = 20;

describe('a node that is killed while it stores', () => {
  let net: FaultNetwork;
  afterEach(() => net.close());

  it('[FLT-1] [FLT-3] kill -9 at 20 points: what it acknowledged is there, and what it did not comes again', {
    timeout: 120_000,
  }, async () => {
    net = await createFaultNetwork();
    const owner = await net.person('owner');
    const friend = await net.person('friend');
    const app = await net.app('https://reader.example');
    const { grants } = await grantItems(owner, app, [{ schema: 'social/post', filter: { type: 'odd' } }]);
    const [grant] = grants;
    const gone: unknown[] = [];
    grant?.onAlarm((alarm) => gone.push(alarm));

    const progress = { started: 0, acked: 0, acks: 0 };
    const messages = new Set<string>();
    let onAck: () => void = () => undefined;
    const events = {
      started: (n: number) => {
        progress.started = n;
      },
      resolved: (n: number, how: string, id?: string) => {
        if (id !== undefined) messages.add(id);
        if (how === 'node') progress.acked = Math.max(progress.acked, n);
        if (how === 'local') return;
        progress.acks++;
        onAck();
      },
    };
    let stopped = false;
    const writing = writeOps(owner.account, friend.account.did, SEED, 1, 6, events, () => stopped);

    for (let point = 0; point < POINTS; point++) {
      const { acks, delayMs } = momentAt(SEED, point);
      const from = progress.acks;
      const reached = new Promise<void>((resolve) => {
        onAck = () => {
          if (progress.acks > from + acks) resolve();
        };
      });
      await Promise.race([reached, writing]);
      await pass(delayMs);
      await net.killNode();
      const { acked } = progress;
      const there = await net.withFreshDevice(owner, readState);
      expect(prefixOf(SEED, there, acked, progress.started), `after point ${point}`).toBeGreaterThanOrEqual(acked);
      net.findNode();
    }
    stopped = true;
    await writing;
    await owner.account.synced();

    const here = await readState(owner.account);
    expect(prefixOf(SEED, here, progress.started, progress.started)).toBe(progress.started);
    expect(stateText(await net.withFreshDevice(owner, readState))).toBe(stateText(here));
    expect(owner.account.open.home.store.outboxSize()).toBe(0);
    const shown = async (): Promise<string[]> =>
      ((await grant?.datastore().getMany({}, { limit: 100_000 })) ?? []).map((r) => `${r.content} ${r.type}`).sort();
    await until(async () => JSON.stringify(await shown()) === JSON.stringify(oddPosts(here)));
    expect(await shown()).toEqual(oddPosts(here));
    await until(() => received().length === messages.size);
    expect(received()).toEqual([...messages].sort());
    expect([...net.alarms, ...gone]).toEqual([]);

    function received(): string[] {
      return friend.account.mailbox
        .list({}, { limit: 100_000 })
        .map((item: InboxItem) => item.id)
        .sort();
    }
  });
});
