/** Resolves did:key, did:web and did:webvh to identities, with a cache and a memory against rollback. All I/O is injected. */

import { Resolver, type DIDDocument, type DIDResolutionResult, type ParsedDID } from 'did-resolver';
import type { Clock } from '../base/clock.ts';
import { type Did, isDid } from '../base/ids.ts';
import { parseJson } from '../base/json.ts';
import { err, ok, type Result } from '../base/result.ts';
import { MAX_DID_LOG_BYTES } from '../wire/limits.ts';
import {
  buildDidDocument,
  type Identity,
  MAX_DID_DOCUMENT_BYTES,
  MAX_DID_DOCUMENT_DEPTH,
  parseDidDocument,
} from './did-document.ts';
import type { DidFailure } from './did-failure.ts';
import { parseDidKey, sealingKeyOf } from './did-key.ts';
import { parseDidWeb } from './did-web.ts';
import { continuesVersion, resolveWebvhLog, webvhLogUrl } from './did-webvh.ts';
import { hasUniqueKeys } from './unique-keys.ts';
import { splitWebvhDid } from './webvh/verify-log.ts';

/** unreachable (no answer, or one that is not a document), not-found, too-large, refused (by the fetch policy, redirects included). */
export type FetchFailure = { readonly type: 'unreachable' | 'not-found' | 'too-large' | 'refused' };

/** Fetches text by GET under the rules of `fetch-policy.ts`. Units: bytes, ms. */
export type FetchText = (
  url: URL,
  limits: { readonly maxBytes: number; readonly timeoutMs: number },
) => Promise<Result<string, FetchFailure>>;

/** Remembers the newest version seen of each DID, across restarts. */
export type PinStore = {
  readonly get: (did: Did) => Promise<string | undefined>;
  readonly set: (did: Did, versionId: string) => Promise<void>;
};

/** Resolves DIDs of all supported methods, with a cache. */
export type DidResolver = {
  /**
   * Resolves a DID, from the cache if it was fetched less than 5 minutes ago.
   *
   * Errors: every DidFailure; failures are not cached.
   */
  readonly resolve: (did: Did) => Promise<Result<Identity, DidFailure>>;
};

/** How long an answer is reused, in ms. */
export const DID_CACHE_TTL_MS = 300_000;
const MAX_CACHED = 1000;
const TIMEOUT_MS = 10_000;

/** A pin store that forgets with the process. */
export function createMemoryPinStore(): PinStore {
  const pins = new Map<Did, string>();
  return {
    get: async (did) => pins.get(did),
    set: async (did, versionId) => {
      pins.set(did, versionId);
    },
  };
}

/**
 * Creates a resolver.
 *
 * Source: spec/identity.md ID-10, ID-17.
 */
export function createDidResolver(deps: {
  readonly fetchText: FetchText;
  readonly clock: Clock;
  readonly pins?: PinStore;
}): DidResolver {
  const { fetchText, clock, pins = createMemoryPinStore() } = deps;
  const cache = createAnswerCache(clock);

  const fromWeb = async (did: Did): Promise<DIDResolutionResult> => {
    const place = parseDidWeb(did);
    if (!place.ok) return failed(place.error);
    const text = await fetchText(place.value.url, { maxBytes: MAX_DID_DOCUMENT_BYTES, timeoutMs: TIMEOUT_MS });
    if (!text.ok) return failed(text.error);
    const json = parseJson(text.value, { maxBytes: MAX_DID_DOCUMENT_BYTES, maxDepth: MAX_DID_DOCUMENT_DEPTH });
    if (!json.ok) return failed({ type: json.error.type === 'too-large' ? 'too-large' : 'malformed' });
    return hasUniqueKeys(text.value) ? answerOf(did, json.value) : failed({ type: 'malformed' });
  };

  const fromWebvh = async (did: Did): Promise<DIDResolutionResult> => {
    if (splitWebvhDid(did) === undefined) return failed({ type: 'malformed' });
    const text = await fetchText(webvhLogUrl(did), { maxBytes: MAX_DID_LOG_BYTES, timeoutMs: TIMEOUT_MS });
    if (!text.ok) return failed(text.error);
    const log = await resolveWebvhLog(did, text.value, clock);
    if (!log.ok) return failed(log.error);
    const { document, versionId, versionIds } = log.value;
    const pinned = await pins.get(did);
    if (pinned !== undefined && !continuesVersion(versionIds, pinned)) return failed({ type: 'rollback', pinned });
    if (pinned !== versionId) await pins.set(did, versionId);
    return answerOf(did, document, versionId);
  };

  const resolver = new Resolver(
    {
      key: async (did) => fromKey(did as Did),
      web: (did) => fromWeb(did as Did),
      webvh: (did) => fromWebvh(did as Did),
    },
    { cache },
  );

  return {
    resolve: async (did) => {
      if (!isDid(did)) return err({ type: 'malformed' });
      const { didDocument, didDocumentMetadata, didResolutionMetadata } = await resolver.resolve(did);
      if (didDocument === null) return err(failureOf(didResolutionMetadata));
      const identity = didResolutionMetadata.identity as Identity;
      const { versionId } = didDocumentMetadata;
      return ok(versionId === undefined ? identity : { ...identity, versionId });
    },
  };
}

function fromKey(did: Did): DIDResolutionResult {
  const identityKey = parseDidKey(did);
  if (!identityKey.ok) return failed(identityKey.error);
  const sealingKey = sealingKeyOf(identityKey.value);
  if (!sealingKey.ok) return failed(sealingKey.error);
  return answerOf(did, buildDidDocument({ did, identityKey: identityKey.value, sealingKey: sealingKey.value }));
}

/** Remembers answers and shares one that is under way; both bounded. The oldest goes first. */
function createAnswerCache(clock: Clock) {
  type Answer = Promise<DIDResolutionResult>;
  const answers = new Map<string, { readonly answer: Answer; readonly untilMs: number }>();
  return ({ did }: ParsedDID, fetch: () => Answer): Answer => {
    const held = answers.get(did);
    if (held && clock.monotonicMs() < held.untilMs) return held.answer;
    const answer = fetch();
    const entry = { answer, untilMs: clock.monotonicMs() + DID_CACHE_TTL_MS };
    answers.delete(did);
    answers.set(did, entry);
    const drop = (): void => {
      if (answers.get(did) === entry) answers.delete(did);
    };
    answer.then((result) => result.didDocument === null && drop(), drop);
    const oldest = answers.keys().next();
    if (answers.size > MAX_CACHED && !oldest.done) answers.delete(oldest.value);
    return answer;
  };
}

/** The document as an answer, if it is one this protocol reads. What was read goes along, so that a cached answer is read once. */
function answerOf(did: Did, document: unknown, versionId?: string): DIDResolutionResult {
  const identity = parseDidDocument(document, did);
  if (!identity.ok) return failed(identity.error);
  return {
    didResolutionMetadata: { identity: identity.value },
    didDocument: document as DIDDocument,
    didDocumentMetadata: versionId === undefined ? {} : { versionId },
  };
}

function failed(failure: DidFailure): DIDResolutionResult {
  return { didResolutionMetadata: { error: failure.type, failure }, didDocument: null, didDocumentMetadata: {} };
}

/** The failure a method left behind, or what the registry's own errors mean. */
function failureOf(metadata: DIDResolutionResult['didResolutionMetadata']): DidFailure {
  const left = metadata.failure as DidFailure | undefined;
  if (left !== undefined) return left;
  return { type: metadata.error === 'unsupportedDidMethod' ? 'unsupported-method' : 'malformed' };
}
