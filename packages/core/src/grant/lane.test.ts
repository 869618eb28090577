import { describe, expect, it } from 'vitest';
import { equalBytes, utf8ToBytes } from '../base/bytes.ts';
import { toStreamId } from '../base/ids.ts';
import { systemRandom } from '../base/random.ts';
import { keyCommitment, toAeadKey } from '../crypto/aead.ts';
import { hkdf, hmacSha256 } from '../crypto/hash.ts';
import { createHpkeKeyPair } from '../crypto/hpke.ts';
import { streamTagKey, toTagSecret, writerId } from '../crypto/keys.ts';
import { createSigningKey } from '../crypto/sign.ts';
import { openEntry, sealEntry } from '../stream/sealed-entry.ts';
import { decodeHeader, ENTRY_KIND } from '../wire/header.ts';
import { openGrantKey, openKeyChange, sealGrantKey, sealKeyChange } from './key-change.ts';
import { isLaneRecordId, laneKey, openLaneWrite, sealLaneWrite } from './lane-entry.ts';
import { type LaneVerdicts, openVerdicts, sealVerdicts, verdictOf } from './verdict.ts';

const random = systemRandom;
const grantee = createSigningKey(random);
const device = createSigningKey(random);
const grantKey = toAeadKey(random(32));
const key = laneKey(grantKey);
const lane = toStreamId(Uint8Array.from({ length: 16 }, (_, i) => (i === 0 ? 5 : i)));
const feed = toStreamId(Uint8Array.from({ length: 16 }, (_, i) => (i === 0 ? 4 : i)));
const tagKey = streamTagKey(toTagSecret(random(32)), feed);
const at = { writer: writerId(grantee.publicKey), n: 7, hlc: { ms: 1000, counter: 0 }, epoch: 1 };
const place = { writer: writerId(device.publicKey), n: 1, hlc: { ms: 1000, counter: 0 }, epoch: 1 };
const write = { id: 'r', operation: 'update', set: { text: 'hi' }, remove: ['old'], seen: 3 } as const;

describe('a lane entry', () => {
  it('[LANE-10] is sealed under a key that follows from the grant’s, and shows the node neither record nor operation', () => {
    expect(key).toEqual(hkdf(grantKey, 'lane'));
    const put = sealLaneWrite(key, lane, at, write, random);
    const gone = sealLaneWrite(key, lane, { ...at, n: 8 }, { ...write, operation: 'delete', set: {} }, random);
    expect(put.header.kind).toBe(ENTRY_KIND.PUT);
    expect(gone.header.kind).toBe(ENTRY_KIND.PUT);
    expect(put.header.tag).toEqual(hmacSha256(key, utf8ToBytes('lane/7')).slice(0, 16));
    expect(put.header.tag).not.toEqual(gone.header.tag);
    const head = decodeHeader(put.entry.header);
    expect(head.ok && head.value).toEqual(put.header);
  });

  it('[LANE-11] reads back as it was written, and under no other key, stream or header', () => {
    const { entry } = sealLaneWrite(key, lane, at, write, random);
    expect(openLaneWrite(key, lane, entry)).toEqual({ ok: true, value: write });
    const plain = openEntry(key, lane, entry);
    expect(plain.ok && JSON.parse(new TextDecoder().decode(plain.value))).toEqual({
      i: 'r',
      o: 'update',
      s: { text: 'hi' },
      r: ['old'],
      v: 3,
    });
    const other = sealLaneWrite(key, lane, { ...at, n: 9 }, write, random).entry;
    expect(openLaneWrite(toAeadKey(random(32)), lane, entry).ok).toBe(false);
    expect(openLaneWrite(key, feed, entry).ok).toBe(false);
    expect(openLaneWrite(key, lane, { ...entry, header: other.header }).ok).toBe(false);
  });

  it('[LANE-11] is malformed when anything of it is of another form', () => {
    const outcome = (body: object) => {
      const sealed = sealLaneWrite(key, lane, at, { ...write, ...body } as never, random);
      const opened = openLaneWrite(key, lane, sealed.entry);
      return opened.ok ? 'ok' : opened.error.type;
    };
    expect(outcome({})).toBe('ok');
    expect(outcome({ id: '' })).toBe('malformed');
    expect(outcome({ id: 'x'.repeat(65) })).toBe('malformed');
    expect(outcome({ operation: 'burn' })).toBe('malformed');
    expect(outcome({ set: [] })).toBe('malformed');
    expect(outcome({ remove: [1] })).toBe('malformed');
    expect(outcome({ seen: 'x' })).toBe('malformed');
    expect(outcome({ base: [1] })).toBe('malformed');
    expect(outcome({ base: { tags: ['a'] } })).toBe('ok');
    expect(outcome({ set: Object.fromEntries(Array.from({ length: 257 }, (_, i) => [`f${i}`, 1])) })).toBe('malformed');
    expect(isLaneRecordId(`w${'A'.repeat(22)}`)).toBe(true);
    for (const id of ['A'.repeat(22), `w${'A'.repeat(21)}`, `w${'A'.repeat(23)}`, `w${'.'.repeat(22)}`])
      expect(isLaneRecordId(id)).toBe(false);
  });
});

describe('verdicts', () => {
  const verdicts: LaneVerdicts = {
    upTo: 9,
    waiting: [4],
    rejected: [{ n: 5, code: 'DECLINED' }],
    unapplied: [8],
    entries: [
      { n: 4, hash: new Uint8Array(16).fill(4) },
      { n: 8, hash: new Uint8Array(16).fill(8) },
    ],
  };
  it('[LANE-12] say of each write how it stands', () => {
    const sealed = sealVerdicts({ stream: feed, key: grantKey }, place, tagKey, verdicts, random);
    const opened = openVerdicts({ stream: feed, key: grantKey }, sealed);
    expect(opened).toEqual({ ok: true, value: verdicts });
    expect([4, 5, 8, 9, 10].map((n) => verdictOf(verdicts, n))).toEqual([
      'waiting',
      'DECLINED',
      'accepted',
      'applied',
      'open',
    ]);
    const body = sealed.body.slice();
    body[30] = (body[30] as number) ^ 1;
    expect(openVerdicts({ stream: feed, key: grantKey }, { ...sealed, body }).ok).toBe(false);
    expect(openVerdicts({ stream: feed, key }, sealed).ok).toBe(false);
  });
});

describe('a change of key', () => {
  it('[FEED-26] opens for the grantee alone, and only as the device signed it', async () => {
    const hpke = createHpkeKeyPair(random);
    const next = toAeadKey(random(32));
    const sealed = await sealGrantKey(hpke.publicKey, feed, next);
    const keys = { stream: feed, key: grantKey };
    const entry = sealKeyChange(
      keys,
      place,
      tagKey,
      { epoch: 2, key: next, sealed },
      device,
      new Uint8Array(8),
      random,
    );
    const opened = openKeyChange(keys, entry);
    if (!opened.ok) throw new Error(opened.error.type);
    expect(opened.value.signer).toEqual(device.publicKey);
    expect(await openGrantKey(hpke, feed, opened.value)).toEqual(next);
    expect(await openGrantKey(createHpkeKeyPair(random), feed, opened.value)).toBeUndefined();
    expect(await openGrantKey(hpke, lane, opened.value)).toBeUndefined();
    const wrong = { ...opened.value, commitment: new Uint8Array(32) };
    expect(await openGrantKey(hpke, feed, wrong)).toBeUndefined();
    // Whoever has the grant's key can seal; it cannot sign for the device.
    const header = decodeHeader(entry.header);
    const body = openEntry(grantKey, feed, entry);
    if (!header.ok || !body.ok) throw new Error('what was sealed does not open');
    const reseal = (plaintext: Uint8Array, hlc = header.value.hlc) =>
      openKeyChange(keys, sealEntry(grantKey, feed, { ...header.value, hlc }, plaintext, random));
    expect(reseal(body.value).ok).toBe(true);
    const named = body.value.slice();
    const at = named.findIndex((_, i) => equalBytes(named.subarray(i, i + 32), keyCommitment(next)));
    named.set(keyCommitment(toAeadKey(random(32))), at);
    expect(reseal(named)).toEqual({ ok: false, error: { type: 'bad-checkpoint' } });
    expect(reseal(body.value, { ms: 1001, counter: 0 })).toEqual({ ok: false, error: { type: 'bad-checkpoint' } });
    expect(openKeyChange({ stream: lane, key: grantKey }, entry).ok).toBe(false);
  });
});
