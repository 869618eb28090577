/** The one injected source of randomness. */

/** Returns `length` fresh random bytes. */
export type Random = (length: number) => Uint8Array;

/** `getRandomValues` serves at most this many bytes a call. */
const CHUNK = 65_536;

/** The platform's cryptographic generator. */
export const systemRandom: Random = (length) => {
  const out = new Uint8Array(length);
  for (let at = 0; at < length; at += CHUNK) crypto.getRandomValues(out.subarray(at, Math.min(length, at + CHUNK)));
  return out;
};
