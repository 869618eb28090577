/** DID documents as this protocol writes and reads them: one signing key, one sealing key, a node and an inbox. */

import { base64urlToBytes, bytesToBase64url } from '../base/bytes.ts';
import { type Did, isDid, type SpaceId, type StreamId, toSpaceId, toStreamId } from '../base/ids.ts';
import { isJsonObject, type JsonObject, type JsonValue } from '../base/json.ts';
import { err, ok, type Result } from '../base/result.ts';
import { toVerifyKey, type VerifyKey } from '../crypto/sign.ts';
import type { DidFailure } from './did-failure.ts';
import { decodeMultikey, encodeMultikey, type KeyKind } from './did-key.ts';

/** Where an account's home space lives. */
export type NodeService = { readonly url: string; readonly did: Did };
/** Where messages for a DID are left. */
export type InboxService = { readonly url: string; readonly space: SpaceId; readonly stream: StreamId };

/** What a DID document publishes. */
export type DidDocumentParts = {
  readonly identityKey: VerifyKey;
  /** X25519, 32 bytes. */
  readonly sealingKey: Uint8Array;
  readonly node?: NodeService;
  readonly inbox?: InboxService;
  readonly alsoKnownAs?: readonly string[];
};

/** A resolved DID. `versionId` only for methods with a history. */
export type Identity = {
  readonly did: Did;
  readonly identityKey: VerifyKey;
  readonly sealingKey: Uint8Array;
  readonly node?: NodeService;
  readonly inbox?: InboxService;
  readonly versionId?: string;
};

/** A DID document; plain JSON. */
export type DidDocument = JsonObject & { readonly id: string };

/** A DID document as text is at most this many bytes. */
export const MAX_DID_DOCUMENT_BYTES = 64 * 1024;
/** Nesting of a DID document or log entry. */
export const MAX_DID_DOCUMENT_DEPTH = 12;
const MAX_ITEMS = 32;
const MAX_URL_CHARS = 512;
const MAX_ALIAS_CHARS = 1024;
const CONTEXT = ['https://www.w3.org/ns/did/v1', 'https://w3id.org/security/multikey/v1'];

/** Builds the document of a DID. Throws TypeError on a URL that `parseDidDocument` would refuse. */
export function buildDidDocument({ did, ...parts }: DidDocumentParts & { readonly did: Did }): DidDocument {
  return buildStateOf(did, parts);
}

/** Builds the document under an id that may still hold a placeholder. */
export function buildStateOf(id: string, parts: DidDocumentParts): DidDocument {
  const method = (name: string, kind: KeyKind, key: Uint8Array): JsonObject => ({
    id: `${id}#${name}`,
    type: 'Multikey',
    controller: id,
    publicKeyMultibase: encodeMultikey(kind, key),
  });
  for (const url of [parts.node?.url, parts.inbox?.url]) {
    if (url !== undefined && !isServiceUrl(url)) throw new TypeError('a service URL must be https without query');
  }
  const service: JsonObject[] = [];
  if (parts.node) {
    service.push({
      id: `${id}#node`,
      type: 'SluiceNode',
      serviceEndpoint: { url: parts.node.url, did: parts.node.did },
    });
  }
  if (parts.inbox) {
    const { url, space, stream } = parts.inbox;
    const serviceEndpoint = { url, space: bytesToBase64url(space), stream: bytesToBase64url(stream) };
    service.push({ id: `${id}#inbox`, type: 'SluiceInbox', serviceEndpoint });
  }
  return {
    '@context': CONTEXT,
    id,
    ...(parts.alsoKnownAs?.length ? { alsoKnownAs: [...parts.alsoKnownAs] } : {}),
    verificationMethod: [
      method('identity', 'ed25519', parts.identityKey),
      method('sealing', 'x25519', parts.sealingKey),
    ],
    authentication: [`${id}#identity`],
    assertionMethod: [`${id}#identity`],
    keyAgreement: [`${id}#sealing`],
    ...(service.length > 0 ? { service } : {}),
  };
}

/**
 * Reads an untrusted DID document as the identity of `did`.
 *
 * Errors: mismatch (it is about another DID), malformed (a key or service is missing, doubled, or of another form).
 * Source: spec/identity.md ID-3 to ID-5; vectors/identity.json.
 */
export function parseDidDocument(document: unknown, did: Did): Result<Identity, DidFailure> {
  if (!isJsonObject(document)) return err({ type: 'malformed' });
  if (document.id !== did) return err({ type: 'mismatch' });
  const identityKey = keyFor(document, did, 'ed25519', ['assertionMethod', 'authentication']);
  const sealingKey = keyFor(document, did, 'x25519', ['keyAgreement']);
  const services = document.service ?? [];
  if (identityKey === undefined || sealingKey === undefined) return err({ type: 'malformed' });
  if (!Array.isArray(services) || services.length > MAX_ITEMS || !isAliasList(document.alsoKnownAs))
    return err({ type: 'malformed' });
  const node = onlyService(services, 'SluiceNode', readNode);
  const inbox = onlyService(services, 'SluiceInbox', readInbox);
  if (node === undefined || inbox === undefined) return err({ type: 'malformed' });
  return ok({
    did,
    identityKey: toVerifyKey(identityKey),
    sealingKey,
    ...(node === 'absent' ? {} : { node }),
    ...(inbox === 'absent' ? {} : { inbox }),
  });
}

/** The single key of a kind that every named relationship lists; undefined if there is none or more than one. */
function keyFor(
  document: JsonObject,
  did: Did,
  kind: KeyKind,
  relationships: readonly string[],
): Uint8Array | undefined {
  const methods = document.verificationMethod;
  if (!Array.isArray(methods) || methods.length > MAX_ITEMS) return undefined;
  const found = new Map<string, Uint8Array>();
  for (const method of methods as readonly JsonValue[]) {
    if (!isJsonObject(method) || typeof method.id !== 'string') return undefined;
    const key = decodeMultikey(kind, method.publicKeyMultibase);
    if (method.type !== 'Multikey' || method.controller !== did || !key.ok) continue;
    const id = absolute(method.id, did);
    // Two methods of one name: readers could disagree on which key holds.
    if (found.has(id)) return undefined;
    found.set(id, key.value);
  }
  const picked = relationships.map((name) => {
    const refs = document[name];
    if (!Array.isArray(refs) || refs.length > MAX_ITEMS || !refs.every((ref) => typeof ref === 'string'))
      return undefined;
    const ids = (refs as readonly string[]).map((ref) => absolute(ref, did)).filter((id) => found.has(id));
    return ids.length === 1 ? ids[0] : undefined;
  });
  const id = picked[0];
  return id !== undefined && picked.every((other) => other === id) ? found.get(id) : undefined;
}

const absolute = (id: string, did: Did): string => (id.startsWith('#') ? `${did}${id}` : id);

/** Reads the one service of a type: 'absent' if there is none, undefined if it is doubled or malformed. */
function onlyService<T>(
  services: readonly JsonValue[],
  type: string,
  read: (endpoint: JsonObject) => T | undefined,
): T | 'absent' | undefined {
  const found = services.filter((service) => isJsonObject(service) && service.type === type) as readonly JsonObject[];
  if (found.length === 0) return 'absent';
  const endpoint = found[0]?.serviceEndpoint;
  return found.length === 1 && isJsonObject(endpoint) ? read(endpoint) : undefined;
}

function readNode({ url, did }: JsonObject): NodeService | undefined {
  return isServiceUrl(url) && isDid(did) ? { url, did } : undefined;
}

function readInbox({ url, space, stream }: JsonObject): InboxService | undefined {
  if (!isServiceUrl(url) || typeof space !== 'string' || typeof stream !== 'string') return undefined;
  try {
    return { url, space: toSpaceId(base64urlToBytes(space)), stream: toStreamId(base64urlToBytes(stream)) };
  } catch {
    return undefined;
  }
}

/** An https URL in its one spelling, without credentials, query or fragment; a bare origin may omit the slash. */
function isServiceUrl(text: unknown): text is string {
  if (typeof text !== 'string' || text.length > MAX_URL_CHARS || !URL.canParse(text)) return false;
  const url = new URL(text);
  const plain = url.username === '' && url.password === '' && url.search === '' && url.hash === '';
  return url.protocol === 'https:' && plain && (url.href === text || url.href === `${text}/`);
}

function isAliasList(value: JsonValue | undefined): boolean {
  if (value === undefined) return true;
  return (
    Array.isArray(value) &&
    value.length <= MAX_ITEMS &&
    value.every((a) => typeof a === 'string' && a.length <= MAX_ALIAS_CHARS)
  );
}
