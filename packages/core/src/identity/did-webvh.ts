/** did:webvh 1.0: DIDs of owners, whose keys and node can change while the name stays. Writing, resolving, comparing logs. */

import type { Clock } from '../base/clock.ts';
import { type Did, toDid } from '../base/ids.ts';
import type { JsonObject } from '../base/json.ts';
import { err, ok, type Result } from '../base/result.ts';
import type { SigningKey, VerifyKey } from '../crypto/sign.ts';
import { buildStateOf, type DidDocument, type DidDocumentParts } from './did-document.ts';
import type { DidFailure } from './did-failure.ts';
import { encodeMultikey } from './did-key.ts';
import { hashOf, keyHash, METHOD, PLACEHOLDER, replaceText, signEntry } from './webvh/log-entry.ts';
import { splitWebvhDid, type VerifiedLog, verifyWebvhLog } from './webvh/verify-log.ts';

/** The log of a DID as text (`did.jsonl`): one entry a line, each line ended. */
export type WebvhLogText = { readonly did: Did; readonly log: string };

/**
 * `domain` is a host with an optional `:PORT`. `nextKeys` are the keys one of which must sign the next change: the next device-held
 * key and the next recovery key.
 */
export type WebvhCreation = {
  readonly domain: string;
  readonly path?: readonly string[];
  readonly document: DidDocumentParts;
  readonly updateKey: SigningKey;
  readonly nextKeys: readonly VerifyKey[];
  readonly clock: Clock;
};

/** `updateKey` is one of the last entry's `nextKeys`. Without `document` the document stays; with `domain` the DID moves there. */
export type WebvhUpdate = {
  readonly log: string;
  readonly document?: DidDocumentParts;
  readonly updateKey: SigningKey;
  readonly nextKeys: readonly VerifyKey[];
  readonly clock: Clock;
  readonly domain?: string;
  readonly path?: readonly string[];
};

/** What a reader takes from a log. */
export type WebvhResolution = {
  readonly document: DidDocument;
  readonly versionId: string;
  readonly versionIds: readonly string[];
  readonly updateKeys: readonly string[];
  readonly nextKeyHashes: readonly string[];
};

/** `did/SCID` under the node's origin: a node can tell by the path alone whose log it is. */
const DEFAULT_PATH: readonly string[] = ['did', PLACEHOLDER];

/**
 * Creates a DID and the first entry of its log; portable and pre-rotated from the start, since neither can be added later.
 * Throws TypeError without `nextKeys` or on a domain that is not a DNS name.
 */
export async function createWebvh(creation: WebvhCreation): Promise<WebvhLogText> {
  const { updateKey, clock } = creation;
  const template: JsonObject = {
    versionId: PLACEHOLDER,
    versionTime: timeText(clock.nowMs()),
    parameters: { method: METHOD, scid: PLACEHOLDER, ...keyParameters(updateKey, creation.nextKeys), portable: true },
    state: buildStateOf(webvhId(PLACEHOLDER, creation.domain, creation.path), creation.document),
  };
  const scid = hashOf(template);
  const entry = replaceText(template, PLACEHOLDER, scid);
  const log = lineOf(signEntry({ ...entry, versionId: `1-${hashOf(entry)}` }, updateKey));
  return { did: toDid(webvhId(scid, creation.domain, creation.path)), log };
}

/**
 * Appends one change to a log: other keys, another document, another node.
 *
 * Errors: those of `resolveWebvhLog`; invalid-log also when `updateKey` is not one the last entry committed to.
 *
 * @internal No client changes a DID yet; what nodes and readers make of a changed one is tested with it.
 */
export async function updateWebvh(update: WebvhUpdate): Promise<Result<WebvhLogText, DidFailure>> {
  const current = verifyWebvhLog(update.log, update.clock.nowMs());
  if (!current.ok) return current;
  if (current.value.deactivated) return err({ type: 'deactivated' });
  const { did, scid, document } = current.value;
  const id = update.domain === undefined ? did : webvhId(scid, update.domain, update.path);
  const kept = update.document ? buildStateOf(id, update.document) : replaceText(document, did, id);
  const aliases = Array.isArray(kept.alsoKnownAs) ? (kept.alsoKnownAs as readonly string[]) : [];
  const state = id === did ? kept : { ...kept, alsoKnownAs: [...new Set([...aliases, did])] };
  return append(
    update.log,
    current.value,
    keyParameters(update.updateKey, update.nextKeys),
    state,
    update.updateKey,
    update.clock,
  );
}

/**
 * Ends a DID for good, in two entries: the first lays pre-rotation down, the second deactivates.
 *
 * Errors: as `updateWebvh`.
 *
 * @internal As `updateWebvh`.
 */
export async function deactivateWebvh(
  last: Pick<WebvhUpdate, 'log' | 'updateKey' | 'clock'>,
): Promise<Result<WebvhLogText, DidFailure>> {
  const { updateKey, clock } = last;
  const current = verifyWebvhLog(last.log, clock.nowMs());
  if (!current.ok) return current;
  if (current.value.deactivated) return err({ type: 'deactivated' });
  const updateKeys = [encodeMultikey('ed25519', updateKey.publicKey)];
  const laid = append(
    last.log,
    current.value,
    { updateKeys, nextKeyHashes: [] },
    current.value.document,
    updateKey,
    clock,
  );
  if (!laid.ok) return laid;
  const between = verifyWebvhLog(laid.value.log, clock.nowMs());
  if (!between.ok) return between;
  return append(
    laid.value.log,
    between.value,
    { updateKeys: [], deactivated: true },
    between.value.document,
    updateKey,
    clock,
  );
}

/**
 * Resolves a DID from the text of its log.
 *
 * Errors: too-large, invalid-log, mismatch (the log of another DID), moved (the log goes on under another name), deactivated.
 * NOTE: an old but valid log resolves; a reader that remembers compares with `continuesVersion`.
 * Source: spec/identity.md ID-6 to ID-13; vectors/identity.json.
 */
export async function resolveWebvhLog(
  did: Did,
  logText: string,
  clock: Clock,
): Promise<Result<WebvhResolution, DidFailure>> {
  const verified = verifyWebvhLog(logText, clock.nowMs());
  if (!verified.ok) return verified;
  const log = verified.value;
  if (splitWebvhDid(did)?.scid !== log.scid) return err({ type: 'mismatch' });
  if (log.deactivated) return err({ type: 'deactivated' });
  if (log.did !== did) return err({ type: 'moved', to: log.did });
  const { document, versionId, versionIds, updateKeys, nextKeyHashes } = log;
  return ok({ document, versionId, versionIds, updateKeys, nextKeyHashes });
}

/** Tells whether a log holds a version seen before at its old place: neither rolled back nor rewritten. */
export function continuesVersion(versionIds: readonly string[], seen: string): boolean {
  return versionIds[Number.parseInt(seen, 10) - 1] === seen;
}

/** Tells whether a new log has the whole old one as its exact beginning. Both may be equal. */
export function extendsWebvhLog(oldLog: string, newLog: string): boolean {
  return oldLog.endsWith('\n') && newLog.endsWith('\n') && newLog.startsWith(oldLog);
}

/** The path of the log under the node's origin, e.g. `/did/SCID/did.jsonl`. Throws TypeError if it is not a did:webvh. */
export function webvhLogPath(did: string): string {
  return webvhLogUrl(did).pathname;
}

/** Where the log of a did:webvh is fetched. Throws TypeError if it is not a did:webvh. */
export function webvhLogUrl(did: string): URL {
  const place = splitWebvhDid(did);
  if (place === undefined) throw new TypeError('not a did:webvh');
  return new URL(`${place.origin}${place.pathname === '' ? '/.well-known' : place.pathname}/did.jsonl`);
}

function append(
  text: string,
  log: VerifiedLog,
  parameters: JsonObject,
  state: JsonObject,
  key: SigningKey,
  clock: Clock,
): Result<WebvhLogText, DidFailure> {
  const versionTime = timeText(Math.max(clock.nowMs(), log.updatedMs + 1000));
  const entry: JsonObject = { versionId: log.versionId, versionTime, parameters, state };
  const next = text + lineOf(signEntry({ ...entry, versionId: `${log.versionIds.length + 1}-${hashOf(entry)}` }, key));
  const verified = verifyWebvhLog(next, clock.nowMs());
  return verified.ok ? ok({ did: verified.value.did, log: next }) : verified;
}

function webvhId(scid: string, domain: string, path: readonly string[] = DEFAULT_PATH): string {
  const id = ['did:webvh', PLACEHOLDER, domain.replace(':', '%3A'), ...path].join(':').replaceAll(PLACEHOLDER, scid);
  if (splitWebvhDid(id.replaceAll(PLACEHOLDER, 'x')) === undefined)
    throw new TypeError('not a domain or path for a DID');
  return id;
}

function keyParameters(updateKey: SigningKey, nextKeys: readonly VerifyKey[]): JsonObject {
  if (nextKeys.length === 0) throw new TypeError('a DID needs at least one key to follow the present one');
  return {
    updateKeys: [encodeMultikey('ed25519', updateKey.publicKey)],
    nextKeyHashes: nextKeys.map((key) => keyHash(encodeMultikey('ed25519', key))),
  };
}

const timeText = (ms: number): string => `${new Date(ms).toISOString().slice(0, 19)}Z`;

const lineOf = (entry: JsonObject): string => `${JSON.stringify(entry)}\n`;
