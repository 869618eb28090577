import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bytesToHex, utf8ToBytes } from '../base/bytes.ts';
import { systemRandom } from '../base/random.ts';
import { ok } from '../base/result.ts';
import { checkCommitment, keyCommitment, openAead, sealAead, toAeadKey } from './aead.ts';
import { hmacSha256 } from './hash.ts';

const CANNOT_OPEN = { ok: false, error: { type: 'cannot-open' } };
const key = toAeadKey(new Uint8Array(32).fill(1));
const other = toAeadKey(new Uint8Array(32).fill(2));
const aad = utf8ToBytes('context');

describe('sealAead and openAead', () => {
  it('[CRY-3] a box is the nonce, the ciphertext and the tag', () => {
    const plaintext = utf8ToBytes('body');
    const sealed = sealAead(key, aad, plaintext, (length) => new Uint8Array(length).fill(7));
    expect(sealed).toHaveLength(24 + 4 + 16);
    expect(bytesToHex(sealed.subarray(0, 24))).toBe('07'.repeat(24));
    expect(openAead(key, aad, sealed)).toEqual(ok(plaintext));
  });

  it('[CRY-3] each seal draws a nonce of its own', () => {
    const [a, b] = [1, 2].map(() => bytesToHex(sealAead(key, aad, aad, systemRandom))) as [string, string];
    expect(a.slice(0, 48)).not.toBe(b.slice(0, 48));
    expect(a.slice(48)).not.toBe(b.slice(48));
  });

  it('[CRY-4] another key, another context and anything cut off give one and the same failure', () => {
    const sealed = sealAead(key, aad, new Uint8Array(3), systemRandom);
    expect(openAead(other, aad, sealed)).toEqual(CANNOT_OPEN);
    expect(openAead(key, utf8ToBytes('contexT'), sealed)).toEqual(CANNOT_OPEN);
    for (let length = 0; length < sealed.length; length++) {
      expect(openAead(key, aad, sealed.subarray(0, length))).toEqual(CANNOT_OPEN);
    }
  });

  it('[CRY-4] prop: a box with any one bit changed does not open', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), fc.nat(), (plaintext, at) => {
        const sealed = sealAead(key, aad, plaintext, systemRandom);
        const bit = at % (sealed.length * 8);
        const changed = sealed.with(bit >> 3, (sealed[bit >> 3] as number) ^ (1 << (bit & 7)));
        expect(openAead(key, aad, changed)).toEqual(CANNOT_OPEN);
        expect(openAead(key, aad, sealed)).toEqual(ok(plaintext));
      }),
      { seed: 1, numRuns: 1000 },
    );
  });

  it('refuses keys and nonces of another length as bugs', () => {
    for (const length of [0, 31, 33]) expect(() => toAeadKey(new Uint8Array(length))).toThrow(TypeError);
    expect(() => sealAead(key, aad, aad, () => new Uint8Array(12))).toThrow(TypeError);
  });
});

describe('key commitment', () => {
  it('[CRY-5] is HMAC-SHA256 of sluice/kc/1 under the key, and fits no other key', () => {
    const commitment = keyCommitment(key);
    expect(commitment).toEqual(hmacSha256(key, utf8ToBytes('sluice/kc/1')));
    expect(checkCommitment(key, commitment)).toBe(true);
    expect(checkCommitment(other, commitment)).toBe(false);
    expect(checkCommitment(key, commitment.subarray(0, 31))).toBe(false);
    expect(checkCommitment(key, commitment.with(31, (commitment[31] as number) ^ 1))).toBe(false);
  });
});
