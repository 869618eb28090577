/** Signed requests to a node: RFC 9421 message signatures in one fixed profile. Must not know what the key may do. */

import { base64 } from '@scure/base';
import {
  type ComponentDescriptor,
  createSignatureSync,
  isSignatureError,
  type SignatureParameters,
  SignatureErrorCode,
  type UntrustedSignatureCandidate,
  verifySignature,
} from 'http-message-sig';
import { base64urlToBytes, bytesToBase64url } from '../../base/bytes.ts';
import type { Clock } from '../../base/clock.ts';
import type { Random } from '../../base/random.ts';
import { err, ok, type Result } from '../../base/result.ts';
import { sha256 } from '../../crypto/hash.ts';
import { type SigningKey, signRaw, toVerifyKey, type VerifyKey, verifyRaw } from '../../crypto/sign.ts';

/** `url` is the public https URL of the node, the one the signer meant, whatever the connection says. */
export type RequestToSign = {
  readonly method: string;
  readonly url: URL | string;
  readonly body?: Uint8Array;
  readonly key: SigningKey;
  readonly clock: Pick<Clock, 'nowMs'>;
  readonly random: Random;
};

/** Header names in any case; a repeated header as a list. */
export type RequestToVerify = {
  readonly method: string;
  readonly url: URL | string;
  readonly headers: { readonly [name: string]: string | readonly string[] | undefined };
  readonly body?: Uint8Array;
  readonly nowMs: number;
  readonly maxSkewMs?: number;
};

/** `expiresMs` is the instant from which the signature is refused, skew included: how long its nonce must be remembered. */
export type VerifiedRequest = { readonly publicKey: VerifyKey; readonly nonce: Uint8Array; readonly expiresMs: number };

/**
 * no-signature, malformed (another form or profile), digest-mismatch (the body is not the one signed), expired, clock-skew
 * (made in the future), bad-signature (changed, or made for another URL).
 */
export type RequestFailure = {
  readonly type: 'no-signature' | 'malformed' | 'digest-mismatch' | 'expired' | 'clock-skew' | 'bad-signature';
};

const LABEL = 'sluice';
const TAG = 'sluice-req-1';
const ALGORITHM = 'ed25519';
/** How long a signature may be valid, in seconds. */
const MAX_LIFETIME_S = 60;
const NONCE_BYTES = 16;
/** How far the signer's clock may be from the node's, in ms. */
export const MAX_REQUEST_SKEW_MS = 300_000;
/** Longer headers are refused before they are parsed. */
const MAX_HEADER_CHARS = 2048;
const PARAMETERS = ['alg', 'created', 'expires', 'keyid', 'nonce', 'tag'];

/**
 * Signs a request.
 *
 * Covers: @method, @target-uri and, with a body, content-digest; valid for 60 s.
 * Result: the headers to add, names in lower case. Source: spec/http.md HTTP-1 to HTTP-5; vectors/identity.json.
 */
export function signRequest({ method, url, body, key, clock, random }: RequestToSign): Record<string, string> {
  const target = targetUri(url);
  if (target === undefined) throw new TypeError('not a URL');
  const digest = body && body.length > 0 ? { 'content-digest': contentDigest(body) } : {};
  const created = Math.floor(clock.nowMs() / 1000);
  const fields = createSignatureSync(
    { kind: 'request', method: method.toUpperCase(), targetUri: target, fields: toFields(digest) },
    {
      label: LABEL,
      components: ['@method', '@target-uri', ...Object.keys(digest)],
      parameters: {
        created,
        expires: created + MAX_LIFETIME_S,
        nonce: bytesToBase64url(random(NONCE_BYTES)),
        keyid: bytesToBase64url(key.publicKey),
        alg: ALGORITHM,
        tag: TAG,
      },
      signer: { algorithm: ALGORITHM, sign: (bytes) => signRaw(key, bytes) },
    },
  );
  return { ...digest, 'signature-input': fields.signatureInput, signature: fields.signature };
}

/**
 * Verifies that a request was signed for this URL, recently, by the key it names. Whether the nonce is new and what the key may do
 * is for the caller to check.
 *
 * Errors: RequestFailure. Units: ms. Source: spec/http.md HTTP-1 to HTTP-5; RFC 9421, RFC 9530; vectors/identity.json.
 */
export async function verifyRequest(request: RequestToVerify): Promise<Result<VerifiedRequest, RequestFailure>> {
  const { method, body, nowMs, maxSkewMs = MAX_REQUEST_SKEW_MS } = request;
  const signature = header(request.headers, 'signature');
  const signatureInput = header(request.headers, 'signature-input');
  if (signature === undefined && signatureInput === undefined) return err({ type: 'no-signature' });
  const digest = header(request.headers, 'content-digest');
  const fields = { signature, 'signature-input': signatureInput, 'content-digest': digest };
  const target = targetUri(request.url);
  const tooLong = Object.values(fields).some((value) => value !== undefined && value.length > MAX_HEADER_CHARS);
  if (tooLong || target === undefined) return err({ type: 'malformed' });
  const hasBody = body !== undefined && body.length > 0;

  let verified: VerifiedRequest | undefined;
  const check = (candidate: UntrustedSignatureCandidate) => {
    const claims = readClaims(candidate.parameters);
    if (claims === undefined || !coversOnly(candidate.components, hasBody)) throw new Refused('malformed');
    if (claims.createdMs > nowMs + maxSkewMs) throw new Refused('clock-skew');
    if (nowMs >= claims.expiresMs + maxSkewMs) throw new Refused('expired');
    if (hasBody && digest !== contentDigest(body)) throw new Refused('digest-mismatch');
    const { publicKey, nonce } = claims;
    verified = { publicKey, nonce, expiresMs: claims.expiresMs + maxSkewMs };
    return {
      algorithm: ALGORITHM,
      verify: (bytes: Uint8Array, value: Uint8Array) => value.length === 64 && verifyRaw(publicKey, value, bytes),
    };
  };

  try {
    await verifySignature(
      { kind: 'request', method: method.toUpperCase(), targetUri: target, fields: toFields(fields) },
      {
        label: LABEL,
        // The times are checked above, in ms and against the injected clock: the library gets an instant that always fits.
        policy: {
          algorithms: [ALGORITHM],
          requiredComponents: [],
          requiredParameters: PARAMETERS,
          now: 0,
          clockSkew: Number.MAX_SAFE_INTEGER,
        },
        resolveVerifier: check,
      },
    );
  } catch (cause) {
    return err({ type: refusalOf(cause) });
  }
  return verified ? ok(verified) : err({ type: 'malformed' });
}

/** The RFC 9530 digest of a body. */
export const contentDigest = (body: Uint8Array): string => `sha-256=:${base64.encode(sha256(body))}:`;

class Refused extends Error {
  readonly type: RequestFailure['type'];
  constructor(type: RequestFailure['type']) {
    super(type);
    this.type = type;
  }
}

function refusalOf(cause: unknown): RequestFailure['type'] {
  if (isSignatureError(cause)) {
    if (cause.code === SignatureErrorCode.VerificationFailed) return 'bad-signature';
    return cause.cause instanceof Refused ? cause.cause.type : 'malformed';
  }
  throw cause;
}

function readClaims(parameters: SignatureParameters) {
  const { created, expires, nonce, keyid, alg, tag } = parameters;
  const extra = Object.keys(parameters).length !== PARAMETERS.length;
  if (extra || created === undefined || expires === undefined || alg !== ALGORITHM || tag !== TAG) return undefined;
  if (created < 0 || expires <= created || expires - created > MAX_LIFETIME_S) return undefined;
  const publicKey = bytesOf(keyid, 32);
  const nonceBytes = bytesOf(nonce, NONCE_BYTES);
  if (publicKey === undefined || nonceBytes === undefined) return undefined;
  return { createdMs: created * 1000, expiresMs: expires * 1000, publicKey: toVerifyKey(publicKey), nonce: nonceBytes };
}

function bytesOf(text: string | undefined, length: number): Uint8Array | undefined {
  try {
    const bytes = base64urlToBytes(text ?? '');
    return bytes.length === length ? bytes : undefined;
  } catch {
    return undefined;
  }
}

/** Exactly the profile's components, in its order, without parameters. */
function coversOnly(components: readonly ComponentDescriptor[], hasBody: boolean): boolean {
  const expected = ['@method', '@target-uri', ...(hasBody ? ['content-digest'] : [])];
  const plain = components.every(({ parameters }) => Object.keys(parameters).length === 0);
  return plain && components.map(({ name }) => name).join() === expected.join();
}

function targetUri(input: URL | string): string | undefined {
  if (!URL.canParse(input)) return undefined;
  const url = new URL(input);
  url.hash = '';
  return url.href;
}

function header(headers: RequestToVerify['headers'], name: string): string | undefined {
  const found = Object.entries(headers).filter(([key, value]) => key.toLowerCase() === name && value !== undefined);
  return found.length === 0
    ? undefined
    : found.map(([, value]) => (Array.isArray(value) ? value.join(', ') : value)).join(', ');
}

const toFields = (headers: { readonly [name: string]: string | undefined }) =>
  Object.entries(headers).flatMap(([name, value]) => (value === undefined ? [] : [{ name, value }]));
