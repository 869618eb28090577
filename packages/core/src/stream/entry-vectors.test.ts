/** vectors/entry.json and vectors/seal.json: written by the second writer, read and written again by the product. */

import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import * as second from '../base/second-writer.oracle.ts';
import { type HeaderValue, fill, flip, hex, unhex, utf8 } from '../base/second-writer.oracle.ts';
import { hexToBytes } from '../base/bytes.ts';
import { toStreamId, toTag, toWriterId } from '../base/ids.ts';
import { toAeadKey } from '../crypto/aead.ts';
import { recordTag, streamId, streamTagKey, toTagSecret, writerId } from '../crypto/keys.ts';
import { signingKeyFromSeed, toVerifyKey } from '../crypto/sign.ts';
import { decodeHeader, encodeHeader, type EntryKind, type Header, streamKind } from '../wire/header.ts';
import { entryHash, openEntry, sealEntry } from './sealed-entry.ts';
import { checkBatch, createSeal, openSeal, sealHash } from './writer-seal.ts';

const ENTRY_FILE = new URL('../../../../vectors/entry.json', import.meta.url);
const SEAL_FILE = new URL('../../../../vectors/seal.json', import.meta.url);

const seed = fill(32, 1);
const writer = hex(second.writerId(second.publicKey(seed)));
const secret = fill(32, 7);
const stream = second.streamId(1, secret, 'notes');
const key = fill(32, 2);
const headerOf = (more: Partial<HeaderValue> = {}): HeaderValue => ({
  writer,
  n: 1,
  tag: hex(second.tag(second.tagKey(secret, stream), 'r1')),
  kind: 1,
  ms: 1_776_254_400_000,
  counter: 0,
  epoch: 1,
  superseded: [],
  expiresMs: null,
  ...more,
});
const MAX_MS = 2 ** 48 - 1;
const heads = (count: number) => Array.from({ length: count }, (_, i) => ({ writer: '0a'.repeat(16), n: i + 1 }));

const HEADERS: readonly { readonly name: string; readonly value: HeaderValue }[] = [
  { name: 'the first entry of a writer', value: headerOf() },
  { name: 'a deletion that supersedes two heads', value: headerOf({ n: 24, kind: 2, superseded: heads(2) }) },
  { name: 'as many heads as there may be', value: headerOf({ n: 65_536, superseded: heads(64) }) },
  { name: 'a feed entry with a coarse expiry', value: headerOf({ kind: 1, expiresMs: 1_776_256_200_000 }) },
  {
    name: 'the greatest numbers',
    value: headerOf({ n: Number.MAX_SAFE_INTEGER, ms: MAX_MS, counter: 65_535, epoch: 2 ** 32 - 1, expiresMs: MAX_MS }),
  },
  {
    name: 'zeros, as in an inbox',
    value: headerOf({ n: 0, ms: 0, epoch: 0, writer: '00'.repeat(16), tag: 'ff'.repeat(16) }),
  },
  ...[3, 4, 5, 6, 7].map((kind) => ({ name: `kind ${kind}`, value: headerOf({ kind }) })),
];

/** An encoded header with one field put in another way. */
const altered = (at: number, value: unknown): string => {
  const array = second.headerArray(headerOf());
  array[at] = value;
  return hex(second.cbor(array));
};
const good = second.header(headerOf());
const HEADERS_REFUSED: readonly { readonly name: string; readonly encoded: string; readonly error: string }[] = [
  { name: 'version 0', encoded: altered(0, 0), error: 'malformed' },
  { name: 'version 2', encoded: altered(0, 2), error: 'malformed' },
  { name: 'a writer of 15 bytes', encoded: altered(1, fill(15, 1)), error: 'malformed' },
  { name: 'a writer as text', encoded: altered(1, 'a'.repeat(16)), error: 'malformed' },
  { name: 'a negative number', encoded: altered(2, -1), error: 'malformed' },
  { name: 'a number over 2^53 - 1', encoded: altered(2, 2n ** 53n), error: 'malformed' },
  { name: 'a number as fraction', encoded: altered(2, 1.5), error: 'malformed' },
  { name: 'a tag of 17 bytes', encoded: altered(3, fill(17, 1)), error: 'malformed' },
  { name: 'kind 0', encoded: altered(4, 0), error: 'malformed' },
  { name: 'kind 8', encoded: altered(4, 8), error: 'malformed' },
  { name: 'a time of 49 bits', encoded: altered(5, MAX_MS + 1), error: 'malformed' },
  { name: 'a counter of 17 bits', encoded: altered(6, 65_536), error: 'malformed' },
  { name: 'an epoch of 33 bits', encoded: altered(7, 2 ** 32), error: 'malformed' },
  {
    name: '65 superseded heads',
    encoded: altered(
      8,
      heads(65).map((h) => [unhex(h.writer), h.n]),
    ),
    error: 'malformed',
  },
  { name: 'a head with a third field', encoded: altered(8, [[fill(16, 1), 1, 1]]), error: 'malformed' },
  { name: 'superseded heads left null', encoded: altered(8, null), error: 'malformed' },
  { name: 'an expiry as text', encoded: altered(9, '0'), error: 'malformed' },
  {
    name: 'a field too few',
    encoded: hex(second.cbor(second.headerArray(headerOf()).slice(0, 9))),
    error: 'malformed',
  },
  {
    name: 'a field too many',
    encoded: hex(second.cbor([...second.headerArray(headerOf()), null])),
    error: 'malformed',
  },
  { name: 'a map instead of a list', encoded: hex(second.cbor({ version: 1 })), error: 'malformed' },
  { name: 'a byte after the end', encoded: `${hex(good)}00`, error: 'malformed' },
  { name: 'the last byte missing', encoded: hex(good.slice(0, -1)), error: 'malformed' },
  { name: 'the version in a longer head', encoded: `8a1801${hex(good.slice(2))}`, error: 'malformed' },
  { name: 'nothing', encoded: '', error: 'malformed' },
  { name: 'over 4,096 bytes', encoded: hex(second.cbor(fill(4097, 0))), error: 'too-large' },
];

const entryOf = (name: string, h: HeaderValue, plaintext: Uint8Array) => {
  const nonce = fill(24, h.n + 0x20);
  const made = second.entry(key, stream, nonce, h, plaintext);
  return {
    name,
    key: hex(key),
    stream: hex(stream),
    nonce: hex(nonce),
    headerValue: h,
    plaintext: hex(plaintext),
    header: hex(made.header),
    body: hex(made.body),
    hash: hex(second.entryHash(made)),
  };
};
const ENTRIES = [
  entryOf('a short record', headerOf(), utf8('{"a":1}')),
  entryOf('nothing inside', headerOf({ n: 2, kind: 2 }), new Uint8Array(0)),
  entryOf('a length that padding rounds up', headerOf({ n: 3, superseded: heads(1) }), fill(61, 0x61)),
  entryOf('a kilobyte', headerOf({ n: 4 }), fill(1000, 0x62)),
];

function entriesRefused() {
  const { key, stream, header, body } = ENTRIES[0] as (typeof ENTRIES)[0];
  const of = (name: string, more: object) => ({ name, key, stream, header, body, ...more, error: 'cannot-open' });
  const unpadded = second.box(unhex(key), fill(24, 9), second.join(unhex(header), unhex(stream)), utf8('no length'));
  return [
    of('another key', { key: hex(fill(32, 3)) }),
    of('another stream', { stream: hex(flip(unhex(stream), 15)) }),
    of('the same stream id of another kind', { stream: `04${stream.slice(2)}` }),
    of('the header of another entry', { header: hex(second.header(headerOf({ n: 2 }))) }),
    of('a changed nonce', { body: hex(flip(unhex(body), 0)) }),
    of('a changed ciphertext', { body: hex(flip(unhex(body), 24)) }),
    of('a changed authentication tag', { body: hex(flip(unhex(body), unhex(body).length - 1)) }),
    of('a body that is cut off', { body: body.slice(0, -2) }),
    of('a body shorter than nonce and tag', { body: body.slice(0, 78) }),
    of('a plaintext without padding', { body: hex(unpadded) }),
  ];
}

const TAGS = [
  { name: 'a record of an own stream', secret: hex(secret), stream: hex(stream), recordId: 'r1' },
  { name: 'an id beyond ASCII', secret: hex(secret), stream: hex(stream), recordId: 'r\u00e9cord \u{1f600}' },
  {
    name: 'the same record in another stream',
    secret: hex(secret),
    stream: hex(second.streamId(1, secret, 'tasks')),
    recordId: 'r1',
  },
  { name: 'the same record under another secret', secret: hex(fill(32, 8)), stream: hex(stream), recordId: 'r1' },
  {
    name: 'the checkpoints of a feed',
    secret: hex(secret),
    stream: hex(second.streamId(4, secret, 'feed/00')),
    recordId: '\0ckpt',
  },
].map((t) => ({ ...t, tag: hex(second.tag(second.tagKey(unhex(t.secret), unhex(t.stream)), t.recordId)) }));
const STREAMS = [
  { kind: 1, name: 'notes' },
  { kind: 1, name: 'keychain' },
  { kind: 4, name: 'feed/000102030405060708090a0b0c0d0e0f' },
].map((s) => ({ ...s, secret: hex(secret), stream: hex(second.streamId(s.kind, secret, s.name)) }));

const ENTRY_ABOUT =
  'Cases for spec/entry.md. Bytes are hex, times ms. What is listed under a name ending in "Refused" must be refused with the error given.';
const entryVectors = {
  about: ENTRY_ABOUT,
  streams: STREAMS,
  tags: TAGS,
  headers: HEADERS.map(({ name, value }) => ({ name, value, encoded: hex(second.header(value)) })),
  headersRefused: HEADERS_REFUSED,
  entries: ENTRIES,
  entriesRefused: entriesRefused(),
};

const readJson = <T>(file: URL): T => JSON.parse(readFileSync(file, 'utf8')) as T;
const toHeader = (v: HeaderValue): Header => ({
  writer: toWriterId(hexToBytes(v.writer)),
  n: v.n,
  tag: toTag(hexToBytes(v.tag)),
  kind: v.kind as EntryKind,
  hlc: { ms: v.ms, counter: v.counter },
  epoch: v.epoch,
  superseded: v.superseded.map((ref) => ({ writer: toWriterId(hexToBytes(ref.writer)), n: ref.n })),
  expiresMs: v.expiresMs,
});

describe('vectors/entry.json', () => {
  it('is what the second writer writes', async () => {
    await expect(second.vectorText(entryVectors)).toMatchFileSnapshot(ENTRY_FILE.pathname);
  });

  const vectors = () => readJson<typeof entryVectors>(ENTRY_FILE);

  it('[CRY-13] [CRY-14] [ENT-5] streams and tags are named as stated', () => {
    for (const { name, kind, secret, stream } of vectors().streams)
      expect(hex(streamId(kind, toTagSecret(hexToBytes(secret)), name)), name).toBe(stream);
    for (const { name, secret, stream, recordId, tag } of vectors().tags) {
      const tagKey = streamTagKey(toTagSecret(hexToBytes(secret)), toStreamId(hexToBytes(stream)));
      expect(hex(recordTag(tagKey, recordId)), name).toBe(tag);
    }
    expect(hex(writerId(signingKeyFromSeed(seed).publicKey))).toBe(writer);
    const kinds = [0, 1, 2, 3, 4, 5, 6, 7].map((kind) => streamKind(toStreamId(fill(16, kind))));
    expect(kinds).toEqual([undefined, 'own', 'ctl', 'inbox', 'feed', 'lane', 'public', undefined]);
  });

  it('[ENT-1] each header is written as stated and read back', () => {
    for (const { name, value, encoded } of vectors().headers) {
      expect(hex(encodeHeader(toHeader(value))), name).toBe(encoded);
      expect(decodeHeader(hexToBytes(encoded)), name).toEqual({ ok: true, value: toHeader(value) });
    }
  });

  it('[ENT-1] each other header is refused', () => {
    for (const { name, encoded, error } of vectors().headersRefused)
      expect(decodeHeader(hexToBytes(encoded)), name).toEqual({ ok: false, error: { type: error } });
  });

  it('[ENT-2] [ENT-3] each entry is sealed, hashed and opened as stated', () => {
    for (const item of vectors().entries) {
      const [entryKey, at] = [toAeadKey(hexToBytes(item.key)), toStreamId(hexToBytes(item.stream))];
      const header = toHeader(item.headerValue);
      const made = sealEntry(entryKey, at, header, hexToBytes(item.plaintext), () => hexToBytes(item.nonce));
      expect({ header: hex(made.header), body: hex(made.body) }, item.name).toEqual({
        header: item.header,
        body: item.body,
      });
      const read = { header: hexToBytes(item.header), body: hexToBytes(item.body) };
      expect(hex(entryHash(read)), item.name).toBe(item.hash);
      const opened = openEntry(entryKey, at, read);
      expect(opened.ok && hex(opened.value), item.name).toBe(item.plaintext);
    }
  });

  it('[ENT-4] each other entry stays shut, and the failure does not tell why', () => {
    for (const { name, key, stream, header, body, error } of vectors().entriesRefused) {
      const entry = { header: hexToBytes(header), body: hexToBytes(body) };
      const opened = openEntry(toAeadKey(hexToBytes(key)), toStreamId(hexToBytes(stream)), entry);
      expect(opened, name).toEqual({ ok: false, error: { type: error } });
    }
  });
});

const made = [1, 2, 3].map((n) => second.entry(key, stream, fill(24, n), headerOf({ n }), utf8(`entry ${n}`)));
const [one, two, three] = made as [second.EntryBytes, second.EntryBytes, second.EntryBytes];
const NONE = fill(32, 0);

function sealVectors() {
  const firstBody = second.sealBody(seed, stream, 1, [one], NONE);
  const first = second.seal(seed, firstBody);
  const nextBody = second.sealBody(seed, stream, 2, [two, three], second.sha256(first));
  const next = second.seal(seed, nextBody);
  const text = (e: second.EntryBytes) => ({ header: hex(e.header), body: hex(e.body) });
  const good = (
    name: string,
    firstN: number,
    entries: readonly second.EntryBytes[],
    previous: Uint8Array,
    body: Uint8Array,
    whole: Uint8Array,
  ) => ({
    name,
    seed: hex(seed),
    stream: hex(stream),
    firstN,
    entries: entries.map(text),
    previous: hex(previous),
    signed: hex(body),
    seal: hex(whole),
    hash: hex(second.sha256(whole)),
  });
  const hashes = second.join(...[two, three].map(second.entryHash));
  const body = (...fields: unknown[]) => second.seal(seed, second.cbor(fields));
  const me = unhex(writer);
  const refused = (name: string, whole: Uint8Array, error: string, by = seed) => ({
    name,
    publicKey: hex(second.publicKey(by)),
    seal: hex(whole),
    error,
  });
  const batch = (name: string, entries: readonly second.EntryBytes[], error: string) => ({
    name,
    publicKey: hex(second.publicKey(seed)),
    seal: hex(next),
    entries: entries.map(text),
    error,
  });
  const foreign = second.entry(key, stream, fill(24, 2), headerOf({ n: 2, writer: '0b'.repeat(16) }), utf8('entry 2'));
  return {
    about: `${ENTRY_ABOUT.replace('entry.md', 'seal.md')} \`batchesRefused\` are seals that verify with entries that they do not list.`,
    seals: [
      good('the first of a writer', 1, [one], NONE, firstBody, first),
      good('the next, of two entries', 2, [two, three], second.sha256(first), nextBody, next),
    ],
    sealsRefused: [
      refused('another key', next, 'bad-seal', fill(32, 5)),
      refused(
        'a writer that is not the key',
        second.seal(seed, second.cbor([1, stream, fill(16, 9), 2, hashes, NONE])),
        'bad-seal',
      ),
      refused(
        'a changed hash',
        second.cbor([flip(nextBody, 60), second.sign(seed, 'sluice/seal/1', nextBody)]),
        'bad-seal',
      ),
      refused('a changed signature', flip(next, next.length - 1), 'bad-seal'),
      refused(
        'signed under another domain',
        second.cbor([nextBody, second.sign(seed, 'sluice/ctl/1', nextBody)]),
        'bad-seal',
      ),
      refused('no entries', body(1, stream, me, 1, new Uint8Array(0), NONE), 'malformed'),
      refused('number 0', body(1, stream, me, 0, hashes, NONE), 'malformed'),
      refused('half a hash', body(1, stream, me, 2, hashes.slice(0, 48), NONE), 'malformed'),
      refused('501 hashes', body(1, stream, me, 2, fill(501 * 32, 1), NONE), 'malformed'),
      refused('version 2', body(2, stream, me, 2, hashes, NONE), 'malformed'),
      refused('a previous hash of 31 bytes', body(1, stream, me, 2, hashes, fill(31, 0)), 'malformed'),
      refused('a signature of 63 bytes', second.cbor([nextBody, fill(63, 1)]), 'malformed'),
      refused('a byte after the end', second.join(next, fill(1, 0)), 'malformed'),
    ],
    batchesRefused: [
      batch('one entry too few', [two], 'bad-seal'),
      batch('one entry too many', [two, three, three], 'bad-seal'),
      batch('in another order', [three, two], 'bad-seal'),
      batch('an entry that it does not list', [one, three], 'bad-seal'),
      batch('an entry of another writer', [foreign, three], 'bad-seal'),
      batch('a changed body', [two, { ...three, body: flip(three.body, 30) }], 'bad-seal'),
      batch('a header that cannot be read', [two, { ...three, header: fill(1, 0xff) }], 'malformed'),
    ],
  };
}

describe('vectors/seal.json', () => {
  it('is what the second writer writes', async () => {
    await expect(second.vectorText(sealVectors())).toMatchFileSnapshot(SEAL_FILE.pathname);
  });

  const vectors = () => readJson<ReturnType<typeof sealVectors>>(SEAL_FILE);
  const bytesOf = (e: { header: string; body: string }) => ({ header: hexToBytes(e.header), body: hexToBytes(e.body) });

  it('[SEAL-1] [SEAL-2] [SEAL-5] each seal is written as stated, opens, and lists its batch', () => {
    for (const item of vectors().seals) {
      const signer = signingKeyFromSeed(hexToBytes(item.seed));
      const entries = item.entries.map(bytesOf);
      const at = toStreamId(hexToBytes(item.stream));
      expect(hex(createSeal(signer, at, item.firstN, entries, hexToBytes(item.previous))), item.name).toBe(item.seal);
      const opened = openSeal(hexToBytes(item.seal), signer.publicKey);
      if (!opened.ok) throw new Error(`${item.name}: ${opened.error.type}`);
      expect(hex(opened.value.signed), item.name).toBe(item.signed);
      expect(opened.value, item.name).toMatchObject({ firstN: item.firstN, count: entries.length });
      expect(hex(opened.value.previous), item.name).toBe(item.previous);
      expect(checkBatch(opened.value, entries).ok, item.name).toBe(true);
      expect(hex(sealHash(hexToBytes(item.seal))), item.name).toBe(item.hash);
    }
  });

  it('[SEAL-1] [SEAL-2] each other seal is refused', () => {
    for (const { name, publicKey, seal, error } of vectors().sealsRefused)
      expect(openSeal(hexToBytes(seal), toVerifyKey(hexToBytes(publicKey))), name).toEqual({
        ok: false,
        error: { type: error },
      });
  });

  it('[SEAL-3] each other batch is refused', () => {
    for (const { name, publicKey, seal, entries, error } of vectors().batchesRefused) {
      const opened = openSeal(hexToBytes(seal), toVerifyKey(hexToBytes(publicKey)));
      if (!opened.ok) throw new Error(`${name}: ${opened.error.type}`);
      expect(checkBatch(opened.value, entries.map(bytesOf)), name).toEqual({ ok: false, error: { type: error } });
    }
  });
});
