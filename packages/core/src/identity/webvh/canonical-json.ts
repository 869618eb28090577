/** JSON Canonicalization Scheme (RFC 8785), used for did:webvh alone: everything else signs the bytes sent. */

import { isJsonObject, type JsonValue } from '../../base/json.ts';

/**
 * Writes a JSON value in its one canonical spelling: keys in UTF-16 order, ECMAScript numbers, no white space.
 * Throws TypeError on a lone surrogate, which has no UTF-8 form. The caller bounds the depth.
 */
export function canonicalJson(value: JsonValue): string {
  if (typeof value === 'string') {
    if (/\p{Surrogate}/u.test(value)) throw new TypeError('text holds a lone surrogate');
    return JSON.stringify(value);
  }
  if (Array.isArray(value)) return `[${(value as readonly JsonValue[]).map(canonicalJson).join(',')}]`;
  if (!isJsonObject(value)) return JSON.stringify(value);
  const members = Object.keys(value)
    .filter((key) => value[key] !== undefined)
    .sort()
    .map((key) => `${canonicalJson(key)}:${canonicalJson(value[key] as JsonValue)}`);
  return `{${members.join(',')}}`;
}
