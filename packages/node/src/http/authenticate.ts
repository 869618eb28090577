/** Who signed a request: RFC 9421 signatures bound to this node, each usable once (spec/http.md). */

import type { Clock } from '@sluice/core/base';
import type { VerifyKey } from '@sluice/core/crypto';
import { createNonceCache, type RequestFailure, verifyRequest } from '@sluice/core/identity';
import type { ErrorCode } from '@sluice/core/wire';
import { Problem } from './problem.ts';

export type SignedRequest = {
  readonly method: string;
  /** Path and query as received. */
  readonly path: string;
  readonly headers: { readonly [name: string]: string | readonly string[] | undefined };
  readonly body: Uint8Array | undefined;
};
export type Authenticator = (request: SignedRequest) => Promise<VerifyKey>;

const MAX_NONCES = 500_000;
const CODES: { readonly [K in RequestFailure['type']]: ErrorCode } = {
  'no-signature': 'UNAUTHENTICATED',
  malformed: 'UNAUTHENTICATED',
  'digest-mismatch': 'UNAUTHENTICATED',
  'bad-signature': 'UNAUTHENTICATED',
  expired: 'EXPIRED',
  'clock-skew': 'EXPIRED',
};

/** Creates the check. `publicUrl` is the node's own address: the Host header of a request decides nothing. */
export function createAuthenticator(publicUrl: string, clock: Clock): Authenticator {
  const nonces = createNonceCache({ maxEntries: MAX_NONCES });
  return async ({ method, path, headers, body }) => {
    const nowMs = clock.nowMs();
    const url = new URL(path, publicUrl);
    const verified = await verifyRequest({ method, url, headers, nowMs, ...(body ? { body } : {}) });
    if (!verified.ok) throw new Problem(CODES[verified.error.type]);
    const { publicKey, nonce, expiresMs } = verified.value;
    if (nonces.seen(publicKey, nonce, expiresMs, nowMs)) throw new Problem('REPLAYED');
    return publicKey;
  };
}
