/** Who signed a request: RFC 9421 signatures bound to this node's own address, each usable once (spec/http.md). */

import type { Clock } from '@sluice/core/base';
import type { VerifyKey } from '@sluice/core/crypto';
import { createNonceCache, MAX_REQUEST_SKEW_MS, type RequestFailure, verifyRequest } from '@sluice/core/identity';
import type { ErrorCode } from '@sluice/core/wire';
import { Problem } from './problem.ts';

/** A request as it was received, before its signature is checked. */
export type SignedRequest = {
  readonly method: string;
  /** The request target as received: path and query. */
  readonly path: string;
  readonly headers: { readonly [name: string]: string | readonly string[] | undefined };
  readonly body: Uint8Array | undefined;
};
/** Returns the key that signed, or throws a Problem: UNAUTHENTICATED, EXPIRED, REPLAYED, MALFORMED. */
export type Authenticator = (request: SignedRequest) => Promise<VerifyKey>;

/** Some 60 MB when full; a key holds at most an eighth. */
const MAX_NONCES = 500_000;
const CODES: { readonly [K in RequestFailure['type']]: ErrorCode } = {
  'no-signature': 'UNAUTHENTICATED',
  malformed: 'UNAUTHENTICATED',
  'digest-mismatch': 'UNAUTHENTICATED',
  'bad-signature': 'UNAUTHENTICATED',
  expired: 'EXPIRED',
  'clock-skew': 'EXPIRED',
};

/** Creates the check. `publicUrl` is the node's origin as others know it: what a request says about its host decides nothing. */
export function createAuthenticator(publicUrl: string, clock: Clock): Authenticator {
  const nonces = createNonceCache({ maxEntries: MAX_NONCES });
  return async ({ method, path, headers, body }) => {
    const nowMs = clock.nowMs();
    const url = `${publicUrl}${path}`;
    if (!isPlainTarget(url, path)) throw new Problem('MALFORMED');
    const verified = await verifyRequest({
      method,
      url,
      headers,
      nowMs,
      maxSkewMs: MAX_REQUEST_SKEW_MS,
      ...(body ? { body } : {}),
    });
    if (!verified.ok) throw new Problem(CODES[verified.error.type]);
    const { publicKey, nonce, expiresMs } = verified.value;
    if (nonces.seen(publicKey, nonce, expiresMs, nowMs)) throw new Problem('REPLAYED');
    return publicKey;
  };
}

/**
 * A target counts only in its one spelling. The router also takes absolute targets (`GET https://other/v1/...`) and reads a query
 * behind `#`: without this, what is served could differ from what was signed.
 */
const isPlainTarget = (url: string, path: string): boolean =>
  path.startsWith('/') && !path.includes('#') && URL.canParse(url) && new URL(url).href === url;
