/** Receipts of the grants this account gave, as JSON that anybody can check (spec/receipt.md). Must not know how grants run or end. */

import { type Did, type JsonObject, ok } from '@sluice/core/base';
import {
  type ConsentEvent,
  type ConsentParty,
  type ConsentReceiptParts,
  endsAtMs,
  openAcceptance,
  type OpenedReceipt,
  openReceipt,
  type ProofDeps,
  toConsentReceipt,
} from '@sluice/core/grant';
import type { OpenAccount } from '../account/account.ts';
import { SluiceError } from '../errors.ts';
import type { Mailbox } from '../messaging/mailbox.ts';
import type { GivenGrants } from './given-grants.ts';
import type { GivenGrant, GrantView } from './grant-item.ts';
import { changesOf } from './standing-terms.ts';
import { documentOf, SYNC_ACCEPT } from './sync-request.ts';

/** The proofs of the consents that this account gave. */
export type Receipts = {
  /**
   * The consent that a grant came of, with every grant it gave, in the structure of ISO/IEC TS 27560:2023.
   *
   * Errors: NOT_FOUND, UNKNOWN_DID (the grantee accepted, but cannot be looked up now to check that).
   */
  readonly export: (grantId: string) => Promise<JsonObject>;
};

/** Creates the receipts over the grants that were given. */
export function createReceipts(
  account: OpenAccount,
  mailbox: Pick<Mailbox, 'get' | 'list'>,
  { list: given, facts }: Pick<GivenGrants, 'list' | 'facts'>,
): Receipts {
  const { clock } = account.platform;
  /** This account’s own key needs no looking up, so that its receipts can be had with nobody online. */
  const self = { did: account.did, identityKey: account.identityKey.publicKey, sealingKey: account.sealing.publicKey };
  const deps = (): ProofDeps => ({
    resolve: async (did) => (did === account.did ? ok(self) : account.resolver.resolve(did)),
    nowMs: account.link.nodeMs(),
  });

  const requestOf = (grant: GivenGrant): Uint8Array | undefined =>
    documentOf(mailbox.get(grant.requestId)?.data.request);

  /** What the grantee sent in acceptance of any of these receipts and holds. Two messages may carry one document. */
  const acceptancesOf = async (
    grant: GivenGrant,
    receipts: readonly OpenedReceipt[],
  ): Promise<ConsentReceiptParts['acceptances']> => {
    const found = new Map<string, ConsentReceiptParts['acceptances'][number]>();
    for (const item of mailbox.list({ type: SYNC_ACCEPT })) {
      const document = documentOf(item.data.acceptance);
      if (item.from !== grant.grantee || item.data.replyId !== grant.requestId || !document) continue;
      for (const receipt of receipts) {
        const opened = await openAcceptance(document, receipt, deps());
        if (opened.ok) found.set(opened.value.hash, { ...opened.value, document });
        else if (opened.error.type === 'document' && opened.error.cause.type === 'unresolved')
          throw new SluiceError('UNKNOWN_DID', 'The acceptance cannot be checked now: its signer cannot be looked up');
      }
    }
    return [...found.values()].sort((a, b) => a.acceptedAtMs - b.acceptedAtMs);
  };

  /** The receipts of changed terms, of all grants of one consent. */
  const changesOfAll = async (receipt: OpenedReceipt): Promise<ConsentReceiptParts['changes']> => {
    const changes: ConsentReceiptParts['changes'][number][] = [];
    for (const { grantId } of receipt.grants)
      for (const { receipt: document } of changesOf(facts, grantId)) {
        const opened = await openReceipt(document, receipt, deps());
        if (opened.ok) changes.push({ ...opened.value, document });
      }
    return changes;
  };

  return {
    export: async (grantId) => {
      const grant = given().find((g) => g.grantId === grantId);
      if (!grant) throw new SluiceError('NOT_FOUND', 'There is no such grant');
      const receipt = await openReceipt(grant.receipt, { owner: account.did, grantee: grant.grantee }, deps());
      if (!receipt.ok)
        throw new SluiceError('BAD_MESSAGE', 'The receipt of this grant is not one that this account signed');
      const request = requestOf(grant);
      const changes = await changesOfAll(receipt.value);
      const { node } = account.home.keys;
      return toConsentReceipt({
        ...(request ? { request } : {}),
        receipt: { ...receipt.value, document: grant.receipt },
        changes,
        acceptances: await acceptancesOf(grant, [receipt.value, ...changes]),
        parties: [
          { id: account.did, role: 'PII principal' },
          granteeParty(grant.grantee),
          { id: node.did, role: 'PII processor', url: node.url, type: 'storage node, holds sealed records' },
        ],
        events: given()
          .filter((g) => receipt.value.grants.some((r) => r.grantId === g.grantId))
          .flatMap((g) => endOf(g, facts, account.did, clock.nowMs())),
        storage: node.url,
      });
    },
  };
}

/** A requester is known by its domain where its DID has one, and by nothing else. */
function granteeParty(did: Did): ConsentParty {
  const party = { id: did, role: 'PII controller' } as const;
  if (!did.startsWith('did:web:')) return party;
  const [host = '', ...path] = did.slice('did:web:'.length).split(':').map(decodeURIComponent);
  return { ...party, name: [host, ...path].join('/'), url: `https://${[host, ...path].join('/')}` };
}

/** By whom and why: the row of a grant is revoked too when it is given up, is over by its terms, or was delivered long ago. */
function endOf(grant: GrantView, facts: GivenGrants['facts'], owner: Did, nowMs: number): readonly ConsentEvent[] {
  const { grantId, grantee, revokedAtMs, terms } = grant;
  if (!facts.get(grantId, 'revoked')) {
    const dropped = facts.get(grantId, 'dropped');
    if (dropped) return [{ grantId, atMs: Number(dropped.at), state: 'withdrawn', entity: grantee }];
    const endMs = endsAtMs(terms);
    if (endMs !== undefined && endMs <= nowMs) return [{ grantId, atMs: endMs, state: 'expired', entity: owner }];
    if (facts.get(grantId, 'completed')) return [];
  }
  return revokedAtMs === undefined ? [] : [{ grantId, atMs: revokedAtMs, state: 'withdrawn', entity: owner }];
}
