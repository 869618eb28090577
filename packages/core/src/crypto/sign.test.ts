import { describe, expect, it } from 'vitest';
import { concatBytes, utf8ToBytes } from '../base/bytes.ts';
import { systemRandom } from '../base/random.ts';
import { redact } from '../base/redacted.ts';
import { noblePrimitives } from './backend/both.oracle.ts';
import {
  createSigningKey,
  sign,
  signingKeyFromSeed,
  signRaw,
  toSigningSeed,
  toVerifyKey,
  verify,
  verifyRaw,
} from './sign.ts';

const key = signingKeyFromSeed(new Uint8Array(32).fill(1));
const part = (text: string) => utf8ToBytes(text);

describe('sign and verify', () => {
  it('[CRY-8] the signed bytes are the domain, a zero byte and the parts', () => {
    const signature = sign(key, 'sluice/test/1', part('a'), part('bc'));
    const signed = concatBytes(part('sluice/test/1'), Uint8Array.of(0), part('abc'));
    expect(signature).toEqual(noblePrimitives.ed25519(new Uint8Array(32).fill(1)).sign(signed));
    expect(verify(key.publicKey, signature, 'sluice/test/1', part('abc'))).toBe(true);
  });

  it('[CRY-8] a signature for one purpose is none for another, nor without one', () => {
    const signature = sign(key, 'sluice/test/1', part('x'));
    expect(verify(key.publicKey, signature, 'sluice/test/2', part('x'))).toBe(false);
    expect(verify(key.publicKey, signature, 'sluice/test/1', part('y'))).toBe(false);
    expect(verify(key.publicKey, signature, 'sluice/test/1')).toBe(false);
    expect(verifyRaw(key.publicKey, signature, part('x'))).toBe(false);
    expect(verify(createSigningKey(systemRandom).publicKey, signature, 'sluice/test/1', part('x'))).toBe(false);
  });

  it('[CRY-8] a domain cannot be continued by the first part', () => {
    const signature = sign(key, 'sluice/a', part('b'));
    expect(verify(key.publicKey, signature, 'sluice/ab')).toBe(false);
    for (const domain of ['', 'a\0b', 'a b', 'é', 'x'.repeat(65)]) {
      expect(() => sign(key, domain), domain).toThrow(TypeError);
    }
  });

  it('[CRY-7] bytes that are no signature verify as false', () => {
    for (const signature of [new Uint8Array(0), new Uint8Array(63), new Uint8Array(64), new Uint8Array(65)]) {
      expect(verify(key.publicKey, signature, 'sluice/test/1')).toBe(false);
    }
    const signature = sign(key, 'sluice/test/1');
    expect(verify(toVerifyKey(new Uint8Array(32)), signature, 'sluice/test/1')).toBe(false);
    expect(verify(toVerifyKey(new Uint8Array(32).fill(0xff)), signature, 'sluice/test/1')).toBe(false);
  });

  it('keeps its verdict when the caller changes the key bytes in place', () => {
    const bytes = toVerifyKey(key.publicKey.slice());
    const signature = signRaw(key, part('x'));
    expect(verifyRaw(bytes, signature, part('x'))).toBe(true);
    bytes.set(createSigningKey(systemRandom).publicKey);
    expect(verifyRaw(bytes, signature, part('x'))).toBe(false);
  });

  it('signs alike with more keys than are kept', () => {
    const keys = Array.from({ length: 300 }, (_, i) => noblePrimitives.ed25519(new Uint8Array(32).fill(i, 0, 3)));
    for (const signer of [...keys.slice(0, 1), ...keys.slice(250), ...keys.slice(0, 1)]) {
      expect(verifyRaw(toVerifyKey(signer.publicKey), signer.sign(part('x')), part('x'))).toBe(true);
    }
  });
});

describe('signing keys', () => {
  it('copy the seed and keep it out of print', () => {
    const seed = new Uint8Array(32).fill(4);
    const made = signingKeyFromSeed(seed);
    seed.fill(0);
    expect(made.seed.reveal()[0]).toBe(4);
    expect(JSON.stringify(made.seed)).toBe('"<redacted>"');
    expect(made.publicKey).toEqual(noblePrimitives.ed25519(new Uint8Array(32).fill(4)).publicKey);
  });

  it('sign with a key put together from its parts', () => {
    const again = { publicKey: key.publicKey, seed: redact(new Uint8Array(32).fill(1)) };
    expect(sign(again, 'sluice/test/1')).toEqual(sign(key, 'sluice/test/1'));
  });

  it('refuse other lengths as bugs', () => {
    for (const length of [0, 31, 33]) {
      expect(() => signingKeyFromSeed(new Uint8Array(length))).toThrow(TypeError);
      expect(() => toSigningSeed(new Uint8Array(length))).toThrow(TypeError);
      expect(() => toVerifyKey(new Uint8Array(length))).toThrow(TypeError);
    }
  });
});
