/** An agent as the owner keeps it in the keychain. */

import type { JsonObject, JsonValue } from '@sluice/core/base';
import { toVerifyKey, type VerifyKey } from '@sluice/core/crypto';
import { type Keychain, packBytes, unpackBytes } from '../account/keychain.ts';

/** `ending`: it is shut out, and what follows from that is under way. */
export type AgentStatus = 'active' | 'ending' | 'revoked';

/** An agent that the owner enrolled. */
export type GivenAgent = {
  readonly id: string;
  readonly name: string;
  /** Ids of the schemas whose records it reads and writes. */
  readonly types: readonly string[];
  readonly key: VerifyKey;
  /** What the collections follow from that it shares with the owner. */
  readonly secret: Uint8Array;
  readonly addedAtMs: number;
  readonly status: AgentStatus;
  readonly revokedAtMs?: number;
};

/** Writes an agent. */
export const agentToItem = (a: GivenAgent): JsonObject => ({
  name: a.name,
  types: a.types as readonly JsonValue[],
  key: packBytes(a.key),
  secret: packBytes(a.secret),
  addedAt: a.addedAtMs,
  status: a.status,
  ...(a.revokedAtMs === undefined ? {} : { revokedAt: a.revokedAtMs }),
});

/** Reads an agent. */
export const itemToAgent = (id: string, item: JsonObject): GivenAgent => ({
  id,
  name: String(item.name),
  types: Array.isArray(item.types) ? item.types.map(String) : [],
  key: toVerifyKey(unpackBytes(item.key)),
  secret: unpackBytes(item.secret),
  addedAtMs: Number(item.addedAt),
  status: item.status === 'revoked' || item.status === 'ending' ? item.status : 'active',
  ...(item.revokedAt === undefined ? {} : { revokedAtMs: Number(item.revokedAt) }),
});

/** All agents there are and were. */
export const listAgents = (keychain: Keychain): readonly GivenAgent[] =>
  keychain.list('agent').map(({ id, item }) => itemToAgent(id, item));

/** Since when the key of a grant has to be another one: no agent that was shut out may know it. 0 where none was. */
export function keyFromMs(keychain: Keychain, grantId: string): number {
  const terms = keychain.get('grant', grantId)?.terms as { readonly schema?: string } | undefined;
  if (terms?.schema === undefined) return 0;
  const { schema } = terms;
  return keychain
    .list('agent')
    .reduce(
      (latest, { item: { types, revokedAt } }) =>
        Array.isArray(types) && types.includes(schema) ? Math.max(latest, Number(revokedAt ?? 0)) : latest,
      0,
    );
}
