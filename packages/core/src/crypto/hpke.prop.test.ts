/** HPKE against RFC 9180's vectors and against a second implementation, on each back end. */

import { Aes256Gcm, CipherSuite, DhkemX25519HkdfSha256, HkdfSha256 } from '@hpke/core';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bytesToHex, concatBytes, hexToBytes } from '../base/bytes.ts';
import { type Random, systemRandom } from '../base/random.ts';
import { Redacted } from '../base/redacted.ts';
import { ok } from '../base/result.ts';
import { backends, noblePrimitives, nodePrimitives } from './backend/both.oracle.ts';
import {
  createHpke,
  createHpkeKeyPair,
  findWebCryptoHpke,
  hpkeKeyPairFromSecret,
  openHpke,
  sealHpke,
  toHpkePublicKey,
} from './hpke.ts';
import { createHpkeSuite } from './hpke-suite.ts';

const CANNOT_OPEN = { ok: false, error: { type: 'cannot-open' } };
const fixed = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });
const upTo = (maxLength: number) => fc.uint8Array({ maxLength, size: 'max' });
const seal = { info: upTo(60), aad: upTo(60), plaintext: upTo(300) };
const give =
  (bytes: Uint8Array): Random =>
  () =>
    bytes;
const noRandom: Random = () => {
  throw new Error('no randomness expected');
};

/** RFC 9180 appendix A.1.1, sequence number 0. */
const A11 = {
  info: '4f6465206f6e2061204772656369616e2055726e',
  ephemeralSecret: '52c4a758a802cd8b936eceea314432798d5baf2d7e9235dc084ab1b9cfa2f736',
  secret: '4612c550263fc8ad58375df3f557aac531d26850903e55a9f23f21d8534e8ac8',
  publicKey: '3948cfe0ad1ddb695d780e59077195da6c56506b027329794ab02bca80815c4d',
  enc: '37fda3567bdbd628e88668c3c8d7e97d1d1253b6d4ea6d44c150f741f1bf4431',
  plaintext: '4265617574792069732074727574682c20747275746820626561757479',
  aad: '436f756e742d30',
  ciphertext: 'f938558b5d72f1a23810b4be2ab4f84331acc02fc97babc53a52ae8218a355a96d8770ac83d07bea87e13c512a',
};

describe.each(backends)('HPKE on $name', ({ p }) => {
  it('[CRY-9] seals and opens RFC 9180 A.1.1, which differs from the suite in the size of the AES key alone', async () => {
    const hpke = createHpke(createHpkeSuite(p, give(hexToBytes(A11.ephemeralSecret)), 16));
    const keyPair = hpkeKeyPairFromSecret(hexToBytes(A11.secret));
    expect(bytesToHex(keyPair.publicKey)).toBe(A11.publicKey);
    const [info, aad, plaintext] = [A11.info, A11.aad, A11.plaintext].map(hexToBytes) as [
      Uint8Array,
      Uint8Array,
      Uint8Array,
    ];
    const sealed = await hpke.seal(keyPair.publicKey, info, aad, plaintext);
    expect(bytesToHex(sealed)).toBe(A11.enc + A11.ciphertext);
    expect(await hpke.open(keyPair, info, aad, sealed)).toEqual(ok(plaintext));
  });

  it('[CRY-9] opens nothing from an ephemeral key of small order, and seals to none', async () => {
    const hpke = createHpke(createHpkeSuite(p, systemRandom));
    const keyPair = createHpkeKeyPair(systemRandom);
    const nothing = new Uint8Array(0);
    for (const first of [0, 1]) {
      const point = new Uint8Array(32).with(0, first);
      const sealed = concatBytes(point, new Uint8Array(40));
      expect(await hpke.open(keyPair, nothing, nothing, sealed)).toEqual(CANNOT_OPEN);
      await expect(hpke.seal(point, nothing, nothing, nothing)).rejects.toThrow(TypeError);
    }
  });
});

/** The second implementation, made anew for each test. */
const second = () =>
  new CipherSuite({ kem: new DhkemX25519HkdfSha256(), kdf: new HkdfSha256(), aead: new Aes256Gcm() });

describe.each(backends)('HPKE on $name against a second implementation', ({ p }) => {
  it('[CRY-9] prop: it opens what is sealed here', async () => {
    const other = second();
    await fc.assert(
      fc.asyncProperty(
        fixed(32),
        fixed(32),
        seal.info,
        seal.aad,
        seal.plaintext,
        async (secret, ephemeral, info, aad, plaintext) => {
          const keyPair = hpkeKeyPairFromSecret(secret);
          const hpke = createHpke(createHpkeSuite(p, give(ephemeral)));
          const sealed = await hpke.seal(keyPair.publicKey, info, aad, plaintext);
          const recipientKey = await other.kem.deserializePrivateKey(secret.slice().buffer);
          const enc = sealed.slice(0, 32).buffer;
          const opened = await other.open({ recipientKey, enc, info }, sealed.slice(32), aad);
          expect(bytesToHex(new Uint8Array(opened))).toBe(bytesToHex(plaintext));
        },
      ),
      { seed: 9180, numRuns: 1000 },
    );
  });

  it('[CRY-9] prop: what it seals opens here', async () => {
    const other = second();
    const hpke = createHpke(createHpkeSuite(p, noRandom));
    await fc.assert(
      fc.asyncProperty(fixed(32), seal.info, seal.aad, seal.plaintext, async (secret, info, aad, plaintext) => {
        const keyPair = hpkeKeyPairFromSecret(secret);
        const recipientPublicKey = await other.kem.deserializePublicKey(keyPair.publicKey.slice().buffer);
        const { enc, ct } = await other.seal({ recipientPublicKey, info }, plaintext, aad);
        const opened = await hpke.open(keyPair, info, aad, concatBytes(new Uint8Array(enc), new Uint8Array(ct)));
        expect(opened.ok && bytesToHex(opened.value)).toBe(bytesToHex(plaintext));
      }),
      { seed: 9181, numRuns: 1000 },
    );
  });
});

describe('HPKE', () => {
  it('[CRY-9] prop: what the second implementation seals opens by the back end in use', async () => {
    const other = second();
    await fc.assert(
      fc.asyncProperty(fixed(32), seal.info, seal.aad, seal.plaintext, async (secret, info, aad, plaintext) => {
        const keyPair = hpkeKeyPairFromSecret(secret);
        const recipientPublicKey = await other.kem.deserializePublicKey(keyPair.publicKey.slice().buffer);
        const { enc, ct } = await other.seal({ recipientPublicKey, info }, plaintext, aad);
        const opened = await openHpke(keyPair, info, aad, concatBytes(new Uint8Array(enc), new Uint8Array(ct)));
        expect(opened.ok && bytesToHex(opened.value)).toBe(bytesToHex(plaintext));
      }),
      { seed: 9182, numRuns: 100 },
    );
  });

  it('[CRY-9] prop: both back ends seal to the same bytes, and WebCrypto opens them', async () => {
    const webCrypto = await findWebCryptoHpke();
    await fc.assert(
      fc.asyncProperty(fixed(32), fixed(32), seal.plaintext, async (secret, ephemeral, plaintext) => {
        const keyPair = hpkeKeyPairFromSecret(secret);
        const [node, noble] = await Promise.all(
          [nodePrimitives, noblePrimitives].map((p) =>
            createHpke(createHpkeSuite(p, give(ephemeral))).seal(keyPair.publicKey, secret, secret, plaintext),
          ),
        );
        expect(node).toEqual(noble);
        expect(await webCrypto?.open(keyPair, secret, secret, node as Uint8Array)).toEqual(ok(plaintext));
      }),
      { seed: 9180, numRuns: 100 },
    );
  });

  it('[CRY-4] prop: a sealed message with any one bit changed, other info or other aad does not open', async () => {
    const keyPair = createHpkeKeyPair(systemRandom);
    const hpke = createHpke(createHpkeSuite(nodePrimitives, noRandom));
    const info = new Uint8Array(8);
    const plaintext = new Uint8Array(30);
    const sealed = await sealHpke(keyPair.publicKey, info, info, plaintext);
    const topBitOfPoint = 31 * 8 + 7;
    await fc.assert(
      fc.asyncProperty(fc.nat(sealed.length * 8 - 1), async (bit) => {
        const changed = sealed.with(bit >> 3, (sealed[bit >> 3] as number) ^ (1 << (bit & 7)));
        expect(await hpke.open(keyPair, info, info, changed)).toEqual(CANNOT_OPEN);
      }),
      { seed: 9180, numRuns: 1000, examples: [[topBitOfPoint]] },
    );
    expect(await hpke.open(keyPair, info, info, sealed)).toEqual(ok(plaintext));
    expect(await hpke.open(keyPair, info.with(0, 1), info, sealed)).toEqual(CANNOT_OPEN);
    expect(await hpke.open(keyPair, info, info.with(0, 1), sealed)).toEqual(CANNOT_OPEN);
    expect(await hpke.open(createHpkeKeyPair(systemRandom), info, info, sealed)).toEqual(CANNOT_OPEN);
    expect(await hpke.open(keyPair, info, info, sealed.subarray(0, 47))).toEqual(CANNOT_OPEN);
  });

  it('[CRY-9] two seals of the same bytes share neither key nor ciphertext', async () => {
    const { publicKey } = createHpkeKeyPair(systemRandom);
    const nothing = new Uint8Array(0);
    const sealed = await Promise.all([1, 2].map(() => sealHpke(publicKey, nothing, nothing, new Uint8Array(32))));
    const [a, b] = sealed.map(bytesToHex) as [string, string];
    expect(a.slice(0, 64)).not.toBe(b.slice(0, 64));
    expect(a.slice(64)).not.toBe(b.slice(64));
  });

  it('keeps the secret out of print and refuses keys of another length', async () => {
    const secret = new Uint8Array(32).fill(0xab);
    const keyPair = hpkeKeyPairFromSecret(secret);
    secret.fill(0);
    expect(keyPair.secret).toBeInstanceOf(Redacted);
    expect(keyPair.secret.reveal()[0]).toBe(0xab);
    expect(JSON.stringify(keyPair.secret)).toBe('"<redacted>"');
    expect(() => hpkeKeyPairFromSecret(new Uint8Array(31))).toThrow(TypeError);
    expect(() => toHpkePublicKey(new Uint8Array(33))).toThrow(TypeError);
    const failure: unknown = await sealHpke(new Uint8Array(31), secret, secret, secret).catch((cause) => cause);
    expect(failure).toBeInstanceOf(TypeError);
    expect((failure as Error).cause).toBeUndefined();
  });
});
