/** Messages: sealed to a DID, signed inside by the sender's device, so that the node sees neither (spec/message.md). */

import { bytesToHex, bytesToUtf8, equalBytes, hexToBytes, utf8ToBytes } from '../base/bytes.ts';
import { type Did, isDid } from '../base/ids.ts';
import { isJsonObject, type JsonObject, parseJson } from '../base/json.ts';
import type { Random } from '../base/random.ts';
import { err, ok, type Result } from '../base/result.ts';
import { sha256 } from '../crypto/hash.ts';
import { type HpkeKeyPair, openHpke, sealHpke } from '../crypto/hpke.ts';
import { padPlaintext, unpadPlaintext } from '../crypto/padme.ts';
import { type SigningKey, sign, toVerifyKey, type VerifyKey, verifyLater } from '../crypto/sign.ts';
import { openDeviceCard } from '../identity/device-card.ts';
import type { DidFailure } from '../identity/did-failure.ts';
import type { Identity } from '../identity/did-document.ts';
import { encodeCbor } from '../wire/cbor.ts';
import { MAX_MESSAGE_BYTES } from '../wire/limits.ts';
import { bytes, fixed, nullable, oneOf, readShape, type ShapeOf, text, tuple, uint } from '../wire/shape.ts';

/**
 * How far a message may be dated ahead of the reader's clock, in ms: nodes allow each of the two clocks 5 minutes of error, and a message
 * that both nodes would have let pass must not be lost.
 */
const MAX_MESSAGE_AHEAD_MS = 10 * 60_000;
/** The longest a message may live, in ms: readers remember ids that long. */
export const MAX_MESSAGE_LIFE_MS = 30 * 24 * 3600 * 1000;
const DOMAIN = 'sluice/msg/1';
const INFO = utf8ToBytes('sluice/msg/1');
/** The longest plain text, in UTF-16 units. */
const MAX_TEXT = 2_000;
const MAX_HEADER_BYTES = 8192;
/** What HPKE adds: the encapsulated key and the tag. */
const SEAL_BYTES = 48;
const MAX_BODY_DEPTH = 48;

/** A message as both sides know it. Units: ms since the Unix epoch. */
export type Message = {
  /** 16 bytes in hex, random. */
  readonly id: string;
  readonly type: string;
  readonly from: Did;
  readonly to: Did;
  /** Name of the recipient's context it is meant for. */
  readonly context?: string;
  /** The application of that context; without it, the sender. */
  readonly contextApp?: Did;
  readonly replyTo?: string;
  /** Plain text for people. */
  readonly message: string;
  readonly data: JsonObject;
  readonly createdMs: number;
  readonly expiresMs: number;
};
/** What a message is sealed to. */
export type MessageRecipient = Pick<Identity, 'did' | 'sealingKey'>;
/** Who signs: a device, with the card that speaks for its account. */
export type MessageSender = { readonly did: Did; readonly key: SigningKey; readonly card: Uint8Array };
/** Why a message is not shown. `unresolved` may pass, the others do not. */
export type MessageFailure =
  | { readonly type: 'cannot-open' }
  | { readonly type: 'malformed' }
  | { readonly type: 'not-for-me' }
  | { readonly type: 'expired' }
  | { readonly type: 'from-the-future' }
  | { readonly type: 'bad-sender' }
  | { readonly type: 'unresolved'; readonly cause: DidFailure };

const headerShape = tuple(
  ['version', oneOf(1)],
  ['id', fixed(16)],
  ['type', text(128)],
  ['from', text(1100)],
  ['fromKey', fixed(32)],
  ['to', text(1100)],
  ['toKey', fixed(16)],
  ['created', uint()],
  ['expires', uint()],
  ['context', nullable(text(128))],
  ['contextApp', nullable(text(1100))],
  ['replyTo', nullable(fixed(16))],
);
const innerShape = tuple(
  ['header', bytes(MAX_HEADER_BYTES)],
  ['body', bytes(MAX_MESSAGE_BYTES)],
  ['card', bytes(4096)],
  ['signature', fixed(64)],
);

/** For the pin of the wire schema. @internal */
export const MESSAGE_SHAPES = { header: headerShape, inner: innerShape };

/** Why a message cannot be sealed. */
export type SealMessageFailure = { readonly type: 'too-large' | 'malformed' | 'bad-recipient' };

/** What a recipient's sealing key is called in the header. */
const keyName = (sealingKey: Uint8Array): Uint8Array => sha256(sealingKey).slice(0, 16);

/**
 * Signs a message and pads it: the plaintext that is then sealed.
 *
 * Shape:  Padme-padded CBOR [header, body, card, signature]; the header names sender, recipient and both keys.
 * Errors: too-large (over 256 KiB once sealed), malformed (a field over its limit, or data that is not JSON: the recipient would drop it).
 * Source: spec/message.md MSG-1, MSG-2, MSG-5; vectors/message.json.
 */
export function encodeMessage(
  m: Message,
  sender: MessageSender,
  recipient: MessageRecipient,
): Result<Uint8Array, { readonly type: 'too-large' | 'malformed' }> {
  const body = writeBody(m);
  if (!body || !isId(m.id) || (m.replyTo !== undefined && !isId(m.replyTo))) return err({ type: 'malformed' });
  if (body.length > MAX_MESSAGE_BYTES) return err({ type: 'too-large' });
  const header = encodeCbor([
    1,
    hexToBytes(m.id),
    m.type,
    m.from,
    sender.key.publicKey,
    m.to,
    keyName(recipient.sealingKey),
    m.createdMs,
    m.expiresMs,
    m.context ?? null,
    m.contextApp ?? null,
    m.replyTo === undefined ? null : hexToBytes(m.replyTo),
  ]);
  if (!readHeader(header) || !readBody(body)) return err({ type: 'malformed' });
  const signature = sign(sender.key, DOMAIN, sha256(header), sha256(body));
  const inner = padPlaintext(encodeCbor([header, body, sender.card, signature]));
  return inner.length + SEAL_BYTES > MAX_MESSAGE_BYTES ? err({ type: 'too-large' }) : ok(inner);
}

/**
 * Seals a message to a resolved DID.
 *
 * Shape:  HPKE (encapsulated key || ciphertext || tag) of what `encodeMessage` gives; the recipient's DID is authenticated with it.
 * Errors: those of `encodeMessage`, bad-recipient (a published key that nothing can be sealed to).
 * Source: spec/message.md MSG-1; vectors/message.json.
 */
export async function sealMessage(
  m: Message,
  sender: MessageSender,
  recipient: MessageRecipient,
): Promise<Result<Uint8Array, SealMessageFailure>> {
  const inner = encodeMessage(m, sender, recipient);
  if (!inner.ok) return inner;
  try {
    return ok(await sealHpke(recipient.sealingKey, INFO, utf8ToBytes(recipient.did), inner.value));
  } catch (cause) {
    // The key is somebody else's claim: one of small order is a failure of theirs and no bug of the caller.
    if (cause instanceof TypeError) return err({ type: 'bad-recipient' });
    throw cause;
  }
}

/** What a message is opened and checked with. */
export type OpenMessageDeps = {
  readonly me: Did;
  readonly sealing: HpkeKeyPair;
  readonly resolve: (did: Did) => Promise<Result<Identity, DidFailure>>;
  readonly nowMs: number;
  /** Cards that were verified before, so that a sender's second message costs one signature. Kept by the caller; bounded here. */
  readonly cards?: Map<string, number>;
};

/** Verified cards remembered at once. */
const MAX_CARDS = 1_000;

/**
 * Opens a message and verifies its sender before anything of it is returned.
 *
 * Errors: cannot-open, malformed, not-for-me (sealed on to somebody it was not written for), expired, from-the-future, bad-sender
 *         (signature, card or key), unresolved (the sender's DID: the one failure that may pass).
 * Source: spec/message.md MSG-3 to MSG-6; vectors/message.json.
 */
export async function openMessage(sealed: Uint8Array, deps: OpenMessageDeps): Promise<Result<Message, MessageFailure>> {
  if (sealed.length > MAX_MESSAGE_BYTES) return err({ type: 'malformed' });
  const padded = await openHpke(deps.sealing, INFO, utf8ToBytes(deps.me), sealed);
  const plain = padded.ok ? unpadPlaintext(padded.value) : padded;
  if (!plain.ok) return err({ type: 'cannot-open' });
  const inner = readShape(innerShape, plain.value, 2 * MAX_MESSAGE_BYTES);
  const h = inner.ok ? readHeader(inner.value.header) : undefined;
  if (!inner.ok || !h) return err({ type: 'malformed' });
  const from = h.from as Did;
  if (h.to !== deps.me || !equalBytes(h.toKey, keyName(deps.sealing.publicKey))) return err({ type: 'not-for-me' });
  if (h.created > deps.nowMs + MAX_MESSAGE_AHEAD_MS) return err({ type: 'from-the-future' });
  if (h.expires <= deps.nowMs || h.expires > h.created + MAX_MESSAGE_LIFE_MS) return err({ type: 'expired' });
  const sender = await deps.resolve(from);
  if (!sender.ok) return err({ type: 'unresolved', cause: sender.error });
  const key = toVerifyKey(h.fromKey);
  // A card made just before the message is judged by the sender's clock where that is ahead, as the message is.
  const atMs = Math.max(deps.nowMs, h.created);
  if (!speaksFor(key, inner.value.card, sender.value, { ...deps, nowMs: atMs })) return err({ type: 'bad-sender' });
  const { header, body, signature } = inner.value;
  if (!(await verifyLater(key, signature, DOMAIN, sha256(header), sha256(body)))) return err({ type: 'bad-sender' });
  const content = readBody(inner.value.body);
  if (!content) return err({ type: 'malformed' });
  return ok({
    id: bytesToHex(h.id),
    type: h.type,
    from,
    to: deps.me,
    createdMs: h.created,
    expiresMs: h.expires,
    ...content,
    ...(h.context === null ? {} : { context: h.context }),
    ...(h.contextApp === null ? {} : { contextApp: h.contextApp as Did }),
    ...(h.replyTo === null ? {} : { replyTo: bytesToHex(h.replyTo) }),
  });
}

/** The identity key itself, or a device whose card it signed. */
function speaksFor(key: VerifyKey, card: Uint8Array, sender: Identity, { nowMs, cards }: OpenMessageDeps): boolean {
  if (equalBytes(key, sender.identityKey)) return true;
  const name = bytesToHex(sha256(sender.identityKey, key, card));
  const untilMs = cards?.get(name);
  if (untilMs !== undefined && nowMs < untilMs) return true;
  const opened = openDeviceCard(card, sender.identityKey, { did: sender.did, nowMs });
  if (!opened.ok || !equalBytes(opened.value.deviceKey, key)) return false;
  if (cards && cards.size >= MAX_CARDS) cards.clear();
  cards?.set(name, opened.value.expiresAt ?? Number.POSITIVE_INFINITY);
  return true;
}

function readHeader(bytes: Uint8Array): ShapeOf<typeof headerShape> | undefined {
  const read = readShape(headerShape, bytes, MAX_HEADER_BYTES);
  if (!read.ok) return undefined;
  const { from, to, contextApp } = read.value;
  const named = read.value.type.length > 0 && isDid(from) && isDid(to) && (contextApp === null || isDid(contextApp));
  return named ? read.value : undefined;
}

/** Undefined for what cannot be written as JSON: a circle, a big integer. */
function writeBody({ message, data }: Message): Uint8Array | undefined {
  try {
    return utf8ToBytes(JSON.stringify({ message, data }));
  } catch {
    return undefined;
  }
}

function readBody(body: Uint8Array): { readonly message: string; readonly data: JsonObject } | undefined {
  try {
    const parsed = parseJson(bytesToUtf8(body), { maxBytes: MAX_MESSAGE_BYTES, maxDepth: MAX_BODY_DEPTH });
    if (!parsed.ok || !isJsonObject(parsed.value)) return undefined;
    const { message, data } = parsed.value;
    return typeof message === 'string' && message.length <= MAX_TEXT && isJsonObject(data)
      ? { message, data }
      : undefined;
  } catch {
    return undefined;
  }
}

/** A fresh random message id. */
export const createMessageId = (random: Random): string => bytesToHex(random(16));

const isId = (id: string): boolean => /^[0-9a-f]{32}$/.test(id);
