/** Strict Ed25519: both back ends give one verdict, also on what an attacker builds to split them. */

import { ed25519 } from '@noble/curves/ed25519.js';
import { sha512 } from '@noble/hashes/sha2.js';
import fc from 'fast-check';
import sodium from 'libsodium-wrappers';
import { beforeAll, describe, expect, it } from 'vitest';
import { bytesToHex, concatBytes, hexToBytes, utf8ToBytes } from '../../base/bytes.ts';
import { backends } from './both.oracle.ts';

const { Point } = ed25519;
type Point = InstanceType<typeof Point>;

const fixed = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });
const littleEndian = (bytes: Uint8Array): bigint => BigInt(`0x${bytesToHex(bytes.slice().reverse())}`);
const toScalar = (bytes: Uint8Array): bigint => Point.Fn.create(littleEndian(bytes));
const fromScalar = (n: bigint): Uint8Array => hexToBytes(n.toString(16).padStart(64, '0')).reverse();
const challenge = (r: Uint8Array, a: Uint8Array, message: Uint8Array): bigint =>
  toScalar(sha512(concatBytes(r, a, message)));

const verdicts = (publicKey: Uint8Array, signature: Uint8Array, message: Uint8Array): boolean[] =>
  backends.map(({ p }) => p.ed25519Verify(publicKey, signature, message));
const REFUSED = backends.map(() => false);
const ACCEPTED = backends.map(() => true);

/** A point of order 8; its multiples are all points of small order. */
const TORSION = Point.fromHex('c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a');
const SMALL_ORDER = Array.from({ length: 8 }, (_, i) => (i === 0 ? Point.ZERO : TORSION.multiplyUnsafe(BigInt(i))));
/** Every encoding that decoders have been seen to take for a point of small order: canonical, y + p, and a sign for x = 0. */
const SMALL_ENCODINGS = [
  ...SMALL_ORDER.map((point) => bytesToHex(point.toBytes())),
  ...['80', 'ff'].map((sign) => (sign === '80' ? '01' : 'ec') + (sign === '80' ? '00' : 'ff').repeat(30) + sign),
  ...['ed', 'ee'].flatMap((low) => ['7f', 'ff'].map((sign) => low + 'ff'.repeat(30) + sign)),
].map(hexToBytes);

const CRAFTED = [
  'honest',
  'S raised by the group order',
  'torsion in the key',
  'torsion in R',
  'key of small order',
  'R of small order',
  'y of the key beyond the field',
  'y of R beyond the field',
  'no point as key',
] as const;

/** A signature whose equation holds, with or without the cofactor, but for what is bent about it. */
function craft(what: (typeof CRAFTED)[number], seed: Uint8Array, nonce: bigint, pick: number, message: Uint8Array) {
  const { scalar, point, pointBytes } = ed25519.utils.getExtendedPublicKey(seed);
  const twist = SMALL_ORDER[1 + (pick % 7)] as Point;
  const small = SMALL_ENCODINGS[pick] as Uint8Array;
  // 2^255 - 19 + pick, and its sign: encodings that stand for a y below 19.
  const beyond = Uint8Array.of(0xed + pick, ...new Uint8Array(30).fill(0xff), pick % 2 === 0 ? 0x7f : 0xff);
  const honestR = Point.BASE.multiply(nonce === 0n ? 1n : nonce);
  const made = (key: Uint8Array, r: Uint8Array, secret = scalar, secretNonce = nonce, raise = 0n) => {
    const s = Point.Fn.create(secretNonce + challenge(r, key, message) * secret);
    return { publicKey: key, signature: concatBytes(r, fromScalar(s + raise)) };
  };
  switch (what) {
    case 'honest':
      return made(pointBytes, honestR.toBytes());
    case 'S raised by the group order':
      return made(pointBytes, honestR.toBytes(), scalar, nonce, Point.Fn.ORDER);
    case 'torsion in the key':
      return made(point.add(twist).toBytes(), honestR.toBytes());
    case 'torsion in R':
      return made(pointBytes, honestR.add(twist).toBytes());
    case 'key of small order':
      return made(small, honestR.toBytes(), 0n);
    case 'R of small order':
      return made(pointBytes, small, scalar, 0n);
    case 'y of the key beyond the field':
      return made(beyond, honestR.toBytes(), 0n);
    case 'y of R beyond the field':
      return made(pointBytes, beyond, scalar, 0n);
    case 'no point as key':
      return made(seed, honestR.toBytes());
  }
}

beforeAll(async () => {
  await sodium.ready;
});

describe('Ed25519 verification', () => {
  it('[CRY-7] prop: signatures and changed signatures get the verdict of libsodium on both back ends', () => {
    const part = fc.constantFrom('none', 'signature', 'publicKey', 'message');
    fc.assert(
      fc.property(
        fixed(32),
        fc.uint8Array({ minLength: 1, maxLength: 200 }),
        part,
        fc.nat(),
        (seed, message, what, at) => {
          const { publicKey, privateKey } = sodium.crypto_sign_seed_keypair(seed);
          const signature = sodium.crypto_sign_detached(message, privateKey);
          for (const { p } of backends) expect(bytesToHex(p.ed25519(seed).sign(message))).toBe(bytesToHex(signature));
          const input = { none: new Uint8Array(1), signature, publicKey, message };
          const target = input[what];
          const bit = at % (target.length * 8);
          target[bit >> 3] = (target[bit >> 3] as number) ^ (1 << (bit & 7));
          const expected = sodium.crypto_sign_verify_detached(signature, message, publicKey);
          expect(expected).toBe(what === 'none');
          expect(verdicts(publicKey, signature, message)).toEqual(backends.map(() => expected));
        },
      ),
      { seed: 8032, numRuns: 1000 },
    );
  });

  it('[CRY-7] prop: random bytes as key or signature never verify and never throw', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), fc.uint8Array({ maxLength: 70 }), (key, signature) => {
        expect(verdicts(key, signature, key)).toEqual(REFUSED);
      }),
      { seed: 8032, numRuns: 1000 },
    );
  });

  it('[CRY-7] refuses every encoding of a point of small order as key or as R, as libsodium does', () => {
    const message = utf8ToBytes('anything');
    expect(new Set(SMALL_ENCODINGS.map(bytesToHex)).size).toBe(14);
    const honest = ed25519.getPublicKey(new Uint8Array(32).fill(5));
    const zero = new Uint8Array(32);
    for (const key of [honest, ...SMALL_ENCODINGS]) {
      for (const r of [Point.BASE.toBytes(), ...SMALL_ENCODINGS]) {
        if (key === honest && SMALL_ENCODINGS.indexOf(r) < 0) continue;
        for (const s of [zero, fromScalar(1n)]) {
          const signature = concatBytes(r, s);
          expect(verdicts(key, signature, message)).toEqual(REFUSED);
          expect(sodium.crypto_sign_verify_detached(signature, message, key)).toBe(false);
        }
      }
    }
  });

  it('[CRY-7] refuses a key of small order whose equation holds for any message', () => {
    const signature = concatBytes(Point.BASE.toBytes(), fromScalar(1n));
    expect(verdicts(Point.ZERO.toBytes(), signature, utf8ToBytes('one'))).toEqual(REFUSED);
    expect(verdicts(Point.ZERO.toBytes(), signature, utf8ToBytes('two'))).toEqual(REFUSED);
  });

  it('[CRY-7] refuses R of small order although the equation holds', () => {
    const { scalar, pointBytes } = ed25519.utils.getExtendedPublicKey(new Uint8Array(32).fill(9));
    const message = utf8ToBytes('pay');
    const r = Point.ZERO.toBytes();
    const s = fromScalar(Point.Fn.create(challenge(r, pointBytes, message) * scalar));
    expect(verdicts(pointBytes, concatBytes(r, s), message)).toEqual(REFUSED);
  });

  it('[CRY-7] prop: S at or above the group order is refused', () => {
    fc.assert(
      fc.property(fixed(32), fixed(20), (seed, message) => {
        const signature = ed25519.sign(message, seed);
        const raised = littleEndian(signature.subarray(32)) + Point.Fn.ORDER;
        const malleated = concatBytes(signature.subarray(0, 32), fromScalar(raised));
        expect(verdicts(ed25519.getPublicKey(seed), malleated, message)).toEqual(REFUSED);
      }),
      { seed: 8032, numRuns: 100 },
    );
  });

  it('[CRY-7] prop: of 1,000 signatures built to split verifiers, each gets the verdict of libsodium on both back ends', () => {
    const verdictsOf = new Map<string, Set<boolean>>();
    const kind = fc.constantFrom(...CRAFTED);
    fc.assert(
      fc.property(kind, fixed(32), fixed(32), fc.nat(13), fixed(8), (what, seed, nonce, pick, message) => {
        const { publicKey, signature } = craft(what, seed, toScalar(nonce), pick, message);
        const expected = sodium.crypto_sign_verify_detached(signature, message, publicKey);
        expect(verdicts(publicKey, signature, message), what).toEqual(backends.map(() => expected));
        verdictsOf.set(what, (verdictsOf.get(what) ?? new Set()).add(expected));
      }),
      { seed: 8033, numRuns: 1000 },
    );
    const accepted = CRAFTED.filter((what) => verdictsOf.get(what)?.has(true));
    expect(accepted).toEqual(['honest', 'torsion in the key']);
    expect(CRAFTED.filter((what) => !verdictsOf.get(what)?.has(false))).toEqual(['honest']);
  });

  it('[CRY-7] prop: with a torsion component the equation without cofactor decides, alike on both back ends', () => {
    let accepted = 0;
    let refused = 0;
    const order = fc.integer({ min: 1, max: 7 });
    fc.assert(
      fc.property(fixed(32), fixed(32), order, fc.boolean(), fixed(8), (seed, nonce, small, inKey, message) => {
        const { scalar, point } = ed25519.utils.getExtendedPublicKey(seed);
        const twist = SMALL_ORDER[small] as Point;
        const key = (inKey ? point.add(twist) : point).toBytes();
        const secretNonce = toScalar(nonce);
        const honestR = Point.BASE.multiply(secretNonce);
        const r = (inKey ? honestR : honestR.add(twist)).toBytes();
        const k = challenge(r, key, message);
        const signature = concatBytes(r, fromScalar(Point.Fn.create(secretNonce + k * scalar)));
        // The equation with the cofactor holds each time; without it only if k wipes out the torsion of the key.
        const holds = inKey && twist.multiplyUnsafe(k % 8n === 0n ? 8n : k % 8n).is0();
        if (holds) accepted++;
        else refused++;
        expect(ed25519.verify(signature, message, key, { zip215: false })).toBe(true);
        expect(verdicts(key, signature, message)).toEqual(holds ? ACCEPTED : REFUSED);
      }),
      { seed: 8032, numRuns: 200 },
    );
    expect(accepted).toBeGreaterThan(5);
    expect(refused).toBeGreaterThan(100);
  });
});
