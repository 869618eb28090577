/** Grantees that put together what they have, and one that got hold of everything the node keeps. */

import { copyFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  base64urlToBytes,
  bytesToHex,
  equalBytes,
  type JsonValue,
  type StreamId,
  utf8ToBytes,
} from '@sluice/core/base';
import { type AeadKey, hkdf, hpkeKeyPairFromSecret, openAead, openHpke, toAeadKey } from '@sluice/core/crypto';
import type { GrantHandle } from '@sluice/client';
import { isLaneRecordId, laneKey, openLaneWrite, openMemo } from '@sluice/core/grant';
import { openEntry } from '@sluice/core/stream';
import { decodeHeader, type Entry, STREAM_KIND } from '@sluice/core/wire';
import type { Storage } from '@sluice/node';
import { openDb } from '@sluice/sqlite';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { grantItems, post, until } from '../sharing-fixture.ts';
import { createTestNetwork, type Persona, type TestNetwork } from '../test-network.ts';

describe('hostile grantees', () => {
  let net: TestNetwork;
  let owner: Persona;
  let first: Persona;
  let second: Persona;
  let grants: readonly [GrantHandle, GrantHandle];
  /** Everything that anybody has pushed. */
  let sent: PushJob[];

  beforeEach(async () => {
    sent = [];
    net = await createTestNetwork({
      wrapStorage: (storage) => ({
        ...storage,
        push: (job) => {
          sent.push(job);
          return storage.push(job);
        },
      }),
    });
    owner = await net.person('owner');
    const posts = await owner.account.vault.openDatastore('social/post');
    await posts.saveMany(Array.from({ length: 10 }, (_, i) => post(i)));
    first = await net.app('https://first.example');
    second = await net.app('https://second.example');
    const share = async (app: Persona): Promise<GrantHandle> => {
      const { grants: given } = await grantItems(owner, app, [
        { schema: 'social/post', access: 'readwrite', filter: { type: 'odd' }, write: WRITE },
      ]);
      return given[0] as GrantHandle;
    };
    grants = [await share(first), await share(second)];
    await posts.save({ ...(await posts.get('post-3')), content: 'for both' });
    for (const grant of grants)
      await until(async () => (await grant.datastore().getMany({ content: 'for both' })).length === 1);
  });
  afterEach(() => net.close());

  it('[LEAK-5] two grantees of the same records have no id, tag, print, key or sealed byte in common', async () => {
    const [a, b] = [await holdingsOf(first, grants[0]), await holdingsOf(second, grants[1])];
    // What they were meant to see is the same: they can tell by it alone.
    expect(a.contents).toEqual(b.contents);
    for (const kind of ['ids', 'revs', 'tags', 'prints', 'keys', 'pieces'] as const) {
      expect(a[kind].length, kind).toBeGreaterThan(3);
      expect(
        a[kind].filter((one) => b[kind].includes(one)),
        kind,
      ).toEqual([]);
    }
    // Nor do they have the stamps under which the owner wrote. Those of their own feeds say when an agent looked, which may be the same instant.
    const own = owner.account.open.store.db.sql('SELECT header FROM entry').all();
    const written = new Set(own.flatMap(({ header }) => stampsIn([header])));
    expect(written.size).toBeGreaterThan(10);
    expect([...a.stamps, ...b.stamps].filter((stamp) => written.has(stamp))).toEqual([]);
  });

  it('[LEAK-5] what they write of the same record has no stream, writer, tag, id, key or sealed byte in common', async () => {
    for (const grant of grants) {
      const record = await until(() => grant.datastore().getOne({ name: 'Post 3' }));
      for (const content of ['the same words', 'and others']) await grant.datastore().save({ ...record, content });
      await grant
        .datastore()
        .save({ name: 'Post 77', type: 'odd', content: 'made', createdAt: '2026-01-15T12:00:00Z' });
      await until(() => grant.pending().length === 3 && grant.pending().every((w) => w.state === 'waiting'));
    }
    const [a, b] = [await writingsOf(first, sent), await writingsOf(second, sent)];
    expect(a.contents).toEqual(b.contents);
    expect(a.contents).toHaveLength(3);
    for (const kind of ['streams', 'writers', 'tags', 'ids', 'keys', 'pieces'] as const) {
      expect(a[kind].length, kind).toBeGreaterThan(0);
      expect(
        a[kind].filter((one) => b[kind].includes(one)),
        kind,
      ).toEqual([]);
    }
    // What one of them made and the other is shown has for the other an id like any record’s.
    const [waiting] = owner.account.sharing.writes.list().filter((w) => w.operation === 'insert');
    if (!waiting) throw new Error('nothing was made');
    await owner.account.sharing.writes.accept(waiting.grantId, waiting.n);
    const [maker, other] = grants[0].id === waiting.grantId ? grants : [grants[1], grants[0]];
    await until(() => maker.pending().length === 2);
    const seen = await until(async () =>
      (await other.datastore().getMany({ name: 'Post 77' })).find((record) => !isLaneRecordId(String(record._id))),
    );
    const made = (await maker.datastore().getOne({ name: 'Post 77' }))?._id;
    expect(String(seen._id)).not.toContain(String(made));
    expect(String(made)).not.toContain(String(seen._id));
  });

  it('[LEAK-6] a grantee with all bytes of the node and all its keys opens its own feed and nothing else', async () => {
    const [{ grantId } = { grantId: '' }] = first.account.sharing.grants.received();
    // Another key, and then terms by which it sees less: what is written from then on is not for it.
    await owner.account.sharing.rotateKey(grantId);
    const posts = await owner.account.vault.openDatastore('social/post');
    await posts.save({ ...(await posts.get('post-5')), content: 'under the new key' });
    await until(async () => (await grants[0].datastore().getMany({ content: 'under the new key' })).length === 1);
    await owner.account.sharing.change(grantId, { filter: { name: { $ne: 'Post 5' } } });
    await until(async () => (await grants[0].datastore().getOne({ name: 'Post 5' })) === undefined);
    await posts.save({ ...(await posts.get('post-5')), content: 'for the other alone' });
    await until(async () => (await grants[1].datastore().getMany({ content: 'for the other alone' })).length === 1);
    await until(() => owner.account.sharing.feedsUpToDate());
    await owner.account.synced();
    await owner.account.close();
    // With the owner away what is written stays in the lane.
    for (const grant of grants) {
      const record = await until(() => grant.datastore().getOne({ name: 'Post 3' }));
      await grant.datastore().save({ ...record, content: 'proposed' });
      await until(() => grant.pending()[0]?.state === 'sent');
    }
    await first.account.messaging.send(
      owner.account.did,
      'inbox/type/message',
      { subject: 'a', message: 'b' },
      'to the owner',
    );
    await net.stopNode();
    copyFileSync(join(net.directory, 'node.db'), join(net.directory, 'stolen.db'));
    const stolen = readStolen(join(net.directory, 'stolen.db'));
    const [received] = first.account.sharing.grants.received();
    if (!received) throw new Error('there is no grant');
    expect(stolen.filter(isMessage).length).toBeGreaterThan(0);
    const home = bytesToHex(first.account.open.home.keys.space);
    const foreign = stolen.filter((entry) => entry.space !== home);
    const keys = keysOf(first);
    expect(keys.length).toBeGreaterThan(10);
    const opened = new Set<string>();
    const plain: string[] = [];
    for (const entry of foreign) {
      if (!(await opensWith(keys, entry, owner.account.did))) continue;
      opened.add(bytesToHex(entry.stream));
      for (const key of keys) {
        const content = openEntry(key, entry.stream, entry);
        if (content.ok) plain.push(new TextDecoder().decode(content.value));
      }
    }
    const own = [received.feed, received.lane as StreamId].map(bytesToHex);
    expect([...opened].sort()).toEqual([...own].sort());
    expect(foreign.filter((e) => !own.includes(bytesToHex(e.stream))).length).toBeGreaterThan(20);
    // What the new key seals opens, and what the terms have taken back does not.
    expect(plain.some((text) => text.includes('for both'))).toBe(true);
    expect(plain.some((text) => text.includes('proposed'))).toBe(true);
    expect(plain.filter((text) => /Post 5|under the new key|for the other alone/.test(text))).toEqual([]);
    const epochs = foreign
      .filter((e) => equalBytes(e.stream, received.feed))
      .flatMap((e) => {
        const header = decodeHeader(e.header);
        return header.ok ? [header.value.epoch] : [];
      });
    expect(new Set(epochs)).toEqual(new Set([1, 2]));
  });
});

type PushJob = Parameters<Storage['push']>[0];
const WRITE = { operations: ['insert', 'update'], policy: 'propose' } as const;

/** What a grantee has sent into its lane, and what can be made of it with its keys. */
async function writingsOf({ account }: Persona, sent: readonly PushJob[]) {
  const [received] = account.sharing.grants.received();
  if (!received?.lane) throw new Error('there is no lane');
  const { lane, key, pairwise } = received;
  const parts = sent.flatMap((job) =>
    equalBytes(job.requester, pairwise.publicKey) ? job.parts.filter((p) => p.type === 'sealed') : [],
  );
  const writes = parts.flatMap((p) =>
    p.entries.flatMap((entry) => {
      const write = openLaneWrite(laneKey(key), lane, entry);
      return write.ok ? [write.value] : [];
    }),
  );
  const headers = parts.flatMap((p) => p.headers);
  return {
    contents: writes.map((w) => JSON.stringify([w.operation, w.set])),
    streams: parts.map((p) => bytesToHex(p.stream)),
    writers: [...headers.map((h) => bytesToHex(h.writer)), ...parts.map((p) => bytesToHex(p.seal.writer))],
    tags: headers.map((h) => bytesToHex(h.tag)),
    ids: writes.map((w) => w.id),
    keys: [bytesToHex(laneKey(key)), bytesToHex(pairwise.publicKey)],
    pieces: parts.flatMap((p) => [...p.entries.map((e) => e.body), p.sealHash].flatMap(piecesOf)),
  };
}

/** Every run of eight bytes. */
const piecesOf = (bytes: Uint8Array): string[] => {
  const text = bytesToHex(bytes);
  return Array.from({ length: bytes.length - 8 }, (_, i) => text.slice(2 * i, 2 * i + 16));
};

type Stolen = Entry & { readonly space: string; readonly stream: StreamId; readonly memo: Uint8Array | null };

/** When, and under which numbers, entries were written. */
const stampsIn = (headers: readonly unknown[]): string[] =>
  headers.flatMap((bytes) => {
    const header = decodeHeader(bytes as Uint8Array);
    return header.ok ? [`${header.value.hlc.ms}/${header.value.hlc.counter}/${header.value.n}`] : [];
  });

/** What a grantee has of a grant: in its store, in its keychain, and as records. */
async function holdingsOf({ account }: Persona, grant: GrantHandle) {
  const rows = account.open.store.db.sql('SELECT tag, print, header, body FROM feed_row').all();
  const records = await grant.datastore().getMany({}, { limit: 100 });
  const [received] = account.sharing.grants.received();
  if (!received) throw new Error('there is no grant');
  const { key, feed, pairwise, grantId } = received;
  const hex = (value: unknown): string => bytesToHex(value as Uint8Array);
  return {
    contents: records.map(({ _id, _rev, ...rest }) => JSON.stringify(rest)).sort(),
    ids: records.map((record) => String(record._id)),
    revs: records.map((record) => String(record._rev)),
    tags: rows.map((row) => hex(row.tag)),
    prints: rows.map((row) => hex(row.print)),
    stamps: stampsIn(rows.map((row) => row.header)),
    keys: [hex(key), hex(feed), hex(pairwise.seed.reveal()), hex(pairwise.publicKey), grantId],
    pieces: rows.flatMap((row) => piecesOf(row.body as Uint8Array)),
  };
}

function readStolen(path: string): Stolen[] {
  const db = openDb(path);
  const rows = db
    .sql(
      `SELECT space.space, stream.stream, e.header, e.body, e.memo FROM entry e JOIN stream ON stream.id = e.stream
       JOIN log ON log.id = stream.log JOIN space ON space.id = log.space`,
    )
    .all();
  db.close();
  return rows.map((row) => ({
    space: bytesToHex(row.space as Uint8Array),
    stream: row.stream as StreamId,
    header: row.header as Uint8Array,
    body: row.body as Uint8Array,
    memo: row.memo as Uint8Array | null,
  }));
}

/** Every 32 bytes that the account has in its keychain, its secret and its space, and what is derived of them by name. */
function keysOf({ account }: Persona): AeadKey[] {
  const { keychain, secret, device, sealing, home } = account.open;
  const found = new Map<string, Uint8Array>();
  const add = (bytes: Uint8Array | undefined): void => {
    if (bytes?.length === 32) found.set(bytesToHex(bytes), bytes);
  };
  const walk = (value: JsonValue): void => {
    if (typeof value === 'string' && /^[\w-]{43}$/.test(value)) add(base64urlToBytes(value));
    else if (typeof value === 'object' && value !== null) for (const inner of Object.values(value)) walk(inner);
  };
  for (const kind of ['identity', 'space', 'grant', 'grant-fact', 'received', 'request', 'device', 'session'] as const)
    for (const { item } of keychain.list(kind)) walk(item);
  for (const bytes of [secret.root, secret.homeRoot.seed.reveal(), device.seed.reveal(), sealing.secret.reveal()])
    add(bytes);
  for (const bytes of [home.keys.tagSecret, home.keys.ctlKey, ...home.keys.epochs.values()]) add(bytes);
  for (const bytes of [...found.values()])
    for (const label of ['keychain', 'collection/social_post', 'collection/inbox', 'box', 'lane'])
      add(hkdf(bytes, label));
  return [...found.values()].map(toAeadKey);
}

const isMessage = ({ stream }: Stolen): boolean => stream[0] === STREAM_KIND.inbox;

/** Tries every key: on messages as the recipient's, on all else as the key of the entry or its memo. */
async function opensWith(keys: readonly AeadKey[], entry: Stolen, recipient: string): Promise<boolean> {
  for (const key of keys) {
    if (openEntry(key, entry.stream, entry).ok || openAead(key, entry.header, entry.body).ok) return true;
    if (entry.memo && openMemo({ stream: entry.stream, key }, entry.header, entry.memo).ok) return true;
    if (!isMessage(entry)) continue;
    const info = utf8ToBytes('sluice/msg/1');
    if ((await openHpke(hpkeKeyPairFromSecret(key), info, utf8ToBytes(recipient), entry.body)).ok) return true;
  }
  return false;
}
