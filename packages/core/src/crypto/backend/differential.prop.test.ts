/** Both back ends against each other and against other libraries, on seeded random input. */

import { createCipheriv, createHash, createHmac, hkdfSync } from 'node:crypto';
import fc from 'fast-check';
import sodium from 'libsodium-wrappers';
import { beforeAll, describe, expect, it } from 'vitest';
import { bytesToHex, concatBytes } from '../../base/bytes.ts';
import { backends, noblePrimitives, nodePrimitives } from './both.oracle.ts';
import { hkdfExpand, hkdfExtract } from './hkdf.ts';

const RUNS = { seed: 8439, numRuns: 1000 };
const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });
const upTo = (maxLength: number) => fc.uint8Array({ maxLength, size: 'max' });

/** `toEqual` on long byte arrays would take most of the time here. */
const hexOf = (opened: Uint8Array | undefined) => (opened === undefined ? 'refused' : bytesToHex(opened));

beforeAll(async () => {
  await sodium.ready;
});

describe('XChaCha20-Poly1305', () => {
  it('[CRY-3] prop: both back ends seal to the bytes libsodium seals to, and open them', () => {
    fc.assert(
      fc.property(bytes(32), bytes(24), upTo(80), upTo(1500), (key, nonce, aad, plaintext) => {
        const body = sodium.crypto_aead_xchacha20poly1305_ietf_encrypt(plaintext, aad, null, nonce, key);
        const expected = concatBytes(nonce, body);
        for (const { p } of backends) {
          expect(bytesToHex(p.sealXChaCha(key, nonce, aad, plaintext))).toBe(bytesToHex(expected));
          expect(hexOf(p.openXChaCha(key, aad, expected))).toBe(bytesToHex(plaintext));
        }
      }),
      RUNS,
    );
  });

  it('[CRY-4] prop: a box with any one bit changed opens on neither back end', () => {
    fc.assert(
      fc.property(bytes(32), bytes(24), upTo(20), upTo(100), fc.nat(), (key, nonce, aad, plaintext, at) => {
        const sealed = nodePrimitives.sealXChaCha(key, nonce, aad, plaintext);
        const bit = at % (sealed.length * 8);
        const changed = sealed.with(bit >> 3, (sealed[bit >> 3] as number) ^ (1 << (bit & 7)));
        for (const { p } of backends) expect(p.openXChaCha(key, aad, changed)).toBeUndefined();
      }),
      RUNS,
    );
  });
});

describe('AES-GCM', () => {
  it('prop: both back ends agree with the platform for keys of 16 and 32 bytes', () => {
    const key = fc.oneof(bytes(16), bytes(32));
    fc.assert(
      fc.property(key, bytes(12), upTo(40), upTo(300), (key, nonce, aad, plaintext) => {
        const cipher = createCipheriv(key.length === 16 ? 'aes-128-gcm' : 'aes-256-gcm', key, nonce).setAAD(aad);
        const sealed = concatBytes(cipher.update(plaintext), cipher.final(), cipher.getAuthTag());
        for (const { p } of backends) {
          expect(bytesToHex(p.sealAesGcm(key, nonce, aad, plaintext))).toBe(bytesToHex(sealed));
          expect(hexOf(p.openAesGcm(key, nonce, aad, sealed))).toBe(bytesToHex(plaintext));
        }
      }),
      RUNS,
    );
  });
});

describe('HKDF-SHA256', () => {
  it('[CRY-2] prop: both back ends derive what node:crypto derives', () => {
    fc.assert(
      fc.property(upTo(100), upTo(100), upTo(60), fc.integer({ min: 1, max: 200 }), (ikm, salt, info, length) => {
        const expected = new Uint8Array(hkdfSync('sha256', ikm, salt, info, length));
        for (const { p } of backends) expect(hkdfExpand(p, hkdfExtract(p, salt, ikm), info, length)).toEqual(expected);
      }),
      RUNS,
    );
  });

  it('gives at most 255 blocks', () => {
    const prk = new Uint8Array(32);
    expect(hkdfExpand(nodePrimitives, prk, prk, 8160)).toHaveLength(8160);
    for (const length of [0, -1, 1.5, 8161]) {
      expect(() => hkdfExpand(nodePrimitives, prk, prk, length)).toThrow(RangeError);
    }
  });
});

describe('SHA-256 and HMAC-SHA256', () => {
  it('prop: both back ends hash parts as node:crypto hashes them joined', () => {
    fc.assert(
      fc.property(bytes(32), fc.array(upTo(90), { maxLength: 4 }), (key, parts) => {
        const joined = concatBytes(...parts);
        const mac = createHmac('sha256', key).update(joined).digest('hex');
        const hash = createHash('sha256').update(joined).digest('hex');
        for (const { p } of backends) {
          expect(bytesToHex(p.sha256(parts))).toBe(hash);
          expect(bytesToHex(p.hmacSha256(key, parts))).toBe(mac);
        }
      }),
      RUNS,
    );
  });
});

describe('X25519', () => {
  it('prop: both back ends agree with libsodium, on any bytes as a public key', () => {
    fc.assert(
      fc.property(bytes(32), bytes(32), (secret, point) => {
        const shared = sodium.crypto_scalarmult(secret, point);
        for (const { p } of backends) {
          expect(p.x25519(secret).publicKey).toEqual(sodium.crypto_scalarmult_base(secret));
          expect(p.x25519(secret).agree(point)).toEqual(shared);
        }
      }),
      { ...RUNS, numRuns: 300 },
    );
    const key = new Uint8Array(32).fill(3);
    expect(noblePrimitives.x25519(key).publicKey).toEqual(nodePrimitives.x25519(key).publicKey);
  });
});
