/**
 * What became of grants, as items of the keychain that are written once each: whichever devices decide at once, none overwrites what
 * another has decided. Must not know what follows from a fact.
 */

import type { JsonObject } from '@sluice/core/base';
import type { Keychain } from '../account/keychain.ts';

/**
 * What may become of a grant. `accepted` and `dropped`: by the grantee. `revoked`: by the owner, perhaps not yet at the node. `purged`: nothing
 * of it is left at the node. `certificate`: of its revoke. `key/…`: a key that the grant may change to, by commitment. `terms/…`: changed terms, by the hash of their receipt,
 * and `taken/…`: that the grantee accepts those. `wiped/…`: what a grantee wiped at its end, by the instant, and `heard/…`: that the owner has heard a message, by its id.
 */
export type FactName =
  | 'accepted'
  | 'dropped'
  | 'revoked'
  | 'completed'
  | 'purged'
  | 'attested'
  | 'certificate'
  | `key/${string}`
  | `terms/${string}`
  | `taken/${string}`
  | `wiped/${string}`
  | `heard/${string}`;

/** Facts of grants, on all devices of the account. */
export type GrantFacts = {
  readonly get: (grantId: string, name: FactName) => JsonObject | undefined;
  /** Notes a fact; one that is known stays as it is. */
  readonly note: (grantId: string, name: FactName, fact: JsonObject) => void;
  /** The facts of a grant whose name begins so, with the rest of the name. */
  readonly all: (
    grantId: string,
    prefix: 'key/' | 'terms/' | 'wiped/',
  ) => readonly { readonly name: string; readonly fact: JsonObject }[];
  /** Calls back for every new fact, of whichever device. */
  readonly onFact: (listener: (grantId: string, name: string) => void) => () => void;
};

/** Reads and writes facts. */
export function createGrantFacts(keychain: Keychain): GrantFacts {
  const listeners = new Set<(grantId: string, name: string) => void>();
  const byGrant = new Map<string, Map<string, JsonObject>>();
  const hold = (id: string, fact: JsonObject): readonly [grantId: string, name: string] => {
    const grantId = id.slice(0, id.indexOf('/'));
    const name = id.slice(grantId.length + 1);
    const facts = byGrant.get(grantId) ?? new Map<string, JsonObject>();
    byGrant.set(grantId, facts.set(name, fact));
    return [grantId, name];
  };
  const load = (): void => {
    byGrant.clear();
    for (const { id, item } of keychain.list('grant-fact')) hold(id, item);
  };
  const take = (id: string, fact: JsonObject): void => {
    const held = hold(id, fact);
    for (const listener of [...listeners]) listener(...held);
  };
  load();
  // What could not be stored is no fact.
  keychain.onRollback(load);
  keychain.onArrival('grant-fact', take);
  return {
    get: (grantId, name) => byGrant.get(grantId)?.get(name),
    note: (grantId, name, fact) => {
      if (byGrant.get(grantId)?.has(name)) return;
      keychain.put('grant-fact', `${grantId}/${name}`, fact);
      take(`${grantId}/${name}`, fact);
    },
    all: (grantId, prefix) =>
      [...(byGrant.get(grantId) ?? [])].flatMap(([name, fact]) =>
        name.startsWith(prefix) ? [{ name: name.slice(prefix.length), fact }] : [],
      ),
    onFact: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}
