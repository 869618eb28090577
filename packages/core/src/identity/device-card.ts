/** Device cards: the identity key's word that a device speaks for a DID. */

import { type Did, toDid } from '../base/ids.ts';
import { err, ok, type Result } from '../base/result.ts';
import { type SigningKey, sign, toVerifyKey, type VerifyKey, verify } from '../crypto/sign.ts';
import { encodeCbor } from '../wire/cbor.ts';
import { bytes, fixed, nullable, oneOf, readShape, text, tuple, uint } from '../wire/shape.ts';

/** Units: ms since the Unix epoch. Without `expiresAt` the card holds while the identity key does. */
export type DeviceCard = {
  readonly did: Did;
  readonly deviceKey: VerifyKey;
  readonly issuedAt: number;
  readonly expiresAt?: number;
  /** A label for people, e.g. "Phone". */
  readonly name?: string;
  /** An agent's card: it speaks for the DID in feeds, and in no message or document. */
  readonly use?: 'feeds';
};

/** malformed, bad-signature (another identity key, or changed), wrong-did, wrong-use (an agent's card), not-yet-valid, expired. */
export type CardFailure = {
  readonly type: 'malformed' | 'bad-signature' | 'wrong-did' | 'wrong-use' | 'not-yet-valid' | 'expired';
};

const DOMAIN = 'sluice/card/1';
/** One encoded card, in bytes. */
export const MAX_CARD_BYTES = 2048;
const MAX_NAME_CHARS = 64;
/** How far a card may be issued ahead of the reader's clock, in ms. */
const MAX_AHEAD_MS = 300_000;
/** The two kinds of cards, by their first field. */
const DEVICE = 1;
const AGENT = 2;

const cardShape = tuple(
  ['version', oneOf(DEVICE, AGENT)],
  ['did', text(1100)],
  ['deviceKey', fixed(32)],
  ['issuedAt', uint()],
  ['expiresAt', nullable(uint())],
  ['name', nullable(text(MAX_NAME_CHARS))],
);
const signedShape = tuple(['card', bytes(MAX_CARD_BYTES)], ['signature', fixed(64)]);

/**
 * Signs a card. Throws TypeError if the name is over 64 characters or the card over 2 KiB.
 *
 * Shape: CBOR [card, signature[64]], card = CBOR [1, or 2 for an agent, did, device key[32], issued ms, expires ms or null, name or null].
 */
export function createDeviceCard(card: DeviceCard, identityKey: SigningKey): Uint8Array {
  if (card.name !== undefined && card.name.length > MAX_NAME_CHARS)
    throw new TypeError('the name of a device is too long');
  const { did, deviceKey, issuedAt, expiresAt = null, name = null } = card;
  const payload = encodeCbor([card.use ? AGENT : DEVICE, did, deviceKey, issuedAt, expiresAt, name]);
  const signed = encodeCbor([payload, sign(identityKey, DOMAIN, payload)]);
  if (signed.length > MAX_CARD_BYTES) throw new TypeError('the card is too large');
  return signed;
}

/**
 * Opens a card that should speak for `did`, whose identity key is given. `use`: what for; an agent's card opens for feeds alone.
 *
 * Errors: malformed, bad-signature, wrong-did, wrong-use, not-yet-valid, expired.
 * Source: spec/identity.md ID-18, ID-23; vectors/identity.json.
 */
export function openDeviceCard(
  signed: Uint8Array,
  identityKey: VerifyKey,
  { did, nowMs, use }: { readonly did: Did; readonly nowMs: number; readonly use?: 'feeds' },
): Result<DeviceCard, CardFailure> {
  const outer = readShape(signedShape, signed, MAX_CARD_BYTES);
  if (!outer.ok) return err({ type: 'malformed' });
  if (!verify(identityKey, outer.value.signature, DOMAIN, outer.value.card)) return err({ type: 'bad-signature' });
  const card = readShape(cardShape, outer.value.card, MAX_CARD_BYTES);
  if (!card.ok) return err({ type: 'malformed' });
  const { deviceKey, issuedAt, expiresAt, name } = card.value;
  if (card.value.did !== did) return err({ type: 'wrong-did' });
  const isAgents = card.value.version === AGENT;
  if (isAgents && use !== 'feeds') return err({ type: 'wrong-use' });
  if (issuedAt > nowMs + MAX_AHEAD_MS) return err({ type: 'not-yet-valid' });
  if (expiresAt !== null && nowMs >= expiresAt) return err({ type: 'expired' });
  return ok({
    did: toDid(did),
    deviceKey: toVerifyKey(deviceKey),
    issuedAt,
    ...(expiresAt === null ? {} : { expiresAt }),
    ...(name === null ? {} : { name }),
    ...(isAgents ? { use: 'feeds' as const } : {}),
  });
}
