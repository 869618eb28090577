/** The requester's side of sharing: asks, waits for the answer, keeps the grants it receives, and opens them. */

import { bytesToBase64url, bytesToHex, type Did, isDid, type JsonObject, shownValue } from '@sluice/core/base';
import {
  createHpkeKeyPair,
  createSigningKey,
  hpkeKeyPairFromSecret,
  signingKeyFromSeed,
  toVerifyKey,
} from '@sluice/core/crypto';
import { endsAtMs, type GrantTerms, MAX_REQUEST_ITEMS, signReceipt } from '@sluice/core/grant';
import { openDocument } from '@sluice/core/identity';
import type { OpenAccount } from '../account/account.ts';
import { packBytes, unpackBytes } from '../account/keychain.ts';
import { notADid, SluiceError } from '../errors.ts';
import { type LiveLink, openLiveLink } from '../link/live-link.ts';
import type { InboxItem, Mailbox } from '../messaging/mailbox.ts';
import type { NodeAddress } from '../platform.ts';
import { followChangedTerms, type KeepTerms } from './changed-terms.ts';
import { consentSentence, displayName } from './consent-sentence.ts';
import { DATASTORE_SYNC, type DatastoreSync, toItem } from './datastore-sync.ts';
import { createGrantFacts } from './grant-facts.ts';
import { type GrantAnswers, type GrantHandle, openGrantHandle } from './grant-handle.ts';
import { createGranteeWords } from './grantee-words.ts';
import { itemToReceived, type ReceivedGrant, receivedToItem } from './grant-item.ts';
import { readSyncGrant } from './sync-grant.ts';
import { MAX_PURPOSE, signSyncRequest, signWithin, STATUS, SYNC_GRANT, SYNC_REQUEST } from './sync-request.ts';
import type { Word, Words } from './words.ts';
import { assertMembers } from './known-members.ts';
import { assertEndsLater, ITEM_MEMBERS, type LoadSchema, type RequestItem, toTerms } from './terms.ts';

/** What is asked, of one schema or of several, and what for. It stands for 14 days unless `expiresInMs` says otherwise. */
export type RequestOptions = {
  readonly purpose: string;
  readonly expiresInMs?: number;
  /** Whether narrower terms than these are accepted without asking. Otherwise nothing flows before `accept`. */
  readonly acceptNarrowed?: boolean;
} & (RequestItem | { readonly items: readonly RequestItem[] });
/** What is asked in the form of Verida's message. Seen from the owner, `pull` is to write, `push` to read, `both` is both. */
export type DatastoreSyncOptions = DatastoreSync & Pick<RequestOptions, 'purpose' | 'expiresInMs' | 'acceptNarrowed'>;
/** How a request ended. `expired` is the requester’s own clock. */
export type RequestAnswer =
  /** `narrowed`: at least one grant is for less than was asked; look at its terms, then accept or drop it. */
  | { readonly status: 'granted'; readonly grants: readonly GrantHandle[]; readonly narrowed: boolean }
  | { readonly status: 'declined' }
  | { readonly status: 'expired' };
/** A request on its way. */
export type PendingRequest = { readonly id: string; readonly answer: () => Promise<RequestAnswer> };
/** `queued`: it is kept here and goes out when the person's node can be reached. */
export type SentRequest = PendingRequest & { readonly queued: boolean };

/** How long a request waits for its answer unless told otherwise: 14 days in ms. */
const REQUEST_MS = 14 * 24 * 3600 * 1000;

/** The requester’s side of sharing. */
export type Requester = {
  readonly request: (did: string, options: RequestOptions) => Promise<SentRequest>;
  readonly requestDatastoreSync: (did: string, options: DatastoreSyncOptions) => Promise<SentRequest>;
  readonly pending: (id: string) => PendingRequest;
  readonly received: () => readonly ReceivedGrant[];
  readonly open: (grantId: string) => Promise<GrantHandle>;
  /** Takes up what came while nobody did. */
  readonly catchUp: () => void;
  /** What owners are not known to have heard. */
  readonly unheard: () => Iterable<Word>;
  readonly close: () => void;
};

/** Creates the requester's side of an account. */
export function createRequester(
  account: OpenAccount,
  mailbox: Mailbox,
  words: Words,
  loadSchema: LoadSchema,
): Requester {
  const { platform, keychain, home } = account;
  const { clock, random } = platform;
  const handles = new Map<string, Promise<GrantHandle>>();
  const signer = { did: account.did, key: account.device, card: account.card };

  /** One connection a node, whichever owners' grants it carries; a key of its own says hello, so that none of them is known by another. */
  const links = new Map<string, LiveLink>();
  const linkTo = (node: NodeAddress): LiveLink => {
    const known = links.get(node.did);
    if (known) return known;
    const link = openLiveLink(platform, node, createSigningKey(random));
    links.set(node.did, link);
    return link;
  };

  const facts = createGrantFacts(keychain);
  const said = createGranteeWords(account, mailbox, words, facts);
  /** Who wants to hear of changed terms, by grant. */
  const termsListeners = new Map<string, () => void>();
  const tellTerms = (grantId: string): void => termsListeners.get(grantId)?.();
  keychain.onArrival('received', (grantId) => queueMicrotask(() => account.closed() || tellTerms(grantId)));
  /** Terms of a grant that the app has not taken, has given up, or lost for good, are known and not accepted. */
  const keepTerms: KeepTerms = async (grant, { terms, receipt }, keep) => {
    const { grantId } = grant;
    const isEnded =
      facts.get(grantId, 'dropped') || (facts.get(grantId, 'attested') && endsAtMs(terms) === endsAtMs(grant.terms));
    const store = (): void => {
      keep();
      queueMicrotask(() => account.closed() || tellTerms(grantId));
    };
    if (facts.get(grantId, 'accepted') && !isEnded) await said.acceptTerms(grant, receipt, store);
    else account.store.db.transact(store);
  };
  const changed = followChangedTerms(account, mailbox, loadSchema, keepTerms);
  const asHeld = (grant: ReceivedGrant): ReceivedGrant => {
    const item = keychain.get('received', grant.grantId);
    return item ? itemToReceived(grant.grantId, item) : grant;
  };
  const answersOf = (grant: ReceivedGrant): GrantAnswers => ({
    accept: async () => {
      if (facts.get(grant.grantId, 'dropped')) throw new SluiceError('REVOKED');
      if (!facts.get(grant.grantId, 'accepted')) await said.accept([grant]);
    },
    dropping: (wiped) => said.noteDrop(grant, wiped),
    dropped: () => said.sayDrop(grant),
    terms: () => asHeld(grant).terms,
    receipt: () => {
      const { changed: latest, receipt } = asHeld(grant);
      return latest ?? receipt;
    },
    onTerms: (listener) => {
      termsListeners.set(grant.grantId, listener);
      return () => void termsListeners.delete(grant.grantId);
    },
    wiped: (wiped, reason) => said.wiped(grant, wiped, reason),
    closed: () => void handles.delete(grant.grantId),
  });

  const handleOf = (grant: ReceivedGrant): Promise<GrantHandle> => {
    const known = handles.get(grant.grantId);
    if (known) return known;
    const opening = (async () => {
      // With nobody to ask, the key that the owner had when it gave the grant stands.
      const resolved = await account.resolver.resolve(grant.owner);
      const ownerKey = resolved.ok ? resolved.value.identityKey : toVerifyKey(grant.ownerKey);
      const schema = await loadSchema(grant.terms.schema);
      return openGrantHandle(
        account,
        grant,
        ownerKey,
        schema,
        linkTo(grant.node).as(grant.pairwise),
        facts,
        answersOf(grant),
      );
    })();
    opening.catch(() => handles.delete(grant.grantId));
    handles.set(grant.grantId, opening);
    return opening;
  };

  const answerOf = (id: string): PendingRequest => ({ id, answer: () => waitForAnswer(id) });

  /** Resolves by a grant, a decline, or this requester's own clock; rejects with CLOSED when the account is closed. */
  function waitForAnswer(id: string): Promise<RequestAnswer> {
    const asked = keychain.get('request', id);
    if (!asked) return Promise.reject(new SluiceError('NOT_FOUND', 'There is no such request'));
    return new Promise((resolve, reject) => {
      let done = false;
      const finish = (end: () => void): void => {
        done = true;
        stopGrants();
        stopStatus();
        stopLink();
        cancel();
        end();
      };
      const settle = (item: InboxItem): void => {
        if (done || !isAnswerTo(item, id, asked)) return;
        if (item.type === STATUS && item.data.status === 'declined')
          return finish(() => resolve({ status: 'declined' }));
        if (item.type !== SYNC_GRANT) return;
        finish(() => {
          receive(id, asked, item).then(resolve, reject);
        });
      };
      const stopGrants = mailbox.on(SYNC_GRANT, settle);
      const stopStatus = mailbox.on(STATUS, settle);
      const cancel = clock.timer(Math.max(0, Number(asked.expiresAt) - clock.nowMs()), () =>
        finish(() => resolve({ status: 'expired' })),
      );
      // A wait that outlives its account would keep the process alive until the request expires.
      const stopLink = account.link.onState((state) => {
        if (state === 'closed') finish(() => reject(new SluiceError('CLOSED')));
      });
      for (const item of mailbox.list({ type: { $in: [SYNC_GRANT, STATUS] } })) settle(item);
    });
  }

  const isAnswerTo = (item: InboxItem, id: string, asked: JsonObject): boolean =>
    item.data.replyId === id && item.from === asked.to;

  /** Opens the keys of a consent and keeps the grants. Everything is checked against what was asked. */
  async function receive(id: string, asked: JsonObject, item: InboxItem): Promise<RequestAnswer> {
    const grant = await readSyncGrant(item.data, {
      from: item.from,
      self: account.did,
      requestHash: unpackBytes(asked.hash),
      // Our own writing: they were parsed before they were kept.
      asked: asked.items as unknown as readonly GrantTerms[],
      hpke: hpkeKeyPairFromSecret(unpackBytes(asked.hpkeSecret)),
      resolver: account.resolver,
      loadSchema,
      nowMs: account.link.nodeMs(),
    });
    const owner = await account.resolver.resolve(item.from);
    if (!owner.ok) throw new SluiceError('UNKNOWN_DID');
    const received = grant.grants.map(
      (given): ReceivedGrant => ({
        ...given,
        requestId: id,
        owner: item.from,
        ownerKey: owner.value.identityKey,
        purpose: String(asked.purpose),
        node: grant.node,
        space: grant.space,
        term: 0,
        pairwise: signingKeyFromSeed(unpackBytes(asked.signSeed)),
        hpke: hpkeKeyPairFromSecret(unpackBytes(asked.hpkeSecret)),
        receivedAtMs: clock.nowMs(),
        receipt: grant.receipt,
      }),
    );
    assertOfItsOwn(received);
    await keep(received, asked.acceptNarrowed === true);
    return {
      status: 'granted',
      grants: await Promise.all(received.map(handleOf)),
      narrowed: received.some((grant) => grant.narrowed),
    };
  }

  /** Keeps new grants. Those for what was asked are accepted with it, and so are others where the app said so before. */
  async function keep(received: readonly ReceivedGrant[], acceptsNarrowed: boolean): Promise<void> {
    const fresh = received.filter(({ grantId }) => !keychain.get('received', grantId));
    const taken = fresh.filter((grant) => !grant.narrowed || acceptsNarrowed);
    const store = (): void => {
      for (const grant of fresh) keychain.put('received', grant.grantId, receivedToItem(grant));
    };
    if (taken.length > 0) await said.accept(taken, store);
    else account.store.db.transact(store);
    changed.catchUp(fresh.map(({ grantId }) => grantId));
    home.nudge();
  }

  /** Ids and feeds are their owner's word: those of another grant must not stand for it, nor what is kept of its feed be taken for this one's. */
  function assertOfItsOwn(received: readonly ReceivedGrant[]): void {
    const held = keychain.list('received').filter(({ item }) => item.session !== true);
    const feeds = new Map([...held, ...keychain.list('grant')].map(({ id, item }) => [String(item.feed), id]));
    for (const grant of received) {
      const { feed, requestId, owner } = receivedToItem(grant);
      const known = held.find(({ id }) => id === grant.grantId)?.item;
      if (known && (known.owner !== owner || known.requestId !== requestId || known.feed !== feed))
        throw new SluiceError('BAD_MESSAGE', 'The answer cannot be used: a grant has the id of another');
      if ((feeds.get(String(feed)) ?? grant.grantId) !== grant.grantId)
        throw new SluiceError('BAD_MESSAGE', 'The answer cannot be used: a grant has the feed of another');
      feeds.set(String(feed), grant.grantId);
    }
  }

  /** A request whose receipt nobody could sign would be shown to a person who cannot agree to it. Errors: BAD_REQUEST. */
  async function assertAnswerable(owner: Did, items: readonly GrantTerms[], purpose: string): Promise<void> {
    const who = displayName(account.did);
    const shown = await Promise.all(
      items.map(async (terms) => consentSentence(terms, await loadSchema(terms.schema), who)),
    );
    const grants = items.map((terms) => ({ grantId: bytesToHex(new Uint8Array(16)), terms }));
    const parties = { owner, grantee: account.did, requestHash: new Uint8Array(32) };
    signWithin('The receipt of this request', () =>
      signReceipt({ ...parties, purpose, shown: shown.join(' '), grants, givenAtMs: clock.nowMs() }, signer),
    );
  }

  /** Asks by a signed request, in the message that `around` makes of the terms. */
  async function ask(
    did: string,
    options: RequestOptions,
    around: (items: readonly GrantTerms[]) => { readonly type: string; readonly data: JsonObject },
  ): Promise<SentRequest> {
    if (!isDid(did)) throw notADid(did);
    const to = did;
    const asked = itemsOf(options);
    const items = await Promise.all(
      asked.map((item, i) => toTerms(item, loadSchema, asked.length > 1 ? `items.${i}` : '')),
    );
    assertEndsLater(items, clock.nowMs());
    if (to === account.did) throw new SluiceError('BAD_REQUEST', 'An account reads its own records without asking');
    const pairwise = createSigningKey(random);
    const hpke = createHpkeKeyPair(random);
    const expiresAtMs = clock.nowMs() + (options.expiresInMs ?? REQUEST_MS);
    const keys = { signKey: pairwise.publicKey, hpkeKey: hpke.publicKey };
    const document = signWithin('The request', () =>
      signSyncRequest({ to, items, purpose: options.purpose, expiresAtMs, ...keys }, signer),
    );
    await assertAnswerable(to, items, options.purpose);
    const opened = await openDocument(document, 'sluice/sync-request/1', account.resolver.resolve, clock.nowMs());
    if (!opened.ok)
      throw new SluiceError(
        'BAD_REQUEST',
        'This account cannot be resolved by others yet. Publish its DID document first',
      );
    // The keys are kept with the message, before it leaves: an answer to a request whose keys were lost would be of no use.
    const keep = (id: string): void =>
      keychain.put('request', id, {
        to,
        items: items,
        purpose: options.purpose,
        expiresAt: expiresAtMs,
        acceptNarrowed: options.acceptNarrowed === true,
        hash: packBytes(opened.value.hash),
        signSeed: packBytes(pairwise.seed.reveal()),
        hpkeSecret: packBytes(hpke.secret.reveal()),
      });
    const { type, data } = around(items);
    const sent = await mailbox.post(
      {
        to,
        type,
        data: { ...data, request: bytesToBase64url(document), purpose: options.purpose },
        message: options.purpose,
        options: { expiresInMs: expiresAtMs - clock.nowMs() },
      },
      { after: 'note', alongside: keep },
    );
    return { ...answerOf(sent.id), queued: sent.queued };
  }

  return {
    request: (did, options) => ask(did, options, () => ({ type: SYNC_REQUEST, data: {} })),
    requestDatastoreSync: (did, { schema, filter, direction, ...options }) => {
      const sync = { schema, direction, ...(filter ? { filter } : {}) };
      return ask(did, { ...options, ...toItem(sync) }, ([terms]) => ({
        type: DATASTORE_SYNC,
        data: { schema: terms?.schema ?? schema, filter: terms?.filter ?? {}, direction },
      }));
    },
    pending: answerOf,
    received: () =>
      keychain.list('received').flatMap(({ id, item }) => (item.session === true ? [] : [itemToReceived(id, item)])),
    open: (grantId) => {
      const item = keychain.get('received', grantId);
      return item
        ? handleOf(itemToReceived(grantId, item))
        : Promise.reject(new SluiceError('NOT_FOUND', 'There is no such grant'));
    },
    catchUp: () => {
      changed.catchUp();
      said.catchUp();
    },
    unheard: said.unheard,
    close: () => {
      for (const link of links.values()) link.close();
      for (const handle of handles.values())
        void handle.then(
          (h) => h.close(),
          () => undefined,
        );
    },
  };
}

const REQUEST_MEMBERS = ['purpose', 'expiresInMs', 'acceptNarrowed'];

/** What is asked, checked as far as it does not depend on a schema. */
function itemsOf(options: RequestOptions): readonly RequestItem[] {
  const { purpose, expiresInMs } = options;
  if (typeof purpose !== 'string' || purpose.length > MAX_PURPOSE)
    throw new SluiceError(
      'BAD_REQUEST',
      `purpose is ${shownValue(purpose)}; allowed is a text of at most ${MAX_PURPOSE} characters`,
    );
  if (expiresInMs !== undefined && !(Number.isFinite(expiresInMs) && expiresInMs > 0))
    throw new SluiceError('BAD_REQUEST', `expiresInMs is ${shownValue(expiresInMs)}; allowed is a number over 0`);
  if (!('items' in options)) {
    assertMembers(options, [...ITEM_MEMBERS, ...REQUEST_MEMBERS], 'A request');
    return [options];
  }
  assertMembers(options, ['items', ...REQUEST_MEMBERS], 'A request of several items');
  const { items } = options;
  if (!Array.isArray(items) || items.length === 0 || items.length > MAX_REQUEST_ITEMS)
    throw new SluiceError(
      'BAD_REQUEST',
      `items is ${shownValue(items)}; allowed is a list of 1 to ${MAX_REQUEST_ITEMS}`,
    );
  for (const [i, item] of items.entries()) assertMembers(item, ITEM_MEMBERS, `items.${i}`);
  return items;
}
