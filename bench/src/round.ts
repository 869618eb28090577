/** One round of the first workloads: records in, records over, one filtered feed, messages. They share a node and an owner. */

import { MATCHING } from './records.ts';
import { type Note, percentile, type RoundOptions, startSetting } from './setting.ts';

const UPDATES = 500;
const GRANTEES = 50;
const MESSAGES = 2_000;
const id = (i: number): string => `m${String(i).padStart(7, '0')}`;

/** Runs the workloads and notes their figures by name. */
export async function runBase(options: RoundOptions, note: Note): Promise<void> {
  const { records } = options;
  const setting = await startSetting(options, 'base');
  const { node, owner, did, phrase, folder } = setting;

  const ingest = await owner.step<{ ms: number; localMs: number; cpuUs: number; sent: number }>('ingest', {
    count: records,
  });
  note('ingest, records/s', (records * 1000) / ingest.ms);
  note('ingest, client CPU us per record', ingest.cpuUs / records);
  note('ingest, wire bytes per record', ingest.sent / records);
  const usage = await node.usage();
  note('node disk per record, bytes', usage.disk / records);

  const second = await setting.client();
  const sync = await second.step<{ ms: number; received: number }>('restore', {
    store: folder('second'),
    phrase,
    last: id(records - 1),
  });
  note('initial sync, records/s', (records * 1000) / sync.ms);
  note('initial sync, wire bytes per record', sync.received / records);
  second.stop();

  const grantee = await setting.app('grantee');
  await grantee.step('ask', { owner: did, count: 1, filter: JSON.stringify(MATCHING) });
  const built = await owner.step<{ ms: number }>('consent', { count: 1 });
  note('feed evaluated and pushed by the owner, ms', built.ms);
  const feed = await grantee.step<{ ms: number; received: number }>('subscribe', { expect: records / 10 });
  note('filtered feed, ms', feed.ms);
  note('filtered feed, wire bytes per match', feed.received / (records / 10));

  const targets = Array.from({ length: 20 }, (_, i) => id(i * 10));
  await grantee.step('watch');
  const sent = await owner.step<{ version: number; at: number }[]>('updates', {
    count: UPDATES,
    perSecond: 50,
    ids: JSON.stringify(targets),
  });
  const seen = await grantee.step<{ version: number; at: number }[]>('seen', { count: UPDATES });
  const at = new Map(seen.map((s) => [s.version, s.at]));
  const latencies = sent.flatMap((s) => (at.has(s.version) ? [(at.get(s.version) as number) - s.at] : []));
  note('live p50, ms', percentile(latencies, 0.5));
  note('live p99, ms', percentile(latencies, 0.99));
  note(`live updates delivered of ${UPDATES}`, latencies.length);

  const ids = await grantee.step<string[]>('ask', {
    owner: did,
    count: GRANTEES,
    filter: JSON.stringify({ type: 'fanOut' }),
  });
  await owner.step('consent', { count: GRANTEES });
  await grantee.step('receive', { ids: JSON.stringify(ids), expect: 0 });
  const times: number[] = [];
  for (let i = 0; i < 10; i++) {
    const { at: start } = await owner.step<{ at: number }>('fanOut', { version: i });
    const all = await grantee.step<{ at: number }[]>('seen', { count: GRANTEES });
    if (all.length < GRANTEES) throw new Error(`only ${all.length} of ${GRANTEES} grantees saw the update`);
    times.push(Math.max(...all.map((s) => s.at)) - start);
  }
  note('last of 50 grantees, ms', percentile(times, 0.5));

  const reader = await setting.client();
  const person = await reader.step<{ did: string }>('person', { store: folder('reader') });
  await reader.step('pauseInbox');
  const posted = await grantee.step<{ ms: number }>('sendMessages', { to: person.did, count: MESSAGES });
  note('messages sealed and signed, /s', (MESSAGES * 1000) / posted.ms);
  const drained = await reader.step<{ ms: number }>('drainMessages', {
    store: folder('reader'),
    count: MESSAGES,
  });
  note('messages drained and verified, /s', (MESSAGES * 1000) / drained.ms);
  reader.stop();

  const opened = await owner.step<{ ms: number; found: number }>('reopen', { store: folder('owner') });
  note('open and first query, ms', opened.ms);
  note('node memory, MB', (await node.usage()).peakRss / 2 ** 20);
  await setting.stop();
}
