import { describe, expect, it } from 'vitest';
import { bytesToHex, hexToBytes } from '../base/bytes.ts';
import { type CborValue, decodeCbor, encodeCbor } from './cbor.ts';

const LIMITS = { maxBytes: 10_000, maxDepth: 4 };
const outcome = (hex: string) => {
  const decoded = decodeCbor(hexToBytes(hex), LIMITS);
  return decoded.ok ? 'ok' : decoded.error.type;
};

/** Values with the one encoding they have; most are from RFC 8949 appendix A. */
const CANONICAL: readonly (readonly [CborValue, string])[] = [
  [0, '00'],
  [23, '17'],
  [24, '1818'],
  [255, '18ff'],
  [256, '190100'],
  [65_535, '19ffff'],
  [65_536, '1a00010000'],
  [4_294_967_295, '1affffffff'],
  [4_294_967_296, '1b0000000100000000'],
  [Number.MAX_SAFE_INTEGER, '1b001fffffffffffff'],
  [9_007_199_254_740_992n, '1b0020000000000000'],
  [18_446_744_073_709_551_615n, '1bffffffffffffffff'],
  [-1, '20'],
  [-24, '37'],
  [-25, '3818'],
  [Number.MIN_SAFE_INTEGER, '3b001ffffffffffffe'],
  [-9_007_199_254_740_992n, '3b001fffffffffffff'],
  [-18_446_744_073_709_551_616n, '3bffffffffffffffff'],
  [1.5, 'f93e00'],
  [2 ** -24, 'f90001'],
  [0.00006103515625, 'f90400'],
  [-4.1, 'fbc010666666666666'],
  [1.1, 'fb3ff199999999999a'],
  [1.7881393432617188e-7, 'f90003'],
  [1.7881393432617188e-7 / 2, 'fa33c00000'],
  [1.401298464324817e-45, 'fa00000001'],
  [5e-324, 'fb0000000000000001'],
  [false, 'f4'],
  [true, 'f5'],
  [null, 'f6'],
  [new Uint8Array(0), '40'],
  [hexToBytes('01020304'), '4401020304'],
  ['', '60'],
  ['IETF', '6449455446'],
  ['"\\', '62225c'],
  ['\u00fc', '62c3bc'],
  ['\u6c34', '63e6b0b4'],
  ['\ud800\udd51', '64f0908591'],
  ['\ufeffa', '64efbbbf61'],
  ['\ufffd', '63efbfbd'],
  [[], '80'],
  [[1, [2, 3], [4, 5]], '8301820203820405'],
  [{}, 'a0'],
  [{ b: [2, 3], a: 1 }, 'a26161016162820203'],
  [{ aa: 1, b: 2, '': 3 }, 'a36003616202626161' + '01'],
];

describe('encodeCbor and decodeCbor', () => {
  it.each(CANONICAL)('[CRY-1] %s is %s', (value, hex) => {
    expect(bytesToHex(encodeCbor(value))).toBe(hex);
    const decoded = decodeCbor(hexToBytes(hex), LIMITS);
    expect(decoded).toEqual({ ok: true, value });
  });

  it.each([
    ['an integer in a longer head', '1817'],
    ['an integer in a head of 2 bytes', '1900ff'],
    ['an integer in a head of 4 bytes', '1a0000ffff'],
    ['an integer in a head of 8 bytes', '1b00000000ffffffff'],
    ['a negative integer in a longer head', '3817'],
    ['a byte string with a longer length', '580401020304'],
    ['a byte string with a length of 2 bytes', '59000401020304'],
    ['a byte string with a length of 4 bytes', '5a0000000401020304'],
    ['a byte string with a length of 8 bytes', '5b000000000000000401020304'],
    ['text with a longer length', '780161'],
    ['a list with a longer length', '980101'],
    ['a map with a longer length', 'b801616101'],
    ['keys out of order', 'a2616201616102'],
    ['keys by text order but not by length', 'a2626161016162' + '02'],
    ['the same key twice', 'a2616101616102'],
    ['the same key twice around a nested map', 'a26161a161620161' + '6102'],
    ['an integer as a fraction', 'f93c00'],
    ['minus zero', 'f98000'],
    ['a large integer as a fraction', 'fb7e37e43c8800759c'],
    ['a fraction in 4 bytes that fits 2', 'fa3fc00000'],
    ['a fraction in 8 bytes that fits 4', 'fb3fb99999a0000000'],
  ])('[CRY-1] refuses %s as not canonical', (_, hex) => {
    expect(outcome(hex)).toBe('not-canonical');
  });

  it.each([
    ['nothing', ''],
    ['a cut head', '19'],
    ['a cut length', '59'],
    ['a byte string cut off', `5864${'00'.repeat(99)}`],
    ['text cut off', '6261'],
    ['a list cut off', '8201'],
    ['a list that claims 2^32 items', '9affffffff00'],
    ['a list that claims 2^60 items', '9b100000000000000000'],
    ['a byte string that claims 2^32 bytes', '5affffffff00'],
    ['a byte string that claims 2^60 bytes', '5b100000000000000000'],
    ['a map cut off at a value', 'a16161'],
    ['trailing bytes', '0000'],
    ['an indefinite list', '9f01ff'],
    ['an indefinite map', 'bf616101ff'],
    ['indefinite bytes', '5f4101ff'],
    ['indefinite text', '7f6161ff'],
    ['a lone break', 'ff'],
    ['undefined', 'f7'],
    ['a simple value', 'f0'],
    ['a simple value of two bytes', 'f8ff'],
    ['a tag', 'c100'],
    ['a big number tag', 'c249010000000000000000'],
    ['a reserved head', '1c'],
    ['NaN', 'f97e00'],
    ['infinity', 'f97c00'],
    ['minus infinity in 8 bytes', 'fbfff0000000000000'],
    ['a map with a number as key', 'a10102'],
    ['a map with bytes as key', 'a1416101'],
    ['a map with a list as key', 'a18001'],
    ['text that is not UTF-8', '61ff'],
    ['text with an overlong form', '62c080'],
    ['text with a surrogate in UTF-8', '63eda080'],
    ['text cut inside a character', '61c3'],
  ])('[CRY-1] refuses %s as malformed', (_, hex) => {
    expect(outcome(hex)).toBe('malformed');
  });

  it('[CRY-1] refuses more bytes or deeper nesting than allowed', () => {
    expect(outcome('81818180')).toBe('ok');
    expect(outcome('8181818180')).toBe('too-deep');
    expect(outcome('818181a1616101')).toBe('ok');
    expect(outcome('81818181a0')).toBe('too-deep');
    expect(outcome(`${'81'.repeat(9000)}80`)).toBe('too-deep');
    const long = encodeCbor(new Uint8Array(100));
    expect(decodeCbor(long, { maxBytes: 102, maxDepth: 0 }).ok).toBe(true);
    expect(decodeCbor(long, { maxBytes: 101, maxDepth: 0 })).toEqual({ ok: false, error: { type: 'too-large' } });
    expect(decodeCbor(hexToBytes('80'), { maxBytes: 1, maxDepth: 0 })).toEqual({
      ok: false,
      error: { type: 'too-deep' },
    });
  });

  it('survives any nesting without a limit on it', () => {
    const deep = hexToBytes(`${'81'.repeat(200_000)}80`);
    expect(decodeCbor(deep, { maxBytes: 1e6, maxDepth: 1e6 }).ok).toBe(false);
  });

  it('counts lists that stand side by side as one level', () => {
    const value = Array.from({ length: 50 }, () => [[{}], []]);
    expect(decodeCbor(encodeCbor(value), LIMITS)).toEqual({ ok: true, value });
  });

  it('[CRY-1] refuses to encode what has no single encoding', () => {
    class Point {
      readonly x = 1;
    }
    const refused: readonly unknown[] = [
      undefined,
      [undefined],
      Array(2),
      { a: undefined },
      Number.NaN,
      Number.POSITIVE_INFINITY,
      2 ** 53,
      -(2 ** 53),
      1e300,
      2n ** 64n,
      -(2n ** 64n) - 1n,
      '\ud800',
      { '\udc00': 1 },
      new Date(0),
      new Map(),
      new Set(),
      new Uint16Array(1),
      new ArrayBuffer(1),
      new Point(),
      Symbol('s'),
      () => 1,
    ];
    for (const value of refused) expect(() => encodeCbor(value as CborValue), String(value)).toThrow(TypeError);
  });

  it('encodes minus zero as zero, and objects without a prototype', () => {
    expect(bytesToHex(encodeCbor(-0))).toBe('00');
    expect(bytesToHex(encodeCbor(Object.assign(Object.create(null), { a: 1 })))).toBe('a1616101');
  });

  it('takes a key named __proto__ or constructor for a key', () => {
    const hex = 'a2695f5f70726f746f5f5fa1616101' + '6b636f6e7374727563746f7202';
    const decoded = decodeCbor(hexToBytes(hex), LIMITS);
    const value = decoded.ok ? (decoded.value as Record<string, unknown>) : {};
    expect(Object.keys(value)).toEqual(['__proto__', 'constructor']);
    expect(Object.getPrototypeOf(value)).toBe(Object.prototype);
    expect((value as { a?: unknown }).a).toBeUndefined();
    expect(bytesToHex(encodeCbor(value as CborValue))).toBe(hex);
  });

  it('gives byte strings that do not follow the input, from plain arrays and Buffers alike', () => {
    const value = [new Uint8Array(16).fill(1), new Uint8Array(500).fill(2)];
    const encoded = encodeCbor(value);
    for (const input of [encoded.slice(), Buffer.from(encoded)]) {
      const decoded = decodeCbor(input, LIMITS);
      input.fill(0xff);
      expect(decoded).toEqual({ ok: true, value });
      const [small] = decoded.ok ? (decoded.value as Uint8Array[]) : [];
      expect(small?.constructor).toBe(Uint8Array);
      expect(small?.buffer.byteLength).toBe(16);
    }
  });

  it('gives encodings that share no memory with one another', () => {
    for (const value of [1, 'text', [1, 'a'.repeat(40)], { a: new Uint8Array(300) }]) {
      const encoded = encodeCbor(value);
      expect(encoded.constructor).toBe(Uint8Array);
      expect(encoded.buffer.byteLength).toBe(encoded.length);
    }
  });
});
