/** The rules between the entries of a did:webvh log: chain, keys, pre-rotation, time, place. */

import { type Did, isDid, toDid } from '../../base/ids.ts';
import type { JsonObject } from '../../base/json.ts';
import { err, ok, type Result } from '../../base/result.ts';
import { MAX_DID_LOG_BYTES } from '../../wire/limits.ts';
import type { DidFailure } from '../did-failure.ts';
import { locate } from '../did-web.ts';
import {
  hashOf,
  keyHash,
  type LogEntry,
  METHOD,
  parseLogEntry,
  PLACEHOLDER,
  replaceText,
  verifyEntry,
} from './log-entry.ts';

/** A log that verified from its first entry to its last. `versionIds[n - 1]` is the version of entry n. */
export type VerifiedLog = {
  readonly did: Did;
  readonly scid: string;
  readonly document: JsonObject & { readonly id: string };
  readonly versionIds: readonly string[];
  readonly versionId: string;
  readonly updateKeys: readonly string[];
  readonly nextKeyHashes: readonly string[];
  readonly portable: boolean;
  readonly deactivated: boolean;
  readonly updatedMs: number;
};

/** How far an entry may be ahead of the reader's clock, in ms. */
const MAX_AHEAD_MS = 300_000;

/**
 * Verifies the text of a log: one JSON entry a line, the last line ended too.
 *
 * Errors: too-large, invalid-log (anything else: one error on purpose). A deactivated log verifies; the caller looks at the flag.
 * Source: spec/identity.md ID-6 to ID-9, ID-12, ID-13; did:webvh 1.0.
 */
export function verifyWebvhLog(text: string, nowMs: number): Result<VerifiedLog, DidFailure> {
  if (text.length > MAX_DID_LOG_BYTES) return err({ type: 'too-large' });
  const lines = text.split('\n');
  if (lines.pop() !== '') return err({ type: 'invalid-log' });
  let log: VerifiedLog | undefined;
  for (const line of lines) {
    const entry = parseLogEntry(line);
    log = entry && (log === undefined ? firstEntry(entry) : nextEntry(log, entry));
    if (log === undefined) return err({ type: 'invalid-log' });
  }
  if (log === undefined || log.updatedMs > nowMs + MAX_AHEAD_MS) return err({ type: 'invalid-log' });
  return ok(log);
}

/** The parts of a did:webvh, or undefined. */
export function splitWebvhDid(
  did: string,
): { readonly scid: string; readonly origin: string; readonly pathname: string } | undefined {
  const [scheme, method, scid = '', authority = '', ...path] = did.split(':');
  const located = locate(authority, path);
  if (!isDid(did) || scheme !== 'did' || method !== 'webvh' || scid === '' || !located.ok) return undefined;
  return { scid, ...located.value };
}

function firstEntry(entry: LogEntry): VerifiedLog | undefined {
  const { method, scid, updateKeys, nextKeyHashes = [], portable = false } = entry.parameters;
  if (method !== METHOD || scid === undefined || updateKeys === undefined) return undefined;
  const preliminary = replaceText({ ...entry.unsigned, versionId: PLACEHOLDER }, scid, PLACEHOLDER);
  if (hashOf(preliminary) !== scid) return undefined;
  if (entry.versionId !== `1-${hashOf({ ...entry.unsigned, versionId: scid })}`) return undefined;
  if (splitWebvhDid(entry.state.id)?.scid !== scid || !verifyEntry(entry, updateKeys)) return undefined;
  const deactivated = entry.parameters.deactivated === true;
  return { ...endOf(entry), scid, versionIds: [entry.versionId], updateKeys, nextKeyHashes, portable, deactivated };
}

function nextEntry(log: VerifiedLog, entry: LogEntry): VerifiedLog | undefined {
  const { parameters } = entry;
  if (log.deactivated || entry.versionTimeMs <= log.updatedMs) return undefined;
  if (parameters.scid !== undefined || parameters.portable === true) return undefined;
  if (entry.versionId !== `${log.versionIds.length + 1}-${hashOf({ ...entry.unsigned, versionId: log.versionId })}`)
    return undefined;
  const updateKeys = parameters.updateKeys ?? log.updateKeys;
  const deactivated = parameters.deactivated === true;
  if (log.nextKeyHashes.length > 0) {
    // Pre-rotation: the entry names its own keys, each committed to before, and is signed by one of them.
    if (parameters.updateKeys === undefined || parameters.nextKeyHashes === undefined) return undefined;
    if (!updateKeys.every((key) => log.nextKeyHashes.includes(keyHash(key)))) return undefined;
    if (!verifyEntry(entry, updateKeys)) return undefined;
  } else {
    if (updateKeys.length === 0 && !deactivated) return undefined;
    if (!verifyEntry(entry, log.updateKeys)) return undefined;
  }
  const place = splitWebvhDid(entry.state.id);
  const aliases = entry.state.alsoKnownAs;
  const moved = entry.state.id !== log.did;
  if (place?.scid !== log.scid || (moved && !(log.portable && Array.isArray(aliases) && aliases.includes(log.did))))
    return undefined;
  return {
    ...endOf(entry),
    scid: log.scid,
    versionIds: [...log.versionIds, entry.versionId],
    updateKeys,
    nextKeyHashes: parameters.nextKeyHashes ?? log.nextKeyHashes,
    portable: parameters.portable ?? log.portable,
    deactivated,
  };
}

const endOf = (entry: LogEntry) => ({
  did: toDid(entry.state.id),
  document: entry.state,
  versionId: entry.versionId,
  updatedMs: entry.versionTimeMs,
});
