/** The shortest of CBOR's three forms of a fraction that holds it exactly (RFC 8949 section 4.2.1). */

/** Where a fraction is laid out, head first. */
const scratch = new Uint8Array(9);
const view = new DataView(scratch.buffer);

/** The size of a finite fraction's encoding: 3, 5 or 9 bytes. */
export function fractionSize(value: number): 3 | 5 | 9 {
  if (Math.fround(value) !== value) return 9;
  return halfBits(value) === undefined ? 5 : 3;
}

/** Writes a finite fraction and returns the bytes written. */
export function writeFraction(out: Uint8Array, at: number, value: number): 3 | 5 | 9 {
  const half = halfBits(value);
  const size = fractionSize(value);
  if (size === 3) view.setUint16(1, half as number);
  else if (size === 5) view.setFloat32(1, value);
  else view.setFloat64(1, value);
  scratch[0] = size === 3 ? 0xf9 : size === 5 ? 0xfa : 0xfb;
  out.set(size === 9 ? scratch : scratch.subarray(0, size), at);
  return size;
}

/** The 16 bits of a number that single precision holds, or undefined if half precision does not hold it exactly. */
function halfBits(value: number): number | undefined {
  view.setFloat32(1, value);
  const single = view.getUint32(1);
  const sign = (single >>> 16) & 0x8000;
  const exponent = ((single >>> 23) & 0xff) - 127;
  const mantissa = single & 0x7fffff;
  if (exponent > 15 || exponent < -24) return undefined;
  if (exponent >= -14) return (mantissa & 0x1fff) === 0 ? sign | ((exponent + 15) << 10) | (mantissa >> 13) : undefined;
  // Below 2^-14 half precision has no hidden bit and counts in steps of 2^-24.
  const shift = -1 - exponent;
  const full = mantissa | 0x800000;
  return (full & ((1 << shift) - 1)) === 0 ? sign | (full >> shift) : undefined;
}
