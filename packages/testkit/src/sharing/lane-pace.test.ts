/** How often a busy lane is decided on: what comes in the meantime goes together. */

import { type Clock, createSystemClock, type StreamId } from '@sluice/core/base';
import { ENTRY_KIND } from '@sluice/core/wire';
import type { Storage } from '@sluice/node';
import { expect, it } from 'vitest';
import { sharePosts, until } from '../sharing-fixture.ts';
import { createTestNetwork, type Persona } from '../test-network.ts';
import { entriesInLane } from './lane-fixture.ts';

const PACE_MS = 25;
const TRIM_MS = 250;
const WRITE = { access: 'readwrite', write: { operations: ['update'], policy: 'auto' } } as const;

/** A clock whose timers of one length run when the test says so. */
function createPacedClock(heldMs: number): Clock & { readonly go: () => void } {
  const system = createSystemClock();
  const held = new Set<() => void>();
  return {
    ...system,
    timer: (delayMs, run) => {
      if (delayMs !== heldMs) return system.timer(delayMs, run);
      held.add(run);
      return () => void held.delete(run);
    },
    go: () => {
      const due = [...held];
      held.clear();
      for (const run of due) run();
    },
  };
}

/** How many writes after the first the owner's device has got and not yet dropped. */
const writesAt = ({ account }: Persona, lane: StreamId): number =>
  Number(
    account.open.store.db
      .sql('SELECT COUNT(*) AS rows FROM entry WHERE n > 1 AND stream = (SELECT id FROM stream WHERE stream = ?)')
      .get(lane)?.rows,
  );

it('[LANE-21] decides on what is written without a pause together, and on the first write at once', async () => {
  const clock = createPacedClock(PACE_MS);
  let verdicts = 0;
  let seals = 0;
  const wrapStorage = (storage: Storage): Storage => ({
    ...storage,
    push: async (job) => {
      const answer = await storage.push(job);
      if (job.parts.some(({ type }) => type === 'feed'))
        seals += job.parts.filter(({ type }) => type === 'sealed').length;
      for (const part of job.parts) {
        if (part.type === 'feed') verdicts += part.headers.filter(({ kind }) => kind === ENTRY_KIND.VERDICT).length;
      }
      return answer;
    },
  });
  const net = await createTestNetwork({ wrapStorage, clockOf: (name) => (name === 'poster' ? clock : undefined) });
  try {
    const { grant, given, owner } = await sharePosts(net, WRITE);
    const [record] = await grant.datastore().getMany();
    const write = async (content: string): Promise<number> =>
      (await grant.datastore().save({ ...record, content })).n ?? 0;
    expect(await grant.settled(await write('first'))).toMatchObject({ accepted: true });
    // One says that the write is accepted, one that it is made.
    await until(() => verdicts === 2);
    const numbers: number[] = [];
    for (let i = 0; i < 6; i++) numbers.push(await write(`next ${i}`));
    await until(() => writesAt(owner, given.lane as StreamId) === 6);
    expect(verdicts).toBe(2);
    const before = seals;
    clock.go();
    for (const n of numbers) expect(await grant.settled(n)).toMatchObject({ accepted: true });
    await until(() => verdicts === 4);
    // The records, what is kept of the writes, what the activity log says of them, and of what the grantee is shown.
    expect(seals - before).toBe(4);
  } finally {
    await net.close();
  }
});

it('[LANE-3] is trimmed at the node at once, and then every quarter of a second', async () => {
  const clock = createPacedClock(TRIM_MS);
  let trims = 0;
  const wrapStorage = (storage: Storage): Storage => ({
    ...storage,
    push: async (job) => {
      trims += job.parts.filter((part) => part.type === 'trim').length;
      return storage.push(job);
    },
  });
  const net = await createTestNetwork({ wrapStorage, clockOf: (name) => (name === 'poster' ? clock : undefined) });
  try {
    const { grant } = await sharePosts(net, WRITE);
    const [record] = await grant.datastore().getMany();
    for (const content of ['one', 'two', 'three']) {
      await grant.datastore().save({ ...record, content });
      await until(() => grant.pending().length === 0);
    }
    expect(trims).toBe(1);
    clock.go();
    await until(() => trims === 2);
  } finally {
    await net.close();
  }
});

it('[LANE-3] is trimmed again when the node did not take it, without another write', async () => {
  let refused = 0;
  let refuses = true;
  const wrapStorage = (storage: Storage): Storage => ({
    ...storage,
    push: async (job) => {
      if (!refuses || !job.parts.some((part) => part.type === 'trim')) return storage.push(job);
      refused++;
      return { ok: false, code: 'RATE_LIMITED' };
    },
  });
  const net = await createTestNetwork({ wrapStorage });
  try {
    const shared = await sharePosts(net, WRITE);
    const [record] = await shared.grant.datastore().getMany();
    await shared.grant.datastore().save({ ...record, content: 'one' });
    await until(() => refused > 0 && shared.grant.pending().length === 0);
    expect(entriesInLane(net, shared)).toBe(1);
    refuses = false;
    await net.stopNode();
    await net.startNode();
    await until(() => entriesInLane(net, shared) === 0);
  } finally {
    await net.close();
  }
});
