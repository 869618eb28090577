/** A hostile node, and a hostile holder of the feed's key: what the grantee's reader refuses. */

import { createSystemClock, type StreamId, systemRandom, type Tag, toDid, toSpaceId } from '@sluice/core/base';
import {
  createSigningKey,
  type SigningKey,
  toGrantSecret,
  streamId,
  streamTagKey,
  toAeadKey,
  writerId,
} from '@sluice/core/crypto';
import {
  type Basis,
  checkpointTag,
  createRunningDigest,
  encodeFeedRecord,
  openFeedPut,
  openMemo,
  recordPrint,
  sealCheckpoint,
  sealFeedPut,
} from '@sluice/core/grant';
import { createDeviceCard, openDeviceCard } from '@sluice/core/identity';
import { ENTRY_KIND, type FeedEntry, type Page } from '@sluice/core/wire';
import { openDb } from '@sluice/sqlite';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CLIENT_TABLES, type FeedAlarm, type LiveLink, openFeedReader, type SubscriptionEvents } from '@sluice/client';

const OWNER = toDid('did:web:owner.example');
let clockMs = 0;
const clock = createSystemClock(() => clockMs);

describe('a grantee’s reader against tampering', () => {
  const identity = createSigningKey(systemRandom);
  const device = createSigningKey(systemRandom);
  const card = createDeviceCard({ did: OWNER, deviceKey: device.publicKey, issuedAt: clock.nowMs() - 1000 }, identity);
  const secret = toGrantSecret(systemRandom(32));
  const stream: StreamId = streamId(4, secret, 'feed');
  const keys = { stream, key: toAeadKey(systemRandom(32)) };
  const tagKey = streamTagKey(secret, stream);
  const writer = writerId(device.publicKey);
  const space = toSpaceId(systemRandom(32));
  let n = 0;
  let subscriptions: SubscriptionEvents[];
  let alarms: FeedAlarm[];
  /** What time it may be at the node, and who is told that it has said so. */
  let span: ReturnType<LiveLink['nodeSpan']>;
  let heard: (state: 'ready') => void;
  let readers: { readonly close: () => void }[];

  const place = (ms = clock.nowMs()) => ({ writer, n: ++n, hlc: { ms: Math.trunc(ms), counter: n }, epoch: 1 });
  const put = (id: number, text: string, expiresMs?: number) => {
    const tag = new Uint8Array(16).fill(id) as Tag;
    const ends = expiresMs === undefined ? {} : { expiresMs };
    const plaintext = encodeFeedRecord({ id: `r${id}`, record: { _id: `r${id}`, text }, ...ends });
    const print = recordPrint(plaintext);
    const memo = { print, expiresMs: expiresMs ?? null };
    return { tag, print, entry: sealFeedPut(keys, place(), tag, plaintext, memo, systemRandom) };
  };
  const digestOf = (rows: readonly { tag: Tag; print: Uint8Array }[]): Uint8Array => {
    const digest = createRunningDigest();
    for (const { tag, print } of rows) digest.add(tag, print);
    return digest.value();
  };
  const checkpoint = (
    rows: readonly { tag: Tag; print: Uint8Array }[],
    more: { basis?: Basis; ms?: number; signer?: SigningKey; count?: number; proof?: Uint8Array | null } = {},
  ): FeedEntry =>
    sealCheckpoint(
      keys,
      place(more.ms),
      checkpointTag(tagKey),
      ENTRY_KIND.CKPT,
      {
        count: more.count ?? rows.length,
        digest: digestOf(rows),
        basis: more.basis ?? [{ writer, n: 1 }],
        card: more.proof === undefined ? card : more.proof,
      },
      more.signer ?? device,
      systemRandom,
    );
  const page = (entries: readonly FeedEntry[], firstSeq = 1, head = firstSeq + entries.length - 1): Page => ({
    cursor: head,
    head,
    more: false,
    nowMs: clock.nowMs(),
    seals: [],
    dead: [],
    holes: [],
    whole: true,
    vector: [],
    entries: entries.map((e, i) => ({ seq: firstSeq + i, stream, header: e.header, body: e.body, memo: e.memo })),
  });
  const link = {
    subscribe: (_space: unknown, _log: unknown, events: SubscriptionEvents) => {
      subscriptions.push(events);
      return () => undefined;
    },
    nodeSpan: () => span,
    onState: (listener: () => void) => {
      heard = listener;
      return () => undefined;
    },
  } as unknown as LiveLink;
  const newDb = () => {
    const db = openDb(':memory:');
    db.exec(CLIENT_TABLES);
    return db;
  };
  const open = (db = newDb()) => {
    const reader = openFeedReader({
      db,
      link,
      clock,
      space,
      feed: keys.stream,
      keyOf: (epoch) => (epoch === 1 ? keys.key : undefined),
      takeKeys: async () => true,
      keepMs: 0,
      endsAtMs: () => undefined,
      onWiped: () => undefined,
      formats: new Map(),
      isOwnersDevice: (signer, proof) => {
        const opened = openDeviceCard(proof, identity.publicKey, { did: OWNER, nowMs: clock.nowMs() });
        return opened.ok && opened.value.deviceKey.every((b, i) => b === signer[i]);
      },
    });
    reader.onAlarm((a) => alarms.push(a));
    reader.start();
    readers.push(reader);
    return reader;
  };
  const serve = async (p: Page): Promise<void> => subscriptions.at(-1)?.onPage(p, 0);

  beforeEach(() => {
    subscriptions = [];
    alarms = [];
    readers = [];
    n = clockMs = 0;
    span = undefined;
  });
  afterEach(() => {
    for (const reader of readers) reader.close();
  });

  it('[FEED-2] a changed byte, another header or another stream makes a record unreadable', async () => {
    const { entry } = put(1, 'hello');
    expect(openFeedPut(keys, entry).ok).toBe(true);
    for (let at = 0; at < entry.body.length; at += 7) {
      const body = entry.body.slice();
      body[at] = (body[at] as number) ^ 1;
      expect(openFeedPut(keys, { ...entry, body }).ok).toBe(false);
    }
    const other = put(2, 'other').entry;
    expect(openFeedPut(keys, { ...entry, header: other.header }).ok).toBe(false);
    expect(openFeedPut({ ...keys, stream: streamId(4, secret, 'another') }, entry).ok).toBe(false);
    expect(openFeedPut({ ...keys, key: toAeadKey(systemRandom(32)) }, entry).ok).toBe(false);
    expect(openMemo(keys, other.header, entry.memo as Uint8Array).ok).toBe(false);
  });

  it('[FEED-2] a node that serves one record under another’s header is caught', async () => {
    const reader = open();
    const a = put(1, 'a');
    const b = put(2, 'b');
    await serve(page([{ ...a.entry, body: b.entry.body }, checkpoint([a])]));
    expect(alarms).toEqual([{ type: 'tampered', what: 'cannot-open' }]);
    expect(reader.state().status).toBe('alarm');
    expect(reader.count()).toBe(0);
  });

  it('[FEED-29] a checkpoint that later entries have replaced rows of is not judged; the one that ends the feed is', async () => {
    const reader = open();
    const a = put(1, 'a');
    const b = put(2, 'b');
    const old = checkpoint([a, b]);
    // An append of several steps: its last one, with the checkpoint, is still to come.
    const newer = put(2, 'b, changed');
    await serve(page([a.entry, old, newer.entry]));
    expect(alarms).toEqual([]);
    expect(reader.state().status).toBe('backfill');
    await serve(page([checkpoint([a, newer])], 4));
    expect(alarms).toEqual([]);
    expect(reader.state().status).toBe('live');
    await serve(page([put(3, 'c').entry, checkpoint([a, newer])], 5));
    expect(reader.state().status).toBe('live');
    // Read once more from the start, into a second set: the first stands until that fits.
    await serve({ ...page([a.entry], 1, 6), cursor: 1, more: true });
    expect(reader.count()).toBe(2);
    await serve(page([newer.entry, put(4, 'd').entry, checkpoint([a, newer])], 2, 6));
    expect(reader.count()).toBe(2);
    expect(alarms).toEqual([{ type: 'tampered', what: 'count' }]);
  });

  it('[FEED-10] [FEED-29] a second reading meets older checkpoints, and must come to where the first was', async () => {
    const reader = open();
    const [a, b, c] = [put(1, 'a'), put(2, 'b'), put(3, 'c')];
    const first = checkpoint([a], { basis: [{ writer, n: 1 }] });
    const second = checkpoint([a, b], { basis: [{ writer, n: 2 }], proof: null });
    const third = checkpoint([a, b, c], { basis: [{ writer, n: 3 }], proof: null });
    await serve(page([a.entry, first, b.entry, second]));
    const reread = async (entries: readonly FeedEntry[]): Promise<void> => {
      // The node holds a record back, and the sum does not fit.
      await serve(page([third], 6));
      await serve(page(entries, 1, 6));
    };
    await reread([a.entry, first, b.entry, c.entry, third]);
    expect([reader.count(), reader.state().status, alarms]).toEqual([3, 'live', []]);
    await serve(page([checkpoint([a, b], { basis: [{ writer, n: 4 }], proof: null })], 7));
    await serve(page([a.entry, first, b.entry, second], 1, 7));
    expect([reader.count(), alarms]).toEqual([3, [{ type: 'tampered', what: 'basis' }]]);
  });

  it('[FEED-17] a record that is another than its memo speaks of is refused, though the sum fits the memo', async () => {
    const reader = open();
    const [one, other] = [put(1, 'one'), put(2, 'other')];
    const plaintext = encodeFeedRecord({ id: 'r1', record: { _id: 'r1', text: 'swapped' } });
    const memo = { print: other.print, expiresMs: null };
    const entry = sealFeedPut(keys, place(), one.tag, plaintext, memo, systemRandom);
    await serve(page([entry, checkpoint([{ tag: one.tag, print: other.print }])]));
    expect([alarms, reader.count()]).toEqual([[{ type: 'tampered', what: 'cannot-open' }], 0]);
    reader.close();
  });

  it('[FEED-8] a record held back by the node shows in the checkpoint’s count: once more from the start, then an alarm', async () => {
    const reader = open();
    const a = put(1, 'a');
    const b = put(2, 'b');
    const end = checkpoint([a, b]);
    await serve(page([a.entry, end]));
    expect(alarms).toEqual([]);
    expect(subscriptions).toHaveLength(2);
    expect(subscriptions[1]?.cursor()).toBe(0);
    await serve(page([a.entry, end]));
    expect(alarms).toEqual([{ type: 'tampered', what: 'count' }]);
    expect(reader.state().status).toBe('alarm');
  });

  it('[FEED-8] a record held back in a feed of several pages raises the alarm at the end of the second reading', async () => {
    const reader = open();
    const [a, b, c] = [put(1, 'a'), put(2, 'b'), put(3, 'c')] as const;
    const end = checkpoint([a, b, c]);
    for (let reading = 0; reading < 2; reading++) {
      await serve({ ...page([a.entry], 1, 4), cursor: 1, more: true });
      await serve(page([b.entry, end], 2, 4));
    }
    expect(alarms).toEqual([{ type: 'tampered', what: 'count' }]);
    expect(subscriptions).toHaveLength(2);
    expect(reader.state().status).toBe('alarm');
  });

  it('[FEED-8] an older version served for a newer one shows in the digest', async () => {
    open();
    const old = put(1, 'old');
    const fresh = put(1, 'new');
    const end = checkpoint([fresh]);
    await serve(page([old.entry, end]));
    await serve(page([old.entry, end]));
    expect(alarms).toEqual([{ type: 'tampered', what: 'digest' }]);
  });

  it('[FEED-8] the second reading from the start heals a copy that was wrong by itself', async () => {
    const reader = open();
    const a = put(1, 'a');
    const b = put(2, 'b');
    const end = checkpoint([a, b]);
    await serve(page([a.entry, end]));
    await serve(page([a.entry, b.entry, end]));
    expect(alarms).toEqual([]);
    expect(reader.state().status).toBe('live');
    expect(reader.count()).toBe(2);
  });

  it('[FEED-9] a checkpoint by a key that no card of the owner names is refused', async () => {
    const reader = open();
    const a = put(1, 'a');
    await serve(page([a.entry, checkpoint([a], { signer: createSigningKey(systemRandom) })]));
    expect(alarms).toEqual([{ type: 'tampered', what: 'foreign-signer' }]);
    expect(reader.count()).toBe(0);
  });

  it('[FEED-9] [FEED-19] a card counts for the later checkpoints of its device, kept through a restart, and for no other device', async () => {
    const db = newDb();
    open(db);
    const [a, b, c] = [put(1, 'a'), put(2, 'b'), put(3, 'c')];
    await serve(page([a.entry, checkpoint([a])]));
    const again = open(db);
    await serve(page([b.entry, checkpoint([a, b], { proof: null })], 3));
    expect([again.state().status, again.count(), alarms]).toEqual(['live', 2, []]);
    const other = createSigningKey(systemRandom);
    await serve(page([c.entry, checkpoint([a, b, c], { proof: null, signer: other })], 5));
    expect([again.count(), alarms]).toEqual([2, [{ type: 'tampered', what: 'foreign-signer' }]]);
    const fresh = open();
    await serve(page([a.entry, checkpoint([a], { proof: null })]));
    expect([fresh.count(), alarms.length]).toEqual([0, 2]);
  });

  it('[FEED-10] a basis or an instant that goes back is refused, and what was held stays', async () => {
    for (const back of [{ basis: [{ writer, n: 3 }] }, { ms: clock.nowMs() - 60_000 }]) {
      alarms = [];
      const reader = open();
      const a = put(1, 'a');
      await serve(page([a.entry, checkpoint([a], { basis: [{ writer, n: 5 }] })]));
      expect(reader.state().status).toBe('live');
      const b = put(2, 'b');
      await serve(page([b.entry, checkpoint([a, b], { basis: [{ writer, n: 5 }], ...back })], 3));
      expect(alarms).toEqual([{ type: 'tampered', what: 'basis' }]);
      expect(reader.count()).toBe(1);
    }
  });

  it('[GRANT-53] what may be over and may not be is not shown, and not lost', async () => {
    const db = newDb();
    const nowMs = Math.trunc(clock.nowMs());
    const a = put(1, 'a', nowMs + 3_600_000);
    expect(open(db).count()).toBe(0);
    await serve(page([a.entry, checkpoint([a])]));
    span = { fromMs: nowMs, toMs: nowMs + 3_600_001 };
    const reader = open(db);
    expect(reader.count()).toBe(0);
    span = { fromMs: nowMs, toMs: nowMs };
    heard('ready');
    expect([reader.count(), reader.get('r1')?.text]).toEqual([1, 'a']);
  });

  it('[GRANT-53] what is over by the owner’s last word is neither kept nor told of, though a clock is set back and no node says what time it is', async () => {
    const db = newDb();
    const reader = open(db);
    const told: string[] = [];
    reader.onChange(({ type, id }) => told.push(`${type} ${id}`));
    const a = put(1, 'a');
    const asOfMs = clock.nowMs();
    await serve(page([a.entry, checkpoint([a])]));
    clockMs = -3_600_000;
    const later = [put(2, 'b', Math.trunc(asOfMs) - 60_000), put(3, 'c', Math.trunc(asOfMs) + 60_000)];
    await serve(
      page(
        later.map(({ entry }) => entry),
        3,
      ),
    );
    expect([told, reader.count(), alarms]).toEqual([['put r1', 'put r3'], 2, []]);
    expect(db.sql('SELECT count(*) AS n FROM feed_row WHERE body IS NOT NULL').get()?.n).toBe(2);
  });

  it('[FEED-10] a feed whose head is behind what was read is an alarm', async () => {
    open();
    const a = put(1, 'a');
    await serve(page([a.entry, checkpoint([a])]));
    await serve(page([], 1, 1));
    expect(alarms).toEqual([{ type: 'tampered', what: 'rollback' }]);
  });
});
