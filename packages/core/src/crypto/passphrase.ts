/** Secrets wrapped with a passphrase, for this device only: what is wrapped so can be guessed at by whoever holds it. */

import { argon2id } from 'hash-wasm';
import { utf8ToBytes } from '../base/bytes.ts';
import type { Random } from '../base/random.ts';
import { err, type Result } from '../base/result.ts';
import { type CborValue, decodeCbor, encodeCbor } from '../wire/cbor.ts';
import { type AeadKey, type CannotOpen, openAead, sealAead, toAeadKey } from './aead.ts';

/** The cost of one guess. Units: `memoryKiB` in KiB. */
export type Argon2Params = { readonly memoryKiB: number; readonly passes: number; readonly lanes: number };

/** `allowWeak` opens what was wrapped below the floor. For tests only. */
export type UnwrapOptions = { readonly allowWeak?: boolean };

/** The cost of a passphrase unless a caller says otherwise: memory in KiB, passes, lanes. */
const DEFAULT_ARGON2: Argon2Params = { memoryKiB: 64 * 1024, passes: 3, lanes: 1 };
/** The least that is opened without `allowWeak`. */
export const FLOOR_ARGON2: Argon2Params = { memoryKiB: 19 * 1024, passes: 2, lanes: 1 };
/** The most that is opened: whoever can change the box must not get to exhaust memory. */
const CEILING_ARGON2: Argon2Params = { memoryKiB: 1024 * 1024, passes: 16, lanes: 4 };

const NAME = 'sluice/passphrase';
const VERSION = 1;
const SALT_BYTES = 16;
const LIMITS = { maxBytes: 1024 * 1024, maxDepth: 1 } as const;

/**
 * Wraps a secret with a passphrase, which is normalised to NFC.
 *
 * Shape: CBOR [version, memoryKiB, passes, lanes, salt, sealed]; `sealed` is the secret under Argon2id of the passphrase, with
 * the fields before it as AAD. Throws on an empty passphrase and on a cost Argon2 does not have.
 * NOTE: what is wrapped below the floor opens only with `allowWeak`.
 * Source: spec/crypto.md CRY-10, CRY-11; RFC 9106; vectors/crypto.json.
 */
export async function wrapWithPassphrase(
  secret: Uint8Array,
  passphrase: string,
  params: Argon2Params | undefined,
  random: Random,
): Promise<Uint8Array> {
  const cost = params ?? DEFAULT_ARGON2;
  if (passphrase === '') throw new TypeError('the passphrase is empty');
  if (!isAtMost(cost, CEILING_ARGON2)) throw new RangeError('Argon2id: more than anybody would open');
  const salt = random(SALT_BYTES);
  const key = await passphraseKey(passphrase, cost, salt);
  const head = [VERSION, cost.memoryKiB, cost.passes, cost.lanes, salt];
  return encodeCbor([...head, sealAead(key, aadOf(head), secret, random)]);
}

/**
 * Opens what `wrapWithPassphrase` made.
 *
 * Errors: cannot-open (wrong passphrase, changed bytes, a cost below the floor or beyond reason). Source: spec/crypto.md CRY-11.
 */
export async function unwrapWithPassphrase(
  wrapped: Uint8Array,
  passphrase: string,
  options: UnwrapOptions = {},
): Promise<Result<Uint8Array, CannotOpen>> {
  const box = parseBox(wrapped);
  if (box === undefined || passphrase === '') return err({ type: 'cannot-open' });
  const { cost, salt, head, sealed } = box;
  const isWeak = !isAtMost(FLOOR_ARGON2, cost);
  if (!isAtMost(cost, CEILING_ARGON2) || (isWeak && options.allowWeak !== true)) return err({ type: 'cannot-open' });
  let key: AeadKey;
  try {
    key = await passphraseKey(passphrase, cost, salt);
  } catch {
    return err({ type: 'cannot-open' });
  }
  return openAead(key, aadOf(head), sealed);
}

type Box = {
  readonly cost: Argon2Params;
  readonly salt: Uint8Array;
  readonly head: readonly CborValue[];
  readonly sealed: Uint8Array;
};

function parseBox(wrapped: Uint8Array): Box | undefined {
  const decoded = decodeCbor(wrapped, LIMITS);
  if (!decoded.ok || !Array.isArray(decoded.value) || decoded.value.length !== 6) return undefined;
  const [version, memoryKiB, passes, lanes, salt, sealed] = decoded.value as readonly CborValue[];
  if (version !== VERSION || !isCount(memoryKiB) || !isCount(passes) || !isCount(lanes)) return undefined;
  if (!(salt instanceof Uint8Array) || salt.length !== SALT_BYTES || !(sealed instanceof Uint8Array)) return undefined;
  return { cost: { memoryKiB, passes, lanes }, salt, head: [version, memoryKiB, passes, lanes, salt], sealed };
}

const isCount = (value: CborValue | undefined): value is number => typeof value === 'number' && value > 0;

const isAtMost = (a: Argon2Params, b: Argon2Params): boolean =>
  a.memoryKiB <= b.memoryKiB && a.passes <= b.passes && a.lanes <= b.lanes;

const aadOf = (head: readonly CborValue[]): Uint8Array => encodeCbor([NAME, ...head]);

async function passphraseKey(passphrase: string, cost: Argon2Params, salt: Uint8Array): Promise<AeadKey> {
  const key = await argon2id({
    password: utf8ToBytes(passphrase.normalize('NFC')),
    salt,
    memorySize: cost.memoryKiB,
    iterations: cost.passes,
    parallelism: cost.lanes,
    hashLength: 32,
    outputType: 'binary',
  });
  return toAeadKey(key);
}
