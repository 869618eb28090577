/** The workloads of synchronization: backfill, resume, fan-out, revoke, write-back. Each on a node and an owner of its own. */

import type { Client } from './process.ts';
import { evaluationMs } from './filters.ts';
import { MATCHING } from './records.ts';
import { type Note, percentile, type RoundOptions, type Setting, startSetting } from './setting.ts';

type At = { readonly at: number };
const last = (seen: readonly At[]): number => seen.reduce((latest, { at }) => Math.max(latest, at), 0);

/** From the owner's press to the grantee's first verified checkpoint, everything between included. */
async function backfill({ owner, did }: Setting, grantee: Client, filter: object, expect: number) {
  const ids = await grantee.step<string[]>('askFor', { owner: did, item: { filter } });
  const [given, received] = await Promise.all([
    owner.step<At>('consentToAll'),
    grantee.step<At & { ids: string[] }>('receiveAll', { ids, expect }),
  ]);
  return { ms: received.at - given.at, id: received.ids[0] ?? '' };
}

/** A grant that matches all, one that matches a tenth, and the first of them resumed after one record changed. */
async function runBackfill(options: RoundOptions, note: Note): Promise<void> {
  const { records } = options;
  const setting = await startSetting(options, 'backfill');
  const { owner } = setting;
  await owner.step('ingest', { count: records });
  const whole = await setting.app('whole');
  const full = await backfill(setting, whole, {}, records);
  note('backfill of all records, ms', full.ms);
  const tenth = await backfill(setting, await setting.app('tenth'), MATCHING, records / 10);
  note('backfill of a tenth, ms', tenth.ms);

  await whole.step('goOffline');
  await owner.step('update', { id: 'm0000001', version: 2 });
  await owner.step('settle');
  const resumed = await whole.step<{ ms: number; bytes: number; ofGrant: number; changed: number }>('resume', {
    store: setting.folder('whole'),
    id: full.id,
  });
  if (resumed.changed !== 1) throw new Error(`one record changed, and ${resumed.changed} came`);
  note('resume after one change, bytes of the grant', resumed.ofGrant);
  note('resume after one change, bytes of the connection', resumed.bytes);
  note('resume after one change, ms', resumed.ms);
  await setting.stop();
}

const EDITS = 10;
const IDLE_MS = 3_000;
const UNMATCHED = 20;

/** One edit that every one of `count` grants of a collection matches, and what they cost when nothing happens. */
async function fanOut(options: RoundOptions, note: Note, count: number): Promise<void> {
  const setting = await startSetting(options, `fan-out-${count}`);
  const { owner, did, node } = setting;
  const grantee = await setting.app('grantee');
  const memory = async (): Promise<number> => (await node.usage()).rss / 1024;
  const before = await memory();
  const ids = await grantee.step<string[]>('askFor', { owner: did, count, item: { filter: { type: 'fanOut' } } });
  const { ms } = await owner.step<{ ms: number }>('consentToAll', { count });
  await grantee.step('receiveAll', { ids, expect: 0 });
  await owner.step('settle');
  note(`${count} grants: consent, ms each`, ms / count);

  const times: number[] = [];
  for (let version = 0; version < EDITS; version++) {
    const { at } = await owner.step<At>('fanOut', { version });
    const seen = await grantee.step<At[]>('seen', { count });
    if (seen.length < count) throw new Error(`only ${seen.length} of ${count} grantees saw the edit`);
    times.push(last(seen) - at);
    await owner.step('settle');
  }
  note(`${count} grants: one edit to the last, ms`, percentile(times, 0.5));
  const { cpuMs } = await owner.step<{ cpuMs: number }>('unmatched', { count: UNMATCHED });
  note(`${count} grants: a write that none matches, owner CPU ms`, cpuMs / UNMATCHED);

  const cpu = async (): Promise<number> => {
    const [mine, theirs, nodes] = [
      await owner.step<{ cpuMs: number }>('cpu'),
      await grantee.step<{ cpuMs: number }>('cpu'),
      await node.cpuMs(),
    ];
    return mine.cpuMs + theirs.cpuMs + nodes;
  };
  const idleFrom = await cpu();
  await new Promise((resolve) => setTimeout(resolve, IDLE_MS));
  note(`${count} grants: idle, CPU ms a second in all`, ((await cpu()) - idleFrom) / (IDLE_MS / 1000));
  // Of fewer, the collector's comings and goings say more than the grants.
  if (count >= 100) note(`${count} grants: node memory, KB each`, ((await memory()) - before) / count);
  await setting.stop();
}

const REVOKES = 100;

/** Grants that are online and live are revoked one after the other; after each, a record is written that it would have got. */
async function runRevoke(options: RoundOptions, note: Note): Promise<void> {
  const setting = await startSetting(options, 'revoke');
  const { owner, did } = setting;
  const grantee = await setting.app('grantee');
  const count = REVOKES + 1;
  const ids = await grantee.step<string[]>('askFor', { owner: did, count, item: { filter: { type: 'fanOut' } } });
  const { given } = await owner.step<{ given: string[] }>('consentToAll', { count });
  await grantee.step('receiveAll', { ids, expect: 0 });
  await owner.step('settle');
  const revoked = new Map<string, number>();
  let seen: (At & { readonly id: string; readonly version: number })[] = [];
  const heard = async (version: number): Promise<void> => {
    await owner.step('fanOut', { version });
    // Those that are left have all heard of it, so whatever was to come has come.
    do seen = await grantee.step('seenSoFar');
    while (seen.filter((s) => s.version === version).length < count - revoked.size);
  };
  await heard(0);
  for (const [i, id] of given.slice(0, REVOKES).entries()) {
    const { at } = await owner.step<At>('revoke', { id });
    revoked.set(id, at);
    await grantee.step('ended', { count: i + 1 });
    await heard(i + 1);
  }
  const ended = await grantee.step<(At & { readonly id: string })[]>('ended', { count: REVOKES });
  const times = ended.map(({ id, at }) => at - (revoked.get(id) ?? Number.NaN));
  const silentFrom = new Map(ended.map(({ id, at }) => [id, at]));
  note('revoke to silence p50, ms', percentile(times, 0.5));
  note('revoke to silence p99, ms', percentile(times, 0.99));
  note(
    'entries after the silence',
    seen.filter(({ id, at }) => at > (silentFrom.get(id) ?? Number.POSITIVE_INFINITY)).length,
  );
  await setting.stop();
}

const LANE_SECONDS = 15;
const LANE_PER_MINUTE = 5_000;
const LIVE_PER_SECOND = 20;

/** One grantee writes back at full rate, while another's live stream is timed: the same stream as without it. */
async function runLane(options: RoundOptions, note: Note): Promise<void> {
  const setting = await startSetting(options, 'lane');
  const { owner, did } = setting;
  const live = await owner.step<string[]>('saveTyped', { count: 20, type: 'live' });
  await owner.step('saveTyped', { count: 200, type: 'lane' });
  const writer = await setting.app('writer');
  const reader = await setting.app('reader');
  const write = { operations: ['update'], policy: 'auto', perDay: 1_000_000 };
  for (const [client, item, expect] of [
    [writer, { access: 'readwrite', filter: { type: 'lane' }, write }, 200],
    [reader, { filter: { type: 'live' } }, 20],
  ] as const) {
    const ids = await client.step<string[]>('askFor', { owner: did, item });
    await owner.step('consentToAll');
    await client.step('receiveAll', { ids, expect });
  }
  const updates = LANE_SECONDS * LIVE_PER_SECOND;
  const latencies = async (): Promise<number[]> => {
    const sent = await owner.step<(At & { version: number })[]>('updates', {
      count: updates,
      perSecond: LIVE_PER_SECOND,
      ids: live,
    });
    const seen = await reader.step<(At & { version: number })[]>('seen', { count: updates });
    const at = new Map(seen.map((s) => [s.version, s.at]));
    return sent.map((s) => (at.get(s.version) ?? Number.NaN) - s.at);
  };
  note('another grant live, p95 without the writes, ms', percentile(await latencies(), 0.95));
  const [beside, lane] = await Promise.all([
    latencies(),
    writer.step<{ writes: number; writtenMs: number; ms: number; refused: number; latencies: number[] }>('laneWrites', {
      count: (LANE_SECONDS * LANE_PER_MINUTE) / 60,
      perMinute: LANE_PER_MINUTE,
    }),
  ]);
  note('another grant live, p95 with the writes, ms', percentile(beside, 0.95));
  note('lane writes with their verdict, a minute', (lane.writes * 60_000) / lane.ms);
  note('lane write to verdict p50, ms', percentile(lane.latencies, 0.5));
  note('lane write to verdict p95, ms', percentile(lane.latencies, 0.95));
  note('lane writes refused', lane.refused);
  await setting.stop();
}

/** The workloads of synchronization, by the name that picks one. */
export const SHARING: { readonly [name: string]: (options: RoundOptions, note: Note) => Promise<void> } = {
  backfill: runBackfill,
  filters: async (_, note) => note('1,000 filters on one record, ms', evaluationMs()),
  grants: async (options, note) => {
    for (const count of options.grants) await fanOut(options, note, count);
  },
  revoke: runRevoke,
  lane: runLane,
};
