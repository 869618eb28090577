/** Which addresses software may fetch on behalf of a stranger's DID. Pure rules; the fetch itself lives with the platform. */

import { err, ok, type Result } from '../base/result.ts';

/** Why an address is not fetched. */
export type UrlRefusal = {
  readonly type: 'refused';
  readonly reason: 'malformed' | 'not-https' | 'credentials' | 'ip-literal' | 'local-name' | 'not-a-dev-host';
};

/** Names that stand for loopback servers: name to `127.0.0.1:PORT`. While one is given, it is the whole world. */
export type DevHosts = ReadonlyMap<string, string>;

const LABEL = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;
const NUMERIC_LABEL = /^(?:\d+|0x[0-9a-f]*)$/;
const DEV_ADDRESS = /^127\.0\.0\.1:([1-9]\d{0,4})$/;
/** Top-level names that never leave the machine or the local network. */
const LOCAL_SUFFIXES = [
  'localhost',
  'local',
  'internal',
  'lan',
  'home',
  'intranet',
  'corp',
  'private',
  'arpa',
  'onion',
];

/** Tells whether a text is a lower-case DNS name of at least two labels that is not an address. */
export function isDnsName(host: string): boolean {
  const labels = host.split('.');
  const last = labels.at(-1) ?? '';
  return (
    host.length <= 253 && labels.length >= 2 && labels.every((label) => LABEL.test(label)) && !NUMERIC_LABEL.test(last)
  );
}

/** Tells whether a text is the loopback address of a dev host: `127.0.0.1:PORT`. */
export function isDevAddress(address: string): boolean {
  const port = DEV_ADDRESS.exec(address)?.[1];
  return port !== undefined && Number(port) <= 65_535;
}

/**
 * Decides whether a URL may be fetched, and what to dial for it.
 *
 * With `devHosts`, `https://NAME` becomes `http://127.0.0.1:PORT` and every other name is refused; without, the URL itself is
 * dialled and the caller checks the addresses its name resolves to with `isPrivateAddress`.
 * Errors: refused, with the rule that was broken. Source: spec/identity.md ID-14, ID-16.
 */
export function checkUrl(input: URL | string, devHosts?: DevHosts): Result<URL, UrlRefusal> {
  const refuse = (reason: UrlRefusal['reason']): Result<URL, UrlRefusal> => err({ type: 'refused', reason });
  if (!URL.canParse(input)) return refuse('malformed');
  const url = new URL(input);
  if (url.protocol !== 'https:') return refuse('not-https');
  if (url.username !== '' || url.password !== '') return refuse('credentials');
  url.hash = '';
  const host = url.hostname;
  // A URL parser has already turned every spelling of an IPv4 address (hex, octal, one number) into dotted form.
  if (host.startsWith('[') || /^\d+(?:\.\d+){3}$/.test(host)) return refuse('ip-literal');
  if (devHosts !== undefined) {
    const address = url.port === '' ? devHosts.get(host) : undefined;
    if (address === undefined || !isDevAddress(address)) return refuse('not-a-dev-host');
    return ok(new URL(`http://${address}${url.pathname}${url.search}`));
  }
  if (!isDnsName(host) || LOCAL_SUFFIXES.includes(host.split('.').at(-1) ?? '')) return refuse('local-name');
  return ok(url);
}

/** Blocks of IPv4 that are not the public Internet: [network, prefix length]. */
const PRIVATE_V4: readonly (readonly [number, number])[] = [
  [0x00000000, 8],
  [0x0a000000, 8],
  [0x64400000, 10],
  [0x7f000000, 8],
  [0xa9fe0000, 16],
  [0xac100000, 12],
  [0xc0000000, 24],
  [0xc0000200, 24],
  [0xc0586300, 24],
  [0xc0a80000, 16],
  [0xc6120000, 15],
  [0xc6336400, 24],
  [0xcb007100, 24],
  [0xe0000000, 3],
];

/**
 * Tells whether an address found by DNS must not be dialled: loopback, private, link-local, shared, documentation, multicast,
 * reserved, or a form of IPv6 that carries an IPv4 address. Text that is not an address counts as private.
 */
export function isPrivateAddress(ip: string): boolean {
  const v4 = parseV4(ip);
  if (v4 !== undefined) return PRIVATE_V4.some(([network, bits]) => v4 >>> (32 - bits) === network >>> (32 - bits));
  const v6 = parseV6(ip);
  if (v6 === undefined) return true;
  const [a = 0, b = 0] = v6;
  // Only 2000::/3 is global unicast. In it: 2001:0::/23 (Teredo, ORCHID), 2001:db8::/32, 2002::/16 (6to4), 3fff::/20.
  if (a >>> 13 !== 1) return true;
  return (a === 0x2001 && (b < 0x200 || b === 0xdb8)) || a === 0x2002 || (a === 0x3fff && b < 0x1000);
}

function parseV4(ip: string): number | undefined {
  const parts = ip.split('.');
  if (parts.length !== 4 || !parts.every((part) => /^(?:0|[1-9]\d{0,2})$/.test(part) && Number(part) <= 255))
    return undefined;
  return parts.reduce((sum, part) => sum * 256 + Number(part), 0);
}

/** The eight 16-bit groups of an IPv6 address, or undefined. */
function parseV6(ip: string): number[] | undefined {
  const halves = ip.split('::');
  if (halves.length > 2) return undefined;
  const groups = (text: string): string[] => (text === '' ? [] : text.split(':'));
  const left = groups(halves[0] ?? '');
  const right = groups(halves[1] ?? '');
  const missing = 8 - left.length - right.length;
  if (halves.length === 2 ? missing < 1 : missing !== 0) return undefined;
  const all = [...left, ...Array<string>(halves.length === 2 ? missing : 0).fill('0'), ...right];
  return all.every((group) => /^[0-9a-f]{1,4}$/i.test(group))
    ? all.map((group) => Number.parseInt(group, 16))
    : undefined;
}
