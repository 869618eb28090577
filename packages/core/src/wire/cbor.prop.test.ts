/** CBOR against a second implementation, and under mutation. */

import { decode, encode } from 'cbor2';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bytesToHex } from '../base/bytes.ts';
import { type CborValue, decodeCbor, encodeCbor } from './cbor.ts';

const LIMITS = { maxBytes: 1_000_000, maxDepth: 20 };
const RUNS = { seed: 8949, numRuns: 1000 };

const text = fc.oneof(fc.string({ unit: 'binary', maxLength: 40 }), fc.constantFrom('__proto__', '\ufeffx', '\ufffd'));
const fraction = fc.oneof(
  fc.double({ noNaN: true }),
  fc.float({ noNaN: true }),
  fc.constantFrom(0.5, 1.5, 2 ** -14, 2 ** -24),
);
const scalar: fc.Arbitrary<CborValue> = fc.oneof(
  fc.constantFrom(null, true, false),
  fc.nat(300),
  fc.maxSafeInteger().map((n) => (n === 0 ? 0 : n)),
  fc.bigInt({ min: 2n ** 53n, max: 2n ** 64n - 1n }),
  fc.bigInt({ min: -(2n ** 64n), max: -(2n ** 53n) }),
  fraction.filter((n) => Number.isFinite(n) && !Number.isInteger(n)),
  text,
  fc.uint8Array({ maxLength: 300, size: 'max' }),
);
const { value } = fc.letrec<{ value: CborValue }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    scalar,
    fc.array(tie('value'), { maxLength: 6 }),
    fc.dictionary(text, tie('value'), { maxKeys: 6 }),
  ),
}));

describe('CBOR', () => {
  it('[CRY-1] prop: both implementations encode alike and read one another', () => {
    fc.assert(
      fc.property(value, (value) => {
        const encoded = encodeCbor(value);
        expect(bytesToHex(encode(value, { cde: true, collapseBigInts: true }))).toBe(bytesToHex(encoded));
        const theirs = decode<CborValue>(encoded, { cde: true });
        expect(bytesToHex(encodeCbor(theirs))).toBe(bytesToHex(encoded));
        const ours = decodeCbor(encoded, LIMITS);
        expect(ours.ok && bytesToHex(encodeCbor(ours.value))).toBe(bytesToHex(encoded));
        expect(ours).toEqual({ ok: true, value });
      }),
      RUNS,
    );
  });

  it('[CRY-1] every fraction of 2 bytes is read and written alike', () => {
    for (let bits = 0; bits < 65_536; bits++) {
      const bytes = Uint8Array.of(0xf9, bits >> 8, bits & 255);
      const number = decode<number>(bytes);
      const isFraction = Number.isFinite(number) && !Number.isInteger(number);
      const ours = decodeCbor(bytes, LIMITS);
      if (ours.ok !== isFraction || (ours.ok && ours.value !== number)) expect(ours, bytesToHex(bytes)).toBe(number);
      if (isFraction && bytesToHex(encodeCbor(number)) !== bytesToHex(bytes)) expect(number).toBe(bytesToHex(bytes));
    }
    expect(decodeCbor(Uint8Array.of(0xf9, 0x3e, 0), LIMITS)).toEqual({ ok: true, value: 1.5 });
  });

  it('[CRY-1] prop: fractions of 4 bytes are read and written alike', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 4, maxLength: 4 }), (tail) => {
        const bytes = Uint8Array.of(0xfa, ...tail);
        const number = decode<number>(bytes);
        const ours = decodeCbor(bytes, LIMITS);
        const isOnly = Number.isFinite(number) && bytesToHex(encode(number, { cde: true })) === bytesToHex(bytes);
        expect(ours.ok).toBe(isOnly && !Number.isInteger(number));
        if (ours.ok) expect(ours.value).toBe(number);
      }),
      RUNS,
    );
  });

  it('[CRY-1] prop: changed bytes are refused or are the encoding of what they are read as', () => {
    let read = 0;
    const edit = fc.record({
      kind: fc.constantFrom('flip', 'insert', 'delete', 'repeat'),
      at: fc.nat(),
      byte: fc.oneof(fc.nat(255), fc.constantFrom(0x18, 0x58, 0x78, 0x81, 0x98, 0xa1, 0xb8, 0xc0, 0xf7, 0xf9, 0xff)),
    });
    fc.assert(
      fc.property(value, fc.array(edit, { minLength: 1, maxLength: 4 }), (value, edits) => {
        const bytes = [...encodeCbor(value)];
        for (const { kind, at, byte } of edits) {
          const index = at % (bytes.length + 1);
          if (kind === 'flip') bytes[index] = byte;
          else if (kind === 'insert') bytes.splice(index, 0, byte);
          else if (kind === 'delete') bytes.splice(index, 1);
          else bytes.splice(index, 0, ...bytes.slice(index, index + (byte % 9)));
        }
        const changed = Uint8Array.from(bytes);
        const decoded = decodeCbor(changed, LIMITS);
        if (!decoded.ok) return;
        read++;
        expect(bytesToHex(encodeCbor(decoded.value))).toBe(bytesToHex(changed));
      }),
      { seed: 8949, numRuns: 20_000 },
    );
    expect(read).toBeGreaterThan(1000);
  });

  it('[CRY-1] prop: any bytes at all are refused or are the encoding of what they are read as', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 24 }), (bytes) => {
        const decoded = decodeCbor(bytes, LIMITS);
        expect(!decoded.ok || bytesToHex(encodeCbor(decoded.value)) === bytesToHex(bytes)).toBe(true);
      }),
      { seed: 8949, numRuns: 20_000 },
    );
  });
});
