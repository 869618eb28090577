/** Byte strings: strict codecs that throw on bad input instead of shortening it, comparison, joining. */

import { base64urlnopad, hex } from '@scure/base';

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Encodes text as UTF-8. */
export const utf8ToBytes = (text: string): Uint8Array => encoder.encode(text);

/** Decodes UTF-8. Throws on malformed input. */
export const bytesToUtf8 = (bytes: Uint8Array): string => decoder.decode(bytes);

/** Encodes as lower-case hex. */
export const bytesToHex = (bytes: Uint8Array): string => hex.encode(bytes);

/** Decodes hex. Throws on odd length or a foreign character. */
export const hexToBytes = (text: string): Uint8Array => hex.decode(text.toLowerCase());

/** Encodes as base64url without padding. */
export const bytesToBase64url = (bytes: Uint8Array): string => base64urlnopad.encode(bytes);

/** Decodes base64url without padding. Throws on anything else. */
export const base64urlToBytes = (text: string): Uint8Array => base64urlnopad.decode(text);

/** Joins byte strings into a fresh one. */
export function concatBytes(...parts: readonly Uint8Array[]): Uint8Array {
  let size = 0;
  for (const part of parts) size += part.length;
  const out = new Uint8Array(size);
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

/** Compares in time that depends on the lengths alone. */
export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  let difference = 0;
  for (let i = 0; i < a.length; i++) difference |= (a[i] as number) ^ (b[i] as number);
  return difference === 0;
}

/** Orders byte strings lexicographically: negative, zero or positive. Not constant time. */
export function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const shared = Math.min(a.length, b.length);
  for (let i = 0; i < shared; i++) {
    const difference = (a[i] as number) - (b[i] as number);
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}
