/**
 * The terms that a given grant stands on. Each change is a fact of its own, so that devices that decide at once overwrite nothing of each
 * other, and all that have heard of both come to the same terms. Must not know how grants run.
 */

import { bytesToBase64url, bytesToHex, type JsonObject } from '@sluice/core/base';
import { sha256 } from '@sluice/core/crypto';
import { type GrantTerms, standsAbove } from '@sluice/core/grant';
import { type Keychain, unpackBytes } from '../account/keychain.ts';
import type { GrantFacts } from './grant-facts.ts';
import { type GivenGrant, itemToGiven } from './grant-item.ts';

/** Changed terms, as the owner signed them. */
export type TermsChange = {
  /** SHA-256 of the receipt in hex. */
  readonly hash: string;
  readonly term: number;
  readonly terms: GrantTerms;
  readonly receipt: Uint8Array;
  /** The hash of the receipt of the terms before. */
  readonly previous: string;
};

/** The given grants of an account, each on the terms that stand. */
export type StandingGrants = {
  readonly get: (grantId: string) => GivenGrant | undefined;
  readonly list: () => readonly GivenGrant[];
};

/** Reads given grants with what was decided of their terms. */
export function readStandingGrants(keychain: Keychain, facts: Pick<GrantFacts, 'all'>): StandingGrants {
  const standing = (grant: GivenGrant): GivenGrant => {
    const latest = latestChange(facts, grant.grantId);
    return latest && latest.term > grant.term ? { ...grant, terms: latest.terms, term: latest.term } : grant;
  };
  return {
    get: (grantId) => {
      const item = keychain.get('grant', grantId);
      return item && standing(itemToGiven(grantId, item));
    },
    list: () => keychain.list('grant').map(({ id, item }) => standing(itemToGiven(id, item))),
  };
}

/** Every change of a grant's terms, in no order. */
export const changesOf = (facts: Pick<GrantFacts, 'all'>, grantId: string): readonly TermsChange[] =>
  facts.all(grantId, 'terms/').map(({ name, fact }) => ({
    hash: name,
    term: Number(fact.term),
    // Facts are the account's own writing, of terms that were parsed.
    terms: fact.terms as unknown as GrantTerms,
    receipt: unpackBytes(fact.receipt),
    previous: String(fact.previous),
  }));

/** The change that stands; undefined while the terms are those first given. */
export const latestChange = (facts: Pick<GrantFacts, 'all'>, grantId: string): TermsChange | undefined =>
  changesOf(facts, grantId).reduce<TermsChange | undefined>(
    (top, change) => (top && standsAbove(top, change) ? top : change),
    undefined,
  );

/** Changes that do not stand and that what stands does not follow: another device made one at the same time, and it was overtaken. */
export function overtakenChanges(facts: Pick<GrantFacts, 'all'>, grantId: string): readonly TermsChange[] {
  const changes = changesOf(facts, grantId);
  const byHash = new Map(changes.map((change) => [change.hash, change]));
  const followed = new Set<string>();
  for (let at = latestChange(facts, grantId); at && !followed.has(at.hash); at = byHash.get(at.previous))
    followed.add(at.hash);
  return changes.filter((change) => !followed.has(change.hash));
}

/** Notes a change. Result: the hash of its receipt. */
export function noteChange(
  facts: Pick<GrantFacts, 'note'>,
  grantId: string,
  change: Omit<TermsChange, 'hash'>,
): string {
  const hash = bytesToHex(sha256(change.receipt));
  const fact: JsonObject = {
    term: change.term,
    terms: change.terms,
    receipt: bytesToBase64url(change.receipt),
    previous: change.previous,
  };
  facts.note(grantId, `terms/${hash}`, fact);
  return hash;
}
