/** Control entries: signed one by one, chained for each signer, with a public and a sealed part (spec/ctl.md). */

import { equalBytes } from '../base/bytes.ts';
import { type RowId, type StreamId, type Tag, toTag, type WriterId } from '../base/ids.ts';
import { err, ok, type Result } from '../base/result.ts';
import { sha256 } from '../crypto/hash.ts';
import { writerId } from '../crypto/keys.ts';
import { type SigningKey, sign, toVerifyKey, type VerifyKey, verify } from '../crypto/sign.ts';
import { type CborValue, encodeCbor } from '../wire/cbor.ts';
import type { Entry } from '../wire/entry.ts';
import { decodeHeader, encodeHeader, ENTRY_KIND, type Header } from '../wire/header.ts';
import { bytes, fixed, list, nullable, oneOf, readShape, type ShapeOf, tuple, uint, union } from '../wire/shape.ts';

const DOMAIN = 'sluice/ctl/1';
const MAX_CTL_BYTES = 128 * 1024;
const EMPTY = new Uint8Array(0);

/** What a row allows; a sum of these. */
export const VERB = { read: 1, write: 2 } as const;
/** What a row’s key belongs to. Only an admin’s opens everything. */
export const ROLES = ['admin', 'session', 'grantee', 'agent'] as const;
/** One of the roles. */
export type Role = (typeof ROLES)[number];

/** What a row opens: a whole kind of stream (one kind byte) or one stream (its 16-byte id), with a sum of VERB. */
const accessShape = tuple(['target', bytes(16)], ['verbs', uint(3)]);
const rowShape = tuple(
  ['id', fixed<RowId>(16)],
  ['key', fixed(32)],
  ['role', oneOf(...ROLES)],
  ['access', list(accessShape, 64)],
  ['status', oneOf('active', 'paused', 'revoked')],
  /** ms since the Unix epoch, or 0 for no end. */
  ['expiresMs', uint()],
  /** Entries a day that the key may write into lanes; 0 for no limit. */
  ['perDay', uint(2 ** 32 - 1)],
  /** Number of the terms that a grantee’s feed is written by; 0 for the first, and for other roles. */
  ['term', uint(2 ** 32 - 1)],
  /** When it was last decided to pause or to go on, in ms; 0 for never. Whoever decides something else repeats what it knows. */
  ['statusMs', uint()],
);
/**
 * A new key epoch: entries of kind own under an older one are refused from here on. The key is HPKE-sealed to the remaining rows; all who
 * hold it check it against the commitment.
 */
const epochShape = tuple(
  ['epoch', uint(2 ** 32 - 1)],
  ['commitment', fixed(32)],
  ['keys', list(tuple(['row', fixed<RowId>(16)], ['sealed', bytes(1024)]), 1024)],
);
const ctlPublicShape = union({ row: rowShape, epoch: epochShape });
/** The part of a control entry that the node reads. */
export type CtlPublic = ShapeOf<typeof ctlPublicShape>;
/** An access row: a key, and what it opens. */
export type CtlRow = Extract<CtlPublic, { type: 'row' }>;
/** A new key epoch, with its key sealed to those who remain. */
export type CtlEpoch = Extract<CtlPublic, { type: 'epoch' }>;

const bodyShape = tuple(
  ['public', bytes(MAX_CTL_BYTES)],
  ['sealed', nullable(bytes(MAX_CTL_BYTES))],
  ['previous', fixed(32)],
  ['signer', fixed(32)],
  ['signature', fixed(64)],
);
/** For the pin of the wire schema. @internal */
export const CTL_SHAPES = { body: bodyShape, public: ctlPublicShape };

/** A control entry that was read. That its signer may sign is for the access state to say. */
export type CtlEntry = {
  readonly header: Header;
  readonly public: CtlPublic;
  readonly sealed: Uint8Array | null;
  readonly previous: Uint8Array;
  readonly signer: VerifyKey;
  readonly writer: WriterId;
};
/** Why control entries are not read: their form, or their signature. */
export type CtlEntryFailure = { readonly type: 'malformed' } | { readonly type: 'bad-ctl' };

const encodePublic = (p: CtlPublic): Uint8Array => {
  const value: CborValue =
    p.type === 'row'
      ? [
          'row',
          p.id,
          p.key,
          p.role,
          p.access.map((a) => [a.target, a.verbs]),
          p.status,
          p.expiresMs,
          p.perDay,
          p.term,
          p.statusMs,
        ]
      : ['epoch', p.epoch, p.commitment, p.keys.map((k) => [k.row, k.sealed])];
  return encodeCbor(value);
};

/** Every row has its own tag, so that a compacted view keeps the last word on each; all epochs share one. */
const tagOf = (p: CtlPublic): Tag => (p.type === 'row' ? toTag(new Uint8Array(p.id)) : toTag(new Uint8Array(16)));

const signatureParts = (
  stream: StreamId,
  previous: Uint8Array,
  pub: Uint8Array,
  sealed: Uint8Array | null,
  header: Uint8Array,
) => [stream, previous, sha256(pub), sha256(sealed ?? EMPTY), header] as const;

/** Creates a control entry. `previous` is the hash of the signer's last control entry in this space, zeros for its first. */
export function createCtlEntry(
  key: SigningKey,
  stream: StreamId,
  at: {
    readonly n: number;
    readonly hlc: { readonly ms: number; readonly counter: number };
    readonly previous: Uint8Array;
  },
  pub: CtlPublic,
  sealed: Uint8Array | null,
): Entry {
  const publicBytes = encodePublic(pub);
  const header = encodeHeader({
    writer: writerId(key.publicKey),
    n: at.n,
    tag: tagOf(pub),
    kind: ENTRY_KIND.CTL,
    hlc: at.hlc,
    epoch: 0,
    superseded: [],
    expiresMs: null,
  });
  const signature = sign(key, DOMAIN, ...signatureParts(stream, at.previous, publicBytes, sealed, header));
  return { header, body: encodeCbor([publicBytes, sealed, at.previous, key.publicKey, signature]) };
}

/**
 * Reads a control entry and checks its own signature; whether the signer may sign is the access state's question.
 *
 * Errors: malformed, bad-ctl (signature, writer or tag that is not the signer's or the row's).
 * Source: spec/ctl.md CTL-3.
 */
export function openCtlEntry(stream: StreamId, entry: Entry): Result<CtlEntry, CtlEntryFailure> {
  const header = decodeHeader(entry.header);
  const body = readShape(bodyShape, entry.body, 2 * MAX_CTL_BYTES);
  if (!header.ok || !body.ok) return err({ type: 'malformed' });
  const pub = readShape(ctlPublicShape, body.value.public, MAX_CTL_BYTES);
  if (!pub.ok || header.value.kind !== ENTRY_KIND.CTL) return err({ type: 'malformed' });
  const signer = toVerifyKey(body.value.signer);
  const { previous, sealed, signature } = body.value;
  const writer = writerId(signer);
  if (!equalBytes(writer, header.value.writer) || !equalBytes(tagOf(pub.value), header.value.tag))
    return err({ type: 'bad-ctl' });
  const parts = signatureParts(stream, previous, body.value.public, sealed, entry.header);
  if (!verify(signer, signature, DOMAIN, ...parts)) return err({ type: 'bad-ctl' });
  return ok({ header: header.value, public: pub.value, sealed, previous, signer, writer });
}
