import { bytesToHex } from '@sluice/core/base';
import { afterEach, describe, expect, it } from 'vitest';
import { until } from '../sharing-fixture.ts';
import type { Child } from './child-link.ts';
import { createFaultNetwork, type FaultNetwork } from './fault-network.ts';
import { note } from './full-disk.ts';

const MB = 1024 * 1024;
const STALL_MB = 50;
/** The memory is looked at after each part. */
const PART_MB = 5;
const WARM_MB = 50;
/** A note of 128 KiB; eight make a megabyte. */
const NOTE_BYTES = MB / 8;
const PLENTY = 1_000_000_000;

type Seen = { readonly cursor: number; readonly head: number; readonly entries: number; readonly open: boolean };
type Memory = { readonly rss: number; readonly heapUsed: number; readonly external: number };

describe('a subscriber that stalls through 50 MB', () => {
  let net: FaultNetwork;
  afterEach(() => net.close());

  it('[LIVE-2] [FLT-7] costs the node less than 10 MB, holds up nobody, and gets everything when it goes on', {
    timeout: 120_000,
  }, async () => {
    net = await createFaultNetwork();
    const owner = await net.person('owner');
    const friend = await net.person('friend');
    const notes = await owner.account.vault.openDatabase('notes');
    const friendly = await friend.account.vault.openDatabase('notes');
    const seed = await net.withFreshDevice(owner, async (a) => bytesToHex(a.open.device.seed.reveal()));
    const space = bytesToHex(owner.account.open.home.keys.space);
    let count = 0;
    const write = async (megabytes: number): Promise<void> => {
      for (let i = 0; i < megabytes; i++)
        await notes.saveMany(
          Array.from({ length: 8 }, () => note(`note-${count++}`, NOTE_BYTES)),
          { ack: 'node' },
        );
    };
    const seen = (s: Child): Promise<Seen> => s.ask<Seen>('seen');
    /** Waits until a subscriber has all; one that the node cut off meanwhile comes again. */
    const caughtUp = (s: Child, all: number): Promise<unknown> =>
      until(async () => {
        const { cursor, open } = await seen(s);
        if (!open) await s.ask('subscribe', { credit: PLENTY });
        return cursor === all;
      });

    const [creditless, unread, reader] = [1, 2, 3].map(() => net.startSubscriber(seed, space));
    if (!creditless || !unread || !reader) throw new Error('no subscriber');
    await creditless.ask('subscribe', { credit: 1 });
    // However much it gave credit for, what it does not read must not pile up.
    await unread.ask('subscribe', { credit: PLENTY });
    await reader.ask('subscribe', { credit: PLENTY });
    const used = async (): Promise<readonly [number, number]> => {
      const { rss, heapUsed, external } = await net.node().ask<Memory>('memory');
      return [(heapUsed + external) / MB, rss / MB];
    };
    // The node's heap, buffers and caches take their size with the first megabytes. What the system gives the process goes up and down
    // with the writing itself, so the most of it that was seen while nobody stalled is what a stall is held against.
    let resident = 0;
    for (let written = 0; written < WARM_MB; written += PART_MB) {
      await write(PART_MB);
      resident = Math.max(resident, (await used())[1]);
    }
    const before = (await seen(reader)).entries;
    await until(async () => (await seen(unread)).entries >= before && (await seen(unread)).entries > 0);
    unread.signal('SIGSTOP');
    const [inUse] = await used();
    for (let written = 0; written < STALL_MB; written += PART_MB) {
      await write(PART_MB);
      const [inUseNow, residentNow] = await used();
      expect(inUseNow - inUse, `after ${written + PART_MB} MB`).toBeLessThan(10);
      expect(residentNow - resident, `after ${written + PART_MB} MB`).toBeLessThan(10);
    }

    // Others are served: who reads has all of it, and so has another space.
    const { entries } = await untilAll(reader);
    expect(entries).toBeGreaterThanOrEqual(count);
    await friendly.save(note('mine'), { ack: 'node' });
    const waiting = await seen(creditless);
    expect(waiting.open).toBe(true);
    expect(waiting.entries).toBeLessThan(count / 2);

    unread.signal('SIGCONT');
    await creditless.ask('credit', { bytes: PLENTY });
    const { head } = await seen(reader);
    for (const stalled of [creditless, unread]) {
      await caughtUp(stalled, head);
      expect((await seen(stalled)).entries).toBe(entries);
    }

    async function untilAll(s: Child): Promise<Seen> {
      await until(async () => (await seen(s)).entries >= count);
      return seen(s);
    }
  });
});
