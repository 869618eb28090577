/** An instant by itself, for tests; shipped code writes it into a stamp. */

import { type Hlc, writeHlc } from './hlc.ts';

export function encodeHlc(hlc: Hlc): Uint8Array {
  const out = new Uint8Array(8);
  writeHlc(out, 0, hlc);
  return out;
}
