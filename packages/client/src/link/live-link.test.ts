import { type Clock, createSystemClock, systemRandom, toDid, toSpaceId } from '@sluice/core/base';
import { createSigningKey } from '@sluice/core/crypto';
import { decodeClientFrame, encodeServerFrame, type Page, PROTOCOL_VERSION, type ServerFrame } from '@sluice/core/wire';
import { describe, expect, it } from 'vitest';
import { LinkOffline, openLiveLink, type SubscriptionEvents } from './live-link.ts';

const NODE = { url: 'https://node.example', did: toDid('did:web:node.example') };

/** A link whose node is the test. */
function openTestLink(clock: Clock = createSystemClock()) {
  let deliver: (bytes: Uint8Array) => void = () => undefined;
  let hangUp: () => void = () => undefined;
  let connections = 0;
  const sent: string[] = [];
  const link = openLiveLink(
    {
      clock,
      random: systemRandom,
      openSocket: (_url, events) => {
        connections++;
        deliver = events.onMessage;
        hangUp = events.onClose;
        return {
          send: (bytes) => {
            const frame = decodeClientFrame(bytes);
            sent.push(frame.ok ? frame.value.type : 'malformed');
          },
          close: () => undefined,
        };
      },
    },
    NODE,
    createSigningKey(systemRandom),
  );
  const serve = (frame: ServerFrame): void => deliver(encodeServerFrame(frame));
  const accept = (): void => {
    serve({ type: 'welcome', version: PROTOCOL_VERSION, node: NODE.did, nonce: systemRandom(16), nowMs: Date.now() });
    serve({ type: 'ready', nowMs: Date.now() });
  };
  accept();
  return { link, serve, sent, accept, hangUp: () => hangUp(), connections: () => connections };
}

const page = (head: number, more: boolean): Page => ({
  cursor: head,
  head,
  more,
  nowMs: 0,
  entries: [],
  seals: [],
  dead: [],
  holes: [],
  whole: false,
  vector: [],
});

describe('a live link', () => {
  it.each<['ctl' | 'own', 'ctl' | 'own']>([
    ['ctl', 'ctl'],
    ['own', 'own'],
    ['ctl', 'own'],
  ])(
    'hands on pages of %s and %s in the order in which they came, whichever subscription asked',
    async (first, second) => {
      const { link, serve } = openTestLink();
      const space = toSpaceId(systemRandom(32));
      const heads: number[] = [];
      let allHandled: () => void = () => undefined;
      const handled = new Promise<void>((resolve) => {
        allHandled = resolve;
      });
      const events: SubscriptionEvents = {
        cursor: () => 0,
        onPage: async ({ head }) => {
          heads.push(head);
          await Promise.resolve();
          if (heads.length === 4) allHandled();
        },
        onClosed: () => undefined,
      };
      link.subscribe(space, { type: first }, events);
      link.subscribe(space, { type: second }, events);
      // All in one turn of the event loop, as when they arrive in one piece.
      for (const [id, head] of [
        [1, 7],
        [1, 8],
        [1, 9],
        [2, 10],
      ] as const)
        serve({ type: 'page', id, page: page(head, head < 9) });
      await handled;
      expect(heads).toEqual([7, 8, 9, 10]);
      link.close();
    },
  );

  it('tells the answer to a push after the pages that came before it', async () => {
    const { link, serve } = openTestLink();
    const space = toSpaceId(systemRandom(32));
    const told: string[] = [];
    link.subscribe(
      space,
      { type: 'own' },
      {
        cursor: () => 0,
        onPage: async ({ head }) => {
          told.push(`page ${head}`);
          await Promise.resolve();
        },
        onClosed: () => undefined,
      },
    );
    const pushed = link.push(space, new Uint8Array(0)).then(() => told.push('pushed'));
    serve({ type: 'page', id: 1, page: page(1, true) });
    serve({ type: 'page', id: 1, page: page(2, false) });
    serve({ type: 'pushed', id: 2, answer: { nowMs: 0, parts: [] } });
    await pushed;
    expect(told).toEqual(['page 1', 'page 2', 'pushed']);
    link.close();
  });

  it('[HTTP-10] has pushes wait for the connection that tells the time anew, and for no other', async () => {
    let offsetMs = 0;
    const { link, serve, sent, accept, hangUp, connections } = openTestLink(createSystemClock(() => offsetMs));
    const space = toSpaceId(systemRandom(32));
    const before = link.push(space, new Uint8Array(0));
    offsetMs = 3_600_000;
    link.nodeMs();
    await undefined;
    expect(link.state()).not.toBe('ready');
    const meanwhile = link.push(space, new Uint8Array(0));
    await expect.poll(connections).toBe(2);
    accept();
    expect(sent.filter((type) => type === 'push')).toHaveLength(3);
    for (const id of [1, 2]) serve({ type: 'pushed', id, answer: { nowMs: Date.now(), parts: [] } });
    expect(await Promise.all([before, meanwhile])).toHaveLength(2);
    // The clock is set again, and this time nobody is there.
    offsetMs = 0;
    link.nodeMs();
    await undefined;
    const unheard = link.push(space, new Uint8Array(0));
    await expect.poll(connections).toBe(3);
    hangUp();
    await expect(unheard).rejects.toThrow(LinkOffline);
    await expect(link.push(space, new Uint8Array(0))).rejects.toThrow(LinkOffline);
    link.close();
  });

  it('[HTTP-10] has no push wait for a node that answers, and is another one now', async () => {
    let offsetMs = 0;
    const real = createSystemClock(() => offsetMs);
    const cancelled: number[] = [];
    // Ten times as fast.
    const timer: Clock['timer'] = (ms, run) => {
      const cancel = real.timer(ms / 10, run);
      return () => {
        cancelled.push(ms);
        cancel();
      };
    };
    const { link, serve, connections } = openTestLink({ ...real, timer });
    const space = toSpaceId(systemRandom(32));
    offsetMs = 3_600_000;
    link.nodeMs();
    await undefined;
    const waits = expect(link.push(space, new Uint8Array(0))).rejects.toThrow(LinkOffline);
    const nonce = systemRandom(16);
    for (const connection of [2, 3]) {
      await expect.poll(connections, { interval: 1 }).toBe(connection);
      serve({
        type: 'welcome',
        version: PROTOCOL_VERSION,
        node: toDid('did:web:another.example'),
        nonce,
        nowMs: Date.now(),
      });
    }
    await waits;
    link.close();
    expect(cancelled).toContain(2_000);
  });
});
