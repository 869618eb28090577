/** One entry of a did:webvh log: its form, its hash and its proof. Must not know the rules between entries. */

import { base58 } from '@scure/base';
import { concatBytes, utf8ToBytes } from '../../base/bytes.ts';
import { isJsonObject, type JsonObject, type JsonValue, parseJson } from '../../base/json.ts';
import { sha256 } from '../../crypto/hash.ts';
import { type SigningKey, signRaw, toVerifyKey, verifyRaw } from '../../crypto/sign.ts';
import { MAX_DID_DOCUMENT_BYTES, MAX_DID_DOCUMENT_DEPTH } from '../did-document.ts';
import { decodeMultikey, encodeMultikey } from '../did-key.ts';
import { hasUniqueKeys } from '../unique-keys.ts';
import { canonicalJson } from './canonical-json.ts';

/** The method version this protocol writes and reads. */
export const METHOD = 'did:webvh:1.0';
/** Stands for the SCID while the SCID is computed. */
export const PLACEHOLDER = '{SCID}';

/** The parameters an entry sets. Unset ones keep their value. */
export type LogParameters = {
  readonly method?: string;
  readonly scid?: string;
  readonly updateKeys?: readonly string[];
  readonly nextKeyHashes?: readonly string[];
  readonly portable?: boolean;
  readonly deactivated?: boolean;
};

/** A parsed entry. `unsigned` is the whole entry without its proof: what the hash and the proof cover. */
export type LogEntry = {
  readonly versionId: string;
  readonly versionTimeMs: number;
  readonly parameters: LogParameters;
  readonly state: JsonObject & { readonly id: string };
  readonly unsigned: JsonObject;
  readonly proof: JsonObject;
};

const ENTRY_KEYS = ['parameters', 'proof', 'state', 'versionId', 'versionTime'];
const PROOF_KEYS = ['created', 'cryptosuite', 'proofPurpose', 'proofValue', 'type', 'verificationMethod'];
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,3})?Z$/;
const MAX_KEYS = 16;
/** 64 bytes of signature never take more than 88 base58 characters. */
const MAX_PROOF_VALUE_CHARS = 89;

/** Reads one line of a log strictly; undefined on any deviation, including a parameter this protocol does not know. */
export function parseLogEntry(line: string): LogEntry | undefined {
  const parsed = parseJson(line, { maxBytes: MAX_DID_DOCUMENT_BYTES, maxDepth: MAX_DID_DOCUMENT_DEPTH });
  if (!parsed.ok || !isJsonObject(parsed.value) || !hasExactly(parsed.value, ENTRY_KEYS) || !hasUniqueKeys(line))
    return undefined;
  const { proof: proofs, ...unsigned } = parsed.value;
  const { versionId, versionTime, parameters, state } = unsigned;
  if (typeof versionId !== 'string' || typeof versionTime !== 'string' || !TIME.test(versionTime)) return undefined;
  const versionTimeMs = Date.parse(versionTime);
  const proof = Array.isArray(proofs) && proofs.length === 1 ? (proofs[0] as JsonValue) : undefined;
  if (Number.isNaN(versionTimeMs) || !isJsonObject(proof) || !hasExactly(proof, PROOF_KEYS)) return undefined;
  if (!isJsonObject(state) || typeof state.id !== 'string' || !isParameters(parameters)) return undefined;
  return { versionId, versionTimeMs, parameters, state: state as LogEntry['state'], unsigned, proof };
}

/** SHA-256 of the canonical form as a base58btc multihash. */
export const hashOf = (value: JsonValue): string => multihash(utf8ToBytes(canonicalJson(value)));

/** The commitment to a future update key: hash of its Multikey text. */
export const keyHash = (multikey: string): string => multihash(utf8ToBytes(multikey));

/** Swaps one text for another in every string of a JSON value. */
export const replaceText = <T extends JsonValue>(value: T, from: string, to: string): T =>
  JSON.parse(JSON.stringify(value).replaceAll(from, to)) as T;

/** Adds the proof of one update key to an entry. */
export function signEntry(unsigned: JsonObject, key: SigningKey): JsonObject {
  const multikey = encodeMultikey('ed25519', key.publicKey);
  const options = {
    type: 'DataIntegrityProof',
    cryptosuite: 'eddsa-jcs-2022',
    verificationMethod: `did:key:${multikey}#${multikey}`,
    created: unsigned.versionTime as string,
    proofPurpose: 'assertionMethod',
  };
  const proofValue = `z${base58.encode(signRaw(key, proofInput(options, unsigned)))}`;
  return { ...unsigned, proof: [{ ...options, proofValue }] };
}

/** Tells whether the proof is by one of the authorized keys and covers the entry. */
export function verifyEntry(entry: LogEntry, authorized: readonly string[]): boolean {
  const { proofValue, ...options } = entry.proof;
  const { type, cryptosuite, proofPurpose, verificationMethod } = options;
  if (type !== 'DataIntegrityProof' || cryptosuite !== 'eddsa-jcs-2022' || proofPurpose !== 'assertionMethod')
    return false;
  const multikey = authorized.find((key) => verificationMethod === `did:key:${key}#${key}`);
  const key = decodeMultikey('ed25519', multikey);
  if (!key.ok || typeof proofValue !== 'string' || proofValue.length > MAX_PROOF_VALUE_CHARS) return false;
  try {
    const signature = base58.decode(proofValue.replace(/^z/, ''));
    const input = proofInput(options, entry.unsigned);
    return proofValue.startsWith('z') && signature.length === 64 && verifyRaw(toVerifyKey(key.value), signature, input);
  } catch {
    return false;
  }
}

const proofInput = (options: JsonObject, unsigned: JsonObject): Uint8Array =>
  concatBytes(sha256(utf8ToBytes(canonicalJson(options))), sha256(utf8ToBytes(canonicalJson(unsigned))));

const multihash = (bytes: Uint8Array): string => base58.encode(concatBytes(Uint8Array.of(0x12, 0x20), sha256(bytes)));

const hasExactly = (value: JsonObject, sortedKeys: readonly string[]): boolean =>
  Object.keys(value).sort().join() === sortedKeys.join();

const PARAMETER_FORMS: { readonly [name: string]: (value: JsonValue) => boolean } = {
  method: (value) => value === METHOD,
  scid: (value) => typeof value === 'string' && /^Qm[1-9A-HJ-NP-Za-km-z]{44}$/.test(value),
  updateKeys: (value) => isTextList(value) && value.every((key) => decodeMultikey('ed25519', key).ok),
  nextKeyHashes: isTextList,
  portable: (value) => typeof value === 'boolean',
  deactivated: (value) => typeof value === 'boolean',
  // Witnesses would have to be fetched and checked: a log that asks for them is refused, never taken without them.
  witness: (value) => isJsonObject(value) && Object.keys(value).length === 0,
  watchers: (value) => value === null || isTextList(value),
  ttl: (value) => typeof value === 'number',
};

function isParameters(value: JsonValue | undefined): value is LogParameters & JsonObject {
  if (!isJsonObject(value)) return false;
  return Object.entries(value).every(
    ([name, v]) => Object.hasOwn(PARAMETER_FORMS, name) && PARAMETER_FORMS[name]?.(v) === true,
  );
}

function isTextList(value: JsonValue): value is readonly string[] {
  return (
    Array.isArray(value) &&
    value.length <= MAX_KEYS &&
    value.every((item) => typeof item === 'string' && item.length <= 256)
  );
}
