/** did:web: the DID of an https origin, and where its document lives. Must not know documents. */

import { type Did, isDid, toDid } from '../base/ids.ts';
import { err, ok, type Result } from '../base/result.ts';
import { isDnsName } from './fetch-policy.ts';

/** `origin` is present only for a DID without a path: a path of a site does not speak for the site. */
export type DidWeb = { readonly url: URL; readonly origin?: string };

const SEGMENT = /^[A-Za-z0-9._-]{1,128}$/;
const MAX_SEGMENTS = 8;

/**
 * Reads a did:web into the URL of its document.
 *
 * Errors: malformed (another method, an address instead of a name, upper case, an escape other than the port's `%3A`).
 * Source: spec/identity.md ID-2; vectors/identity.json.
 */
export function parseDidWeb(did: string): Result<DidWeb, { readonly type: 'malformed' }> {
  if (!isDid(did) || !did.startsWith('did:web:')) return err({ type: 'malformed' });
  const [authority = '', ...path] = did.slice('did:web:'.length).split(':');
  const located = locate(authority, path);
  if (!located.ok) return located;
  const { origin, pathname } = located.value;
  const url = new URL(`${origin}${pathname === '' ? '/.well-known' : pathname}/did.json`);
  return ok(path.length === 0 ? { url, origin } : { url });
}

/** The https origin a did:web speaks for, or undefined if it is another method, malformed or names a path. */
export function didWebOrigin(did: Did): string | undefined {
  const parsed = parseDidWeb(did);
  return parsed.ok ? parsed.value.origin : undefined;
}

/** The did:web of an https origin. Throws TypeError on anything but an https origin with a DNS name. */
export function originDid(origin: string): Did {
  if (!URL.canParse(origin)) throw new TypeError('not an origin');
  const url = new URL(origin);
  if (url.protocol !== 'https:' || url.origin !== origin || !isDnsName(url.hostname))
    throw new TypeError('not an https origin');
  return toDid(`did:web:${url.host.replace(':', '%3A')}`);
}

/**
 * Reads the `HOST[%3APORT]` and path of a web-based DID into an https origin and a path without trailing slash.
 *
 * Errors: malformed.
 */
export function locate(
  authority: string,
  path: readonly string[],
): Result<{ readonly origin: string; readonly pathname: string }, { readonly type: 'malformed' }> {
  const [host = '', port, ...rest] = authority.split('%3A');
  const badPort = port !== undefined && (!/^[1-9]\d{0,4}$/.test(port) || Number(port) > 65_535 || port === '443');
  if (rest.length > 0 || badPort || !isDnsName(host)) return err({ type: 'malformed' });
  if (path.length > MAX_SEGMENTS || !path.every((segment) => SEGMENT.test(segment) && !/^\.+$/.test(segment))) {
    return err({ type: 'malformed' });
  }
  return ok({
    origin: `https://${host}${port === undefined ? '' : `:${port}`}`,
    pathname: path.map((s) => `/${s}`).join(''),
  });
}
