/** A new key of a grant, which arrives in the feed before its first use (spec/feed.md). */

import { concatBytes, utf8ToBytes } from '../base/bytes.ts';
import type { Tag } from '../base/ids.ts';
import type { Random } from '../base/random.ts';
import { err, ok, type Result } from '../base/result.ts';
import { type AeadKey, checkCommitment, keyCommitment, toAeadKey } from '../crypto/aead.ts';
import { type HpkeKeyPair, openHpke, sealHpke } from '../crypto/hpke.ts';
import { recordTag, type StreamTagKey } from '../crypto/keys.ts';
import { type SigningKey, sign, toVerifyKey, type VerifyKey, verify } from '../crypto/sign.ts';
import { openEntry, sealEntry } from '../stream/sealed-entry.ts';
import { encodeCbor } from '../wire/cbor.ts';
import type { Entry, FeedEntry } from '../wire/entry.ts';
import { encodeHeader, ENTRY_KIND, type Header } from '../wire/header.ts';
import { MAX_BODY_BYTES } from '../wire/limits.ts';
import { bytes, fixed, readShape, tuple, uint } from '../wire/shape.ts';
import type { FeedFailure, FeedKeys, FeedPlace } from './feed-entry.ts';

const DOMAIN = 'sluice/grant-key-change/1';
const INFO = utf8ToBytes('sluice/grant-key/1');

const changeShape = tuple(
  ['epoch', uint(2 ** 32 - 1)],
  ['commitment', fixed(32)],
  ['sealed', bytes(1024)],
  ['signer', fixed(32)],
  ['card', bytes(4096)],
  ['signature', fixed(64)],
);
/** For the pin of the wire schema. */
export const KEY_CHANGE_SHAPE = changeShape;

/** A change of a grant's key: the key itself still sealed to the grantee. */
export type KeyChange = {
  readonly epoch: number;
  readonly commitment: Uint8Array;
  readonly sealed: Uint8Array;
  readonly signer: VerifyKey;
  readonly card: Uint8Array;
};

/** The tag of a key change: one for each epoch, since all of them are needed by who reads from the start. */
const keyChangeTag = (tagKey: StreamTagKey, epoch: number): Tag => recordTag(tagKey, `\u0000key/${epoch}`);

/** Seals a new key to the grantee. Result: what goes into the entry; sealing it there is a step of its own, since this one may wait. */
export async function sealGrantKey(to: Uint8Array, stream: FeedKeys['stream'], key: AeadKey): Promise<Uint8Array> {
  return sealHpke(to, INFO, stream, key);
}

/** Seals the entry that names the key of `epoch`, under the key before it and signed by the agent's device. */
export function sealKeyChange(
  keys: FeedKeys,
  place: FeedPlace,
  tagKey: StreamTagKey,
  next: { readonly epoch: number; readonly key: AeadKey; readonly sealed: Uint8Array },
  signer: SigningKey,
  card: Uint8Array,
  random: Random,
): FeedEntry {
  const tag = keyChangeTag(tagKey, next.epoch);
  const head: Header = { ...place, tag, kind: ENTRY_KIND.KEY, superseded: [], expiresMs: null };
  const commitment = keyCommitment(next.key);
  const signature = sign(
    signer,
    DOMAIN,
    keys.stream,
    encodeHeader(head),
    signedPart(next.epoch, commitment, next.sealed),
  );
  const body = encodeCbor([next.epoch, commitment, next.sealed, signer.publicKey, card, signature]);
  return { ...sealEntry(keys.key, keys.stream, head, body, random), memo: null };
}

/** Opens a key change and checks that it is signed by the key it names; whose key that is, the card says. */
export function openKeyChange(keys: FeedKeys, entry: Entry): Result<KeyChange, FeedFailure> {
  const plain = openEntry(keys.key, keys.stream, entry);
  if (!plain.ok) return plain;
  const read = readShape(changeShape, plain.value, MAX_BODY_BYTES);
  if (!read.ok) return err({ type: 'malformed' });
  const { epoch, commitment, sealed, signature, card } = read.value;
  const signer = toVerifyKey(read.value.signer);
  const genuine = verify(signer, signature, DOMAIN, keys.stream, entry.header, signedPart(epoch, commitment, sealed));
  return genuine ? ok({ epoch, commitment, sealed, signer, card }) : err({ type: 'bad-checkpoint' });
}

/** Opens the key of a change as its grantee. Undefined when it is not the one committed to. */
export async function openGrantKey(
  hpke: HpkeKeyPair,
  stream: FeedKeys['stream'],
  change: KeyChange,
): Promise<AeadKey | undefined> {
  const opened = await openHpke(hpke, INFO, stream, change.sealed);
  if (!opened.ok || opened.value.length !== 32) return undefined;
  const key = toAeadKey(opened.value);
  return checkCommitment(key, change.commitment) ? key : undefined;
}

const signedPart = (epoch: number, commitment: Uint8Array, sealed: Uint8Array): Uint8Array =>
  concatBytes(encodeCbor([epoch, commitment]), sealed);
