/**
 * The access rows of an agent. One for itself, and one more for each collection and grant it is given: rows are only added, and end together.
 */

import { bytesToHex, concatBytes, type StreamId, toRowId, utf8ToBytes } from '@sluice/core/base';
import { sha256, type VerifyKey, writerId } from '@sluice/core/crypto';
import { type CtlRow, VERB } from '@sluice/core/stream';
import { STREAM_KIND } from '@sluice/core/wire';

const DOMAIN = utf8ToBytes('sluice/agent-row/1\0');
const BOTH = VERB.read + VERB.write;

/** An agent is called by its key. */
export const agentId = (key: VerifyKey): string => bytesToHex(writerId(key));

const row = (id: Uint8Array, key: VerifyKey, access: CtlRow['access']): CtlRow => ({
  type: 'row',
  id: toRowId(id),
  key,
  role: 'agent',
  access,
  status: 'active',
  expiresMs: 0,
  perDay: 0,
  term: 0,
  statusMs: 0,
});
const idFor = (key: VerifyKey, stream: StreamId): Uint8Array => sha256(concatBytes(DOMAIN, key, stream)).slice(0, 16);

/**
 * The agent's own row: the log of own entries and the control log for reading, and the two collections that it shares with the owner.
 *
 * NOTE: the log of own entries is one for all collections, so the agent gets the sealed entries of all; it writes none but its own.
 */
export const baseRow = (key: VerifyKey, shared: readonly StreamId[]): CtlRow =>
  row(new Uint8Array(writerId(key)), key, [
    { target: Uint8Array.of(STREAM_KIND.own), verbs: VERB.read },
    { target: Uint8Array.of(STREAM_KIND.ctl), verbs: VERB.read },
    ...shared.map((target) => ({ target, verbs: BOTH })),
  ]);

/** Lets an agent write one collection. */
export const collectionRow = (key: VerifyKey, stream: StreamId): CtlRow =>
  row(idFor(key, stream), key, [{ target: stream, verbs: BOTH }]);

/** Lets an agent run one grant: write and read back its feed, read and trim its lane. */
export const grantRow = (key: VerifyKey, feed: StreamId, lane: StreamId | undefined): CtlRow =>
  row(
    idFor(key, feed),
    key,
    [feed, ...(lane ? [lane] : [])].map((target) => ({ target, verbs: BOTH })),
  );
