/** Padme padding: length || bytes || zeros. */

import { err, ok, type Result } from '../base/result.ts';

function padmeLength(length: number): number {
  if (length < 2) return length;
  const e = Math.floor(Math.log2(length));
  const s = Math.floor(Math.log2(e)) + 1;
  const unit = 2 ** (e - s);
  return Math.ceil(length / unit) * unit;
}

export function padPlaintext(bytes: Uint8Array): Uint8Array {
  const out = new Uint8Array(padmeLength(bytes.length + 4));
  new DataView(out.buffer).setUint32(0, bytes.length);
  out.set(bytes, 4);
  return out;
}

export function unpadPlaintext(padded: Uint8Array): Result<Uint8Array, { readonly type: 'cannot-open' }> {
  if (padded.length < 4) return err({ type: 'cannot-open' });
  const length = new DataView(padded.buffer, padded.byteOffset).getUint32(0);
  if (length > padded.length - 4 || padmeLength(length + 4) !== padded.length) return err({ type: 'cannot-open' });
  for (let i = 4 + length; i < padded.length; i++) if (padded[i] !== 0) return err({ type: 'cannot-open' });
  return ok(padded.subarray(4, 4 + length));
}
