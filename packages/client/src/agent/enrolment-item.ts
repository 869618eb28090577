/** An enrolment as an agent keeps it, under its passphrase. */

import { isDid, type JsonObject, toDid, toSpaceId } from '@sluice/core/base';
import { packBytes, unpackBytes } from '../account/keychain.ts';
import type { Enrolment } from './enrolment.ts';

/** Writes an enrolment. */
export const enrolmentToItem = (e: Enrolment): JsonObject => ({
  owner: e.owner,
  nodeUrl: e.node.url,
  nodeDid: e.node.did,
  space: packBytes(e.space),
  genesis: packBytes(e.genesis),
  secret: packBytes(e.secret),
});

/** Reads an enrolment. Throws TypeError on another form: it is the agent's own writing. */
export function itemToEnrolment(item: JsonObject): Enrolment {
  if (!isDid(item.nodeDid)) throw new TypeError('the enrolment lacks the node');
  return {
    owner: toDid(String(item.owner)),
    node: { url: String(item.nodeUrl), did: item.nodeDid },
    space: toSpaceId(unpackBytes(item.space)),
    genesis: unpackBytes(item.genesis),
    secret: unpackBytes(item.secret),
  };
}
