/** Sealing and opening of single entries (spec/entry.md). The key's meaning (collection, grant) is the caller's. */

import { concatBytes, utf8ToBytes } from '../base/bytes.ts';
import type { StreamId } from '../base/ids.ts';
import type { Random } from '../base/random.ts';
import { err, ok, type Result } from '../base/result.ts';
import { AEAD_OVERHEAD_BYTES, type AeadKey, openAead, sealAead } from '../crypto/aead.ts';
import { sha256 } from '../crypto/hash.ts';
import { paddedBytes, padPlaintext, unpadPlaintext } from '../crypto/padme.ts';
import type { Entry } from '../wire/entry.ts';
import { encodeHeader, type Header } from '../wire/header.ts';

const HASH_DOMAIN = utf8ToBytes('sluice/entry/1\0');

/** One error for a wrong key, a changed byte and bad padding, on purpose. */
export type CannotOpen = { readonly type: 'cannot-open' };

/**
 * Seals one entry.
 *
 * Shape:  body = nonce[24] || ciphertext || tag[16] of the Padme-padded plaintext; AAD = header || stream id.
 * Source: spec/entry.md ENT-3.
 */
export function sealEntry(
  key: AeadKey,
  stream: StreamId,
  header: Header,
  plaintext: Uint8Array,
  random: Random,
): Entry {
  const encoded = encodeHeader(header);
  return { header: encoded, body: sealAead(key, concatBytes(encoded, stream), padPlaintext(plaintext), random) };
}

/** The size of the body that `sealEntry` makes of a plaintext. */
export const sealedBytes = (plaintextBytes: number): number => AEAD_OVERHEAD_BYTES + paddedBytes(plaintextBytes);

/**
 * Opens one sealed entry with a reader's key.
 *
 * Errors: cannot-open (wrong key, other stream or any changed byte).
 * Source: spec/entry.md ENT-3, ENT-4.
 */
export function openEntry(key: AeadKey, stream: StreamId, entry: Entry): Result<Uint8Array, CannotOpen> {
  const padded = openAead(key, concatBytes(entry.header, stream), entry.body);
  if (!padded.ok) return err({ type: 'cannot-open' });
  const plain = unpadPlaintext(padded.value);
  return plain.ok ? ok(plain.value) : err({ type: 'cannot-open' });
}

/** The hash that seals and chains name an entry by: SHA-256 over a domain, the header's length (u32) and both parts. */
export function entryHash(entry: Entry): Uint8Array {
  const length = new Uint8Array(4);
  new DataView(length.buffer).setUint32(0, entry.header.length);
  return sha256(HASH_DOMAIN, length, entry.header, entry.body);
}
