/** vectors/frames.json: pushes, answers, pages and the frames of a live connection, written by the second writer. */

import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { hexToBytes } from '../base/bytes.ts';
import * as second from '../base/second-writer.oracle.ts';
import { fill, hex } from '../base/second-writer.oracle.ts';
import { decodeClientFrame, decodeServerFrame, encodeClientFrame, encodeServerFrame } from './frames.ts';
import { decodePage, encodePage } from './page.ts';
import { decodePush, decodePushAnswer, encodePush, encodePushAnswer } from './push.ts';

const FILE = new URL('../../../../vectors/frames.json', import.meta.url);

const own = fill(16, 1);
const feed = fill(16, 4);
const lane = fill(16, 5);
const [writer, tag, hash, space] = [fill(16, 0xa), fill(16, 0xb), fill(32, 0xc), fill(32, 0xd)];
const [header, body, memo, seal] = [fill(3, 0x11), fill(4, 0x22), fill(5, 0x33), fill(6, 0x44)];

const FORMS = {
  push: { encode: encodePush, decode: decodePush },
  pushAnswer: { encode: encodePushAnswer, decode: decodePushAnswer },
  page: { encode: encodePage, decode: decodePage },
  client: { encode: encodeClientFrame, decode: decodeClientFrame },
  server: { encode: encodeServerFrame, decode: decodeServerFrame },
} as const;
type Form = keyof typeof FORMS;
/** `value` as a reader holds it, `wire` as the fields stand in the list. */
type Case = { readonly form: Form; readonly name: string; readonly value: unknown; readonly wire: unknown };

const page = {
  cursor: 9,
  head: 12,
  more: true,
  nowMs: 1000,
  entries: [
    { seq: 8, stream: own, header, body, memo: null },
    { seq: 9, stream: feed, header, body: null, memo },
  ],
  seals: [seal],
  dead: [{ stream: own, writer, firstN: 1, lastN: 24, hash }],
  holes: [{ stream: own, writer, n: 25 }],
  whole: true,
  vector: [{ stream: own, writer, n: 26, hash }],
};
const pageWire = [
  9,
  12,
  true,
  1000,
  [
    [8, own, header, body, null],
    [9, feed, header, null, memo],
  ],
  [seal],
  [[own, writer, 1, 24, hash]],
  [[own, writer, 25]],
  true,
  [[own, writer, 26, hash]],
];
const empty = {
  cursor: 0,
  head: 0,
  more: false,
  nowMs: 0,
  entries: [],
  seals: [],
  dead: [],
  holes: [],
  whole: false,
  vector: [],
};
const emptyWire = [0, 0, false, 0, [], [], [], [], false, []];
const answer = {
  nowMs: 1000,
  parts: [
    { type: 'ok', head: 12 },
    { type: 'refused', code: 'STALE_HEAD' },
  ],
};
const answerWire = [
  1000,
  [
    ['ok', 12],
    ['refused', 'STALE_HEAD'],
  ],
];

const CASES: readonly Case[] = [
  { form: 'push', name: 'nothing', value: [], wire: [] },
  {
    form: 'push',
    name: 'one part of each kind',
    value: [
      { type: 'sealed', stream: own, entries: [{ header, body }], seal },
      { type: 'ctl', entries: [{ header, body }] },
      { type: 'trim', stream: lane, upTo: 7 },
      { type: 'drain', tags: [tag] },
      {
        type: 'feed',
        stream: feed,
        head: 7,
        term: 0,
        entries: [
          { header, body, memo },
          { header, body, memo: null },
        ],
      },
    ],
    wire: [
      ['sealed', own, [[header, body]], seal],
      ['ctl', [[header, body]]],
      ['trim', lane, 7],
      ['drain', [tag]],
      [
        'feed',
        feed,
        7,
        0,
        [
          [header, body, memo],
          [header, body, null],
        ],
      ],
    ],
  },
  { form: 'pushAnswer', name: 'one part stored, one refused', value: answer, wire: answerWire },
  { form: 'page', name: 'everything a page can hold', value: page, wire: pageWire },
  { form: 'page', name: 'an empty log', value: empty, wire: emptyWire },
  { form: 'client', name: 'hello', value: { type: 'hello', proof: body }, wire: ['hello', body] },
  {
    form: 'client',
    name: 'subscribe',
    value: { type: 'sub', id: 1, key: 0, space, log: 'own', after: 0, credit: 65_536 },
    wire: ['sub', 1, 0, space, 'own', 0, 65_536],
  },
  {
    form: 'client',
    name: 'one more key',
    value: { type: 'key', key: 3, proof: body },
    wire: ['key', 3, body],
  },
  { form: 'client', name: 'credit', value: { type: 'credit', id: 1, bytes: 4096 }, wire: ['credit', 1, 4096] },
  { form: 'client', name: 'unsubscribe', value: { type: 'unsub', id: 1 }, wire: ['unsub', 1] },
  {
    form: 'client',
    name: 'push, its bytes as in a request',
    value: { type: 'push', id: 2, key: 0, space, push: Uint8Array.of(0x80) },
    wire: ['push', 2, 0, space, Uint8Array.of(0x80)],
  },
  {
    form: 'server',
    name: 'welcome',
    value: { type: 'welcome', version: 1, node: 'did:web:node.sluice.test', nonce: fill(16, 7), nowMs: 1000 },
    wire: ['welcome', 1, 'did:web:node.sluice.test', fill(16, 7), 1000],
  },
  { form: 'server', name: 'ready', value: { type: 'ready', nowMs: 1000 }, wire: ['ready', 1000] },
  { form: 'server', name: 'page', value: { type: 'page', id: 1, page }, wire: ['page', 1, pageWire] },
  { form: 'server', name: 'closed', value: { type: 'closed', id: 1, code: 'REVOKED' }, wire: ['closed', 1, 'REVOKED'] },
  { form: 'server', name: 'pushed', value: { type: 'pushed', id: 2, answer }, wire: ['pushed', 2, answerWire] },
  {
    form: 'server',
    name: 'refused',
    value: { type: 'refused', id: 2, code: 'CLOCK_SKEW', nowMs: 1000 },
    wire: ['refused', 2, 'CLOCK_SKEW', 1000],
  },
];

const wrong = (form: Form, name: string, wire: unknown, error = 'malformed') => ({
  form,
  name,
  encoded: hex(second.cbor(wire)),
  error,
});
const sealed = (entries: unknown) => [['sealed', own, entries, seal]];
const REFUSED = [
  wrong('push', 'an unknown kind of part', [['lane', own]]),
  wrong('push', 'a part without its kind', [[own, [[header, body]], seal]]),
  wrong('push', 'a part with a field too many', [['ctl', [[header, body]], null]]),
  wrong('push', 'a stream id of 15 bytes', [['sealed', fill(15, 1), [[header, body]], seal]]),
  wrong('push', 'a body left null', sealed([[header, null]])),
  wrong('push', '501 entries in a part', sealed(Array(501).fill([header, body]))),
  wrong('push', '513 parts', Array(513).fill(['drain', []])),
  wrong('push', 'a header over 4,096 bytes', sealed([[fill(4097, 0), body]])),
  wrong('push', 'a memo over 256 bytes', [['feed', feed, 0, 0, [[header, body, fill(257, 0)]]]]),
  wrong('push', 'a tag of 17 bytes', [['drain', [fill(17, 1)]]]),
  wrong('push', 'a head below zero', [['feed', feed, -1, 0, []]]),
  wrong('pushAnswer', 'an unknown code', [1000, [['refused', 'WHATEVER']]]),
  wrong('page', 'a field too few', emptyWire.slice(0, 9)),
  wrong(
    'page',
    'a flag as number',
    emptyWire.map((field, i) => (i === 2 ? 0 : field)),
  ),
  wrong(
    'page',
    'an entry without its memo field',
    emptyWire.map((field, i) => (i === 4 ? [[8, own, header, body]] : field)),
  ),
  wrong('client', 'an unknown frame', ['ping']),
  wrong('client', 'a frame of the other side', ['ready', 1000]),
  wrong('client', 'no list', 'hello'),
  wrong('client', 'a space id of 31 bytes', ['sub', 1, fill(31, 1), 'own', 0, 1]),
  wrong('client', 'a log name over 32 characters', ['sub', 1, space, 'x'.repeat(33), 0, 1]),
  wrong('client', 'a proof over 1,024 bytes', ['hello', fill(1025, 0)]),
  wrong('server', 'a nonce of 15 bytes', ['welcome', 1, 'did:web:a.example', fill(15, 7), 0]),
  wrong('server', 'an unknown code', ['closed', 1, 'GONE']),
];

/** Bytes stand as {hex}, since a text may look like hex. */
const asJson = (value: unknown): unknown => {
  if (value instanceof Uint8Array) return { hex: hex(value) };
  if (Array.isArray(value)) return value.map(asJson);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, asJson(item)]));
};
const fromJson = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(fromJson);
  if (typeof value !== 'object' || value === null) return value;
  if ('hex' in value) return hexToBytes(String(value.hex));
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, fromJson(item)]));
};

const frameVectors = {
  about:
    'Cases for spec/push.md, spec/pull.md and spec/live.md. Bytes stand as {hex}, `encoded` is hex. `form` says what is encoded: a push, its answer, a page, a frame of the client or of the server.',
  cases: CASES.map(({ form, name, value, wire }) => ({
    form,
    name,
    value: asJson(value),
    encoded: hex(second.cbor(wire)),
  })),
  refused: REFUSED,
};
const read = (): typeof frameVectors => JSON.parse(readFileSync(FILE, 'utf8')) as typeof frameVectors;

describe('vectors/frames.json', () => {
  it('is what the second writer writes', async () => {
    await expect(second.vectorText(frameVectors)).toMatchFileSnapshot(FILE.pathname);
  });

  it('[PUSH-10] [PULL-10] [LIVE-5] each form is written as stated and read back', () => {
    for (const { form, name, value, encoded } of read().cases) {
      const { encode, decode } = FORMS[form];
      expect(hex(encode(fromJson(value) as never)), `${form}: ${name}`).toBe(encoded);
      expect(decode(hexToBytes(encoded)), `${form}: ${name}`).toEqual({ ok: true, value: fromJson(value) });
    }
  });

  it('[PUSH-10] [PULL-10] [LIVE-5] each other form is refused', () => {
    for (const { form, name, encoded, error } of read().refused)
      expect(FORMS[form].decode(hexToBytes(encoded)), `${form}: ${name}`).toEqual({
        ok: false,
        error: { type: error },
      });
  });
});
