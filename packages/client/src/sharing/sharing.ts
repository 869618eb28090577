/**
 * Scenario 4: ask for a stream of somebody's data, preview, consent, read, revoke. The requester's and the owner's side of one protocol;
 * every account has both.
 */

import { bytesToBase64url, bytesToHex, base64urlToBytes, type Did, hexToBytes, isJsonObject, type JsonObject, toDid, toGrantId, toRowId, toSpaceId, toStreamId, utf8ToBytes } from '@sluice/core/base';
import { checkCommitment, createHpkeKeyPair, createSigningKey, hpkeKeyPairFromSecret, keyCommitment, openHpke, sealAead, sealHpke, signingKeyFromSeed, streamId, type TagSecret, toAeadKey, toGrantSecret } from '@sluice/core/crypto';
import { type Filter, filterFailureText, parseFilter } from '@sluice/core/filter';
import { type GrantAccess, type GrantDuration, type GrantTerms, MAX_REQUEST_ITEMS, parseTerms, RECEIPT_TYPE, receiptPayload } from '@sluice/core/grant';
import { openDocument, signDocument } from '@sluice/core/identity';
import { type CtlRow, VERB } from '@sluice/core/stream';
import { encodeCbor, fixed, list, readShape, STREAM_KIND, tuple } from '@sluice/core/wire';
import type { OpenAccount } from '../account/account.ts';
import { packBytes, unpackBytes } from '../account/keychain.ts';
import type { Context } from '../context.ts';
import { SluiceError } from '../errors.ts';
import { openLiveLink } from '../link/live-link.ts';
import type { InboxItem, Mailbox } from '../messaging/mailbox.ts';
import type { LoadedSchema } from '../schema/index.ts';
import type { ControlChange } from '../space/control-log.ts';
import { type Agent, createAgent } from './agent.ts';
import { type GrantHandle, openGrantHandle } from './grant-handle.ts';
import { type GivenGrant, givenToItem, itemToGiven, itemToReceived, type ReceivedGrant, receivedToItem } from './grant-item.ts';
import { consentSentence, type Preview, previewTerms } from './preview.ts';
import { openSyncRequest, signSyncRequest, STATUS, SYNC_GRANT, SYNC_REQUEST, type SyncRequest } from './sync-request.ts';

export type RequestItem = {
  readonly schema: string;
  readonly access?: GrantAccess;
  readonly filter?: JsonObject;
  readonly fields?: readonly string[];
  readonly duration?: GrantDuration;
};
export type RequestOptions = { readonly purpose: string; readonly expiresInMs?: number } & (RequestItem | { readonly items: readonly RequestItem[] });
export type RequestAnswer =
  | { readonly status: 'granted'; readonly grants: readonly GrantHandle[] }
  | { readonly status: 'declined' }
  | { readonly status: 'expired' };
export type PendingRequest = { readonly id: string; readonly answer: () => Promise<RequestAnswer> };
export type Narrowing = { readonly filter?: JsonObject; readonly fields?: readonly string[]; readonly duration?: GrantDuration };
export type RequestPreview = { readonly id: string; readonly from: Did; readonly purpose: string; readonly items: readonly Preview[] };

/** How long a request waits for its answer unless told otherwise: 14 days in ms. */
const REQUEST_MS = 14 * 24 * 3600 * 1000;
const KEYS_INFO = utf8ToBytes('sluice/grant-keys/1');
const keysShape = list(tuple(['key', fixed(32)], ['commitment', fixed(32)]), 16);

export type Sharing = {
  /** Asks a person for a stream. Errors: UNKNOWN_SCHEMA, BAD_FILTER, BAD_REQUEST, UNKNOWN_DID, NO_INBOX, OFFLINE. */
  readonly request: (did: string, options: RequestOptions) => Promise<PendingRequest>;
  /** Takes up a request that was made before, perhaps by an earlier process. */
  readonly pending: (id: string) => PendingRequest;
  /** Requests of others that wait for this person. */
  readonly requests: () => Promise<readonly InboxItem[]>;
  readonly preview: (requestId: string, narrowing?: Narrowing) => Promise<RequestPreview>;
  /** Agrees to a request, as it is or narrowed. Errors: ALREADY_ANSWERED, EXPIRED, BAD_REQUEST, OFFLINE. */
  readonly consent: (requestId: string, narrowing?: Narrowing) => Promise<readonly GivenGrant[]>;
  readonly decline: (requestId: string) => Promise<void>;
  readonly grants: {
    /** Grants this account gave. */
    readonly list: () => readonly GivenGrant[];
    /** Grants this account received. */
    readonly received: () => readonly ReceivedGrant[];
    readonly open: (grantId: string) => Promise<GrantHandle>;
  };
  /** Ends a grant: from the node's answer on, nothing is served or accepted. */
  readonly revoke: (grantId: string) => Promise<void>;
  /** Starts the agent over every active grant of this account. */
  readonly start: () => Promise<void>;
  /** Whether every feed reflects the records as they are. */
  readonly feedsUpToDate: () => boolean;
  readonly close: () => void;
};

export type SharingDeps = { readonly account: OpenAccount; readonly mailbox: Mailbox; readonly vault: Context };

/** Creates the sharing side of an account. */
export function createSharing({ account, mailbox, vault }: SharingDeps): Sharing {
  const { platform, keychain, home } = account;
  const { clock, random } = platform;
  const handles = new Map<string, Promise<GrantHandle>>();
  const signer = { did: account.did, key: account.device, card: account.card };

  const agent: Agent = createAgent({
    db: account.store.db, link: account.link, engine: home, space: home.keys.space, clock, random, device: account.device, card: account.card,
    onEnded: (grantId, how) => {
      const item = keychain.get('grant', grantId);
      if (item && item.status === 'active') keychain.put('grant', grantId, { ...item, status: how });
    },
  });
  home.setFeeds(agent.source);

  const loadSchema = (id: string): Promise<LoadedSchema> => vault.registry.load(id);

  const filterOf = (terms: GrantTerms, schema: LoadedSchema): Filter => {
    // A grant speaks of one schema; a collection may hold records of several versions of it.
    const parsed = parseFilter({ $and: [{ schema: schema.id }, terms.filter] }, schema.formats);
    if (!parsed.ok) throw new SluiceError('BAD_FILTER', filterFailureText(parsed.error));
    return parsed.value;
  };

  const runGrant = async (grant: GivenGrant): Promise<void> => {
    const schema = await loadSchema(grant.terms.schema);
    if (schema.hash !== grant.terms.schemaHash) throw new SluiceError('BAD_SCHEMA', 'The schema is not the one this grant was given for');
    const collection = vault.registry.openWith(schema, grant.collection);
    const { grantId, grantee, feed, key, secret, terms } = grant;
    agent.add({ grantId, grantee, feed, key, secret, filter: filterOf(terms, schema), fields: terms.fields, once: terms.duration === 'once', collection });
    home.nudge();
  };

  const toTerms = async (item: RequestItem): Promise<GrantTerms> => {
    const schema = await loadSchema(item.schema);
    const input = { schema: schema.id, schemaHash: schema.hash, access: item.access ?? 'read', filter: item.filter ?? {}, fields: item.fields, duration: item.duration ?? 'standing' };
    const parsed = parseTerms(input, schema.formats, filterFailureText as (failure: never) => string);
    if (!parsed.ok) throw parsed.error.type === 'bad-filter' ? new SluiceError('BAD_FILTER', parsed.error.text) : new SluiceError('BAD_REQUEST', `The request has a bad ${parsed.error.field}`);
    return parsed.value.terms;
  };

  const openRequest = async (requestId: string, narrowing: Narrowing = {}): Promise<{ item: InboxItem; request: SyncRequest }> => {
    const item = mailbox.get(requestId);
    if (!item || item.type !== SYNC_REQUEST) throw new SluiceError('NOT_FOUND', 'There is no such synchronization request');
    const document = typeof item.data.request === 'string' ? base64urlToBytes(item.data.request) : new Uint8Array(0);
    const opened = await openSyncRequest(document, item.from, { resolver: account.resolver, loadSchema, nowMs: clock.nowMs(), owner: account.did });
    if (!opened.ok) throw new SluiceError('BAD_REQUEST', opened.error.text);
    const items = await Promise.all(opened.value.items.map((terms) => narrow(terms, narrowing)));
    return { item, request: { ...opened.value, items } };
  };

  /** An owner's own filter adds to the requester's, and fields can only be taken away: narrowing cannot widen. */
  const narrow = async (terms: GrantTerms, narrowing: Narrowing): Promise<GrantTerms> => {
    const filter = narrowing.filter ? { $and: [terms.filter, narrowing.filter] } : terms.filter;
    const fields = narrowing.fields ? (terms.fields ? terms.fields.filter((f) => narrowing.fields?.includes(f)) : narrowing.fields) : terms.fields;
    if (fields && fields.length === 0) throw new SluiceError('BAD_REQUEST', 'Nothing of the record would be left to reveal');
    const duration = narrowing.duration === 'once' ? 'once' : terms.duration;
    return toTerms({ schema: terms.schema, access: terms.access, filter, duration, ...(fields ? { fields } : {}) });
  };

  const handleOf = (grant: ReceivedGrant): Promise<GrantHandle> => {
    const known = handles.get(grant.grantId);
    if (known) return known;
    const opening = (async () => {
      const owner = await account.resolver.resolve(grant.owner);
      if (!owner.ok) throw new SluiceError('UNKNOWN_DID');
      const schema = await loadSchema(grant.terms.schema);
      return openGrantHandle(account, grant, owner.value, schema, openLiveLink(platform, grant.node, grant.pairwise));
    })();
    opening.catch(() => handles.delete(grant.grantId));
    handles.set(grant.grantId, opening);
    return opening;
  };

  const answerOf = (id: string): PendingRequest => ({ id, answer: () => waitForAnswer(id) });

  /** Resolves by a grant, a decline, or this requester's own clock. */
  function waitForAnswer(id: string): Promise<RequestAnswer> {
    const asked = keychain.get('request', id);
    if (!asked) return Promise.reject(new SluiceError('NOT_FOUND', 'There is no such request'));
    return new Promise((resolve, reject) => {
      const finish = (end: () => void): void => {
        stopGrants();
        stopStatus();
        cancel();
        end();
      };
      const settle = (item: InboxItem): void => {
        if (!isAnswerTo(item, id, asked)) return;
        if (item.type === STATUS && item.data.status === 'declined') return finish(() => resolve({ status: 'declined' }));
        if (item.type !== SYNC_GRANT) return;
        finish(() => {
          receive(id, asked, item).then((grants) => resolve({ status: 'granted', grants }), reject);
        });
      };
      const stopGrants = mailbox.on(SYNC_GRANT, settle);
      const stopStatus = mailbox.on(STATUS, settle);
      const cancel = clock.timer(Math.max(0, Number(asked.expiresAt) - clock.nowMs()), () => finish(() => resolve({ status: 'expired' })));
      for (const item of mailbox.list({ type: { $in: [SYNC_GRANT, STATUS] } })) settle(item);
    });
  }

  const isAnswerTo = (item: InboxItem, id: string, asked: JsonObject): boolean => item.data.replyId === id && item.from === asked.to;

  /** Opens the keys of a consent and keeps the grants. Everything is checked against what was asked. */
  async function receive(id: string, asked: JsonObject, item: InboxItem): Promise<readonly GrantHandle[]> {
    const { grants, node, space, keys, receipt } = item.data;
    if (!Array.isArray(grants) || !isJsonObject(node) || typeof keys !== 'string' || typeof receipt !== 'string' || typeof space !== 'string') throw new SluiceError('BAD_MESSAGE');
    const hash = unpackBytes(asked.hash);
    const opened = await openHpke(hpkeKeyPairFromSecret(unpackBytes(asked.hpkeSecret)), KEYS_INFO, hash, base64urlToBytes(keys));
    const keyList = opened.ok ? readShape(keysShape, opened.value, 4096) : opened;
    if (!keyList.ok || keyList.value.length !== grants.length) throw new SluiceError('BAD_MESSAGE');
    const proof = await openDocument(base64urlToBytes(receipt), RECEIPT_TYPE, account.resolver.resolve, clock.nowMs());
    if (!proof.ok || proof.value.signer !== item.from || proof.value.payload.request !== bytesToHex(hash)) throw new SluiceError('BAD_MESSAGE', 'The receipt does not belong to this request');
    const received = grants.map((given, i): ReceivedGrant => {
      const key = keyList.value[i] as { key: Uint8Array; commitment: Uint8Array };
      const grantKey = toAeadKey(key.key);
      if (!isJsonObject(given) || !checkCommitment(grantKey, key.commitment)) throw new SluiceError('BAD_MESSAGE', 'The key is not the one that was committed to');
      return {
        grantId: String(given.grantId),
        requestId: id,
        owner: item.from,
        purpose: String(asked.purpose),
        terms: given.terms as unknown as GrantTerms,
        node: { url: String(node.url), did: toDid(String(node.did)) },
        space: toSpaceId(base64urlToBytes(space)),
        feed: toStreamId(base64urlToBytes(String(given.feed))),
        key: grantKey,
        pairwise: signingKeyFromSeed(unpackBytes(asked.signSeed)),
        receivedAtMs: clock.nowMs(),
        receipt: base64urlToBytes(receipt),
      };
    });
    for (const grant of received) if (!keychain.get('received', grant.grantId)) keychain.put('received', grant.grantId, receivedToItem(grant));
    home.nudge();
    return Promise.all(received.map(handleOf));
  }

  /** Makes the grants of one consent: rows first, in one control transaction, then keys and receipt to the grantee. */
  async function give(item: InboxItem, request: SyncRequest, shown: string): Promise<readonly GivenGrant[]> {
    const drafts = await Promise.all(request.items.map(async (terms) => ({ terms, schema: await loadSchema(terms.schema), grantId: toGrantId(random(16)), key: toAeadKey(random(32)), secret: toGrantSecret(random(32)) })));
    const feeds = drafts.map((d) => streamId(STREAM_KIND.feed, d.secret as unknown as TagSecret, `feed/${bytesToHex(d.grantId)}`));
    const givenAtMs = clock.nowMs();
    const content = { owner: account.did, grantee: item.from, requestHash: request.hash, purpose: request.purpose, shown, givenAtMs };
    const receipt = signDocument(RECEIPT_TYPE, receiptPayload({ ...content, grants: drafts.map((d) => ({ grantId: bytesToHex(d.grantId), terms: d.terms })) }), signer);
    const given = drafts.map((d, i): GivenGrant => ({
      grantId: bytesToHex(d.grantId), requestId: item.id, grantee: item.from, purpose: request.purpose, space: home.keys.space, collection: d.schema.databaseName,
      terms: d.terms, feed: feeds[i] as GivenGrant['feed'], key: d.key, secret: d.secret, granteeKey: request.signKey, status: 'active', givenAtMs, receipt,
    }));
    await home.control(given.map((g): ControlChange => ({ public: granteeRow(g, 'active'), sealed: sealMeaning(g) })));
    for (const grant of given) keychain.put('grant', grant.grantId, givenToItem(grant));
    const keys = await sealHpke(request.hpkeKey, KEYS_INFO, request.hash, encodeCbor(given.map((g) => [g.key, keyCommitment(g.key)])));
    await mailbox.send(item.from, SYNC_GRANT, {
      replyId: item.id,
      grants: given.map((g) => ({ grantId: g.grantId, terms: g.terms as unknown as JsonObject, feed: bytesToBase64url(g.feed) })),
      node: { url: home.keys.node.url, did: home.keys.node.did },
      space: bytesToBase64url(home.keys.space),
      keys: bytesToBase64url(keys),
      receipt: bytesToBase64url(receipt),
    }, 'Synchronization granted', { replyTo: item.id });
    return given;
  }

  const sealMeaning = (grant: GivenGrant): Uint8Array | null => {
    const { ctlKey } = home.keys;
    return ctlKey ? sealAead(ctlKey, utf8ToBytes('sluice/ctl-meaning/1'), utf8ToBytes(JSON.stringify({ grantee: grant.grantee, purpose: grant.purpose, terms: grant.terms })), random) : null;
  };

  const openForAnswer = async (requestId: string, narrowing?: Narrowing): Promise<{ item: InboxItem; request: SyncRequest }> => {
    const opened = await openRequest(requestId, narrowing);
    if (opened.item.status) throw new SluiceError('ALREADY_ANSWERED');
    return opened;
  };

  const previewOf = async (request: SyncRequest, from: Did): Promise<readonly Preview[]> =>
    Promise.all(request.items.map(async (terms) => {
      const schema = await loadSchema(terms.schema);
      return previewTerms(terms, filterOf(terms, schema), schema, vault.registry.openWith(schema), clock.nowMs(), displayName(from));
    }));

  const sentencesOf = async (request: SyncRequest, from: Did): Promise<readonly string[]> =>
    Promise.all(request.items.map(async (terms) => consentSentence(terms, await loadSchema(terms.schema), displayName(from))));

  return {
    request: async (did, options) => {
      const to = toDid(did);
      const asked = 'items' in options ? options.items : [options];
      if (asked.length === 0 || asked.length > MAX_REQUEST_ITEMS) throw new SluiceError('BAD_REQUEST', `A request holds 1 to ${MAX_REQUEST_ITEMS} items`);
      const items = await Promise.all(asked.map(toTerms));
      const pairwise = createSigningKey(random);
      const hpke = createHpkeKeyPair(random);
      const expiresAtMs = clock.nowMs() + (options.expiresInMs ?? REQUEST_MS);
      const document = signSyncRequest({ to, items, purpose: options.purpose, expiresAtMs, signKey: pairwise.publicKey, hpkeKey: hpke.publicKey }, signer);
      const opened = await openDocument(document, 'sluice/sync-request/1', account.resolver.resolve, clock.nowMs());
      if (!opened.ok) throw new SluiceError('BAD_REQUEST', 'This account cannot be resolved by others yet. Publish its DID document first');
      const sent = await mailbox.send(to, SYNC_REQUEST, { request: bytesToBase64url(document), purpose: options.purpose }, options.purpose, { expiresInMs: expiresAtMs - clock.nowMs() });
      keychain.put('request', sent.id, {
        to, purpose: options.purpose, expiresAt: expiresAtMs, hash: packBytes(opened.value.hash), signSeed: packBytes(pairwise.seed.reveal()), hpkeSecret: packBytes(hpke.secret.reveal()),
      });
      home.nudge();
      return answerOf(sent.id);
    },
    pending: answerOf,
    requests: async () => mailbox.list({ type: SYNC_REQUEST }).filter((item) => !item.status && item.expiresAt > clock.nowMs()),
    preview: async (requestId, narrowing) => {
      const { item, request } = await openRequest(requestId, narrowing);
      return { id: requestId, from: item.from, purpose: request.purpose, items: await previewOf(request, item.from) };
    },
    consent: async (requestId, narrowing) => {
      const { item, request } = await openForAnswer(requestId, narrowing);
      if (request.items.some((t) => t.access !== 'read')) throw new SluiceError('BAD_REQUEST', 'Only read access can be granted by this version');
      const shown = (await sentencesOf(request, item.from)).join(' ');
      const given = await give(item, request, shown);
      mailbox.update(requestId, { status: 'accepted', read: true });
      for (const grant of given) await runGrant(grant);
      return given;
    },
    decline: async (requestId) => {
      const { item } = await openForAnswer(requestId);
      mailbox.update(requestId, { status: 'declined', read: true });
      await mailbox.send(item.from, STATUS, { replyId: requestId, status: 'declined' }, 'Declined', { replyTo: requestId });
    },
    grants: {
      list: () => keychain.list('grant').map(({ id, item }) => itemToGiven(id, item)),
      received: () => keychain.list('received').flatMap(({ id, item }) => (item.session === true ? [] : [itemToReceived(id, item)])),
      open: (grantId) => {
        const item = keychain.get('received', grantId);
        return item ? handleOf(itemToReceived(grantId, item)) : Promise.reject(new SluiceError('NOT_FOUND', 'There is no such grant'));
      },
    },
    revoke: async (grantId) => {
      const item = keychain.get('grant', grantId);
      if (!item) throw new SluiceError('NOT_FOUND', 'There is no such grant');
      const grant = itemToGiven(grantId, item);
      if (grant.status === 'revoked') return;
      agent.remove(grantId);
      await home.control([{ public: granteeRow(grant, 'revoked'), sealed: null }]);
      keychain.put('grant', grantId, { ...item, status: 'revoked', revokedAt: clock.nowMs() });
      home.nudge();
    },
    start: async () => {
      for (const { id, item } of keychain.list('grant')) if (item.status === 'active') await runGrant(itemToGiven(id, item));
    },
    feedsUpToDate: agent.upToDate,
    close: () => {
      for (const handle of handles.values()) void handle.then((h) => h.close(), () => undefined);
    },
  };
}

const granteeRow = (grant: GivenGrant, status: CtlRow['status']): CtlRow => ({
  type: 'row',
  id: toRowId(hexToBytes(grant.grantId)),
  key: grant.granteeKey,
  role: 'grantee',
  access: [{ target: grant.feed, verbs: VERB.read }],
  status,
  expiresMs: 0,
});

/** How a requester is called on screen: its verified domain, or its DID where it has none. */
const displayName = (did: Did): string => (did.startsWith('did:web:') ? decodeURIComponent(did.slice('did:web:'.length)) : did);
