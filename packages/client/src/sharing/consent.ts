/** The owner's side of requests: those that wait, what they would reveal, consent and decline. */

import { bytesToHex, type Did, type StreamId, toGrantId } from '@sluice/core/base';
import { type GrantSecret, streamId, toAeadKey, toGrantSecret } from '@sluice/core/crypto';
import { type GrantTerms, signReceipt } from '@sluice/core/grant';
import { STREAM_KIND } from '@sluice/core/wire';
import type { OpenAccount } from '../account/account.ts';
import type { Context } from '../context.ts';
import { SluiceError, type SluiceErrorCode } from '../errors.ts';
import type { InboxItem, Mailbox } from '../messaging/mailbox.ts';
import type { ActivityLog } from './activity-log.ts';
import { changedTerms } from './change-terms.ts';
import type { GivenGrants } from './given-grants.ts';
import { type GivenGrant, givenToItem } from './grant-item.ts';
import { consentSentence, displayName, shownSchema } from './consent-sentence.ts';
import { type Narrowing, narrowItems } from './narrowing.ts';
import {
  type Difference,
  differenceOf,
  type Preview,
  previewTerms,
  previewUnknown,
  type PreviewSource,
} from './preview.ts';
import { grantWord } from './owner-words.ts';
import type { Words } from './words.ts';
import { DATASTORE_SYNC, NO_KEY_TO_ANSWER, readDatastoreSync, saysTheSame, termsOf } from './datastore-sync.ts';
import {
  documentOf,
  isUnknown,
  openSyncRequest,
  signWithin,
  STATUS,
  SYNC_REQUEST,
  type SyncRequest,
} from './sync-request.ts';
import { assertEndsLater, filterOf, isNarrowed, type LoadSchema } from './terms.ts';

/** What a request would reveal, item by item, made by the engine that would reveal it. */
export type RequestPreview = {
  readonly id: string;
  readonly from: Did;
  readonly purpose: string;
  readonly items: readonly Preview[];
  /** Why this request cannot be agreed to; absent when it can. */
  readonly declineOnly?: string;
  /** What the requester receives already: grants that are not over. */
  readonly receives: readonly { readonly grantId: string; readonly sentence: string }[];
};
/** What a change of a grant's terms would reveal, and how that differs from now. */
export type ChangePreview = { readonly after: Preview; readonly difference: Difference };
/** One narrowing for all items of a request, or one for each. */
export type Narrowings = Narrowing | readonly Narrowing[];

/** The owner’s side of requests. */
export type Consent = {
  readonly requests: () => Promise<readonly InboxItem[]>;
  readonly preview: (requestId: string, narrowing?: Narrowings) => Promise<RequestPreview>;
  readonly previewChange: (grantId: string, narrowing: Narrowing) => Promise<ChangePreview>;
  readonly consent: (requestId: string, narrowing?: Narrowings) => Promise<readonly GivenGrant[]>;
  readonly decline: (requestId: string) => Promise<void>;
};

/** Creates the owner's side of requests. */
export function createConsent(
  account: OpenAccount,
  mailbox: Mailbox,
  vault: Context,
  loadSchema: LoadSchema,
  grants: GivenGrants,
  words: Pick<Words, 'say'>,
  note: ActivityLog['note'],
): Consent {
  const { platform, keychain, home } = account;
  const { clock, random } = platform;
  const signer = { did: account.did, key: account.device, card: account.card };

  const itemOf = (requestId: string): InboxItem => {
    const item = mailbox.get(requestId);
    if (!item || !REQUESTS.includes(item.type))
      throw new SluiceError('NOT_FOUND', 'There is no such synchronization request');
    return item;
  };

  const underWay = new Set<string>();
  /** A request is answered once, however often and however fast it is pressed. */
  const answerOnce = async <T>(requestId: string, answer: () => Promise<T>): Promise<T> => {
    if (itemOf(requestId).status || underWay.has(requestId)) throw new SluiceError('ALREADY_ANSWERED');
    underWay.add(requestId);
    try {
      return await answer();
    } finally {
      underWay.delete(requestId);
    }
  };

  const openRequest = async (requestId: string, narrowing: Narrowings = {}): Promise<Opened> => {
    const item = itemOf(requestId);
    const read = item.type === DATASTORE_SYNC ? readDatastoreSync(item.data) : undefined;
    if (read && !read.ok) throw unusable(read.error);
    const sync = read?.value;
    if (sync && item.data.request === undefined) {
      const terms = await termsOf(sync, vault.registry.loadKnown);
      if (!terms.ok) throw unusable(terms.error);
      return { item, asked: [terms.value], items: [terms.value], purpose: item.message, signed: undefined };
    }
    const document = documentOf(item.data.request) ?? new Uint8Array(0);
    const opened = await openSyncRequest(document, item.from, {
      resolver: account.resolver,
      loadSchema: vault.registry.loadKnown,
      nowMs: clock.nowMs(),
      owner: account.did,
    });
    if (!opened.ok) throw unusable(opened.error.text, opened.error.isLate ? 'EXPIRED' : 'BAD_REQUEST');
    const { items: asked, purpose } = opened.value;
    if (sync && !(await saysTheSame(sync, asked, vault.registry.loadKnown)))
      throw unusable('the message says something else than the request that is signed in it');
    const items = await narrowItems(asked, narrowing, loadSchema);
    return { item, asked, items, purpose, signed: opened.value };
  };

  /** Makes the grants of one consent: rows first, in one control transaction, then keys and receipt to the grantee. */
  async function give(
    item: InboxItem,
    asked: readonly GrantTerms[],
    request: KnownRequest,
    shown: string,
  ): Promise<readonly GivenGrant[]> {
    const drafts = await Promise.all(
      request.items.map(async (terms) => ({
        terms,
        schema: await loadSchema(terms.schema),
        grantId: toGrantId(random(16)),
        key: toAeadKey(random(32)),
        secret: toGrantSecret(random(32)),
      })),
    );
    const feeds = drafts.map((d) => streamId(STREAM_KIND.feed, d.secret, `feed/${bytesToHex(d.grantId)}`));
    const givenAtMs = clock.nowMs();
    const content = {
      owner: account.did,
      grantee: item.from,
      requestHash: request.hash,
      purpose: request.purpose,
      shown,
      givenAtMs,
    };
    const stated = drafts.map((d) => ({ grantId: bytesToHex(d.grantId), terms: d.terms }));
    const receipt = signWithin('The receipt of this request', () =>
      signReceipt({ ...content, grants: stated }, signer),
    );
    const given = drafts.map(
      (d, i): GivenGrant => ({
        grantId: bytesToHex(d.grantId),
        requestId: item.id,
        grantee: item.from,
        purpose: request.purpose,
        space: home.keys.space,
        collection: d.schema.databaseName,
        asked: asked[i] as GrantTerms,
        terms: d.terms,
        term: 0,
        narrowed: isNarrowed(asked[i] as GrantTerms, d.terms),
        feed: feeds[i] as GivenGrant['feed'],
        ...(d.terms.access === 'read' ? {} : { lane: laneOf(d.secret, d.grantId) }),
        key: d.key,
        secret: d.secret,
        granteeKey: request.signKey,
        granteeHpke: request.hpkeKey,
        givenAtMs,
        receipt,
      }),
    );
    const [first, ...others] = given;
    if (!first) return [];
    await grants.openRows(given);
    // The grants, the answer on its way and the pressed request stand or fall together: a consent that was interrupted can be pressed again.
    let isKept = false;
    try {
      await words.say(grantWord(account, [first, ...others], request.hash), () => {
        for (const grant of given) keychain.put('grant', grant.grantId, givenToItem(grant));
        mailbox.update(item.id, { status: 'accepted', read: true });
        note({ type: 'consent', requestId: item.id, grantee: item.from, grants: given.map(toGrant) });
        isKept = true;
      });
    } catch (cause) {
      // What a node does not take for its grantee is given all the same, and said again.
      if (!isKept || !(cause instanceof SluiceError)) throw cause;
    }
    return given;
  }

  const sourceOf = async (terms: GrantTerms, collection?: string): Promise<PreviewSource> => {
    const schema = await loadSchema(terms.schema);
    return {
      schema,
      collection: vault.registry.openWith(schema, collection),
      nowMs: clock.nowMs(),
      secret: toGrantSecret(random(32)),
    };
  };

  const previewOf = async (items: Opened['items'], from: Did): Promise<readonly Preview[]> =>
    Promise.all(
      items.map(async (terms) => {
        if (isUnknown(terms)) return previewUnknown(terms.unknownSchema, displayName(from));
        const source = await sourceOf(terms);
        return previewTerms(terms, filterOf(terms, source.schema), source, displayName(from));
      }),
    );

  /** What a requester receives already. A grant whose schema cannot be had here is named by it. */
  const receivedBy = async (from: Did): Promise<RequestPreview['receives']> =>
    Promise.all(
      grants
        .list()
        .filter((g) => g.grantee === from && g.isOpen)
        .map(async ({ grantId, terms }) => {
          const schema = await loadSchema(terms.schema).catch((cause: unknown) => {
            if (!(cause instanceof SluiceError)) throw cause;
            return undefined;
          });
          const sentence = schema
            ? consentSentence(terms, schema, displayName(from))
            : `${displayName(from)} has records of the schema ${shownSchema(terms.schema)}.`;
          return { grantId, sentence };
        }),
    );

  const sentencesOf = async (request: KnownRequest, from: Did): Promise<readonly string[]> =>
    Promise.all(
      request.items.map(async (terms) => consentSentence(terms, await loadSchema(terms.schema), displayName(from))),
    );

  return {
    requests: async () =>
      mailbox.list({ type: { $in: REQUESTS } }).filter((item) => !item.status && item.expiresAt > clock.nowMs()),
    preview: async (requestId, narrowing) => {
      const { item, items, purpose, signed } = await openRequest(requestId, narrowing);
      return {
        id: requestId,
        from: item.from,
        purpose,
        items: await previewOf(items, item.from),
        ...(signed ? {} : { declineOnly: NO_KEY_TO_ANSWER }),
        receives: await receivedBy(item.from),
      };
    },
    previewChange: async (grantId, narrowing) => {
      const grant = grants.list().find((g) => g.grantId === grantId);
      if (!grant) throw new SluiceError('NOT_FOUND', 'There is no such grant');
      const terms = await changedTerms(grant, narrowing, loadSchema, clock.nowMs());
      const source = await sourceOf(terms, grant.collection);
      const before = { terms: grant.terms, filter: filterOf(grant.terms, source.schema) };
      const after = { terms, filter: filterOf(terms, source.schema) };
      return {
        after: previewTerms(terms, after.filter, source, displayName(grant.grantee)),
        difference: differenceOf(before, after, source),
      };
    },
    consent: (requestId, narrowing) =>
      answerOnce(requestId, async () => {
        const { item, asked, items, signed } = await openRequest(requestId, narrowing);
        if (!signed) throw new SluiceError('BAD_REQUEST', NO_KEY_TO_ANSWER);
        const request: KnownRequest = { ...signed, items: items.map(assertKnown) };
        assertEndsLater(request.items, clock.nowMs());
        const shown = (await sentencesOf(request, item.from)).join(' ');
        const given = await give(item, asked.map(assertKnown), request, shown);
        for (const grant of given) await grants.run(grant);
        return given;
      }),
    decline: (requestId) =>
      answerOnce(requestId, async () => {
        // Whatever it says, and whoever signed it: to say no it need not be understood.
        const item = itemOf(requestId);
        await mailbox.post(
          {
            to: item.from,
            type: STATUS,
            data: { replyId: requestId, status: 'declined' },
            message: 'Declined',
            options: { replyTo: requestId },
          },
          {
            after: 'forget',
            patient: true,
            alongside: () => {
              mailbox.update(requestId, { status: 'declined', read: true });
              note({ type: 'decline', requestId, grantee: item.from });
            },
          },
        );
      }),
  };
}

const unusable = (why: string, code: SluiceErrorCode = 'BAD_REQUEST'): SluiceError =>
  new SluiceError(code, `This request cannot be agreed to: ${why}`);

const laneOf = (secret: GrantSecret, grantId: Uint8Array): StreamId =>
  streamId(STREAM_KIND.lane, secret, `lane/${bytesToHex(grantId)}`);

/** A request that came, as it was asked and as it is narrowed. */
type Opened = {
  readonly item: InboxItem;
  readonly asked: SyncRequest['items'];
  readonly items: SyncRequest['items'];
  readonly purpose: string;
  /** What carries the keys to answer to; undefined in a message of Verida's that stands alone. */
  readonly signed: SyncRequest | undefined;
};
const REQUESTS: readonly string[] = [SYNC_REQUEST, DATASTORE_SYNC];
/** A request all of whose schemas are known here. */
type KnownRequest = Omit<SyncRequest, 'items'> & { readonly items: readonly GrantTerms[] };

const toGrant = ({ grantId, terms }: GivenGrant) => ({ grantId, terms });

function assertKnown(item: SyncRequest['items'][number]): GrantTerms {
  if (!isUnknown(item)) return item;
  throw new SluiceError(
    'UNKNOWN_SCHEMA',
    `There is nothing to share: none of your records has the schema ${shownSchema(item.unknownSchema)}`,
  );
}
