import { systemRandom, toSpaceId } from '@sluice/core/base';
import { decodePush, type Entry } from '@sluice/core/wire';
import { expect, it } from 'vitest';
import type { LiveLink, SubscriptionEvents } from '../link/live-link.ts';
import type { ControlLog } from './control-log.ts';
import { pushBackControl } from './push-back.ts';

it('[CTL-9] [PUSH-2] gives back what takes more than one push in several', async () => {
  const lost = Array.from({ length: 50 }, (): Entry => ({ header: systemRandom(90), body: systemRandom(120_000) }));
  const empty = { entries: [], seals: [], dead: [], holes: [], vector: [], whole: false, more: false };
  const back: Entry[] = [];
  const link: Pick<LiveLink, 'subscribe' | 'push'> = {
    subscribe: (_space, _log, events: SubscriptionEvents) => {
      queueMicrotask(() => void events.onPage({ ...empty, cursor: 0, head: 0, nowMs: 0 }, 0));
      return () => undefined;
    },
    push: async (_space, bytes) => {
      const read = decodePush(bytes);
      if (!read.ok) throw new Error(read.error.type);
      for (const part of read.value) if (part.type === 'ctl') back.push(...part.entries);
      return { nowMs: 0, parts: [] };
    },
  };
  const control: Pick<ControlLog, 'entries'> = { entries: () => lost };
  await pushBackControl(link, toSpaceId(systemRandom(32)), control);
  expect(back.map(({ header }) => header.join())).toEqual(lost.map(({ header }) => header.join()));
});
