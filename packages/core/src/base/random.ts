/** The one injected source of randomness. */

/** Returns `length` fresh random bytes. */
export type Random = (length: number) => Uint8Array;

/** `getRandomValues` serves at most this many bytes a call. */
const CHUNK = 65_536;
/** Small requests (nonces, ids) are cut from one draw, since a draw costs some 6 us whatever its size. */
const POOL = 4_096;

let pool = new Uint8Array(0);
let used = 0;

/** The platform's cryptographic generator. Every byte is handed out once. */
export const systemRandom: Random = (length) => {
  if (length > POOL / 8) return draw(length);
  if (used + length > pool.length) {
    pool = draw(POOL);
    used = 0;
  }
  const out = pool.slice(used, used + length);
  pool.fill(0, used, used + length);
  used += length;
  return out;
};

function draw(length: number): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(length);
  for (let at = 0; at < length; at += CHUNK) crypto.getRandomValues(out.subarray(at, Math.min(length, at + CHUNK)));
  return out;
}
