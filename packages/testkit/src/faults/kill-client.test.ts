import { afterEach, describe, expect, it } from 'vitest';
import { until } from '../sharing-fixture.ts';
import type { Child } from './child-link.ts';
import { createFaultNetwork, type FaultNetwork } from './fault-network.ts';
import { momentAt, pass } from './moments.ts';
import { opAt, prefixOf, readState, stateAfter, stateText } from './workload.ts';

const SEED = 'kill-client/1';
const POINTS = 20;

type Seen = { readonly state: readonly (readonly [string, string])[]; readonly unsent: number };

/** What the killed processes wrote down: each line was in the pipe before the next step of its process. */
function createRecord() {
  const record = {
    /** The last write that was called, and the last that resolved. */
    started: 0,
    resolved: 0,
    /** Writes that resolved in the process of now. */
    done: 0,
    messages: new Map<string, string>(),
    attempts: new Map<string, number>(),
    alarms: [] as string[],
    onDone: (): void => undefined,
  };
  const listen = (line: string): void => {
    const [what, number = '0', , id] = line.split(' ');
    const n = Number(number);
    const op = opAt(SEED, n);
    const text = op.type === 'message' ? op.text : '';
    if (what === 'alarm') record.alarms.push(line);
    if (what === 'start') record.started = n;
    if (what === 'start') record.attempts.set(text, (record.attempts.get(text) ?? 0) + 1);
    if (what !== 'done') return;
    record.resolved = Math.max(record.resolved, n);
    if (id) record.messages.set(id, text);
    record.done++;
    record.onDone();
  };
  return { record, listen };
}

describe('a client that is killed while it saves and sends', () => {
  let net: FaultNetwork;
  afterEach(() => net.close());

  it('[FLT-2] kill -9 at 20 points: all that resolved is in the store, and what the node lacks goes out', {
    timeout: 120_000,
  }, async () => {
    net = await createFaultNetwork();
    const owner = await net.person('owner');
    const friend = await net.person('friend');
    const heard: string[] = [];
    friend.account.mailbox.on(undefined, ({ id }) => heard.push(id));
    await owner.account.close();

    const { record, listen } = createRecord();
    const start = (): Child => {
      const child = net.startClient(owner);
      child.onLine(listen);
      return child;
    };
    let client = start();
    let seen = await client.ask<Seen>('open');
    let from = 1;
    let unsent = 0;
    for (let point = 0; point < POINTS; point++) {
      const next = start();
      const { acks, delayMs } = momentAt(SEED, point);
      // At every fourth point the node is out of reach, and nothing of what was saved can have left.
      const alone = point % 4 === 3;
      if (alone) expect(await client.ask('meet', { friend: friend.account.did })).toBe(true);
      else await client.ask('findNode');
      record.done = 0;
      const reached = new Promise<void>((resolve) => {
        record.onDone = () => {
          if (record.done > acks) resolve();
        };
      });
      const width = alone ? 10_000 : 4;
      const ended = client.ask('write', { seed: SEED, from, friend: friend.account.did, width }).catch(() => undefined);
      await Promise.race([reached, ended]);
      await pass(delayMs);
      await client.kill();
      client = next;
      seen = await client.ask<Seen>('open');
      unsent += seen.unsent;
      const m = prefixOf(SEED, new Map(seen.state), record.resolved, record.started);
      expect(m ?? -1, `after point ${point}, writes ${record.resolved} to ${record.started}`).toBeGreaterThanOrEqual(
        record.resolved,
      );
      // Calls that were cut off had no effect, and are made again.
      from = (m ?? 0) + 1;
    }
    // Else nothing would show that what waited outlives the process.
    expect(unsent).toBeGreaterThan(0);
    await client.ask('findNode');
    // A message that has gone out leaves one more word of that, after `synced` and at any moment.
    await until(() => [...record.messages.keys()].every((id) => friend.account.mailbox.get(id)));
    const last = await until(async () => {
      const step = await client.ask<Seen>('synced');
      return step.unsent === 0 && step;
    });
    const here = stateText(new Map(last.state));
    expect(here).toBe(stateText(stateAfter(SEED, from - 1)));
    await client.ask('close');
    expect(stateText(await net.withFreshDevice(owner, readState))).toBe(here);

    // Each once, also to those who listen; a message beyond those that resolved is one whose call was cut off.
    const received = friend.account.mailbox.list({}, { limit: 100_000 });
    expect([...heard].sort()).toEqual(received.map(({ id }) => id).sort());
    expect(new Set(heard).size).toBe(heard.length);
    expect(record.messages.size).toBeGreaterThan(0);
    const texts = new Map<string, number>();
    for (const { message } of received) texts.set(message, (texts.get(message) ?? 0) + 1);
    for (const [text, count] of texts) expect(count, text).toBeLessThanOrEqual(record.attempts.get(text) ?? 0);
    expect([...record.alarms, ...net.alarms]).toEqual([]);
  });
});
