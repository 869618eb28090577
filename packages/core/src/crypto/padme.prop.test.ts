import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bytesToHex, hexToBytes } from '../base/bytes.ts';
import { ok } from '../base/result.ts';
import { padPlaintext, unpadPlaintext } from './padme.ts';

const CANNOT_OPEN = { ok: false, error: { type: 'cannot-open' } };
const RUNS = { seed: 1, numRuns: 1000 };
/** The published algorithm, on the logarithms themselves. */
function padme(length: number): number {
  const e = Math.floor(Math.log2(length));
  const s = Math.floor(Math.log2(e)) + 1;
  const mask = 2 ** Math.max(0, e - s) - 1;
  return (length + mask) & ~mask;
}

describe('padPlaintext and unpadPlaintext', () => {
  it.each([
    [0, 4],
    [4, 8],
    [5, 10],
    [60, 64],
    [61, 72],
    [1020, 1024],
    [1021, 1088],
    [1_048_572, 1_048_576],
    [1_048_573, 1_081_344],
  ])('[CRY-6] %d bytes become %d', (length, padded) => {
    expect(padPlaintext(new Uint8Array(length).fill(9))).toHaveLength(padded);
  });

  it('[CRY-6] prop: the length is the Padmé length, at most 12 % more, and the bytes come back', () => {
    fc.assert(
      fc.property(fc.nat(40_000), (length) => {
        const bytes = new Uint8Array(length).fill(5);
        const padded = padPlaintext(bytes);
        expect(padded).toHaveLength(padme(length + 4));
        expect(padded.length).toBeLessThanOrEqual((length + 4) * 1.12);
        const back = unpadPlaintext(padded);
        expect(back.ok && bytesToHex(back.value)).toBe(bytesToHex(bytes));
      }),
      RUNS,
    );
  });

  it('[CRY-6] is the length, the bytes and zeros', () => {
    expect(bytesToHex(padPlaintext(hexToBytes('0102030405')))).toBe('0000000501020304050' + '0');
    expect(unpadPlaintext(hexToBytes('00000005010203040500'))).toEqual(ok(hexToBytes('0102030405')));
  });

  it.each([
    ['nothing', ''],
    ['half a length', '000000'],
    ['a length beyond the end', '00000005'],
    ['the largest length', 'ffffffff00'],
    ['padding that is not zero', '00000005010203040501'],
    ['no padding where some belongs', '000000050102030405'],
    ['more padding than belongs', '000000050102030405000000'],
    ['padding where none belongs', '0000000401020304' + '0000'],
  ])('[CRY-6] refuses %s', (_, hex) => {
    expect(unpadPlaintext(hexToBytes(hex))).toEqual(CANNOT_OPEN);
  });

  it('[CRY-6] prop: what unpads is exactly what padding gives', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), fc.nat(40), (tail, length) => {
        const padded = Uint8Array.of(0, 0, 0, length, ...tail);
        const bytes = unpadPlaintext(padded);
        expect(bytes.ok ? bytesToHex(padPlaintext(bytes.value)) : bytesToHex(padded)).toBe(bytesToHex(padded));
      }),
      RUNS,
    );
  });

  it('reads a view into a larger buffer', () => {
    const padded = padPlaintext(hexToBytes('aabb'));
    const buffer = new Uint8Array(padded.length + 9).fill(0xff);
    buffer.set(padded, 5);
    expect(unpadPlaintext(buffer.subarray(5, 5 + padded.length))).toEqual(ok(hexToBytes('aabb')));
  });
});
