import { createHash, createHmac } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { bytesToHex, utf8ToBytes } from '../base/bytes.ts';
import { toStreamId } from '../base/ids.ts';
import { hkdf } from './hash.ts';
import * as keys from './keys.ts';
import { toVerifyKey } from './sign.ts';

const bytes = (fill: number) => new Uint8Array(32).fill(fill);
const hmac = (key: Uint8Array, text: string) => createHmac('sha256', key).update(text).digest('hex');

describe('derived keys', () => {
  it('[CRY-13] come from their parent under their own label', () => {
    const stream = toStreamId(new Uint8Array(16).fill(0xa5));
    expect(keys.keychainKey(keys.toAccountRoot(bytes(1)))).toEqual(hkdf(bytes(1), 'keychain'));
    expect(keys.collectionKey(keys.toEpochKey(bytes(2)), 'own/x')).toEqual(hkdf(bytes(2), 'collection/own/x'));
    expect(keys.streamTagKey(keys.toTagSecret(bytes(3)), stream)).toEqual(
      hkdf(bytes(3), `stream-tag/${'a5'.repeat(16)}`),
    );
  });

  it('[CRY-13] differ by parent and by name', () => {
    const names = [1, 2].flatMap((parent) =>
      ['a', 'b', ''].map((name) => bytesToHex(keys.collectionKey(keys.toEpochKey(bytes(parent)), name))),
    );
    expect(new Set(names).size).toBe(6);
  });
});

describe('names', () => {
  it('[CRY-14] a stream id is the kind and 15 bytes of HMAC over the name', () => {
    const secret = keys.toTagSecret(bytes(4));
    expect(bytesToHex(keys.streamId(3, secret, 'inbox'))).toBe(`03${hmac(bytes(4), 'stream/inbox').slice(0, 30)}`);
    expect(() => keys.streamId(256, secret, 'x')).toThrow(RangeError);
    expect(() => keys.streamId(1.5, secret, 'x')).toThrow(RangeError);
  });

  it('[CRY-14] a tag is 16 bytes of HMAC over the record id', () => {
    const key = keys.toStreamTagKey(bytes(5));
    expect(bytesToHex(keys.recordTag(key, 'r\u00e9cord'))).toBe(hmac(bytes(5), 'r\u00e9cord').slice(0, 32));
    expect(keys.recordTag(key, 'a')).not.toEqual(keys.recordTag(key, 'b'));
    expect(keys.recordTag(key, 'a').buffer.byteLength).toBe(16);
  });

  it('[CRY-14] a writer id is 16 bytes of SHA-256 over the public key', () => {
    const expected = createHash('sha256').update(utf8ToBytes('sluice/writer/1\0')).update(bytes(6)).digest('hex');
    expect(bytesToHex(keys.writerId(toVerifyKey(bytes(6))))).toBe(expected.slice(0, 32));
  });
});

describe('key brands', () => {
  it.each([
    ['toAccountRoot', keys.toAccountRoot],
    ['toKeychainKey', keys.toKeychainKey],
    ['toEpochKey', keys.toEpochKey],
    ['toCollectionKey', keys.toCollectionKey],
    ['toTagSecret', keys.toTagSecret],
    ['toStreamTagKey', keys.toStreamTagKey],
    ['toGrantKey', keys.toGrantKey],
    ['toGrantSecret', keys.toGrantSecret],
    ['toLaneKey', keys.toLaneKey],
  ])('%s takes 32 bytes and nothing else', (_, construct) => {
    expect(construct(bytes(1))).toEqual(bytes(1));
    for (const length of [0, 16, 31, 33]) expect(() => construct(new Uint8Array(length))).toThrow(TypeError);
    expect(() => construct('x'.repeat(32) as never)).toThrow(TypeError);
  });
});
