import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  concatBytes,
  type SpaceId,
  type StreamId,
  systemRandom,
  type Tag,
  toDid,
  toRowId,
  toStreamId,
  type WriterId,
} from '@sluice/core/base';
import { createSigningKey, sha256, type SigningKey, toAeadKey, type VerifyKey, writerId } from '@sluice/core/crypto';
import {
  createCtlEntry,
  createGenesis,
  createSeal,
  ctlStreamId,
  type CtlPublic,
  entryHash,
  NO_ENTRY,
  NO_SEAL,
  sealEntry,
  sealHash,
  VERB,
} from '@sluice/core/stream';
import {
  decodePush,
  encodePush,
  ENTRY_KIND,
  type Entry,
  type FeedEntry,
  type Header,
  type LogName,
  type Page,
  type PushPart,
  parseSeal,
} from '@sluice/core/wire';
import { createSimDisk, openSimStore } from '@sluice/testkit';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { checkParts } from '../checked-part.ts';
import type { Storage } from '../port.ts';
import { createSqliteStorage, openSqliteStorage, type SqliteStorageOptions } from './sqlite-storage.ts';

const NOW = 1_800_000_000_000;
const key = toAeadKey(systemRandom(32));
const tagOf = (n: number): Tag => {
  const tag = new Uint8Array(16);
  new DataView(tag.buffer).setUint32(0, n);
  return tag as Tag;
};
const text = (size: number): Uint8Array => new Uint8Array(size).fill(120);

/** How a storage is opened again and again over one place. */
type Opener = (options: Partial<SqliteStorageOptions>) => Storage;

const fileStorage = (directory: string): Opener => {
  return (options) => openSqliteStorage({ path: join(directory, 'node.db'), synchronous: 'NORMAL', ...options });
};
/** What simulations run on must do the same. */
const simulatedStorage = (): Opener => {
  const disk = createSimDisk();
  return (options) => createSqliteStorage(openSimStore(disk, undefined, options).db, options);
};

/** A space with devices that write to it, against the real storage. */
class Fixture {
  readonly directory = mkdtempSync(join(tmpdir(), 'sluice-storage-'));
  readonly root = createSigningKey(systemRandom);
  readonly born = createGenesis(this.root, toDid('did:web:node.sluice.test'), systemRandom);
  readonly space: SpaceId = this.born.space;
  readonly feed: StreamId = toStreamId(concatBytes(Uint8Array.of(4), systemRandom(15)));
  readonly own: StreamId = toStreamId(concatBytes(Uint8Array.of(1), systemRandom(15)));
  readonly chains = new Map<SigningKey, { n: number; hash: Uint8Array }>();
  readonly writers = new Map<SigningKey, { n: number; hash: Uint8Array }>();
  readonly opener: Opener;
  storage: Storage;

  constructor(openerOf: (directory: string) => Opener) {
    this.opener = openerOf(this.directory);
    this.storage = this.opener({});
  }
  open(options: Partial<SqliteStorageOptions> = {}): Storage {
    this.storage = this.opener(options);
    return this.storage;
  }
  ctl(signer: SigningKey, pub: CtlPublic, ms = NOW): Entry {
    const end = this.chains.get(signer) ?? { n: 0, hash: NO_ENTRY };
    const entry = createCtlEntry(
      signer,
      ctlStreamId(this.space),
      { n: end.n + 1, hlc: { ms, counter: 0 }, previous: end.hash },
      pub,
      null,
    );
    this.chains.set(signer, { n: end.n + 1, hash: entryHash(entry) });
    return entry;
  }
  row(owner: SigningKey, role: 'admin' | 'grantee', status: 'active' | 'revoked' = 'active'): CtlPublic {
    const access = role === 'admin' ? [] : [{ target: this.feed, verbs: VERB.read }];
    return {
      type: 'row',
      id: toRowId(new Uint8Array(writerId(owner.publicKey))),
      key: owner.publicKey,
      role,
      access,
      status,
      expiresMs: 0,
      perDay: 0,
      term: 0,
      statusMs: 0,
    };
  }
  async create(device: SigningKey) {
    return this.storage.createSpace(
      this.born.signed,
      this.space,
      this.job(device, [{ type: 'ctl', entries: [this.ctl(this.root, this.row(device, 'admin'))] }]),
    );
  }
  job(requester: SigningKey, parts: readonly PushPart[], nowMs = NOW) {
    const decoded = decodePush(encodePush(parts));
    const checked = decoded.ok ? checkParts(this.space, decoded.value, requester.publicKey) : decoded;
    if (!checked.ok) throw new Error(JSON.stringify(checked.error));
    return { space: this.space, requester: requester.publicKey, parts: checked.value, nowMs };
  }
  push(requester: SigningKey, parts: readonly PushPart[], nowMs = NOW) {
    return this.storage.push(this.job(requester, parts, nowMs));
  }
  header(writer: SigningKey, n: number, tag: number, more: Partial<Header> = {}): Header {
    return {
      writer: writerId(writer.publicKey),
      n,
      tag: tagOf(tag),
      kind: ENTRY_KIND.PUT,
      hlc: { ms: NOW, counter: n },
      epoch: 1,
      superseded: [],
      expiresMs: null,
      ...more,
    };
  }
  /** One sealed batch that continues the writer's chain; `keep` false leaves the chain as it was, to play the same numbers again. */
  batch(
    writer: SigningKey,
    tags: readonly number[],
    more: Partial<Header> | ((n: number) => Partial<Header>) = {},
    keep = true,
    size = 40,
  ): PushPart {
    const moreOf = typeof more === 'function' ? more : () => more;
    const at = this.writers.get(writer) ?? { n: 0, hash: NO_SEAL };
    const entries = tags.map((tag, i) =>
      sealEntry(key, this.own, this.header(writer, at.n + 1 + i, tag, moreOf(at.n + 1 + i)), text(size), systemRandom),
    );
    const seal = createSeal(writer, this.own, at.n + 1, entries, at.hash);
    if (keep) this.writers.set(writer, { n: at.n + tags.length, hash: sealHash(seal) });
    return { type: 'sealed', stream: this.own, entries, seal };
  }
  feedPart(writer: SigningKey, head: number, tags: readonly number[], more: Partial<Header> = {}): PushPart {
    const entries: FeedEntry[] = tags.map((tag) => ({
      ...sealEntry(key, this.feed, this.header(writer, head + 1, tag, more), text(40), systemRandom),
      memo: text(60),
    }));
    return { type: 'feed', stream: this.feed, head, term: 0, entries };
  }
  page(log: LogName, after = 0, except: VerifyKey = this.root.publicKey, nowMs = NOW): Page {
    return this.storage.readPage({ space: this.space, log, after, except: writerId(except), whole: true, nowMs });
  }
}

describe.each([
  ['in a file', fileStorage],
  ['in a simulation', simulatedStorage],
])('the node’s storage %s', (_name, openerOf) => {
  let f: Fixture;
  let device: SigningKey;
  const refused = (code: string) => ({ ok: false, code });

  beforeEach(async () => {
    f = new Fixture(openerOf);
    device = createSigningKey(systemRandom);
    expect(await f.create(device)).toMatchObject({ ok: true });
  });
  afterEach(async () => {
    await f.storage.close();
    rmSync(f.directory, { recursive: true, force: true });
  });

  it('[PUSH-1] a refused own part takes the whole push down, a refused feed part only itself', async () => {
    const good = f.batch(device, [1]);
    const stranger = createSigningKey(systemRandom);
    const bad = f.batch(device, [9], { epoch: 1, hlc: { ms: NOW + 10 * 60_000, counter: 0 } }, false);
    expect(await f.push(device, [good, bad])).toEqual(refused('CLOCK_SKEW'));
    expect(f.page({ type: 'own' }).entries).toHaveLength(0);
    const mixed = await f.push(device, [good, f.feedPart(device, 0, [1])]);
    expect(mixed).toMatchObject({
      ok: true,
      value: {
        parts: [
          { type: 'ok', head: 1 },
          { type: 'refused', code: 'REVOKED' },
        ],
      },
    });
    expect(f.page({ type: 'own' }).entries).toHaveLength(1);
    expect(await f.push(stranger, [f.batch(stranger, [1])])).toEqual(refused('FORBIDDEN'));
  });

  it('[PUSH-2] a push over a limit is refused', () => {
    const entries = Array.from({ length: 501 }, () => ({ header: text(10), body: text(10) }));
    expect(decodePush(encodePush([{ type: 'ctl', entries }])).ok).toBe(false);
    expect(decodePush(encodePush(Array.from({ length: 513 }, () => ({ type: 'drain' as const, tags: [] })))).ok).toBe(
      false,
    );
    expect(decodePush(new Uint8Array(4 * 1024 * 1024 + 1))).toEqual({ ok: false, error: { type: 'too-large' } });
  });

  it('[PUSH-3] a repeat gives the same answer; a fork and a gap are refused', async () => {
    const part = f.batch(device, [1, 2]);
    const first = await f.push(device, [part]);
    expect(await f.push(device, [part])).toEqual(first);
    expect(f.page({ type: 'own' }).entries).toHaveLength(2);
    f.writers.set(device, { n: 0, hash: NO_SEAL });
    expect(await f.push(device, [f.batch(device, [1, 2])])).toEqual(refused('FORK'));
    f.writers.set(device, { n: 7, hash: NO_SEAL });
    expect(await f.push(device, [f.batch(device, [3])])).toEqual(refused('GAP'));
    f.writers.set(device, { n: 2, hash: new Uint8Array(32).fill(5) });
    expect(await f.push(device, [f.batch(device, [3])])).toEqual(refused('FORK'));
  });

  it('[PUSH-4] future stamps and old epochs are refused and leave nothing', async () => {
    expect(await f.push(device, [f.batch(device, [1], { hlc: { ms: NOW + 121_000, counter: 0 } }, false)])).toEqual(
      refused('CLOCK_SKEW'),
    );
    expect(
      await f.push(device, [
        {
          type: 'ctl',
          entries: [f.ctl(device, { type: 'epoch', epoch: 2, commitment: new Uint8Array(32), keys: [] })],
        },
      ]),
    ).toMatchObject({ ok: true });
    expect(await f.push(device, [f.batch(device, [1], { epoch: 1 }, false)])).toEqual(refused('KEY_EPOCH'));
    expect(await f.push(device, [f.batch(device, [1], { epoch: 2 })])).toMatchObject({ ok: true });
    expect(f.page({ type: 'own' }).entries).toHaveLength(1);
    const app = createSigningKey(systemRandom);
    await f.push(device, [{ type: 'ctl', entries: [f.ctl(device, f.row(app, 'grantee'))] }]);
    const early = f.feedPart(device, 0, [1], { hlc: { ms: NOW + 121_000, counter: 0 } });
    expect(await f.push(device, [early])).toMatchObject({ value: { parts: [{ code: 'CLOCK_SKEW' }] } });
    const late = f.ctl(device, f.row(app, 'grantee', 'revoked'), NOW + 121_000);
    expect(await f.push(device, [{ type: 'ctl', entries: [late] }])).toEqual(refused('CLOCK_SKEW'));
    expect(await f.push(device, [f.feedPart(device, 0, [1])])).toMatchObject({ value: { parts: [{ head: 1 }] } });
  });

  it('[PUSH-5] [SEAL-4] [PULL-2] superseded heads go, under their own tag only; dead seals become one run', async () => {
    const head = (n: number) => [{ writer: writerId(device.publicKey), n }];
    await f.push(device, [f.batch(device, [1])]);
    await f.push(device, [f.batch(device, [2], { superseded: head(1) })]);
    expect(f.page({ type: 'own' }).entries).toHaveLength(2);
    await f.push(device, [f.batch(device, [1], { superseded: head(1) })]);
    await f.push(device, [f.batch(device, [2], { superseded: head(2) })]);
    const page = f.page({ type: 'own' });
    expect(page.entries.map((e) => e.seq)).toEqual([3, 4]);
    expect(page.dead.map((d) => [d.firstN, d.lastN])).toEqual([[1, 2]]);
    expect(
      page.seals.map((s) => {
        const seal = parseSeal(s);
        return seal.ok && seal.value.firstN;
      }),
    ).toEqual([3, 4]);
    await f.push(device, [f.batch(device, [7, 8])]);
    await f.push(device, [f.batch(device, [7], { superseded: head(5) })]);
    expect(f.page({ type: 'own' }).holes.map((h) => h.n)).toEqual([5]);
  });

  it('[PUSH-14] a writer has one head of a record: what does not supersede it is refused whole', async () => {
    const phone = createSigningKey(systemRandom);
    await f.push(device, [{ type: 'ctl', entries: [f.ctl(device, f.row(phone, 'admin'))] }]);
    const head = (n: number, writer = device) => ({ superseded: [{ writer: writerId(writer.publicKey), n }] });
    expect(await f.push(device, [f.batch(device, [1, 2, 1], {}, false)])).toEqual(refused('MALFORMED'));
    await f.push(device, [f.batch(device, [1, 2])]);
    await f.push(phone, [f.batch(phone, [1])]);
    for (const more of [{}, head(2), head(1, phone)])
      expect(await f.push(device, [f.batch(device, [1], more, false)])).toEqual(refused('MALFORMED'));
    expect(f.page({ type: 'own' }).entries).toHaveLength(3);
    const chained = f.batch(device, [1, 1, 1], (n) => head(n === 3 ? 1 : n - 1));
    expect(await f.push(device, [chained])).toMatchObject({ ok: true });
    expect(f.page({ type: 'own' }).entries.map((e) => e.seq)).toEqual([2, 3, 6]);
    expect(f.page({ type: 'own' }).dead.map((d) => [d.firstN, d.lastN])).toEqual([]);
    expect(f.page({ type: 'own' }).holes.map((h) => h.n)).toEqual([1, 3, 4]);
    expect(await f.push(device, [f.batch(device, [1], head(5))])).toMatchObject({ ok: true });
    expect(f.page({ type: 'own' }).dead.map((d) => [d.firstN, d.lastN])).toEqual([[3, 5]]);
  });

  it('[PUSH-6] a feed takes entries at its head, from the owner, while somebody may read it, until END', async () => {
    const app = createSigningKey(systemRandom);
    const answer = async (part: PushPart, who = device) => {
      const done = await f.push(who, [part]);
      return done.ok ? done.value.parts[0] : done.code;
    };
    expect(await answer(f.feedPart(device, 0, [1]))).toEqual({ type: 'refused', code: 'REVOKED' });
    await f.push(device, [{ type: 'ctl', entries: [f.ctl(device, f.row(app, 'grantee'))] }]);
    expect(await answer(f.feedPart(app, 0, [1]), app)).toEqual({ type: 'refused', code: 'FORBIDDEN' });
    expect(await answer(f.feedPart(device, 0, [1, 2]))).toEqual({ type: 'ok', head: 2 });
    expect(await answer(f.feedPart(device, 0, [3]))).toEqual({ type: 'refused', code: 'STALE_HEAD' });
    expect(await answer(f.feedPart(device, 2, [1]))).toEqual({ type: 'ok', head: 3 });
    expect(f.page({ type: 'stream', stream: f.feed }).entries.map((e) => e.seq)).toEqual([2, 3]);
    expect(await answer(f.feedPart(device, 3, [5], { kind: ENTRY_KIND.END }))).toEqual({ type: 'ok', head: 4 });
    expect(await answer(f.feedPart(device, 4, [6]))).toEqual({ type: 'refused', code: 'CLOSED' });
    await f.push(device, [{ type: 'ctl', entries: [f.ctl(device, f.row(app, 'grantee', 'revoked'))] }]);
    expect(await answer(f.feedPart(device, 4, [6]))).toEqual({ type: 'refused', code: 'REVOKED' });
  });

  it('[FEED-15] an expired feed entry keeps header and memo and loses its body', async () => {
    const app = createSigningKey(systemRandom);
    await f.push(device, [{ type: 'ctl', entries: [f.ctl(device, f.row(app, 'grantee'))] }]);
    await f.push(device, [f.feedPart(device, 0, [1], { expiresMs: NOW + 1000 })]);
    const log: LogName = { type: 'stream', stream: f.feed };
    expect(f.page(log).entries[0]?.body).not.toBeNull();
    const late = f.page(log, 0, f.root.publicKey, NOW + 1000).entries[0];
    expect([late?.body, late?.memo?.length]).toEqual([null, 60]);
  });

  it('[PUSH-7] a message stands once, and a drained one does not come back for 30 days', async () => {
    const message = text(300);
    expect(await f.storage.deposit(f.space, [message, message, text(200)], NOW)).toEqual({ ok: true, value: 2 });
    expect(await f.storage.deposit(f.space, [message], NOW)).toEqual({ ok: true, value: 0 });
    const tags = f.page({ type: 'inbox' }).entries.map((e) => e.header);
    expect(tags).toHaveLength(2);
    const drain: PushPart = {
      type: 'drain',
      tags: [sha256(message).slice(0, 16) as Header['tag']],
    };
    expect(await f.push(device, [drain])).toMatchObject({ ok: true });
    expect(f.page({ type: 'inbox' }).entries).toHaveLength(1);
    expect(await f.storage.deposit(f.space, [message], NOW + 86_400_000)).toEqual({ ok: true, value: 0 });
    expect(await f.push(device, [{ type: 'drain', tags: [] }], NOW + 31 * 86_400_000)).toMatchObject({ ok: true });
    expect(await f.storage.deposit(f.space, [message], NOW + 31 * 86_400_000)).toEqual({ ok: true, value: 1 });
  });

  it('[NODE-29] an inbox is full by number or by size, also after a restart, until messages are drained', async () => {
    const numbered = (n: number, size: number): Uint8Array => text(size).fill(n, 0, 1);
    const leave = (...messages: readonly Uint8Array[]) => f.storage.deposit(f.space, messages, NOW);
    const drain = (message: Uint8Array): PushPart => ({ type: 'drain', tags: [sha256(message).slice(0, 16) as Tag] });
    const reopen = async (): Promise<void> => {
      await f.storage.close();
      f.open({ inboxQuota: { messages: 3, bytes: 1000 } });
    };
    await reopen();
    expect(await leave(numbered(1, 400), numbered(2, 601))).toEqual(refused('QUOTA'));
    expect(f.page({ type: 'inbox' }).entries).toHaveLength(0);
    expect(await leave(numbered(1, 400), numbered(2, 600))).toEqual({ ok: true, value: 2 });
    expect(await leave(numbered(3, 1))).toEqual(refused('QUOTA'));
    await reopen();
    expect(await leave(numbered(3, 1))).toEqual(refused('QUOTA'));
    expect(await leave(numbered(1, 400))).toEqual({ ok: true, value: 0 });
    await f.push(device, [drain(numbered(2, 600)), drain(numbered(2, 600)), drain(numbered(9, 999))]);
    expect(await leave(numbered(4, 601))).toEqual(refused('QUOTA'));
    expect(await leave(numbered(4, 10), numbered(5, 10), numbered(6, 10))).toEqual(refused('QUOTA'));
    expect(await leave(numbered(4, 10), numbered(5, 590))).toEqual({ ok: true, value: 2 });
  });

  it('[PUSH-8] a full disk is said, and after it everything acknowledged is there', async () => {
    await f.storage.close();
    f.open({ maxPages: 400 });
    let stored = 0;
    for (let i = 0; i < 60; i++) {
      const done = await f.push(device, [
        f.batch(
          device,
          Array.from({ length: 20 }, (_, t) => stored + t),
          {},
          false,
          2000,
        ),
      ]);
      if (!done.ok) {
        expect(done).toEqual(refused('DISK_FULL'));
        break;
      }
      f.writers.delete(device);
      stored += 20;
      const at = done.value.parts[0];
      f.writers.set(device, { n: stored, hash: f.page({ type: 'own' }, stored - 20).vector[0]?.hash ?? NO_SEAL });
      expect(at).toMatchObject({ type: 'ok', head: stored });
    }
    expect(stored).toBeGreaterThan(100);
    expect(stored).toBeLessThan(1200);
    expect(f.storage.ready()).toBe(true);
    await f.storage.close();
    f.open();
    expect(f.storage.head(f.space, { type: 'own' })).toBe(stored);
    expect(await f.push(device, [f.batch(device, [stored], {}, false, 2000)])).toMatchObject({ ok: true });
  });

  it('[PUSH-8] what was rolled back was never there: nobody is told of it, and no row of it opens anything', async () => {
    await f.storage.close();
    f.open({ maxPages: 400 });
    const told: string[] = [];
    f.storage.onCommit((touched) => told.push(...touched.map(({ log }) => log)));
    const other = createSigningKey(systemRandom);
    const tags = Array.from({ length: 500 }, (_, i) => i);
    const answers = await Promise.all([
      f.push(device, [{ type: 'ctl', entries: [f.ctl(device, f.row(other, 'admin'))] }]),
      f.push(device, [f.batch(device, tags, {}, false, 4000)]),
    ]);
    expect([answers, told]).toEqual([[refused('DISK_FULL'), refused('DISK_FULL')], []]);
    expect(await f.push(device, [f.batch(device, [1])])).toMatchObject({ ok: true });
    expect(told).toEqual(['own']);
    expect(await f.push(other, [f.batch(other, [2])])).toEqual(refused('FORBIDDEN'));
  });

  it('[PULL-1] a reader by cursor misses nothing of 16 writers at once', async () => {
    const writers = Array.from({ length: 16 }, () => createSigningKey(systemRandom));
    await f.push(device, [{ type: 'ctl', entries: writers.map((w) => f.ctl(device, f.row(w, 'admin'))) }]);
    const seen: number[] = [];
    let cursor = 0;
    const read = (): void => {
      const page = f.page({ type: 'own' }, cursor);
      seen.push(...page.entries.map((e) => e.seq));
      cursor = page.cursor;
    };
    await Promise.all(
      writers.map(async (w) => {
        for (let i = 0; i < 10; i++) {
          expect(await f.push(w, [f.batch(w, [i, i + 100])])).toMatchObject({ ok: true });
          read();
        }
      }),
    );
    read();
    expect(seen).toEqual(Array.from({ length: 320 }, (_, i) => i + 1));
  });

  it('[PULL-1] a reader that goes from page to page misses nothing', async () => {
    await f.push(device, [{ type: 'ctl', entries: [f.ctl(device, f.row(createSigningKey(systemRandom), 'grantee'))] }]);
    for (let stored = 0; stored < 1200; stored += 400) {
      const tags = Array.from({ length: 400 }, (_, i) => stored + i);
      const done = await f.push(device, [f.batch(device, tags), f.feedPart(device, stored, tags)]);
      expect(done).toMatchObject({ ok: true, value: { parts: [{ type: 'ok' }, { type: 'ok' }] } });
    }
    for (const log of [{ type: 'own' }, { type: 'stream', stream: f.feed }] as const) {
      const seen: number[] = [];
      let sealed = 0;
      for (let at = { cursor: 0, more: true }; at.more; ) {
        const page = f.page(log, at.cursor);
        seen.push(...page.entries.map((e) => e.seq));
        for (const seal of page.seals.map(parseSeal)) sealed += seal.ok ? seal.value.count : 0;
        at = page;
      }
      expect(seen).toEqual(Array.from({ length: 1200 }, (_, i) => i + 1));
      // An entry without its seal is as good as lost.
      expect(sealed).toBe(log.type === 'own' ? 1200 : 0);
    }
  });

  it('[PULL-3] a reader’s own entries are left out, and the vector still tells how far it came', async () => {
    const phone = createSigningKey(systemRandom);
    await f.push(device, [{ type: 'ctl', entries: [f.ctl(device, f.row(phone, 'admin'))] }]);
    await f.push(device, [f.batch(device, [1])]);
    await f.push(phone, [f.batch(phone, [2])]);
    const page = f.page({ type: 'own' }, 0, device.publicKey);
    expect(page.entries.map((e) => e.seq)).toEqual([2]);
    expect(new Map(page.vector.map((v) => [v.writer.join(), v.n]))).toEqual(
      new Map([device, phone].map((k) => [(writerId(k.publicKey) as WriterId).join(), 1])),
    );
  });

  it('[CTL-6] the access state is the same after the file was opened again', async () => {
    const app = createSigningKey(systemRandom);
    await f.push(device, [
      { type: 'ctl', entries: [f.ctl(device, f.row(app, 'grantee')), f.ctl(device, f.row(app, 'grantee', 'revoked'))] },
    ]);
    const before = f.storage.accessState(f.space);
    await f.storage.close();
    f.open();
    expect(f.storage.accessState(f.space)).toEqual(before);
    expect([...(before?.rows.values() ?? [])].map((r) => r.status)).toEqual(['active', 'revoked']);
  });
});
