/** The two sealed boxes of an account: the recovery box at the node, opened by twelve words, and the local one, opened by a passphrase. */

import {
  type Did,
  err,
  isDid,
  ok,
  type Random,
  type Result,
  type SpaceId,
  toSpaceId,
  utf8ToBytes,
} from '@sluice/core/base';
import {
  type AccountRoot,
  type AeadKey,
  openAead,
  sealAead,
  type SigningKey,
  signingKeyFromSeed,
  toAccountRoot,
} from '@sluice/core/crypto';
import { encodeCbor, fixed, oneOf, readShape, text, tuple, bytes } from '@sluice/core/wire';
import type { NodeAddress } from '../platform.ts';

/** What makes an account: enough to join its home space as a new device and read everything. */
export type AccountSecret = {
  readonly did: Did;
  readonly root: AccountRoot;
  readonly home: SpaceId;
  readonly genesis: Uint8Array;
  readonly homeRoot: SigningKey;
  readonly node: NodeAddress;
};

const RECOVERY_AAD = utf8ToBytes('sluice/recovery-box/1');
const MAX_BYTES = 8192;
const DIDS = text(1100);

const secretShape = tuple(
  ['version', oneOf(1)],
  ['did', DIDS],
  ['root', fixed(32)],
  ['home', fixed(32)],
  ['genesis', bytes(2048)],
  ['homeRoot', fixed(32)],
  ['nodeUrl', text(1024)],
  ['nodeDid', DIDS],
);

/** Encodes an account secret. The caller seals the result. */
export function encodeAccountSecret(s: AccountSecret): Uint8Array {
  return encodeCbor([1, s.did, s.root, s.home, s.genesis, s.homeRoot.seed.reveal(), s.node.url, s.node.did]);
}

/** Reads an account secret. Errors: malformed. */
export function decodeAccountSecret(input: Uint8Array): Result<AccountSecret, { readonly type: 'malformed' }> {
  const read = readShape(secretShape, input, MAX_BYTES);
  if (!read.ok || !isDid(read.value.did) || !isDid(read.value.nodeDid)) return err({ type: 'malformed' });
  const { did, root, home, genesis, homeRoot, nodeUrl, nodeDid } = read.value;
  return ok({
    did,
    root: toAccountRoot(root),
    home: toSpaceId(home),
    genesis,
    homeRoot: signingKeyFromSeed(homeRoot),
    node: { url: nodeUrl, did: nodeDid },
  });
}

/** Seals the recovery box under the key that the words give. */
export const sealRecoveryBox = (key: AeadKey, secret: AccountSecret, random: Random): Uint8Array =>
  sealAead(key, RECOVERY_AAD, encodeAccountSecret(secret), random);

/** Opens the recovery box. Errors: cannot-open. */
export function openRecoveryBox(
  key: AeadKey,
  box: Uint8Array,
): Result<AccountSecret, { readonly type: 'cannot-open' }> {
  const plain = openAead(key, RECOVERY_AAD, box);
  const secret = plain.ok ? decodeAccountSecret(plain.value) : plain;
  return secret.ok ? secret : err({ type: 'cannot-open' });
}
