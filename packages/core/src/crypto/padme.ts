/** Padmé padding: the length of a sealed body tells at most a few bits about what is inside. */

import { err, ok, type Result } from '../base/result.ts';
import type { CannotOpen } from './aead.ts';

const LENGTH_BYTES = 4;
const MAX_BYTES = 2 ** 31;

/**
 * Pads bytes for sealing.
 *
 * Shape: length (4 bytes, big-endian) || bytes || zeros, up to the Padmé length of the first two; at most 12 % more.
 * Source: spec/crypto.md CRY-6; Nikitin et al., "Reducing Metadata Leakage from Encrypted Files", section 4; vectors/crypto.json.
 */
export function padPlaintext(bytes: Uint8Array): Uint8Array {
  if (bytes.length > MAX_BYTES) throw new RangeError('too long to pad');
  const out = new Uint8Array(paddedBytes(bytes.length));
  new DataView(out.buffer).setUint32(0, bytes.length);
  out.set(bytes, LENGTH_BYTES);
  return out;
}

/** The size of what `padPlaintext` makes of that many bytes. */
export const paddedBytes = (bytes: number): number => padmeLength(LENGTH_BYTES + bytes);

/**
 * Removes the padding. The result is a view into the input.
 *
 * Errors: cannot-open (a length that does not fit, or padding other than the one `padPlaintext` gives).
 */
export function unpadPlaintext(padded: Uint8Array): Result<Uint8Array, CannotOpen> {
  if (padded.length < LENGTH_BYTES) return err({ type: 'cannot-open' });
  const length = new DataView(padded.buffer, padded.byteOffset).getUint32(0);
  const end = LENGTH_BYTES + length;
  if (length > MAX_BYTES || padmeLength(end) !== padded.length) return err({ type: 'cannot-open' });
  let nonZero = 0;
  for (let i = end; i < padded.length; i++) nonZero |= padded[i] as number;
  return nonZero === 0 ? ok(padded.subarray(LENGTH_BYTES, end)) : err({ type: 'cannot-open' });
}

/** The next length of the form that keeps only as many leading bits as it takes to write its exponent, plus one. */
function padmeLength(length: number): number {
  const exponent = floorLog2(length);
  const freeBits = exponent - (floorLog2(exponent) + 1);
  const step = freeBits > 0 ? 2 ** freeBits : 1;
  return Math.ceil(length / step) * step;
}

const floorLog2 = (number: number): number => 31 - Math.clz32(number);
