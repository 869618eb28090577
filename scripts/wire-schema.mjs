/** The hash that pins the wire schema beside the protocol version, and the rules for moving the pin. */

import { createHash } from 'node:crypto';

/** Where the pin is kept, from the repository's root. */
export const LOCK_PATH = 'packages/core/src/wire/schema.lock.json';

/**
 * SHA-256, in hex, of a JSON value with object keys in code-unit order and no white space.
 *
 * @param {unknown} schema plain JSON; anything else throws
 * @returns {string}
 */
export function wireSchemaHash(schema) {
  return createHash('sha256').update(canonicalJson(schema)).digest('hex');
}

/**
 * Decides whether a pin may move.
 *
 * @param {{ version: number, hash: string } | undefined} lock the pin, absent before the first one
 * @param {{ version: number, hash: string }} current
 * @param {boolean} allowSameVersion for a change that no released peer can notice
 * @returns {{ write: boolean, problem?: string, message: string }}
 */
export function decidePin(lock, current, allowSameVersion) {
  if (lock === undefined) return { write: true, message: `pinned version ${current.version}` };
  if (current.version < lock.version)
    return refuse(`PROTOCOL_VERSION went back from ${lock.version} to ${current.version}`);
  if (current.hash === lock.hash && current.version === lock.version)
    return { write: false, message: 'already pinned' };
  if (current.version === lock.version && !allowSameVersion) {
    return refuse(
      `the wire schema changed but PROTOCOL_VERSION is still ${lock.version}: raise it in packages/core/src/wire/schema.ts, ` +
        'or add --same-version when no released node or client can tell the difference',
    );
  }
  return { write: true, message: `pinned version ${current.version} (was ${lock.version})` };
}

const refuse = (problem) => ({ write: false, problem, message: problem });

function canonicalJson(value) {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`;
  if (typeof value === 'object' && value !== null) {
    if (Object.getPrototypeOf(value) !== Object.prototype)
      throw new TypeError('the wire schema holds a class instance');
    const members = Object.keys(value).sort();
    return `{${members.map((key) => `${JSON.stringify(key)}:${canonicalJson(value[key])}`).join(',')}}`;
  }
  if (typeof value === 'number' && !Number.isFinite(value))
    throw new TypeError('the wire schema holds a number JSON lacks');
  const text = JSON.stringify(value);
  if (text === undefined) throw new TypeError(`the wire schema holds a ${typeof value}`);
  return text;
}
