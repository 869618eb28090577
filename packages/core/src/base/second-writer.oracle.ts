/**
 * The protocol's bytes written a second time, from spec/ alone and with other libraries (cbor2, libsodium, node:crypto), so that vectors
 * are not a copy of what the product writes. It must import nothing of the product.
 */

import { createHash, createHmac, hkdfSync } from 'node:crypto';
import { encode } from 'cbor2';
import sodium from 'libsodium-wrappers';

await sodium.ready;

export type Bytes = Uint8Array<ArrayBuffer>;
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

export const utf8 = (text: string): Bytes => Uint8Array.from(Buffer.from(text, 'utf8'));
export const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
export const unhex = (text: string): Bytes => Uint8Array.from(Buffer.from(text, 'hex'));
export const fill = (length: number, byte: number): Bytes => new Uint8Array(length).fill(byte);
export const join = (...parts: readonly Uint8Array[]): Bytes => Uint8Array.from(Buffer.concat(parts));

/** Core deterministic CBOR. */
export const cbor = (value: unknown): Bytes => Uint8Array.from(encode(value, { cde: true }));

export const sha256 = (...parts: readonly Uint8Array[]): Bytes =>
  Uint8Array.from(
    createHash('sha256')
      .update(join(...parts))
      .digest(),
  );
export const hmac = (key: Uint8Array, data: Uint8Array): Bytes =>
  Uint8Array.from(createHmac('sha256', key).update(data).digest());
/** CRY-2. */
const derive = (parent: Uint8Array, label: string): Bytes =>
  new Uint8Array(hkdfSync('sha256', parent, new Uint8Array(0), utf8(`sluice/${label}`), 32));

/** CRY-8. */
export const sign = (seed: Uint8Array, domain: string, ...parts: readonly Uint8Array[]): Bytes =>
  Uint8Array.from(
    sodium.crypto_sign_detached(join(utf8(`${domain}\0`), ...parts), sodium.crypto_sign_seed_keypair(seed).privateKey),
  );
export const publicKey = (seed: Uint8Array): Bytes => Uint8Array.from(sodium.crypto_sign_seed_keypair(seed).publicKey);

/** CRY-6, by the definition of Padmé in words: as many low bits are zero as the length has bits beyond its exponent's size plus one. */
function pad(plaintext: Uint8Array): Bytes {
  const length = 4 + plaintext.length;
  const bits = length.toString(2).length;
  const kept = (bits - 1).toString(2).length + 1;
  const zeroBits = Math.max(0, bits - kept);
  let padded = length;
  while (padded % 2 ** zeroBits !== 0) padded++;
  const out = new Uint8Array(padded);
  out.set(
    [plaintext.length >>> 24, plaintext.length >>> 16, plaintext.length >>> 8, plaintext.length].map((b) => b & 255),
  );
  out.set(plaintext, 4);
  return out;
}

/** CRY-3. */
export const box = (key: Uint8Array, nonce: Uint8Array, aad: Uint8Array, plaintext: Uint8Array): Bytes =>
  join(nonce, sodium.crypto_aead_xchacha20poly1305_ietf_encrypt(plaintext, aad, null, nonce, key));

/** CRY-14. */
export const writerId = (key: Uint8Array): Bytes => sha256(utf8('sluice/writer/1\0'), key).slice(0, 16);
export const streamId = (kind: number, secret: Uint8Array, name: string): Bytes =>
  join(Uint8Array.of(kind), hmac(secret, utf8(`stream/${name}`)).slice(0, 15));
/** CRY-13. */
export const tagKey = (secret: Uint8Array, stream: Uint8Array): Bytes => derive(secret, `stream-tag/${hex(stream)}`);
export const tag = (key: Uint8Array, recordId: string): Bytes => hmac(key, utf8(recordId)).slice(0, 16);

/** A header as it stands in the vectors: bytes are hex. */
export type HeaderValue = {
  readonly writer: string;
  readonly n: number;
  readonly tag: string;
  readonly kind: number;
  readonly ms: number;
  readonly counter: number;
  readonly epoch: number;
  readonly superseded: readonly { readonly writer: string; readonly n: number }[];
  readonly expiresMs: number | null;
};

/** ENT-1: version, writer, n, tag, kind, ms, counter, epoch, superseded, expiry. */
export const headerArray = (h: HeaderValue): unknown[] => [
  1,
  unhex(h.writer),
  h.n,
  unhex(h.tag),
  h.kind,
  h.ms,
  h.counter,
  h.epoch,
  h.superseded.map((ref) => [unhex(ref.writer), ref.n]),
  h.expiresMs,
];
export const header = (h: HeaderValue): Bytes => cbor(headerArray(h));

export type EntryBytes = { readonly header: Bytes; readonly body: Bytes };

/** ENT-3. */
export const entry = (
  key: Uint8Array,
  stream: Uint8Array,
  nonce: Uint8Array,
  h: HeaderValue,
  plaintext: Uint8Array,
): EntryBytes => {
  const encoded = header(h);
  return { header: encoded, body: box(key, nonce, join(encoded, stream), pad(plaintext)) };
};

/** ENT-2. */
export const entryHash = (e: EntryBytes): Bytes => {
  const { length } = e.header;
  const size = Uint8Array.of(length >>> 24, (length >>> 16) & 255, (length >>> 8) & 255, length & 255);
  return sha256(utf8('sluice/entry/1\0'), size, e.header, e.body);
};

/** SEAL-1. */
export const sealBody = (
  seed: Uint8Array,
  stream: Uint8Array,
  firstN: number,
  entries: readonly EntryBytes[],
  previous: Uint8Array,
): Bytes => cbor([1, stream, writerId(publicKey(seed)), firstN, join(...entries.map(entryHash)), previous]);
/** SEAL-2. */
export const seal = (seed: Uint8Array, body: Uint8Array): Bytes => cbor([body, sign(seed, 'sluice/seal/1', body)]);

/** A copy with one bit of one byte turned over. */
export const flip = (bytes: Uint8Array, at: number): Bytes => {
  const out = Uint8Array.from(bytes);
  out[at] = (out[at] ?? 0) ^ 1;
  return out;
};

/** The text of a vectors file: one case a line, so that a change shows as the lines of its cases. */
export const vectorText = (sections: { readonly [name: string]: unknown }): string => {
  const parts = Object.entries(sections).map(([name, value]) =>
    Array.isArray(value)
      ? ` ${JSON.stringify(name)}: [\n${value.map((item) => `  ${JSON.stringify(item)}`).join(',\n')}\n ]`
      : ` ${JSON.stringify(name)}: ${JSON.stringify(value)}`,
  );
  return `{\n${parts.join(',\n')}\n}\n`;
};
