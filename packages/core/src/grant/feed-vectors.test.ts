/** vectors/feed.json: what stands in a feed and what is revealed, written by the second writer. */

import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { hexToBytes } from '../base/bytes.ts';
import { toStreamId, toTag, toWriterId } from '../base/ids.ts';
import type { JsonObject } from '../base/json.ts';
import * as second from '../base/second-writer.oracle.ts';
import { type Bytes, fill, flip, hex, unhex, utf8 } from '../base/second-writer.oracle.ts';
import { toAeadKey } from '../crypto/aead.ts';
import { recordTag, streamId, streamTagKey, toGrantSecret, toTagSecret } from '../crypto/keys.ts';
import { signingKeyFromSeed } from '../crypto/sign.ts';
import { decodeHeader, ENTRY_KIND } from '../wire/header.ts';
import { createRunningDigest } from './digest.ts';
import {
  cardTag,
  checkpointTag,
  coarseExpiry,
  covers,
  encodeFeedRecord,
  endTag,
  type FeedPlace,
  openCheckpoint,
  openFeedDelete,
  openFeedPut,
  openMemo,
  recordPrint,
  sealCheckpoint,
  sealFeedDelete,
  sealFeedPut,
} from './feed-entry.ts';
import { projectionCases } from './projection-cases.oracle.ts';
import { granteeRecordId, project } from './projection.ts';

const FILE = new URL('../../../../vectors/feed.json', import.meta.url);
const HOUR_MS = 3_600_000;
const NOW = Date.UTC(2026, 3, 15, 12);
const [key, secret, seed] = [fill(32, 2), fill(32, 3), fill(32, 1)];
const grantId = '00112233445566778899aabbccddeeff';
const stream = second.streamId(4, secret, `feed/${grantId}`);
const tagKey = second.tagKey(secret, stream);
const writer = second.writerId(second.publicKey(seed));
const card = fill(40, 0xca);

/** FEED-16: the record's id in the grant. */
const idOf = (recordId: string): string =>
  Buffer.from(second.hmac(secret, utf8(`id/${recordId}`)).slice(0, 16)).toString('base64url');
const printOf = (plaintext: Uint8Array): Bytes => second.sha256(utf8('sluice/print/1\0'), plaintext).slice(0, 16);
/** FEED-21: up to the hour, and later by the first byte of the tag in 256ths of an hour. */
const coarse = (exactMs: number, tag: Uint8Array): number => {
  const hours = Math.floor((exactMs + HOUR_MS - 1) / HOUR_MS);
  return hours * HOUR_MS + Math.floor(((tag[0] ?? 0) * HOUR_MS) / 256);
};
const headerOf = (n: number, kind: number, tag: Uint8Array, expiresMs: number | null): second.HeaderValue => ({
  writer: hex(writer),
  n,
  tag: hex(tag),
  kind,
  ms: NOW + n,
  counter: 0,
  epoch: 1,
  superseded: [],
  expiresMs,
});
const nonceOf = (n: number, what: number): Bytes => fill(24, n * 16 + what);
const memoAad = (header: Uint8Array): Bytes => second.join(utf8('sluice/memo/1\0'), header, stream);

function put(name: string, n: number, recordId: string, record: JsonObject, expiresMs: number | null) {
  const id = idOf(recordId);
  const tag = second.tag(tagKey, id);
  const plaintext = utf8(JSON.stringify({ i: id, d: record, ...(expiresMs === null ? {} : { x: expiresMs }) }));
  const h = headerOf(n, 1, tag, expiresMs === null ? null : coarse(expiresMs, tag));
  const entry = second.entry(key, stream, nonceOf(n, 1), h, plaintext);
  const print = printOf(plaintext);
  const memo = second.box(key, nonceOf(n, 2), memoAad(entry.header), second.cbor([print, expiresMs]));
  return {
    name,
    n,
    recordId,
    id,
    tag: hex(tag),
    record,
    expiresMs,
    coarseMs: h.expiresMs,
    plaintext: hex(plaintext),
    print: hex(print),
    nonces: [hex(nonceOf(n, 1)), hex(nonceOf(n, 2))],
    header: hex(entry.header),
    body: hex(entry.body),
    memo: hex(memo),
  };
}
const PUTS = [
  put('a record that stays', 1, 'r1', { _id: idOf('r1'), schema: 's', name: 'Ada' }, null),
  put('a record that leaves by time', 2, 'r2', { _id: idOf('r2'), schema: 's', date: '2026-04-10' }, NOW + 1),
  put(
    'a record that leaves on the hour',
    3,
    'r3',
    { _id: idOf('r3'), schema: 's', n: [1, { a: null }] },
    NOW + HOUR_MS,
  ),
];

const DELETE = (() => {
  const tag = second.tag(tagKey, idOf('r1'));
  const plaintext = utf8(JSON.stringify({ i: idOf('r1') }));
  const entry = second.entry(key, stream, nonceOf(4, 1), headerOf(4, 2, tag, null), plaintext);
  return {
    n: 4,
    id: idOf('r1'),
    tag: hex(tag),
    nonce: hex(nonceOf(4, 1)),
    header: hex(entry.header),
    body: hex(entry.body),
  };
})();

/** FEED-20: the sum of SHA-256(tag, print) as integers modulo 2^256. */
const digestOf = (rows: readonly { readonly tag: string; readonly print: string }[]): Bytes => {
  const sum = rows.reduce(
    (total, row) => total + BigInt(`0x${hex(second.sha256(unhex(row.tag), unhex(row.print)))}`),
    0n,
  );
  return unhex((sum % 2n ** 256n).toString(16).padStart(64, '0'));
};
const BASIS = [
  { writer: hex(writer), n: 24 },
  { writer: '0a'.repeat(16), n: 300 },
];

type Signed = {
  /** The card in the body, and so the tag: without one it stands in the feed already. */
  readonly proof?: Uint8Array | null;
  readonly at?: Uint8Array;
  readonly header?: Uint8Array;
  readonly by?: Uint8Array;
  readonly domain?: string;
};
function checkpointEntry(n: number, kind: 4 | 5, fields: readonly unknown[], more: Signed = {}): second.EntryBytes {
  const { proof = kind === 4 ? card : null } = more;
  const bearing = `\0card/${hex(second.publicKey(seed))}`;
  const tag = second.tag(tagKey, kind === 5 ? '\0end' : proof ? bearing : '\0ckpt');
  const h = headerOf(n, kind, tag, null);
  const signed = second.cbor(fields);
  const { at = stream, header = second.header(h), by = seed, domain = 'sluice/ckpt/1' } = more;
  const signature = second.sign(by, domain, at, header, signed);
  const body = second.cbor([signed, second.publicKey(seed), proof, signature]);
  return second.entry(key, stream, nonceOf(n, 1), h, body);
}
const rows = PUTS.slice(1);
const fieldsOf = (n: number): unknown[] => [
  NOW + n,
  rows.length,
  digestOf(rows),
  BASIS.map((b) => [unhex(b.writer), b.n]),
];
const CHECKPOINTS = (
  [
    ['a checkpoint that bears its signer’s card', 5, 4, card],
    ['the end of a once-off feed', 6, 5, null],
    ['a checkpoint whose signer’s card stands in the feed', 7, 4, null],
  ] as const
).map(([name, n, kind, proof]) => {
  const entry = checkpointEntry(n, kind, fieldsOf(n), { proof });
  return {
    name,
    n,
    kind,
    seed: hex(seed),
    asOfMs: NOW + n,
    count: rows.length,
    digest: hex(digestOf(rows)),
    basis: BASIS,
    card: proof && hex(proof),
    nonce: hex(nonceOf(n, 1)),
    header: hex(entry.header),
    body: hex(entry.body),
  };
});

function refused() {
  const [first] = PUTS as [(typeof PUTS)[0]];
  const tag = unhex(first.tag);
  const of = (what: 'put' | 'delete' | 'checkpoint', name: string, entry: second.EntryBytes, error: string) => ({
    what,
    name,
    header: hex(entry.header),
    body: hex(entry.body),
    error,
  });
  const sealedText = (text: string): second.EntryBytes =>
    second.entry(key, stream, nonceOf(7, 1), headerOf(7, 1, tag, null), utf8(text));
  const good = { header: unhex(first.header), body: unhex(first.body) };
  const elsewhere = second.entry(
    key,
    flip(stream, 9),
    nonceOf(1, 1),
    headerOf(1, 1, tag, null),
    utf8('{"i":"a","d":{}}'),
  );
  const otherHeader = second.header(headerOf(9, 4, tag, null));
  const check = (name: string, error: string, fields: readonly unknown[], more: Signed = {}) =>
    of('checkpoint', name, checkpointEntry(5, 4, fields, more), error);
  const changed = (i: number, value: unknown): unknown[] => fieldsOf(5).map((field, at) => (at === i ? value : field));
  return [
    of('put', 'a changed body', { ...good, body: flip(good.body, 30) }, 'cannot-open'),
    of('put', 'the header of another entry', { ...good, header: unhex(DELETE.header) }, 'cannot-open'),
    of('put', 'sealed for another feed', elsewhere, 'cannot-open'),
    of('put', 'no JSON inside', sealedText('{"i":'), 'malformed'),
    of('put', 'a record without id', sealedText('{"d":{}}'), 'malformed'),
    of('put', 'a record that is a list', sealedText('{"i":"a","d":[]}'), 'malformed'),
    of('put', 'an expiry as text', sealedText('{"i":"a","d":{},"x":"1"}'), 'malformed'),
    of('delete', 'an id that is no text', sealedText('{"i":1}'), 'malformed'),
    of('delete', 'a list', sealedText('[]'), 'malformed'),
    check('signed for another feed', 'bad-checkpoint', fieldsOf(5), { at: flip(stream, 3) }),
    check('signed under another header', 'bad-checkpoint', fieldsOf(5), { header: otherHeader }),
    check('signed by another key', 'bad-checkpoint', fieldsOf(5), { by: fill(32, 9) }),
    check('signed under another domain', 'bad-checkpoint', fieldsOf(5), { domain: 'sluice/doc/1' }),
    check('an instant that is not that of its header', 'bad-checkpoint', changed(0, NOW + 6)),
    check('a digest of 31 bytes', 'malformed', changed(2, fill(31, 0))),
    check('a count below zero', 'malformed', changed(1, -1)),
    check('1,025 writers in the basis', 'malformed', changed(3, Array(1025).fill([fill(16, 1), 1]))),
    check('a field too many', 'malformed', [...fieldsOf(5), null]),
  ];
}
const memosRefused = () => {
  const [first, other] = PUTS as [(typeof PUTS)[0], (typeof PUTS)[0]];
  const of = (name: string, header: string, memo: Uint8Array, error: string) => ({
    name,
    header,
    memo: hex(memo),
    error,
  });
  const made = (fields: unknown) => second.box(key, nonceOf(8, 2), memoAad(unhex(first.header)), second.cbor(fields));
  return [
    of('a changed memo', first.header, flip(unhex(first.memo), 25), 'cannot-open'),
    of('the memo of another entry', first.header, unhex(other.memo), 'cannot-open'),
    of(
      'the associated data of a body',
      first.header,
      second.box(key, nonceOf(8, 2), second.join(unhex(first.header), stream), second.cbor([fill(16, 1), null])),
      'cannot-open',
    ),
    of('a print of 15 bytes', first.header, made([fill(15, 1), null]), 'malformed'),
    of('an expiry as fraction', first.header, made([fill(16, 1), 1.5]), 'malformed'),
  ];
};

const COVERS = [
  { name: 'the same', newer: BASIS, older: BASIS, covers: true },
  { name: 'further', newer: [{ writer: hex(writer), n: 25 }, ...BASIS.slice(1)], older: BASIS, covers: true },
  { name: 'nothing before', newer: [], older: [], covers: true },
  {
    name: 'one writer behind',
    newer: [{ writer: hex(writer), n: 23 }, ...BASIS.slice(1)],
    older: BASIS,
    covers: false,
  },
  { name: 'one writer forgotten', newer: BASIS.slice(1), older: BASIS, covers: false },
];

const feedVectors = () => ({
  about:
    'Cases for spec/feed.md. Bytes are hex, times ms; entries are numbered n, stamped nowMs + n, epoch 1, by the writer of the seed. `revealed` has ID where the id in the grant stands. What is listed under a name ending in "Refused" must be refused with the error given.',
  grant: {
    grantId,
    key: hex(key),
    secret: hex(secret),
    stream: hex(stream),
    tagKey: hex(tagKey),
    writer: hex(writer),
    nowMs: NOW,
    checkpointTag: hex(second.tag(tagKey, '\0ckpt')),
    cardTag: hex(second.tag(tagKey, `\0card/${hex(second.publicKey(seed))}`)),
    endTag: hex(second.tag(tagKey, '\0end')),
  },
  puts: PUTS,
  delete: DELETE,
  checkpoints: CHECKPOINTS,
  entriesRefused: refused(),
  memosRefused: memosRefused(),
  digests: [[], PUTS.slice(0, 1), PUTS, [...PUTS].reverse()].map((rows) => ({
    rows: rows.map(({ tag, print }) => ({ tag, print })),
    digest: hex(digestOf(rows)),
  })),
  covers: COVERS,
  projections: projectionCases(secret),
});
type Vectors = ReturnType<typeof feedVectors>;
const read = (): Vectors => JSON.parse(readFileSync(FILE, 'utf8')) as Vectors;

const bytesOf = (e: { readonly header: string; readonly body: string }) => ({
  header: hexToBytes(e.header),
  body: hexToBytes(e.body),
});
const keys = { stream: toStreamId(unhex(hex(stream))), key: toAeadKey(key) };
const place = (n: number): FeedPlace => ({ writer: toWriterId(writer), n, hlc: { ms: NOW + n, counter: 0 }, epoch: 1 });
/** Gives the nonces of a case, one after the other. */
const nonces = (...list: readonly string[]) => {
  const left = [...list];
  return (): Uint8Array => hexToBytes(left.shift() ?? '');
};
const toBasis = (basis: typeof BASIS) => basis.map((b) => ({ writer: toWriterId(hexToBytes(b.writer)), n: b.n }));

describe('vectors/feed.json', () => {
  it('is what the second writer writes', async () => {
    await expect(second.vectorText(feedVectors())).toMatchFileSnapshot(FILE.pathname);
  });

  it('[FEED-16] feed, ids and tags follow from the secret as stated', () => {
    const { grant, puts } = read();
    const own = toTagSecret(hexToBytes(grant.secret));
    const feed = streamId(4, own, `feed/${grant.grantId}`);
    const derived = streamTagKey(own, feed);
    expect({ stream: hex(feed), tagKey: hex(derived) }).toEqual({ stream: grant.stream, tagKey: grant.tagKey });
    expect([hex(checkpointTag(derived)), hex(endTag(derived))]).toEqual([grant.checkpointTag, grant.endTag]);
    expect(hex(cardTag(derived, signingKeyFromSeed(seed).publicKey))).toBe(grant.cardTag);
    for (const { recordId, id, tag } of puts) {
      expect(granteeRecordId(toGrantSecret(hexToBytes(grant.secret)), recordId)).toBe(id);
      expect(hex(recordTag(derived, id))).toBe(tag);
    }
  });

  it('[FEED-2] [FEED-17] [FEED-18] records and deletions are sealed and opened as stated', () => {
    const vectors = read();
    for (const item of vectors.puts) {
      const { id, record, expiresMs, tag } = item;
      const plaintext = encodeFeedRecord({ id, record, ...(expiresMs === null ? {} : { expiresMs }) });
      expect([hex(plaintext), hex(recordPrint(plaintext))], item.name).toEqual([item.plaintext, item.print]);
      const memo = { print: hexToBytes(item.print), expiresMs };
      const made = sealFeedPut(keys, place(item.n), toTag(hexToBytes(tag)), plaintext, memo, nonces(...item.nonces));
      expect(
        { header: hex(made.header), body: hex(made.body), memo: hex(made.memo ?? new Uint8Array(0)) },
        item.name,
      ).toEqual({
        header: item.header,
        body: item.body,
        memo: item.memo,
      });
      const opened = openFeedPut(keys, bytesOf(item));
      expect(opened, item.name).toMatchObject({ ok: true, value: { value: { id, record } } });
      expect(openMemo(keys, hexToBytes(item.header), hexToBytes(item.memo)), item.name).toEqual({
        ok: true,
        value: memo,
      });
    }
    const { n, id, tag, nonce, ...bytes } = vectors.delete;
    const made = sealFeedDelete(keys, place(n), toTag(hexToBytes(tag)), id, nonces(nonce));
    expect({ header: hex(made.header), body: hex(made.body), memo: made.memo }).toEqual({ ...bytes, memo: null });
    expect(openFeedDelete(keys, bytesOf(bytes))).toEqual({ ok: true, value: id });
  });

  it('[FEED-7] [FEED-21] the instant that the node sees is the one stated', () => {
    const timed = read().puts.filter((item) => item.expiresMs !== null);
    expect(timed.map((item) => coarseExpiry(item.expiresMs ?? 0, toTag(hexToBytes(item.tag))))).toEqual(
      timed.map(({ coarseMs }) => coarseMs),
    );
  });

  it('[FEED-8] [FEED-19] checkpoints are written as stated and verify', () => {
    for (const item of read().checkpoints) {
      const kind = item.kind === 4 ? ENTRY_KIND.CKPT : ENTRY_KIND.END;
      const signer = signingKeyFromSeed(hexToBytes(item.seed));
      const derived = streamTagKey(toTagSecret(secret), keys.stream);
      const named = item.card === null ? checkpointTag(derived) : cardTag(derived, signer.publicKey);
      const tag = item.kind === 5 ? endTag(derived) : named;
      const content = {
        count: item.count,
        digest: hexToBytes(item.digest),
        basis: toBasis(item.basis),
        card: item.card === null ? null : hexToBytes(item.card),
      };
      const made = sealCheckpoint(keys, place(item.n), tag, kind, content, signer, nonces(item.nonce));
      expect({ header: hex(made.header), body: hex(made.body) }, item.name).toEqual({
        header: item.header,
        body: item.body,
      });
      const head = decodeHeader(hexToBytes(item.header));
      if (!head.ok) throw new Error(head.error.type);
      expect(openCheckpoint(keys, bytesOf(item), head.value), item.name).toEqual({
        ok: true,
        value: { ...content, asOfMs: item.asOfMs, signer: signer.publicKey },
      });
    }
  });

  it('[FEED-2] [FEED-17] [FEED-18] [FEED-19] everything else is refused with its error', () => {
    const { entriesRefused, memosRefused } = read();
    for (const { what, name, error, ...bytes } of entriesRefused) {
      const head = decodeHeader(hexToBytes(bytes.header));
      if (!head.ok) throw new Error(head.error.type);
      const open = { put: openFeedPut, delete: openFeedDelete, checkpoint: openCheckpoint }[what];
      expect(open(keys, bytesOf(bytes), head.value), `${what}: ${name}`).toEqual({ ok: false, error: { type: error } });
    }
    for (const { name, header, memo, error } of memosRefused)
      expect(openMemo(keys, hexToBytes(header), hexToBytes(memo)), name).toEqual({ ok: false, error: { type: error } });
  });

  it('[FEED-8] [FEED-10] [FEED-20] digests and bases come out as stated', () => {
    for (const { rows, digest } of read().digests) {
      const parsed = rows.map((row) => ({ tag: toTag(hexToBytes(row.tag)), print: hexToBytes(row.print) }));
      const running = createRunningDigest();
      const extra = { tag: toTag(fill(16, 0xee)), print: fill(16, 0xff) };
      for (const row of [extra, ...parsed]) running.add(row.tag, row.print);
      running.remove(extra.tag, extra.print);
      expect([hex(running.value()), running.count()]).toEqual([digest, rows.length]);
    }
    for (const item of read().covers)
      expect(covers(toBasis(item.newer), toBasis(item.older)), item.name).toBe(item.covers);
  });

  it('[FEED-3] [FEED-4] [FEED-22] [FEED-23] each record is revealed as stated', () => {
    const revealed = read().projections.map(({ name, fields, record }) => ({
      name,
      revealed: project(record, fields ?? undefined, 'ID', toGrantSecret(secret)),
    }));
    expect(revealed).toEqual(read().projections.map(({ name, revealed }) => ({ name, revealed })));
  });
});
