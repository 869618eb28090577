/** The requester's side of sharing: asks, waits for the answer, keeps the grants it receives, and opens them. */

import {
  base64urlToBytes,
  bytesToBase64url,
  bytesToHex,
  isJsonObject,
  type JsonObject,
  toDid,
  toSpaceId,
  toStreamId,
  utf8ToBytes,
} from '@sluice/core/base';
import {
  checkCommitment,
  createHpkeKeyPair,
  createSigningKey,
  hpkeKeyPairFromSecret,
  openHpke,
  signingKeyFromSeed,
  toAeadKey,
} from '@sluice/core/crypto';
import { type GrantTerms, MAX_REQUEST_ITEMS, RECEIPT_TYPE } from '@sluice/core/grant';
import { openDocument } from '@sluice/core/identity';
import { fixed, list, readShape, tuple } from '@sluice/core/wire';
import type { OpenAccount } from '../account/account.ts';
import { packBytes, unpackBytes } from '../account/keychain.ts';
import { SluiceError } from '../errors.ts';
import { openLiveLink } from '../link/live-link.ts';
import type { InboxItem, Mailbox } from '../messaging/mailbox.ts';
import { type GrantHandle, openGrantHandle } from './grant-handle.ts';
import { itemToReceived, type ReceivedGrant, receivedToItem } from './grant-item.ts';
import { signSyncRequest, STATUS, SYNC_GRANT, SYNC_REQUEST } from './sync-request.ts';
import { type LoadSchema, type RequestItem, toTerms } from './terms.ts';

export type RequestOptions = { readonly purpose: string; readonly expiresInMs?: number } & (
  | RequestItem
  | { readonly items: readonly RequestItem[] }
);
export type RequestAnswer =
  | { readonly status: 'granted'; readonly grants: readonly GrantHandle[] }
  | { readonly status: 'declined' }
  | { readonly status: 'expired' };
export type PendingRequest = { readonly id: string; readonly answer: () => Promise<RequestAnswer> };

/** How long a request waits for its answer unless told otherwise: 14 days in ms. */
const REQUEST_MS = 14 * 24 * 3600 * 1000;
/** HPKE info of the keys that a consent hands over; the AAD is the request's hash. */
export const KEYS_INFO = utf8ToBytes('sluice/grant-keys/1');
const keysShape = list(tuple(['key', fixed(32)], ['commitment', fixed(32)]), MAX_REQUEST_ITEMS);

export type Requester = {
  readonly request: (did: string, options: RequestOptions) => Promise<PendingRequest>;
  readonly pending: (id: string) => PendingRequest;
  readonly received: () => readonly ReceivedGrant[];
  readonly open: (grantId: string) => Promise<GrantHandle>;
  readonly close: () => void;
};

/** Creates the requester's side of an account. */
export function createRequester(account: OpenAccount, mailbox: Mailbox, loadSchema: LoadSchema): Requester {
  const { platform, keychain, home } = account;
  const { clock, random } = platform;
  const handles = new Map<string, Promise<GrantHandle>>();
  const signer = { did: account.did, key: account.device, card: account.card };

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
        if (item.type === STATUS && item.data.status === 'declined')
          return finish(() => resolve({ status: 'declined' }));
        if (item.type !== SYNC_GRANT) return;
        finish(() => {
          receive(id, asked, item).then((grants) => resolve({ status: 'granted', grants }), reject);
        });
      };
      const stopGrants = mailbox.on(SYNC_GRANT, settle);
      const stopStatus = mailbox.on(STATUS, settle);
      const cancel = clock.timer(Math.max(0, Number(asked.expiresAt) - clock.nowMs()), () =>
        finish(() => resolve({ status: 'expired' })),
      );
      for (const item of mailbox.list({ type: { $in: [SYNC_GRANT, STATUS] } })) settle(item);
    });
  }

  const isAnswerTo = (item: InboxItem, id: string, asked: JsonObject): boolean =>
    item.data.replyId === id && item.from === asked.to;

  /** Opens the keys of a consent and keeps the grants. Everything is checked against what was asked. */
  async function receive(id: string, asked: JsonObject, item: InboxItem): Promise<readonly GrantHandle[]> {
    const { grants, node, space, keys, receipt } = item.data;
    if (
      !Array.isArray(grants) ||
      !isJsonObject(node) ||
      typeof keys !== 'string' ||
      typeof receipt !== 'string' ||
      typeof space !== 'string'
    )
      throw new SluiceError('BAD_MESSAGE');
    const hash = unpackBytes(asked.hash);
    const opened = await openHpke(
      hpkeKeyPairFromSecret(unpackBytes(asked.hpkeSecret)),
      KEYS_INFO,
      hash,
      base64urlToBytes(keys),
    );
    const keyList = opened.ok ? readShape(keysShape, opened.value, 4096) : opened;
    if (!keyList.ok || keyList.value.length !== grants.length) throw new SluiceError('BAD_MESSAGE');
    const proof = await openDocument(base64urlToBytes(receipt), RECEIPT_TYPE, account.resolver.resolve, clock.nowMs());
    if (!proof.ok || proof.value.signer !== item.from || proof.value.payload.request !== bytesToHex(hash))
      throw new SluiceError('BAD_MESSAGE', 'The receipt does not belong to this request');
    const received = grants.map((given, i): ReceivedGrant => {
      const key = keyList.value[i] as { key: Uint8Array; commitment: Uint8Array };
      const grantKey = toAeadKey(key.key);
      if (!isJsonObject(given) || !checkCommitment(grantKey, key.commitment))
        throw new SluiceError('BAD_MESSAGE', 'The key is not the one that was committed to');
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
    for (const grant of received)
      if (!keychain.get('received', grant.grantId)) keychain.put('received', grant.grantId, receivedToItem(grant));
    home.nudge();
    return Promise.all(received.map(handleOf));
  }

  return {
    request: async (did, options) => {
      const to = toDid(did);
      const asked = 'items' in options ? options.items : [options];
      if (asked.length === 0 || asked.length > MAX_REQUEST_ITEMS)
        throw new SluiceError('BAD_REQUEST', `A request holds 1 to ${MAX_REQUEST_ITEMS} items`);
      const items = await Promise.all(asked.map((item) => toTerms(item, loadSchema)));
      const pairwise = createSigningKey(random);
      const hpke = createHpkeKeyPair(random);
      const expiresAtMs = clock.nowMs() + (options.expiresInMs ?? REQUEST_MS);
      const document = signSyncRequest(
        { to, items, purpose: options.purpose, expiresAtMs, signKey: pairwise.publicKey, hpkeKey: hpke.publicKey },
        signer,
      );
      const opened = await openDocument(document, 'sluice/sync-request/1', account.resolver.resolve, clock.nowMs());
      if (!opened.ok)
        throw new SluiceError(
          'BAD_REQUEST',
          'This account cannot be resolved by others yet. Publish its DID document first',
        );
      const sent = await mailbox.send(
        to,
        SYNC_REQUEST,
        { request: bytesToBase64url(document), purpose: options.purpose },
        options.purpose,
        { expiresInMs: expiresAtMs - clock.nowMs() },
      );
      keychain.put('request', sent.id, {
        to,
        purpose: options.purpose,
        expiresAt: expiresAtMs,
        hash: packBytes(opened.value.hash),
        signSeed: packBytes(pairwise.seed.reveal()),
        hpkeSecret: packBytes(hpke.secret.reveal()),
      });
      home.nudge();
      return answerOf(sent.id);
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
    close: () => {
      for (const handle of handles.values())
        void handle.then(
          (h) => h.close(),
          () => undefined,
        );
    },
  };
}
