import { toStreamId, toTag } from '@sluice/core/base';
import { toAeadKey, writerId } from '@sluice/core/crypto';
import { createSeal, NO_SEAL, sealEntry } from '@sluice/core/stream';
import { type Entry, ENTRY_KIND, type EntryKind, type PushPart, STREAM_KIND } from '@sluice/core/wire';
import { describe, expect, it } from 'vitest';
import { createTestSpace, keyOf, seededRandom } from '../http/node-fixture.ts';
import { checkParts } from './checked-part.ts';

const [device, other] = [keyOf('device'), keyOf('other')];
const { space } = createTestSpace('one', device);
const random = seededRandom('parts');
const streamOf = (kind: keyof typeof STREAM_KIND) => toStreamId(new Uint8Array(16).fill(STREAM_KIND[kind]));

function entryIn(kind: keyof typeof STREAM_KIND, n: number, does: EntryKind = ENTRY_KIND.PUT): Entry {
  const tag = toTag(new Uint8Array(16).fill(n));
  const place = { writer: writerId(device.publicKey), n, tag, epoch: 1, superseded: [], expiresMs: null };
  const header = { ...place, kind: does, hlc: { ms: 1, counter: n } };
  return sealEntry(toAeadKey(new Uint8Array(32).fill(9)), streamOf(kind), header, Uint8Array.of(n), random);
}
function sealed(kind: keyof typeof STREAM_KIND, entries: readonly Entry[], listed = entries): PushPart {
  const stream = streamOf(kind);
  return { type: 'sealed', stream, entries, seal: createSeal(device, stream, 1, listed, NO_SEAL) };
}
const feed = (entries: readonly Entry[], kind: keyof typeof STREAM_KIND = 'feed'): PushPart => ({
  type: 'feed',
  stream: streamOf(kind),
  head: 0,
  term: 0,
  entries: entries.map((e) => ({ ...e, memo: null })),
});
const verdict = (part: PushPart, requester = device): string => {
  const checked = checkParts(space, [part], requester.publicKey);
  return checked.ok ? 'ok' : checked.error;
};

describe('the parts of a push', () => {
  it('[PUSH-11] a sealed part is by the key that sealed it, for this stream, and exactly what the seal lists', () => {
    const [one, two] = [entryIn('own', 1), entryIn('own', 2, ENTRY_KIND.DEL)];
    expect(verdict(sealed('own', [one, two]))).toBe('ok');
    expect(verdict(sealed('lane', [entryIn('lane', 1)]))).toBe('ok');
    expect(verdict(sealed('own', [one]), other)).toBe('BAD_SEAL');
    expect(verdict(sealed('own', [one], [two]))).toBe('BAD_SEAL');
    expect(verdict({ ...sealed('own', [one]), stream: streamOf('lane') } as PushPart)).toBe('BAD_SEAL');
    expect(verdict({ ...sealed('own', [one]), seal: Uint8Array.of(0) } as PushPart)).toBe('MALFORMED');
  });

  it('[PUSH-11] a sealed part holds records alone, in an own stream or lane', () => {
    for (const kind of ['ctl', 'inbox', 'feed', 'public'] as const)
      expect(verdict(sealed(kind, [entryIn(kind, 1)])), kind).toBe('MALFORMED');
    for (const does of [ENTRY_KIND.KEY, ENTRY_KIND.CKPT, ENTRY_KIND.END, ENTRY_KIND.VERDICT, ENTRY_KIND.CTL])
      expect(verdict(sealed('own', [entryIn('own', 1, does)])), `kind ${does}`).toBe('MALFORMED');
  });

  it('[PUSH-12] a feed part holds something, nothing of control, and stands in a feed', () => {
    expect(verdict(feed([entryIn('feed', 1), entryIn('feed', 2, ENTRY_KIND.CKPT)]))).toBe('ok');
    expect(verdict(feed([]))).toBe('MALFORMED');
    expect(verdict(feed([entryIn('feed', 1, ENTRY_KIND.CTL)]))).toBe('MALFORMED');
    expect(verdict(feed([entryIn('own', 1)], 'own'))).toBe('MALFORMED');
    expect(verdict(feed([{ header: Uint8Array.of(0), body: Uint8Array.of(0) }]))).toBe('MALFORMED');
  });
});
