import { hkdfSync } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { bytesToHex, utf8ToBytes } from '../base/bytes.ts';
import { hkdf, hmacSha256, sha256 } from './hash.ts';

const ikm = new Uint8Array(32).fill(1);
const reference = (info: string, length: number, salt: Uint8Array = new Uint8Array(0)) =>
  new Uint8Array(hkdfSync('sha256', ikm, salt, utf8ToBytes(info), length));

describe('hkdf', () => {
  it('[CRY-2] derives 32 bytes under the info sluice/LABEL without salt, unless told otherwise', () => {
    expect(hkdf(ikm, 'keychain')).toEqual(reference('sluice/keychain', 32));
    expect(hkdf(ikm, 'é', 50)).toEqual(reference('sluice/é', 50));
    expect(hkdf(ikm, 'a', 16, utf8ToBytes('salt'))).toEqual(reference('sluice/a', 16, utf8ToBytes('salt')));
  });
});

describe('sha256 and hmacSha256', () => {
  it('take parts one after the other', () => {
    const [a, b] = [utf8ToBytes('ab'), utf8ToBytes('c')];
    expect(bytesToHex(sha256(a, b))).toBe('ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad');
    expect(hmacSha256(ikm, a, b)).toEqual(hmacSha256(ikm, utf8ToBytes('abc')));
    expect(hmacSha256(ikm, a)).not.toEqual(hmacSha256(ikm, b));
  });
});
